package worker

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// read makes the calls of one group and hands the result over as one unit per
// object.
func (e *enricher) read(ctx context.Context, g *group) {
	ids := make([]string, len(g.members))
	links := make([]trace.Link, 0, len(g.members))
	parent := g.members[0].origin()
	linked := []trace.SpanContext{parent} // one delivery may announce many
	for i, p := range g.members {
		ids[i] = p.x.ID
		if s := p.origin(); s.IsValid() && !slices.ContainsFunc(linked, s.Equal) {
			linked = append(linked, s)
			links = append(links, trace.Link{SpanContext: s})
		}
	}
	rctx, span := e.w.Tracer.Start(trace.ContextWithRemoteSpanContext(ctx, parent), "read "+g.connection,
		trace.WithSpanKind(trace.SpanKindInternal), trace.WithLinks(links...),
		trace.WithAttributes(attribute.String("spoke.connection", g.connection), attribute.String("spoke.object", g.object),
			attribute.Int("spoke.objects", len(ids))))
	changes, err := e.call(rctx, g, ids)
	if err != nil {
		span.RecordError(err)
		span.End()
		e.failed(ctx, g, err)
		return
	}
	e.w.Meter.read(g.connection, len(ids))
	at := span.SpanContext()
	span.End()
	e.deliver(ctx, g, changes, at)
}

// readLimit bounds one read, its waits for the connection's budget included. A
// vendor may begin an answer and never end it.
const readLimit = 2 * time.Minute

func (e *enricher) call(ctx context.Context, g *group, ids []string) (changes []events.Change, err error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, g.connection, "read: panic: %v", p)
		}
	}()
	began := time.Now()
	changes, err = e.w.Readers[g.connection].Read(ctx, g.object, ids)
	ended := time.Now()
	for i := range changes {
		changes[i].ReadBetween(began, ended)
		e.w.clamp(ctx, &changes[i], ended)
	}
	return changes, err
}

// origin is the trace that first announced the object.
func (p *pending) origin() trace.SpanContext {
	for _, f := range p.facts {
		if f.span.IsValid() {
			return f.span
		}
	}
	return trace.SpanContext{}
}

// failed schedules another read, or gives up on what can't be read.
func (e *enricher) failed(ctx context.Context, g *group, err error) {
	v := fault.Judge(err, g.members[0].tries+1, 0.5)
	e.w.Log.Warn("transform: read", "connection", g.connection, "object", g.object, "objects", len(g.members),
		"kind", fault.KindOf(err).String(), "error", err)
	if v.Action == fault.Quarantine && len(g.members) == 1 {
		p := g.members[0]
		e.drop(p)
		for _, m := range p.msgs {
			// All of them announce one object that can't be read.
			e.w.quarantineMessage(ctx, m, err, m.Subject)
		}
		return
	}
	e.postpone(g, v)
	e.nudge() // run sleeps until what it knew of was due
}

// postpone lets the members of a group be read again later.
func (e *enricher) postpone(g *group, v fault.Verdict) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range g.members {
		p.tries++
		p.reading = false
		// One bad object must not keep the others from being read.
		p.alone = p.alone || v.Action == fault.Quarantine
		delay := max(v.Delay, minRetry)
		if v.Action != fault.Quarantine {
			// Some verdicts leave the pace to a breaker, which reads have not.
			delay = max(delay, fault.Backoff(p.tries, 0.5))
		}
		p.notBefore = time.Now().Add(delay)
		switch newer := e.waiting[p.x]; {
		case newer == p:
		case newer == nil || newer.reading: // announced again, and read, meanwhile
			e.waiting[p.x] = p
		default: // announced again meanwhile
			newer.facts = append(p.facts, newer.facts...)
			newer.msgs = append(p.msgs, newer.msgs...)
			newer.tries, newer.notBefore, newer.alone = p.tries, p.notBefore, p.alone
		}
	}
}

// minRetry is the least time between two reads of one object that fail.
const minRetry = 500 * time.Millisecond

func (e *enricher) drop(p *pending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waiting[p.x] == p {
		delete(e.waiting, p.x)
	}
}

// deliver makes one unit of what was read: an answer may tell of objects that
// nobody asked for (the deals of line items), so that an ack for any of the
// announcements needs all of it to be committed.
func (e *enricher) deliver(ctx context.Context, g *group, changes []events.Change, at trace.SpanContext) {
	u := &unit{}
	announced := make(map[string]string, len(g.members))
	for _, p := range g.members {
		e.drop(p)
		u.msgs = append(u.msgs, p.msgs...)
		announced[p.x.ID] = p.eventID()
	}
	for _, c := range changes {
		id, asked := announced[c.ID]
		if !asked || c.Object != g.object {
			id = g.members[0].eventID()
		}
		u.facts = append(u.facts, fact{unit: u, span: at, Fact: hub.Fact{ID: id, Change: &c}})
	}
	u.left.Store(int64(len(u.facts)))
	if len(u.facts) == 0 {
		u.committed(0)
		return
	}
	e.hand(ctx, u)
}

// hand gives a unit to the round, or back to the stream when the worker stops.
func (e *enricher) hand(ctx context.Context, u *unit) {
	select {
	case e.ready <- []*unit{u}:
	case <-ctx.Done():
		u.again(0)
	}
}

// eventID names the event that a read answers: the last that announced it.
func (p *pending) eventID() string {
	if n := len(p.facts); n > 0 {
		return p.facts[n-1].ID
	}
	return "read:" + p.x.DocKey() + "/" + p.x.ID
}
