package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/ledger"
)

// resolve puts the vendor's ids in the place of references. A reference whose
// object is not there yet is an error of the kind Missing.
func (s *Sink) resolve(ctx context.Context, d events.Desired) (map[string]any, error) {
	ids := map[events.Ref]string{}
	for _, r := range d.Refs() {
		id, err := s.idOf(ctx, r)
		if err != nil {
			return nil, err
		}
		if id == "" {
			e := fault.New(fault.Missing, s.Kind.Name, "%s of %s is not at %s yet", r.Object, r.Record, s.Connection).
				WithHint("it is released by itself once " + r.Record.String() + " has been written there; spoke record " + r.Record.String() + " tells what keeps it")
			e.Needs = &r
			return nil, e
		}
		ids[r] = id
	}
	return d.Resolve(func(r events.Ref) string { return ids[r] }), nil
}

// idOf returns the vendor's id of the object that stands for a record: by the
// ledger, or by the record when the object was there before Spoke. For a record
// that was merged and has no such object it is the survivor's.
func (s *Sink) idOf(ctx context.Context, r events.Ref) (string, error) {
	for range maxMergers {
		id, next, err := s.idOrSurvivor(ctx, r)
		if err != nil || id != "" || next.IsZero() {
			return id, err
		}
		r.Record = next
	}
	return "", nil
}

// maxMergers bounds how many mergers are followed in a row.
const maxMergers = 16

func (s *Sink) idOrSurvivor(ctx context.Context, r events.Ref) (id string, survivor events.Key, err error) {
	e, err := s.ledger.Load(ctx, r.Object, r.Record)
	if err != nil {
		return "", survivor, err
	}
	if e.ID != "" {
		return e.ID, survivor, nil
	}
	m, ok, err := s.Bus.LastOne(ctx, events.StreamHub, events.RecordSubject(s.Tenant, r.Record))
	if err != nil {
		return "", survivor, fault.New(fault.Transient, s.Kind.Name, "%w", err)
	}
	if !ok {
		return "", survivor, nil
	}
	var rec events.Record
	if err := json.Unmarshal(m.Data, &rec); err != nil {
		return "", survivor, fault.New(fault.Malformed, s.Kind.Name, "record %s: %w", r.Record, err)
	}
	doc := rec.Docs[events.DocKey(s.Connection, r.Object)]
	if rec.Merged != nil {
		survivor = rec.Merged.Into
	}
	if doc.Gone != nil {
		return "", survivor, nil
	}
	return doc.ID, survivor, nil
}

// hold parks a document until what it needs is there. The document itself
// stays where it is in HUB; a note says what waits for what.
func (s *Sink) hold(j *job, cause error, next ledger.Sending) {
	need := fault.As(cause).Needs
	if need == nil { // the vendor misses something we did not refer to
		s.retry(j, slowHold, next)
		return
	}
	note, seq, err := s.note(j, *need)
	if err != nil {
		s.Log.Warn("sink: hold not stored", "connection", s.Connection, "error", err)
		s.giveBack(j, time.Second)
		return
	}
	if err := s.circle(j.ctx, note); err != nil {
		if fault.Is(err, fault.Transient) {
			s.Log.Warn("sink: hold", "connection", s.Connection, "error", err)
			s.giveBack(j, time.Second)
			return
		}
		s.quarantine(j, err, next.Attempts, true)
		s.unnote(j.ctx, seq)
		return
	}
	if err := s.demand(j.ctx, note); err != nil {
		s.Log.Warn("sink: demand not published", "connection", s.Connection, "error", err)
		s.giveBack(j, time.Second)
		return
	}
	s.Meter.Held(s.Connection)
	o := s.outcome(j, events.StateHeld)
	o.Error = fault.Problem(cause)
	s.settle(j, o)
	// The dependency may have arrived between looking and noting; whoever
	// wrote it looked for notes before this one stood.
	if id, err := s.idOf(j.ctx, *need); err == nil && id != "" {
		s.release(j.ctx, *need)
	}
}

// note stores what a document waits for. A wait that goes on for a newer
// version of the document began with the first one.
func (s *Sink) note(j *job, need events.Ref) (h events.Held, seq uint64, err error) {
	h = events.Held{
		Needs: need, Object: j.desired.Object, Record: j.desired.Record,
		Subject: j.msg.Subject, Sequence: j.msg.Seq, Since: time.Now().UTC(),
	}
	subject := events.HeldSubject(s.Tenant, s.Connection, need, h.Object, h.Record)
	last, found, err := s.Bus.LastOne(j.ctx, events.StreamHub, subject)
	if err != nil {
		return h, 0, err
	}
	var before events.Held
	if found && json.Unmarshal(last.Data, &before) == nil {
		h.Since, h.Told = before.Since, before.Told
	}
	b, err := json.Marshal(h)
	if err != nil {
		return h, 0, err
	}
	seq, err = s.Bus.Publish(j.ctx, bus.Message{Subject: subject, Data: b})
	return h, seq, err
}

func (s *Sink) unnote(ctx context.Context, seq uint64) {
	if err := s.Bus.Delete(ctx, events.StreamHub, seq); err != nil {
		s.Log.Warn("sink: held note", "connection", s.Connection, "error", err) // the sweep removes it
	}
}

// demand says that an object which is only written on demand is wanted at this
// connection. Saying it twice changes nothing.
func (s *Sink) demand(ctx context.Context, h events.Held) error {
	if s.OnDemand == nil || !s.OnDemand(h.Needs.Object) {
		return nil
	}
	kind, _ := s.Kind.Object(h.Needs.Object)
	o := events.Outcome{
		Connection: s.Connection, Entity: kind.Entity, Object: h.Needs.Object, Record: h.Needs.Record,
		State: events.StateNeeded, At: h.Since,
	}
	id := fmt.Sprintf("%s.%s.%s.%s", s.Connection, o.Object, o.Record, o.State)
	return s.publish(ctx, id, o)
}

// slowHold spaces the tries when the vendor says that something is missing
// and Spoke can't tell what.
const slowHold = 30 * time.Second

// release publishes again every document that waited for an object. It is
// safe to run twice: an unchanged document is applied once.
func (s *Sink) release(ctx context.Context, arrived events.Ref) {
	for note, err := range s.Bus.Scan(ctx, events.StreamHub, events.HeldFilter(s.Tenant, s.Connection, arrived)) {
		if err == nil {
			err = s.releaseOne(ctx, note)
		}
		if err != nil {
			// The sweep will do it.
			s.Log.Warn("sink: release", "connection", s.Connection, "error", err)
			return
		}
	}
}

func (s *Sink) releaseOne(ctx context.Context, note bus.Stored) error {
	var h events.Held
	if err := json.Unmarshal(note.Data, &h); err != nil {
		return err
	}
	doc, ok, err := s.Bus.LastOne(ctx, events.StreamHub, h.Subject)
	if err != nil {
		return err
	}
	if ok && doc.Seq == h.Sequence {
		m := bus.Message{Subject: doc.Subject, Data: doc.Data, Header: bus.OwnHeader(doc.Header), Expect: bus.Seq(doc.Seq)}
		if _, err := s.Bus.Publish(ctx, m); err != nil && !errors.Is(err, bus.ErrStale) {
			return err
		}
		s.Log.Info("sink: released", "connection", s.Connection, "record", h.Record.String(), "object", h.Object)
	}
	return s.Bus.Delete(ctx, events.StreamHub, note.Seq)
}

// sweep looks at everything that is held, now and then: the object may have
// come from the vendor's side, or a release may have failed.
func (s *Sink) sweep(ctx context.Context) {
	for first := true; ; first = false {
		filter := "held." + events.Token(s.Tenant) + "." + events.Token(s.Connection) + ".>"
		for note, err := range s.Bus.Scan(ctx, events.StreamHub, filter) {
			if err != nil {
				s.Log.Warn("sink: sweep", "connection", s.Connection, "error", err)
				break
			}
			s.sweepOne(ctx, note, first)
		}
		pause(ctx, sweepEvery)
		if ctx.Err() != nil {
			return
		}
	}
}

// sweepOne looks at one note. The first time, what it needs is demanded anew:
// the flow may be on demand only since the start.
func (s *Sink) sweepOne(ctx context.Context, note bus.Stored, first bool) {
	var h events.Held
	if err := json.Unmarshal(note.Data, &h); err != nil {
		s.Log.Error("sink: held note can't be read", "connection", s.Connection, "subject", note.Subject, "error", err)
		return
	}
	if id, err := s.idOf(ctx, h.Needs); err != nil || id == "" {
		if err == nil && first {
			err = s.demand(ctx, h)
		}
		if err == nil {
			err = s.overdue(ctx, note, h)
		}
		if err != nil {
			s.Log.Warn("sink: sweep", "connection", s.Connection, "error", err)
		}
		return
	}
	if err := s.releaseOne(ctx, note); err != nil {
		s.Log.Warn("sink: sweep", "connection", s.Connection, "error", err)
	}
}
