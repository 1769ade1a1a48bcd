package worker

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// enricher reads objects that were only announced, and linked hub objects
// that no record stands for yet. Announcements of one object within a burst
// become one read, and objects of one type share calls.
type enricher struct {
	w     *Worker
	ready chan []*unit
	// incomplete are units that link to hub objects without a record.
	incomplete chan []*unit
	wake       chan struct{}

	mu      sync.Mutex
	waiting map[events.External]*pending
}

// pending is one object to be read.
type pending struct {
	x           events.External
	facts       []fact // the announcements
	msgs        []bus.Delivered
	first, last time.Time
	notBefore   time.Time // after a failed read
	tries       int
	reading     bool
	alone       bool // read it by itself
}

// maxWaiting bounds what is kept in memory while a vendor can't be read; what
// is above it stays in the stream.
const maxWaiting = 5000

// fullDelay is when an announcement that found no room comes again.
const fullDelay = 20 * time.Second

func newEnricher(w *Worker) *enricher {
	return &enricher{
		w: w, ready: make(chan []*unit), incomplete: make(chan []*unit), wake: make(chan struct{}, 1),
		waiting: map[events.External]*pending{},
	}
}

// announce takes a notification over; its message is acked after the read is
// committed.
func (e *enricher) announce(m bus.Delivered, f fact) {
	e.mu.Lock()
	p := e.waiting[f.Change.External()]
	if p == nil && len(e.waiting) >= maxWaiting {
		e.mu.Unlock()
		_ = m.Again(fullDelay)
		return
	}
	p = e.pend(f.Change.External())
	p.msgs = append(p.msgs, m)
	p.facts = append(p.facts, f)
	e.mu.Unlock()
	e.nudge()
}

// pend returns the pending read of an object, and notes that it was
// announced just now. The caller holds the lock.
func (e *enricher) pend(x events.External) *pending {
	now := time.Now()
	p := e.waiting[x]
	if p == nil || p.reading { // what comes during a read needs another one
		p = &pending{x: x, first: now}
		e.waiting[x] = p
	}
	p.last = now
	return p
}

func (e *enricher) nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// run reads what is due until ctx ends.
func (e *enricher) run(ctx context.Context) {
	beat := time.NewTicker(keepAlive)
	defer beat.Stop()
	var reads sync.WaitGroup
	defer e.giveBack()
	defer reads.Wait()
	for ctx.Err() == nil {
		due, next := e.due(time.Now())
		for _, group := range due {
			reads.Add(1)
			go func() {
				defer reads.Done()
				e.read(ctx, group)
			}()
		}
		select {
		case <-time.After(next):
		case <-e.wake:
		case units := <-e.incomplete:
			reads.Add(1)
			go func() {
				defer reads.Done()
				e.complete(ctx, units)
			}()
		case <-beat.C:
			e.keep()
		case <-ctx.Done():
		}
	}
}

// keepAlive is well under the ack time of a message.
const keepAlive = 20 * time.Second

// keep tells the server that waiting announcements are being worked on.
func (e *enricher) keep() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.waiting {
		for _, m := range p.msgs {
			_ = m.Working()
		}
	}
}

type group struct {
	connection, object string
	members            []*pending
}

// due returns the reads whose time has come, grouped into calls, and how long
// until the next one.
func (e *enricher) due(now time.Time) (groups []*group, next time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	next = time.Hour
	open := map[[2]string]*group{}
	for _, p := range e.waiting {
		if p.reading {
			continue
		}
		at := p.last.Add(e.w.Quiet)
		if limit := p.first.Add(e.w.MaxWait); at.After(limit) {
			at = limit
		}
		if p.notBefore.After(at) {
			at = p.notBefore
		}
		if wait := at.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		p.reading = true
		k := [2]string{p.x.Connection, p.x.Object}
		g := open[k]
		if p.alone {
			groups = append(groups, &group{connection: p.x.Connection, object: p.x.Object, members: []*pending{p}})
			continue
		}
		if g == nil || len(g.members) >= e.w.Readers[p.x.Connection].BatchSize() {
			g = &group{connection: p.x.Connection, object: p.x.Object}
			open[k] = g
			groups = append(groups, g)
		}
		g.members = append(g.members, p)
	}
	return groups, next
}

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

func (e *enricher) call(ctx context.Context, g *group, ids []string) (changes []events.Change, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, g.connection, "read: panic: %v", p)
		}
	}()
	return e.w.Readers[g.connection].Read(ctx, g.object, ids)
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
			e.w.quarantineMessage(ctx, m, err)
		}
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range g.members {
		p.tries++
		p.reading = false
		// One bad object must not keep the others from being read.
		p.alone = p.alone || v.Action == fault.Quarantine
		p.notBefore = time.Now().Add(max(v.Delay, 500*time.Millisecond))
		if newer := e.waiting[p.x]; newer != p { // announced again meanwhile
			newer.facts = append(p.facts, newer.facts...)
			newer.msgs = append(p.msgs, newer.msgs...)
			newer.tries, newer.notBefore, newer.alone = p.tries, p.notBefore, p.alone
		}
	}
}

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

// giveBack lets what still waits be delivered to another replica at once.
func (e *enricher) giveBack() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.waiting {
		(&unit{msgs: p.msgs}).again(0)
	}
}

// eventID names the event that a read answers: the last that announced it.
func (p *pending) eventID() string {
	if n := len(p.facts); n > 0 {
		return p.facts[n-1].ID
	}
	return "read:" + p.x.DocKey() + "/" + p.x.ID
}
