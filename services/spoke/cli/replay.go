package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/audit"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/replay"
)

func (st *store) replayer() *replay.Replayer {
	return replay.New(st.bus, audit.New(st.bus, st.tenant, audit.Actor()), st.tenant)
}

type replayCmd struct {
	Since  string        `help:"Only events stored since then: a time (2026-11-25, 2026-11-25T08:00:00Z) or an age (30m, 12h, 7d)."`
	Until  string        `help:"Only events stored before then."`
	From   string        `help:"Only what this connection or upstream said."`
	Entity events.Entity `help:"Only of this entity."`
	Record string        `help:"Only what concerns this record, such as deal/77."`
	To     string        `help:"Instead of merging the events again, assert the documents of their records at this connection."`
	All    bool          `help:"Every event that is kept."`
	DryRun bool          `help:"Only count."`
	where  `embed:""`
}

// Run implements the command.
func (c *replayCmd) Run(s *session) error {
	sel, err := c.selection(time.Now())
	if err != nil {
		return err
	}
	if sel.Empty() && !c.All {
		return errors.New("this would go over every event that is kept: narrow it with a flag such as --since or --record, or say --all")
	}
	st, err := c.open(s.ctx)
	if err != nil {
		return err
	}
	defer st.close()
	o := replay.Options{Dry: c.DryRun}
	if c.To != "" {
		if err := st.known(s, c.To); err != nil {
			return err
		}
		n, err := st.replayer().Force(s.ctx, c.To, sel, o)
		if err != nil {
			return err
		}
		s.say(st, n, c.DryRun, "record", "asserted at "+c.To)
		return nil
	}
	n, err := st.replayer().Events(s.ctx, sel, o)
	if err != nil {
		return err
	}
	s.say(st, n, c.DryRun, "event", "merged again")
	return nil
}

func (c *replayCmd) selection(now time.Time) (sel replay.Selection, err error) {
	sel = replay.Selection{From: c.From, Entity: c.Entity}
	if c.Entity != "" && !c.Entity.Known() {
		return sel, fmt.Errorf("--entity: %q is no entity", c.Entity)
	}
	if c.Record != "" {
		if sel.Record, err = events.ParseKey(c.Record); err != nil {
			return sel, err
		}
	}
	if sel.Since, err = moment("--since", c.Since, now); err != nil {
		return sel, err
	}
	sel.Until, err = moment("--until", c.Until, now)
	return sel, err
}

type resyncCmd struct {
	Connection string        `arg:"" help:"The connection that is to be filled, or told anew."`
	Entity     events.Entity `arg:"" optional:"" help:"Only records of this entity."`
	Record     string        `help:"Only this record, such as deal/77."`
	DryRun     bool          `help:"Only count."`
	where      `embed:""`
}

// Run implements the command.
func (c *resyncCmd) Run(s *session) error {
	sel := replay.Selection{Entity: c.Entity}
	if c.Entity != "" && !c.Entity.Known() {
		return fmt.Errorf("%q is no entity", c.Entity)
	}
	if c.Record != "" {
		var err error
		if sel.Record, err = events.ParseKey(c.Record); err != nil {
			return err
		}
	}
	st, err := c.open(s.ctx)
	if err != nil {
		return err
	}
	defer st.close()
	if err := st.known(s, c.Connection); err != nil {
		return err
	}
	n, err := st.replayer().Resync(s.ctx, c.Connection, sel, replay.Options{Dry: c.DryRun})
	if err != nil {
		return err
	}
	s.say(st, n, c.DryRun, "record", "asserted at "+c.Connection)
	return nil
}

// known refuses a connection that there is no sink for.
func (st *store) known(s *session, connection string) error {
	stream, err := st.bus.JetStream().Stream(s.ctx, events.StreamHub)
	if err != nil {
		return err
	}
	var names []string
	consumers := stream.ConsumerNames(s.ctx)
	for name := range consumers.Name() {
		if n, ok := strings.CutPrefix(name, bus.SinkDurable("")); ok {
			names = append(names, n)
		}
	}
	if err := consumers.Err(); err != nil {
		return err
	}
	slices.Sort(names)
	if !slices.Contains(names, connection) {
		return fmt.Errorf("no connection is named %q: one of %s", connection, strings.Join(names, ", "))
	}
	return nil
}

// say tells what a run over many came to.
func (s *session) say(st *store, n int, dry bool, what, done string) {
	if n != 1 {
		what += "s"
	}
	switch {
	case dry:
		s.printf("%d %s would be %s; nothing was changed\n", n, what, done)
	case st.running:
		s.printf("%d %s on the way to be %s\n", n, what, done)
	default:
		s.printf("%d %s will be %s when Spoke runs again\n", n, what, done)
	}
}
