package cli

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/quarantine"
)

type quarantineSettleCmd struct {
	ID     uint64 `arg:"" help:"Number of the entry, as ls shows it."`
	Record string `arg:"" optional:"" help:"The record that the object stands for, such as company/77; show lists those that it may be."`
	None   bool   `help:"It is none of them, but a record of its own."`
	DryRun bool   `help:"Only show what would be done."`
	where  `embed:""`
}

// Run implements the command.
func (c *quarantineSettleCmd) Run(s *session) error {
	k, err := c.record()
	if err != nil {
		return err
	}
	st, e, err := c.entry(s, c.ID)
	if err != nil {
		return err
	}
	defer st.close()
	d, err := st.desk().Decide(s.ctx, e, k)
	if err != nil {
		return err
	}
	if c.DryRun {
		list(s, d.Waiting)
		s.printf("\n%s; %d would be retried; nothing was changed\n", told(d), len(d.Waiting))
		return nil
	}
	out, err := st.desk().Settle(s.ctx, e, d)
	if err != nil {
		return err
	}
	s.printf("%s\n%s %d\n", told(d), out, len(d.Waiting))
	return nil
}

// record reads which record was chosen; the zero Key means none of them.
func (c *quarantineSettleCmd) record() (events.Key, error) {
	switch {
	case c.None && c.Record != "":
		return events.Key{}, errors.New("either a record or --none, not both")
	case c.None:
		return events.Key{}, nil
	case c.Record == "":
		return events.Key{}, fmt.Errorf("name the record that it stands for, or say --none; spoke quarantine show %d lists them", c.ID)
	}
	return events.ParseKey(c.Record)
}

// told says what a decision means.
func told(d quarantine.Decision) string {
	text := fmt.Sprintf("%s %s of %s is %s", d.Object.Object, d.Object.ID, d.Object.Connection, d.Record)
	if d.None() {
		text += ", a record of its own"
	}
	return plain(text)
}

// choices lists the records that an object may stand for, each with the command
// that settles it so.
func (c *quarantineShowCmd) choices(s *session, e quarantine.Entry) {
	s.printf("\n")
	t := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "IT MAY BE\tSAME\tTO SETTLE IT SO")
	settle := func(what string) string {
		return fmt.Sprintf("spoke quarantine settle %d %s%s", e.ID, what, c.flags())
	}
	for _, r := range e.Choices {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\n", plain(r.Record.String()), plain(r.Field), plain(settle(quoted(r.Record.String()))))
	}
	_, _ = fmt.Fprintf(t, "none of them: %s\t\t%s\n", plain(e.Own.String()), plain(settle("--none")))
	_ = t.Flush()
}

// flags are the flags by which another command looks at the same Spoke.
func (w where) flags() (text string) {
	if w.Config != "" {
		text += " --config " + quoted(w.Config)
	}
	if w.Data != defaultData {
		text += " --data " + quoted(w.Data)
	}
	return text
}

// quoted makes text one word of a shell.
func quoted(text string) string {
	const plainWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+=,"
	if text != "" && strings.Trim(text, plainWord) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
