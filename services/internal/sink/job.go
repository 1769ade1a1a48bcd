package sink

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/ledger"
)

// job is one document on its way through the sink.
type job struct {
	msg     bus.Delivered
	desired events.Desired
	entry   ledger.Entry
	doc     connector.Document
	began   time.Time       // when the calls of this try began
	ctx     context.Context // carries the span
	span    trace.Span
	// unknown is set when an earlier try may have taken effect.
	unknown bool
	tenure  tenure
}

// process takes a batch of one object type from delivery to ack.
func (s *Sink) process(ctx context.Context, batch []bus.Delivered) {
	var jobs []*job
	for _, m := range batch {
		j, err := s.begin(ctx, m)
		if err == nil && j == nil {
			continue // nothing to do; it is acked
		}
		if err != nil {
			s.conclude(j, connector.Result{Err: err})
			continue
		}
		jobs = append(jobs, j)
	}
	if len(jobs) == 0 {
		return
	}
	ctx, stop := s.keepLeases(ctx, jobs)
	defer stop()
	began := time.Now().UTC()
	results := s.apply(ctx, jobs)
	for i, j := range jobs {
		j.began = began
		s.conclude(j, results[i])
	}
}

// begin decodes a message, decides whether anything is to be done, and notes
// in the ledger that it is being sent. A nil job without an error is done.
func (s *Sink) begin(ctx context.Context, m bus.Delivered) (*job, error) {
	j := &job{msg: m}
	j.ctx, j.span = s.Tracer.Start(bus.Extract(ctx, m.Header), "process desired."+s.Connection,
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			attribute.String("messaging.system", "nats"),
			attribute.String("messaging.operation.type", "process"),
			attribute.String("messaging.operation.name", "process"),
			attribute.String("messaging.destination.name", events.StreamHub),
			attribute.String("messaging.consumer.group.name", bus.SinkDurable(s.Connection)),
			attribute.String("spoke.connection", s.Connection)))
	if err := json.Unmarshal(m.Data, &j.desired); err != nil {
		return j, fault.New(fault.Malformed, s.Kind.Name, "desired document: %w", err)
	}
	j.span.SetAttributes(
		attribute.String("spoke.record", j.desired.Record.String()),
		attribute.String("spoke.object", j.desired.Object))
	var err error
	if j.entry, err = s.ledger.Load(ctx, j.desired.Object, j.desired.Record); err != nil {
		return j, err
	}
	if s.settled(j) {
		return nil, nil
	}
	if j.desired.Op == events.DesiredNone {
		return s.withdraw(ctx, j)
	}
	fields, err := s.resolve(ctx, j.desired)
	if err != nil {
		return j, err
	}
	if err := s.reserve(ctx, j); err != nil {
		if errors.Is(err, ledger.ErrTaken) {
			s.giveBack(j, busyWait)
			return nil, nil
		}
		return j, err
	}
	s.fill(j, fields)
	return j, nil
}

// settled deals with what needs no call: a document that the vendor is known
// to hold, and one that another worker has.
func (s *Sink) settled(j *job) bool {
	e, d := &j.entry, j.desired
	if snd := e.Sending; snd != nil && snd.Owner != s.Owner && time.Now().Before(snd.Lease) {
		s.giveBack(j, min(time.Until(snd.Lease), 10*time.Second))
		return true
	}
	o := e.Outcome
	switch {
	case e.Sending != nil && e.Sending.Sequence > j.msg.Seq:
		// A newer document is under way; this one lay here for too long.
		s.Meter.Superseded(s.Connection)
		s.finish(j, nil)
		return true
	case o == nil || e.Sending != nil:
		return false
	case o.Sequence > j.msg.Seq:
		s.Meter.Superseded(s.Connection)
		s.finish(j, nil)
		return true
	case o.Sequence == j.msg.Seq && o.State != events.StateHeld:
		// Delivered again: the crash came after the ledger and before the ack.
		s.finish(j, o)
		return true
	case d.Op == events.DesiredNone:
		return false
	case e.Hash == d.Hash && e.Hash != "" && d.Reason != ReasonDrift && d.Reason != ReasonResync:
		s.finish(j, s.unchanged(j))
		return true
	}
	return false
}

// Reasons for which a document is applied although its hash is known.
const (
	ReasonDrift  = "drift"
	ReasonResync = "resync"
)

func (s *Sink) unchanged(j *job) *events.Outcome {
	o := *j.entry.Outcome
	o.Sequence, o.At = j.msg.Seq, time.Now().UTC()
	o.State, o.Effect, o.Error = events.StateDone, events.EffectUnchanged, nil
	o.Hash, o.Attempts = j.desired.Hash, 0
	o.Seen, o.Sent, o.Read = nil, nil, time.Time{} // what was seen then is nothing that is seen now
	return &o
}

// reserve writes "sending" into the ledger. What an earlier try of the same
// content began is continued under its idempotency key.
func (s *Sink) reserve(ctx context.Context, j *job) error {
	now := time.Now().UTC()
	next := ledger.Sending{
		Hash: j.desired.Hash, Sequence: j.msg.Seq, Key: s.idempotencyKey(j), First: now,
		Owner: s.Owner, Lease: now.Add(lease), Unknown: true,
	}
	if last := j.entry.Sending; last != nil {
		next.Reapply = last.Reapply
		if last.Sequence == next.Sequence {
			next.Attempts, next.Bounded = last.Attempts, last.Bounded
		}
		if last.Key == next.Key {
			next.First = last.First
		}
		if next.Open = last.Open; last.Unknown && next.Open.IsZero() {
			next.Open = last.First
		}
		if !last.Unknown {
			next.Open = time.Time{}
		}
	}
	e := j.entry
	e.Sending = &next
	if e.Hash != next.Hash {
		e.Hash = "" // from here on nobody knows which of the two the vendor holds
	}
	saved, err := s.ledger.Save(ctx, j.desired.Object, j.desired.Record, e)
	if err != nil {
		return err
	}
	// What the last try left open is kept for apply to look up; the stored
	// entry says "unknown" from here on.
	wasUnknown := j.entry.Sending != nil && j.entry.Sending.Unknown
	j.entry = saved
	j.unknown, j.tenure.until = wasUnknown, next.Lease.Round(0)
	j.doc.Reapply = next.Reapply
	j.entry.Sending.Unknown = wasUnknown
	return nil
}

// idempotencyKey is the same for every try of one document, and another one
// for the next: a content that comes back after a change is a new request,
// which a vendor must not answer from its memory.
func (s *Sink) idempotencyKey(j *job) string {
	text := strings.Join([]string{
		s.Tenant, s.Connection, j.desired.Object, j.desired.Record.String(), j.desired.Hash, strconv.FormatUint(j.msg.Seq, 10),
	}, "\x00")
	sum := sha256.Sum256([]byte(text))
	return "spoke-" + base64.RawURLEncoding.EncodeToString(sum[:18])
}

// fill completes the document that the connector gets.
func (s *Sink) fill(j *job, fields map[string]any) {
	d := j.desired
	d.Fields = fields
	snd := j.entry.Sending
	j.doc = connector.Document{
		Desired: d, Key: events.ExternalKey(d.Record), ExternalID: j.entry.ID, IdempotencyKey: snd.Key,
		First: snd.First, Reapply: snd.Reapply, Open: snd.Open,
	}
	if j.doc.ExternalID == "" {
		j.doc.ExternalID = d.KnownID
	}
}

// giveBack lets the message be delivered again later.
func (s *Sink) giveBack(j *job, delay time.Duration) {
	s.again(j.msg, delay)
	j.span.End()
}

func (j *job) fail(err error) {
	j.span.RecordError(err)
	j.span.SetStatus(codes.Error, fault.KindOf(err).String())
	j.span.SetAttributes(attribute.String("error.type", fault.KindOf(err).String()))
}
