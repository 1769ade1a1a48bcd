package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/ingest/feeder"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
)

type backfillCmd struct {
	Connection string   `arg:"" optional:"" help:"The connection to read from, such as hubspot."`
	Entities   []string `arg:"" optional:"" name:"entity" help:"What to read, such as company deal; all that can be read when none is named."`
	Since      string   `help:"Only what was changed since then: a time (2026-11-25, 2026-11-25T08:00:00Z) or an age (30m, 12h, 7d)."`
	Follow     bool     `default:"true" negatable:"" help:"Show the progress until it is done."`
	List       bool     `help:"Show the backfills that are wanted, under way or done."`
	Cancel     bool     `help:"End the connection's backfills where they are."`
	where      `embed:""`
}

// Run implements the command.
func (c *backfillCmd) Run(s *session) error {
	if err := c.check(); err != nil {
		return err
	}
	since, err := moment("--since", c.Since, time.Now())
	if err != nil {
		return err
	}
	if since.After(time.Now()) {
		return fmt.Errorf("--since %s is in the future", c.Since)
	}
	st, err := c.open(s.ctx)
	if err != nil {
		return err
	}
	defer st.close()
	b := &backfills{session: s, store: st, json: c.JSON}
	if b.points, err = checkpoint.Open(s.ctx, st.bus.JetStream(), st.tenant); err != nil {
		return fmt.Errorf("%w\nstart this version of Spoke once: it makes what is missing", err)
	}
	catalog, err := b.points.Catalog(s.ctx)
	if err != nil {
		return err
	}
	if c.List && c.Connection == "" {
		return b.list(catalog.Connections)
	}
	conn, err := catalog.Connection(c.Connection)
	if err != nil {
		return err
	}
	switch {
	case c.List:
		return b.list([]checkpoint.Connection{conn})
	case c.Cancel:
		return b.cancel(conn)
	}
	return b.start(conn, c.entities(), since, c.Follow)
}

func (c *backfillCmd) check() error {
	switch {
	case c.List && c.Cancel:
		return errors.New("--list and --cancel: want one of them")
	case c.Connection == "" && !c.List:
		return errors.New("name a connection, such as: spoke backfill hubspot")
	case (c.List || c.Cancel) && (len(c.Entities) > 0 || c.Since != ""):
		return errors.New("--list and --cancel are for a whole connection: leave out entities and --since")
	}
	return nil
}

func (c *backfillCmd) entities() []events.Entity {
	var all []events.Entity
	for _, e := range c.Entities {
		all = append(all, events.Entity(e))
	}
	return all
}

// backfills is what the command works on.
type backfills struct {
	*session

	store  *store
	points *checkpoint.Store
	json   bool
}

// start stores the request, where whoever reads the feeds finds it.
func (b *backfills) start(conn checkpoint.Connection, entities []events.Entity, since time.Time, follow bool) error {
	plan, err := conn.Plan(entities)
	if err != nil {
		return err
	}
	replies, err := b.points.Request(b.ctx, conn.Name, plan, since)
	if err != nil {
		return err
	}
	if err := feeder.Announce(b.ctx, b.store.bus, b.store.tenant, conn.Name); err != nil {
		return err
	}
	if b.json {
		return b.list([]checkpoint.Connection{conn})
	}
	for i, f := range plan {
		b.printf("%s: %s\n", f.Name, inWords(replies[i], since))
	}
	running, err := b.served()
	if err != nil {
		return err
	}
	if !running {
		b.printf("\nNobody reads now: the request is stored, and begins when Spoke starts (spoke up, or the service ingest).\n")
		return nil
	}
	if !follow {
		b.printf("\nIt goes on by itself: see it with spoke backfill --list.\n")
		return nil
	}
	return b.follow(conn, plan)
}

func inWords(r checkpoint.Reply, since time.Time) string {
	what := "everything"
	if !since.IsZero() {
		what = "what was changed since " + stamp(since)
	}
	switch r {
	case checkpoint.Joined:
		return "a backfill that reads " + what + " is wanted already; joined it"
	case checkpoint.Extended:
		return "a backfill was to begin; it reads " + what + " too"
	case checkpoint.Queued:
		return "a backfill that reads less is under way; " + what + " is read after it"
	default:
		return "reads " + what
	}
}

// served reports whether somebody waits for what is due.
func (b *backfills) served() (bool, error) {
	if !b.store.running {
		return false, nil
	}
	c, err := b.store.bus.JetStream().Consumer(b.ctx, events.StreamSchedules, bus.DurableFeeder)
	if err != nil {
		return false, fmt.Errorf("consumer %s: %w", bus.DurableFeeder, err)
	}
	// Between two requests of a replica that is alone nobody waits.
	for range 20 {
		info, err := c.Info(b.ctx)
		if err != nil {
			return false, fmt.Errorf("consumer %s: %w", bus.DurableFeeder, err)
		}
		if info.NumWaiting > 0 || info.NumAckPending > 0 {
			return true, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false, nil
}

func (b *backfills) cancel(conn checkpoint.Connection) error {
	ended, err := b.points.Cancel(b.ctx, conn)
	if err != nil {
		return err
	}
	if len(ended) == 0 {
		b.printf("%s: no backfill is wanted or under way\n", conn.Name)
		return nil
	}
	b.printf("%s: ended %s. What was read stays; nothing is taken back.\n", conn.Name, strings.Join(ended, ", "))
	return nil
}

// feedStatus is one feed as people see it.
type feedStatus struct {
	Connection string            `json:"connection"`
	Feed       string            `json:"feed"`
	Entities   []events.Entity   `json:"entities"`
	Work       checkpoint.Work   `json:"work"`
	Sync       string            `json:"sync,omitempty"`
	LagSeconds *int64            `json:"lagSeconds,omitempty"`
	State      *checkpoint.State `json:"state,omitempty"`
}

// list shows the backfills of connections.
func (b *backfills) list(conns []checkpoint.Connection) error {
	all, err := feedStatuses(b.ctx, b.points, conns)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(f feedStatus) bool {
		return f.Work != checkpoint.Backfill || f.State.Request == nil && f.State.Last == nil
	})
	if b.json {
		return b.session.json(all)
	}
	if len(all) == 0 {
		b.printf("no backfill was asked for\n")
		return nil
	}
	t := tabwriter.NewWriter(b.out, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "CONNECTION\tFEED\tSTATE\tOBJECTS\tOF\tSINCE\tBEGAN")
	for _, f := range all {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\n", f.Connection, f.Feed, strings.Join(row(*f.State), "\t"))
	}
	return t.Flush()
}

// row is what a backfill's state says: state, objects, total, since, begun.
func row(st checkpoint.State) []string {
	if st.Request == nil {
		word := "done"
		if st.Last.Canceled {
			word = "canceled"
		}
		return []string{word, thousands(st.Last.Objects), "-", stamp(st.Last.Since), stamp(st.Last.Started)}
	}
	cells := []string{"wanted", "0", "-", stamp(st.Request.Since), "-"}
	if p := st.Pass; p != nil {
		cells[0], cells[1], cells[4] = "under way", thousands(p.Objects), stamp(p.Started)
		if p.Total > 0 {
			cells[2] = thousands(p.Total)
		}
	}
	if st.Failure != nil {
		cells[0] = "waits: " + plain(st.Failure.Kind)
	}
	return cells
}

// feedStatuses reads where the feeds of connections stand, in their order.
func feedStatuses(ctx context.Context, points *checkpoint.Store, conns []checkpoint.Connection) ([]feedStatus, error) {
	var all []feedStatus
	for _, c := range conns {
		for _, f := range c.Feeds {
			for _, w := range []checkpoint.Work{checkpoint.Poll, checkpoint.Backfill} {
				if w == checkpoint.Poll && f.Every == 0 || w == checkpoint.Backfill && !f.Backfill {
					continue
				}
				st, _, err := points.Load(ctx, checkpoint.Key{Connection: c.Name, Feed: f.Name, Work: w})
				if err != nil {
					return nil, err
				}
				s := feedStatus{Connection: c.Name, Feed: f.Name, Entities: f.Entities, Work: w, State: &st}
				if w == checkpoint.Poll {
					s.Sync = f.Sync
					if !st.Until.IsZero() {
						lag := int64(time.Since(st.Until).Seconds())
						s.LagSeconds = &lag
					}
				}
				all = append(all, s)
			}
		}
	}
	return all, nil
}
