package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/crash"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/ledger"
)

// conclude does what follows from a result: store it, tell it, ack it.
func (s *Sink) conclude(j *job, r connector.Result) {
	ctx, cancel := context.WithTimeout(trace.ContextWithSpan(context.Background(), j.span), 30*time.Second)
	defer cancel()
	j.ctx = ctx
	if j.tenure.end() {
		s.abandon(j)
		return
	}
	if r.Err == nil {
		s.succeed(j, r)
		return
	}
	next := j.tried(r.Err)
	attempt := next.Attempts
	if fault.KindOf(r.Err).Bounded() {
		attempt = next.Bounded
	}
	v := fault.Judge(r.Err, attempt, s.Jitter())
	j.fail(r.Err)
	s.Meter.Failed(s.Connection, fault.KindOf(r.Err).String())
	s.Log.Info("sink: attempt failed", "connection", s.Connection, "record", j.desired.Record.String(),
		"object", j.desired.Object, "attempt", next.Attempts, "kind", fault.KindOf(r.Err).String(), "delay", v.Delay, "error", r.Err)
	switch v.Action {
	case fault.Hold:
		s.hold(j, r.Err, next)
	case fault.Quarantine:
		s.quarantine(j, r.Err, next.Attempts, v.Alert)
	case fault.Wait:
		next.Attempts--
		s.retry(j, v.Delay, next)
	case fault.Pause:
		next.Attempts--
		s.retry(j, pauseWait, next) // nobody pulls it before the vendor takes the credentials
	case fault.LookUp:
		next.Unknown = true
		s.retry(j, v.Delay, next)
	case fault.Reapply:
		next.Reapply = true
		s.retry(j, v.Delay, next)
	case fault.Stop: // the breaker sets the pace: nobody pulls it before its next try
		s.retry(j, min(v.Delay, stopWait), next)
	case fault.Retry:
		s.retry(j, v.Delay, next)
	}
}

// stopWait bounds how long a document stays away that met a vendor which is
// down.
const stopWait = time.Second

// pauseWait is when a document comes again that met refused credentials.
const pauseWait = 5 * time.Second

// tried returns what the ledger is to hold of a document after a try that
// failed.
func (j *job) tried(err error) ledger.Sending {
	var next ledger.Sending
	if snd := j.entry.Sending; snd != nil {
		// A bug says nothing about what the vendor did before it.
		snd.Unknown = snd.Unknown || fault.Is(err, fault.Internal)
		next = *snd
	}
	next.Attempts++
	if fault.KindOf(err).Bounded() {
		next.Bounded++
	}
	next.Unknown = j.stillUnknown()
	return next
}

// stillUnknown reports whether an earlier try is still open: an error that is
// itself clear does not settle what happened before.
func (j *job) stillUnknown() bool {
	return j.entry.Sending != nil && j.entry.Sending.Unknown && j.doc.ExternalID == ""
}

// retry notes the attempt and gives the message back.
func (s *Sink) retry(j *job, delay time.Duration, next ledger.Sending) {
	if j.entry.Sending != nil {
		next.Lease = time.Time{} // any replica may go on
		e := j.entry
		e.Sending = &next
		if j.doc.ExternalID != "" {
			e.ID = j.doc.ExternalID
		}
		// When this fails the stored entry says "unknown", which is safe.
		if err := s.save(j, e); errors.Is(err, ledger.ErrTaken) {
			s.abandon(j)
			return
		} else if err != nil {
			s.Log.Warn("sink: attempt not stored", "connection", s.Connection, "error", err)
		}
	}
	s.giveBack(j, max(delay, 10*time.Millisecond))
}

// succeed stores the outcome in the ledger, tells it, releases what waited
// for the object, and acks: in this order.
func (s *Sink) succeed(j *job, r connector.Result) {
	isNew, before := j.entry.ID == "", j.entry.Outcome
	o := s.outcome(j, events.StateDone)
	o.ID, o.Number, o.URL, o.Effect, o.Seen, o.Sent = r.ID, r.Number, r.URL, r.Effect, r.Seen, r.Sent
	if o.ID == "" {
		o.ID = j.doc.ExternalID
	}
	e := j.entry
	e.ID, e.Hash, e.Outcome, e.Sending = o.ID, j.desired.Hash, o, nil
	if r.Number != "" {
		e.Number = r.Number
	}
	if r.URL != "" {
		e.URL = r.URL
	}
	if err := s.save(j, e); errors.Is(err, ledger.ErrTaken) {
		s.abandon(j) // it looks the object up
		return
	} else if err != nil {
		// The next delivery finds "sending" and looks the object up.
		s.Log.Warn("sink: outcome not stored, will look it up", "connection", s.Connection, "error", err)
		s.giveBack(j, time.Second)
		return
	}
	crash.Point(crash.SinkNoted)
	s.Meter.Applied(s.Connection, string(r.Effect))
	s.Log.Info("sink: written", "connection", s.Connection, "record", j.desired.Record.String(), "object", j.desired.Object,
		"effect", string(r.Effect), "id", o.ID, "attempt", o.Attempts)
	s.lift(j.ctx, before, "")
	if !s.finish(j, o) {
		return
	}
	if isNew {
		s.release(j.ctx, events.Ref{Object: j.desired.Object, Record: j.desired.Record})
	}
}

func (s *Sink) outcome(j *job, state events.State) *events.Outcome {
	o := &events.Outcome{
		Connection: s.Connection, Entity: j.desired.Entity, Object: j.desired.Object, Record: j.desired.Record,
		State: state, ID: j.entry.ID, Number: j.entry.Number, URL: j.entry.URL,
		Hash: j.desired.Hash, Sequence: j.msg.Seq, At: time.Now().UTC(), Read: j.began, Attempts: 1,
	}
	if j.entry.Sending != nil {
		o.Attempts = j.entry.Sending.Attempts + 1
	}
	return o
}

// finish publishes the outcome, if there is one, and acks. It reports whether
// both worked; otherwise the message comes again.
func (s *Sink) finish(j *job, o *events.Outcome) bool {
	if o != nil {
		if err := s.tell(j, o); err != nil {
			s.Log.Warn("sink: outcome not published", "connection", s.Connection, "error", err)
			s.giveBack(j, time.Second)
			return false
		}
		crash.Point(crash.SinkTold)
		j.span.SetAttributes(attribute.String("spoke.state", string(o.State)), attribute.String("spoke.effect", string(o.Effect)))
	}
	ctx, cancel := context.WithTimeout(j.ctx, 10*time.Second)
	defer cancel()
	if err := j.msg.Settle(ctx); err != nil {
		s.Log.Warn("sink: ack", "connection", s.Connection, "error", err)
	}
	j.span.End()
	return true
}

// tell publishes the outcome event. Its id is the same for every delivery of
// one document, so that merging it twice changes nothing.
func (s *Sink) tell(j *job, o *events.Outcome) error {
	return s.publish(j.ctx, fmt.Sprintf("%s.%s.%s.%d.%s", s.Connection, o.Object, o.Record, o.Sequence, o.State), *o)
}

func (s *Sink) publish(ctx context.Context, id string, o events.Outcome) error {
	subject := events.EventSubject(s.Tenant, s.Connection, o.Entity, events.OpWritten, o.Record.String())
	m, err := bus.EncodeEvent(ctx, subject, events.NewOutcome(s.Kind.Name, id, o))
	if err != nil {
		return err
	}
	return s.events.Publish(ctx, m)
}

// quarantine sets a document apart with its reason. A newer document for the
// object is tried as usual.
func (s *Sink) quarantine(j *job, cause error, attempts int, alert bool) {
	p := fault.Problem(cause)
	q := events.Quarantined{
		Service: s.service(), Connection: s.Connection, Entity: j.desired.Entity, Record: j.desired.Record,
		Problem: *p, Attempts: attempts, Stream: events.StreamHub, Subject: j.msg.Subject, Sequence: j.msg.Seq,
		Trace: j.span.SpanContext().TraceID().String(), At: time.Now().UTC(), Original: events.Original(j.msg.Data),
	}
	b, err := json.Marshal(q)
	if err == nil {
		_, err = s.Bus.Publish(j.ctx, bus.Message{Subject: s.place(p.Kind, j.desired.Entity, j.desired.Object, j.desired.Record), Data: b})
	}
	if err != nil {
		s.Log.Error("sink: quarantine not stored, will try again", "connection", s.Connection, "error", err)
		s.giveBack(j, time.Second)
		return
	}
	s.Meter.Quarantined(s.Connection)
	s.lift(j.ctx, j.entry.Outcome, p.Kind)
	if alert {
		s.alert(j.ctx, events.Alert{Severity: "warning", Kind: p.Kind, Record: j.desired.Record, Message: p.Message, Hint: p.Hint})
	}
	if j.desired.Record.IsZero() { // the document could not even be read
		s.finish(j, nil)
		return
	}
	o := s.outcome(j, events.StateQuarantined)
	o.Error, o.Attempts = p, attempts
	s.settle(j, o)
}

func (s *Sink) service() string { return s.Kind.Name + "-sink" }

// place is where a document is set apart, by the kind of the problem.
func (s *Sink) place(kind string, e events.Entity, object string, k events.Key) string {
	return events.QuarantineSubject(s.service(), s.Connection, kind, e, object+"/"+k.String())
}

// lift takes an earlier version of a document out of quarantine, unless the new
// one was set apart in its place: for the same kind of problem.
func (s *Sink) lift(ctx context.Context, last *events.Outcome, kind string) {
	if last == nil || last.State != events.StateQuarantined || last.Error == nil || last.Error.Kind == kind {
		return
	}
	subject := s.place(last.Error.Kind, last.Entity, last.Object, last.Record)
	m, ok, err := s.Bus.LastOne(ctx, events.StreamQuarantine, subject)
	if err == nil && ok {
		err = s.Bus.Delete(ctx, events.StreamQuarantine, m.Seq)
	}
	if err != nil { // people can drop it
		s.Log.Warn("sink: not lifted from quarantine", "connection", s.Connection, "record", last.Record.String(), "error", err)
	}
}

// settle stores an outcome other than done in the ledger and finishes. A call
// that may have taken effect stays on record, so that the next document looks
// it up. An entry that can't be read is not overwritten.
func (s *Sink) settle(j *job, o *events.Outcome) {
	e := j.entry
	e.Outcome = o
	if j.stillUnknown() {
		open := *e.Sending
		open.Lease = time.Time{}
		e.Sending = &open
	} else {
		e.Sending = nil
	}
	err := s.save(j, e)
	switch {
	case err == nil:
	case errors.Is(err, ledger.ErrTaken) && j.entry.Sending != nil:
		s.abandon(j)
		return
	case errors.Is(err, ledger.ErrTaken) && o.Error.Code != ledger.CodeCorrupt:
		s.giveBack(j, busyWait) // it was changed meanwhile: look at it anew
		return
	default:
		s.Log.Warn("sink: outcome not stored", "connection", s.Connection, "error", err)
	}
	s.finish(j, o)
}

// save stores the entry of a job.
func (s *Sink) save(j *job, e ledger.Entry) error {
	_, err := s.ledger.Save(j.ctx, j.desired.Object, j.desired.Record, e)
	return err
}
