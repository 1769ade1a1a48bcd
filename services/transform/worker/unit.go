package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// unit is work that belongs together: facts that come from the same messages.
// The messages are acked once every fact is committed.
type unit struct {
	facts []fact
	msgs  []bus.Delivered
	left  atomic.Int64
	// needs are hub objects to be read first; complete is set once that was
	// done.
	needs    []events.External
	complete bool
}

// fact is one thing to merge, with the trace it belongs to.
type fact struct {
	hub.Fact
	unit *unit
	// route is set, instead of Change and Outcome, for a request to derive the
	// record's documents again.
	route *events.Route
	span  trace.SpanContext
	key   events.Key
	// matched is set when the record was found by the object's fields.
	matched bool
}

// message returns the message that brought the fact: several may be read
// together, and an object that another one links to is read without any.
func (f fact) message() (bus.Delivered, bool) {
	for _, m := range slices.Backward(f.unit.msgs) {
		h, err := bus.HeadingOf(m.Stored)
		if err != nil || h.ID != f.ID {
			continue
		}
		t, err := events.SubjectTokens(m.Subject)
		if c := f.Change; c == nil || err == nil && len(t) == 6 && t[2] == c.Connection && t[3] == string(c.Entity) && t[5] == c.ID {
			return m, true
		}
	}
	return bus.Delivered{}, false
}

// committed notes that n facts are in HUB, and acks after the last one.
func (u *unit) committed(n int) {
	if u.left.Add(-int64(n)) > 0 {
		return
	}
	for _, m := range u.msgs {
		_ = m.Ack() // a lost ack means one more delivery, which is a no-op
	}
}

// again gives all messages back.
func (u *unit) again(delay time.Duration) {
	for _, m := range u.msgs {
		_ = m.Again(delay) // without it they come back when their ack time is over
	}
}

// intake decodes messages. Announcements go to the enricher; what can't be
// decoded goes to quarantine.
func (w *Worker) intake(ctx context.Context, msgs []bus.Delivered) []*unit {
	units := make([]*unit, 0, len(msgs))
	for _, m := range msgs {
		u, err := w.decode(ctx, m)
		switch {
		case err != nil:
			// Each of them is something else that would be lost.
			w.quarantineMessage(ctx, m, err, fmt.Sprintf("%s/%d", m.Subject, m.Seq))
		case u == nil: // with the enricher now
		default:
			units = append(units, u)
		}
	}
	return units
}

func (w *Worker) decode(ctx context.Context, m bus.Delivered) (*unit, error) {
	var f fact
	var h events.Heading
	var err error
	if bus.IsRoute(m.Stored) {
		return decodeRoute(ctx, m)
	}
	if bus.IsOutcome(m.Stored) {
		var o events.Outcome
		h, o, err = events.DecodeOutcome(m.Data)
		f.Outcome = &o
	} else {
		var c events.Change
		h, c, err = events.DecodeChange(m.Data)
		f.Change = &c
	}
	if err != nil {
		return nil, fault.New(fault.Malformed, "transform", "message %d: %w", m.Seq, err)
	}
	f.ID, f.span = h.ID, bus.Origin(ctx, m.Header, h)
	c := f.Change
	if c == nil {
		return newUnit(m, f), nil
	}
	if !c.Entity.Known() {
		return nil, fault.New(fault.Malformed, "transform", "event %s: %q is no entity", h.ID, c.Entity)
	}
	w.clamp(ctx, c, m.Time)
	if c.Signal && w.Readers[c.Connection] != nil {
		w.enrich.announce(m, f)
		return nil, nil //nolint:nilnil // the enricher has it now
	}
	return newUnit(m, f), nil
}

func decodeRoute(ctx context.Context, m bus.Delivered) (*unit, error) {
	h, r, err := events.DecodeRoute(m.Data)
	if err == nil && r.Record.IsZero() {
		err = errors.New("names no record")
	}
	if err != nil {
		return nil, fault.New(fault.Malformed, "transform", "message %d: %w", m.Seq, err)
	}
	return newUnit(m, fact{Fact: hub.Fact{ID: h.ID}, route: &r, span: bus.Origin(ctx, m.Header, h), key: r.Record}), nil
}

func newUnit(m bus.Delivered, f fact) *unit {
	u := &unit{msgs: []bus.Delivered{m}}
	f.unit = u
	u.facts = []fact{f}
	u.left.Store(1)
	return u
}

// quarantineMessage sets a message apart that can't be merged. id tells it
// from others of its kind.
func (w *Worker) quarantineMessage(ctx context.Context, m bus.Delivered, cause error, id string) {
	q := events.Quarantined{
		Service: "transform", Problem: *fault.Problem(cause), Attempts: 1, Stream: events.StreamEvents,
		Subject: m.Subject, Sequence: m.Seq, At: time.Now().UTC(), Original: events.Original(m.Data),
	}
	if t, err := events.SubjectTokens(m.Subject); err == nil && len(t) > 5 {
		q.Connection, q.Entity = t[2], events.Entity(t[3])
	}
	if err := w.quarantine(ctx, q, id); err != nil {
		w.Log.Error("transform: quarantine not stored, will try again", "error", err)
		_ = m.Again(time.Second)
		return
	}
	_ = m.Ack()
}

func (w *Worker) quarantine(ctx context.Context, q events.Quarantined, id string) error {
	b, err := json.Marshal(q)
	if err != nil {
		return err
	}
	connection := q.Connection
	if connection == "" {
		connection = "unknown"
	}
	_, err = w.Bus.Publish(ctx, bus.Message{
		Subject: events.QuarantineSubject(q.Service, connection, q.Problem.Kind, q.Entity, id), Data: b,
	})
	if err == nil {
		w.Meter.quarantined()
		w.Log.Error("transform: set apart", "connection", q.Connection, "record", q.Record.String(), "kind", q.Problem.Kind, "problem", q.Problem.Message)
	}
	return err
}
