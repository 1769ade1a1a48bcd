package worker

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// setApart finds the facts that make a record fail and quarantines them, one
// by one. It reports whether what is left of the change can be committed.
func (w *Worker) setApart(ctx context.Context, c *change, cause error) bool {
	if fault.Is(cause, fault.Transient) { // says nothing about the facts
		w.Log.Warn("transform: postponed", "record", c.key.String(), "error", cause)
		w.release([]*change{c}, giveAgain)
		return false
	}
	good, bad := w.tell(ctx, c)
	if len(bad) == 0 && len(good) > 0 {
		// Only together do they fail. One goes first; the others come again
		// and are judged by what the record is then.
		for _, f := range good[1:] {
			f.unit.again(0)
		}
		good = good[:1]
	}
	for _, b := range bad {
		if err := w.quarantineFact(ctx, c.key, b.fact, b.err); err != nil {
			w.Log.Error("transform: quarantine not stored, will try again", "error", err)
			b.unit.again(giveAgain)
			continue
		}
		b.unit.committed(1)
	}
	c.facts = good
	if len(good) == 0 {
		c.close()
		return false
	}
	if err := w.derive(ctx, c); err != nil {
		w.Log.Warn("transform: postponed", "record", c.key.String(), "error", err)
		w.release([]*change{c}, giveAgain)
		return false
	}
	return true
}

// badFact is a fact that can't be merged.
type badFact struct {
	fact
	err error
}

// tell tries each fact of a change by itself.
func (w *Worker) tell(ctx context.Context, c *change) (good []fact, bad []badFact) {
	for _, f := range c.facts {
		alone := &change{key: c.key, facts: []fact{f}, before: c.before, broken: c.broken}
		if err := w.derive(ctx, alone); err != nil {
			bad = append(bad, badFact{f, err})
		} else {
			good = append(good, f)
		}
		alone.close()
	}
	return good, bad
}

func (w *Worker) quarantineFact(ctx context.Context, key events.Key, f fact, cause error) error {
	var data any
	var connection string
	switch {
	case f.Change != nil:
		data, connection = f.Change, f.Change.Connection
	case f.route != nil:
		data, connection = f.route, f.route.Connection
	case f.Bequest != nil:
		data, connection = f.Bequest.Key, hub.Internal
	default:
		data, connection = f.Outcome, f.Outcome.Connection
	}
	b, err := json.Marshal(data)
	if err != nil {
		return err
	}
	q := events.Quarantined{
		Service: "transform", Connection: connection, Entity: key.Entity, Record: key, Problem: *fault.Problem(cause),
		Attempts: 1, Stream: events.StreamEvents, Event: f.ID, Trace: f.span.TraceID().String(), At: time.Now().UTC(), Original: b,
	}
	if m, ok := f.message(); ok {
		q.Subject, q.Sequence = m.Subject, m.Seq
	} else if len(f.unit.msgs) > 0 {
		q.Subject, q.Sequence = f.unit.msgs[0].Subject, f.unit.msgs[0].Seq
	}
	return w.quarantine(ctx, q, key.String()+"/"+f.ID)
}

// flowFailed notes a flow that can't be evaluated for a record: in quarantine
// for people, and then in the record, as the document's state.
func (w *Worker) flowFailed(ctx context.Context, c *change, f hub.Failure) error {
	p := fault.Problem(f.Err)
	doc := c.after.Docs[f.Flow.DocKey()]
	if doc.State == events.StateQuarantined && doc.Error != nil && *doc.Error == *p && len(c.asked()) == 0 {
		return nil // told already
	}
	q := events.Quarantined{
		Service: "transform", Connection: f.Flow.Connection, Entity: c.key.Entity, Record: c.key, Problem: *p, Attempts: 1,
		Stream: events.StreamHub, Subject: events.RecordSubject(w.Tenant, c.key), At: time.Now().UTC(), Original: json.RawMessage("null"),
	}
	if c.span != nil {
		q.Trace = c.span.SpanContext().TraceID().String()
	}
	if err := w.quarantine(ctx, q, c.key.String()+"/"+f.Flow.Name); err != nil {
		return fault.New(fault.Transient, "transform", "quarantine: %w", err)
	}
	doc.Connection, doc.Object, doc.Entity = f.Flow.Connection, f.Flow.Object.Name, f.Flow.Object.Entity
	doc.State, doc.Error = events.StateQuarantined, p
	c.after.Docs = maps.Clone(c.after.Docs) // they may be those of the version before
	if c.after.Docs == nil {
		c.after.Docs = map[string]events.Doc{}
	}
	c.after.Docs[f.Flow.DocKey()] = doc
	data, err := c.after.MarshalJSON()
	if err != nil {
		return err
	}
	c.msgs[0].Data = data
	return nil
}
