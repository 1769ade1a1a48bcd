package worker

import (
	"context"
	"encoding/json"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// setApart finds the facts that make a record fail and quarantines them, one
// by one; the others are delivered again and go through without them.
func (w *Worker) setApart(ctx context.Context, c *change, cause error) {
	bad := c.facts
	if len(bad) > 1 {
		bad = nil
		for _, f := range c.facts {
			alone := &change{key: c.key, facts: []fact{f}, before: c.before}
			if err := w.derive(ctx, alone); err != nil {
				bad = append(bad, f)
			} else {
				f.unit.again(0)
			}
			alone.close()
		}
		if len(bad) == 0 { // only together do they fail: all are set apart
			bad = c.facts
		}
	}
	c.close()
	for _, f := range bad {
		if err := w.quarantineFact(ctx, c.key, f, cause); err != nil {
			w.Log.Error("transform: quarantine not stored, will try again", "error", err)
			f.unit.again(giveAgain)
			continue
		}
		f.unit.committed(1)
	}
}

func (w *Worker) quarantineFact(ctx context.Context, key events.Key, f fact, cause error) error {
	var data any
	var connection string
	if f.Change != nil {
		data, connection = f.Change, f.Change.Connection
	} else {
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
	if len(f.unit.msgs) > 0 {
		q.Subject, q.Sequence = f.unit.msgs[0].Subject, f.unit.msgs[0].Seq
	}
	return w.quarantine(ctx, q, key.String()+"/"+f.ID)
}

// flowFailed notes a flow that can't be evaluated for a record, in the same
// batch as the record: in quarantine for people, and as the document's state
// for whoever asks the record.
func (w *Worker) flowFailed(ctx context.Context, c *change, f hub.Failure) error {
	p := fault.Problem(f.Err)
	doc := c.after.Docs[f.Flow.DocKey()]
	if doc.State == events.StateQuarantined && doc.Error != nil && *doc.Error == *p {
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
		return err
	}
	doc.Connection, doc.Object, doc.Entity = f.Flow.Connection, f.Flow.Object.Name, f.Flow.Object.Entity
	doc.State, doc.Error = events.StateQuarantined, p
	c.after.Docs[f.Flow.DocKey()] = doc
	data, err := c.after.MarshalJSON()
	if err != nil {
		return err
	}
	c.msgs[0].Data = data
	return nil
}

// followUp finds the records that can go on, now that vendor objects are
// known, and the waits that were noted a moment too late.
func (w *Worker) followUp(ctx context.Context, learnt, waits []events.External) []*change {
	late := map[events.External]bool{}
	for _, x := range waits {
		w.wants(x, late)
	}
	if err := w.loadAliases(ctx, late); err != nil {
		w.Log.Warn("transform: aliases", "error", err)
	}
	for _, x := range waits {
		if w.alias.Contains(x) {
			learnt = append(learnt, x)
		}
	}
	var next []*change
	seen := map[events.Key]bool{}
	for _, x := range learnt {
		for m, err := range w.Bus.Scan(ctx, events.StreamHub, events.WaitingFilter(w.Tenant, x)) {
			if err != nil {
				w.Log.Warn("transform: waiting", "error", err)
				break
			}
			var k events.Key
			if err := json.Unmarshal(m.Data, &k); err != nil {
				w.Log.Error("transform: waiting note can't be read", "subject", m.Subject, "error", err)
				continue
			}
			if !seen[k] {
				seen[k] = true
				next = append(next, &change{key: k, relink: true})
			}
			if err := w.Bus.Delete(ctx, events.StreamHub, m.Seq); err != nil {
				w.Log.Warn("transform: waiting", "error", err)
			}
		}
	}
	return next
}
