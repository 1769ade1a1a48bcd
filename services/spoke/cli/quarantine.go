package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/audit"
	"github.com/spoke-sync/spoke/services/internal/quarantine"
)

type quarantineCmd struct {
	Ls    quarantineLsCmd    `cmd:"" help:"List what could not be done."`
	Show  quarantineShowCmd  `cmd:"" help:"Show one entry with its content."`
	Retry quarantineRetryCmd `cmd:"" help:"Try entries again, after their cause was mended."`
	Edit  quarantineEditCmd  `cmd:"" help:"Change the content of one entry, and try it again."`
	Drop  quarantineDropCmd  `cmd:"" help:"Remove entries for good."`

	Settle quarantineSettleCmd `cmd:"" help:"Say which record an object stands for that may be one of several."`
}

// selection are the flags that select entries.
type selection struct {
	Connection string        `help:"Only of this connection."`
	Kind       string        `help:"Only of this kind of problem, such as rejected."`
	Entity     events.Entity `help:"Only of this entity."`
	Record     string        `help:"Only of this record, such as deal/77."`
	Since      string        `help:"Only what was set apart since then: a time (2026-11-25, 2026-11-25T08:00:00Z) or an age (30m, 12h, 7d)."`
	Until      string        `help:"Only what was set apart before then."`
	Text       string        `help:"Only with this text in the message, hint, field or record."`
}

func (c selection) filter(ids []uint64, now time.Time) (quarantine.Filter, error) {
	f := quarantine.Filter{IDs: ids, Connection: c.Connection, Kind: c.Kind, Entity: c.Entity, Text: c.Text}
	var err error
	if c.Record != "" {
		if f.Record, err = events.ParseKey(c.Record); err != nil {
			return f, err
		}
	}
	if c.Entity != "" && !c.Entity.Known() {
		return f, fmt.Errorf("--entity: %q is no entity", c.Entity)
	}
	if f.Since, err = moment("--since", c.Since, now); err != nil {
		return f, err
	}
	f.Until, err = moment("--until", c.Until, now)
	return f, err
}

// moment reads a time, a day, or an age.
func moment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	age := text
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		if _, err := fmt.Sscanf(days+".", "%d.", &n); err == nil && n > 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(age); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%s %q: want a time such as 2026-11-25 or 2026-11-25T08:00:00Z, or an age such as 30m, 12h or 7d", flag, text)
}

// desk is the quarantine with the person at it.
func (st *store) desk() *quarantine.Store {
	return quarantine.New(st.bus, audit.New(st.bus, st.tenant, audit.Actor()))
}

type quarantineLsCmd struct {
	selection `embed:""`
	where     `embed:""`
}

// Run implements the command.
func (c *quarantineLsCmd) Run(s *session) error {
	f, err := c.filter(nil, time.Now())
	if err != nil {
		return err
	}
	st, err := c.open(s.ctx)
	if err != nil {
		return err
	}
	defer st.close()
	all, err := collect(s, st, f)
	if err != nil {
		return err
	}
	if c.JSON {
		return s.json(all)
	}
	if len(all) == 0 {
		s.printf("nothing is set apart\n")
		return nil
	}
	list(s, all)
	return nil
}

func collect(s *session, st *store, f quarantine.Filter) ([]quarantine.Entry, error) {
	all := []quarantine.Entry{}
	for e, err := range st.desk().Each(s.ctx, f) {
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func list(s *session, all []quarantine.Entry) {
	t := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "ID\tAT\tCONNECTION\tKIND\tRECORD\tFIELD\tPROBLEM")
	for _, e := range all {
		record := e.Record.String()
		if e.Record.IsZero() {
			record = "-"
		}
		_, _ = fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", e.ID, stamp(e.At), e.Connection, e.Problem.Kind,
			plain(record), plain(e.Problem.Field), plain(short(e.Problem.Message)))
	}
	_ = t.Flush()
}

// short cuts a message for a table.
func short(text string) string {
	const most = 100
	r := []rune(text)
	if len(r) <= most {
		return text
	}
	return string(r[:most-1]) + "…"
}

// entry opens the store and finds one entry in it.
func (w where) entry(s *session, id uint64) (*store, quarantine.Entry, error) {
	st, err := w.open(s.ctx)
	if err != nil {
		return nil, quarantine.Entry{}, err
	}
	e, err := st.desk().Get(s.ctx, id)
	if err != nil {
		st.close()
		return nil, quarantine.Entry{}, err
	}
	return st, e, nil
}

type quarantineShowCmd struct {
	ID    uint64 `arg:"" help:"Number of the entry, as ls shows it."`
	where `embed:""`
}

// Run implements the command.
func (c *quarantineShowCmd) Run(s *session) error {
	st, e, err := c.entry(s, c.ID)
	if err != nil {
		return err
	}
	defer st.close()
	if c.JSON {
		return s.json(e)
	}
	t := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	for _, row := range [][2]string{
		{"problem", e.Problem.Message},
		{"remedy", e.Problem.Hint},
		{"kind", e.Problem.Kind},
		{"field", e.Problem.Field},
		{"code", e.Problem.Code},
		{"record", e.Record.String()},
		{"connection", e.Connection},
		{"given up by", e.Service},
		{"attempts", fmt.Sprint(e.Attempts)},
		{"at", stamp(e.At)},
		{"event", e.Event},
		{"trace", e.Trace},
		{"came from", fmt.Sprintf("%s %d, %s", e.Stream, e.Sequence, e.Subject)},
	} {
		if row[1] != "" && row[1] != "/" {
			_, _ = fmt.Fprintf(t, "%s\t%s\n", row[0], plain(row[1]))
		}
	}
	_ = t.Flush()
	if quarantine.Ambiguous(e) {
		c.choices(s, e)
	}
	s.printf("\n")
	return s.json(e.Original)
}

// bulk are the flags of a command that acts on many entries.
type bulk struct {
	IDs       []uint64 `arg:"" optional:"" name:"id" help:"Numbers of the entries, as ls shows them."`
	All       bool     `help:"Everything in quarantine."`
	DryRun    bool     `help:"Only show what would be done."`
	selection `embed:""`
	where     `embed:""`
}

// run does something to each selected entry.
func (c *bulk) run(s *session, verb, done string, act func(*store, quarantine.Entry) (string, error)) error {
	f, err := c.filter(c.IDs, time.Now())
	if err != nil {
		return err
	}
	if f.Empty() && !c.All {
		return fmt.Errorf("this would %s everything in quarantine: name entries, narrow it with a flag such as --connection, or say --all", verb)
	}
	st, err := c.open(s.ctx)
	if err != nil {
		return err
	}
	defer st.close()
	all, err := collect(s, st, f)
	if err != nil {
		return err
	}
	if missing := absent(c.IDs, all); len(missing) > 0 {
		return fmt.Errorf("not in quarantine, or not selected by the other flags: %s", strings.Trim(fmt.Sprint(missing), "[]"))
	}
	if c.DryRun {
		list(s, all)
		s.printf("\n%d would be %s; nothing was changed\n", len(all), done)
		return nil
	}
	counts := map[string]int{}
	for _, e := range all {
		what, err := act(st, e)
		if err != nil {
			s.printf("%d  %v\n", e.ID, err)
			what = "failed"
		}
		counts[what]++
	}
	return tally(s, counts, len(all))
}

// tally says what came of a bulk action, and fails if anything did.
func tally(s *session, counts map[string]int, n int) error {
	if n == 0 {
		s.printf("nothing in quarantine is selected\n")
		return nil
	}
	for _, what := range []string{string(quarantine.Retried), "dropped", string(quarantine.Superseded), "failed"} {
		if counts[what] > 0 {
			s.printf("%s %d\n", what, counts[what])
		}
	}
	if counts["failed"] > 0 {
		return errFailed
	}
	return nil
}

func absent(ids []uint64, all []quarantine.Entry) []uint64 {
	found := map[uint64]bool{}
	for _, e := range all {
		found[e.ID] = true
	}
	var missing []uint64
	for _, id := range ids {
		if !found[id] {
			missing = append(missing, id)
		}
	}
	return missing
}

type quarantineRetryCmd struct {
	bulk `embed:""`
}

// Run implements the command.
func (c *quarantineRetryCmd) Run(s *session) error {
	return c.run(s, "retry", "retried", func(st *store, e quarantine.Entry) (string, error) {
		out, err := st.desk().Retry(s.ctx, e)
		return string(out), err
	})
}

type quarantineDropCmd struct {
	bulk `embed:""`
}

// Run implements the command.
func (c *quarantineDropCmd) Run(s *session) error {
	return c.run(s, "drop", "dropped", func(st *store, e quarantine.Entry) (string, error) {
		return "dropped", st.desk().Drop(s.ctx, e)
	})
}
