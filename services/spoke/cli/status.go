package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/breaker"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
)

type statusCmd struct {
	where `embed:""`
}

// status is what the command prints.
type status struct {
	Running     bool               `json:"running"`
	Tenant      string             `json:"tenant"`
	Connections []connectionStatus `json:"connections"`
	Feeds       []feedStatus       `json:"feeds,omitempty"`
	Streams     []streamStatus     `json:"streams"`
	Held        uint64             `json:"held"`    // documents that wait for another
	Waiting     uint64             `json:"waiting"` // records that wait for a vendor's object
	Quarantined uint64             `json:"quarantined"`
	Alerts      uint64             `json:"alerts"`
}

type connectionStatus struct {
	Name  string           `json:"name"`
	State events.Condition `json:"state"`
	// Pending documents have not been given to the sink, Unacked are with it.
	Pending uint64 `json:"pending"`
	Unacked int    `json:"unacked"`
}

type streamStatus struct {
	Name     string `json:"name"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
}

// Run implements the command.
func (c *statusCmd) Run(s *session) error {
	st, err := c.open(s.ctx)
	if err != nil {
		return err
	}
	defer st.close()
	now, err := st.status(s.ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return s.json(now)
	}
	now.print(s)
	return nil
}

func (st *store) status(ctx context.Context) (*status, error) {
	now := &status{Running: st.running, Tenant: st.tenant}
	js := st.bus.JetStream()
	for _, name := range []string{events.StreamEvents, events.StreamHub, events.StreamWarehouse, events.StreamQuarantine, events.StreamAlerts} {
		stream, err := js.Stream(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		state := stream.CachedInfo().State
		now.Streams = append(now.Streams, streamStatus{Name: name, Messages: state.Msgs, Bytes: state.Bytes})
		switch name {
		case events.StreamQuarantine:
			now.Quarantined = state.Msgs
		case events.StreamAlerts:
			now.Alerts = state.Msgs
		case events.StreamHub:
			if now.Held, err = count(ctx, stream, "held.>"); err != nil {
				return nil, err
			}
			if now.Waiting, err = count(ctx, stream, "waiting.>"); err != nil {
				return nil, err
			}
			if now.Connections, err = st.connections(ctx, stream); err != nil {
				return nil, err
			}
		}
	}
	var err error
	now.Feeds, err = st.feeds(ctx)
	return now, err
}

// feeds are those that are polled, and those that are or were backfilled.
func (st *store) feeds(ctx context.Context) ([]feedStatus, error) {
	points, err := checkpoint.Open(ctx, st.bus.JetStream(), st.tenant)
	if err != nil {
		return nil, err
	}
	catalog, err := points.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	all, err := feedStatuses(ctx, points, catalog.Connections)
	return slices.DeleteFunc(all, func(f feedStatus) bool {
		return f.Work == checkpoint.Backfill && f.State.Request == nil && f.State.Last == nil
	}), err
}

// printFeeds shows what is read: how far polls are behind, how far backfills
// have come.
func (now *status) printFeeds(s *session) {
	if len(now.Feeds) == 0 {
		return
	}
	t := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "CONNECTION\tFEED\tREAD\tSTATE\tBEHIND\tOBJECTS\tOF\tLAST")
	for _, f := range now.Feeds {
		var cells []string
		read, behind, last := "backfill", "-", "-"
		if f.State.Last != nil {
			last = stamp(f.State.Last.Ended)
		}
		if f.Work == checkpoint.Backfill {
			cells = row(*f.State)
		} else {
			read, cells = f.Sync, pollRow(*f.State)
		}
		if f.LagSeconds != nil {
			behind = (time.Duration(*f.LagSeconds) * time.Second).String()
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Connection, f.Feed, read, cells[0], behind, cells[1], cells[2], last)
	}
	_ = t.Flush()
	for _, f := range now.Feeds {
		if p := f.State.Failure; p != nil {
			s.printf("\n%s %s: %s\n", f.Connection, f.Feed, plain(p.Message))
			if p.Hint != "" {
				s.printf("  %s\n", plain(p.Hint))
			}
		}
	}
	s.printf("\n")
}

// pollRow is what a poll's state says: state, objects of its last or current
// pass, and how many there are.
func pollRow(st checkpoint.State) []string {
	cells := []string{"ok", "0", "-"}
	if st.Last != nil {
		cells[1] = thousands(st.Last.Objects)
	}
	if st.Pass != nil {
		cells[0], cells[1] = "under way", thousands(st.Pass.Objects)
		if st.Pass.Total > 0 {
			cells[2] = thousands(st.Pass.Total)
		}
	}
	if st.Failure != nil {
		cells[0] = "waits: " + plain(st.Failure.Kind)
	}
	return cells
}

// count returns how many subjects match; HUB has one message on each.
func count(ctx context.Context, stream jetstream.Stream, filter string) (uint64, error) {
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", filter, err)
	}
	return uint64(len(info.State.Subjects)), nil
}

func (st *store) connections(ctx context.Context, hub jetstream.Stream) ([]connectionStatus, error) {
	kv, err := st.bus.JetStream().KeyValue(ctx, bus.BucketConnections)
	if err != nil {
		return nil, fmt.Errorf("connections: %w", err)
	}
	var all []connectionStatus
	consumers := hub.ListConsumers(ctx)
	for info := range consumers.Info() {
		name, ok := strings.CutPrefix(info.Name, bus.SinkDurable(""))
		if !ok {
			continue
		}
		c := connectionStatus{Name: name, Pending: info.NumPending, Unacked: info.NumAckPending, State: events.Condition{State: "not started"}}
		e, err := kv.Get(ctx, events.Token(name))
		if err == nil {
			err = json.Unmarshal(e.Value(), &c.State)
		}
		if err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
			return nil, fmt.Errorf("connection %s: %w", name, err)
		}
		if !st.running && c.State.State != breaker.StatePaused {
			c.State = events.Condition{State: "stopped"}
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b connectionStatus) int { return strings.Compare(a.Name, b.Name) })
	return all, consumers.Err()
}

func (now *status) print(s *session) {
	if !now.Running {
		s.printf("Spoke is stopped; this is what its data folder holds.\n\n")
	}
	t := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "CONNECTION\tSTATE\tSINCE\tTO DO\tUNDER WAY")
	for _, c := range now.Connections {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\n", c.Name, c.State.State, stamp(c.State.Since), c.Pending, c.Unacked)
	}
	_ = t.Flush()
	for _, c := range now.Connections {
		if c.State.Reason != "" {
			s.printf("\n%s: %s\n", c.Name, c.State.Reason)
			if c.State.Hint != "" {
				s.printf("  %s\n", c.State.Hint)
			}
		}
	}
	s.printf("\nheld %d, waiting %d, quarantined %d, alerts %d\n\n", now.Held, now.Waiting, now.Quarantined, now.Alerts)
	now.printFeeds(s)
	t = tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "STREAM\tMESSAGES\tKIB")
	for _, x := range now.Streams {
		_, _ = fmt.Fprintf(t, "%s\t%d\t%d\n", x.Name, x.Messages, x.Bytes/1024)
	}
	_ = t.Flush()
}
