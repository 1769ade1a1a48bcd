package worker

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
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
	if i := slices.IndexFunc(p.msgs, func(had bus.Delivered) bool { return had.Seq == m.Seq }); i >= 0 {
		p.msgs[i].Leave() // it came once more
		p.msgs[i] = m
	} else {
		p.msgs = append(p.msgs, m)
		p.facts = append(p.facts, f)
	}
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
	var reads sync.WaitGroup
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
		case <-ctx.Done():
		}
	}
}

// dueIn returns how long an object's read has to wait.
func (e *enricher) dueIn(p *pending, now time.Time) time.Duration {
	at := p.last.Add(e.w.Quiet)
	if limit := p.first.Add(e.w.MaxWait); at.After(limit) {
		at = limit
	}
	if p.notBefore.After(at) {
		at = p.notBefore
	}
	if e.w.Paused != nil && e.w.Paused(p.x.Connection) {
		return max(at.Sub(now), pausedWait)
	}
	return at.Sub(now)
}

// pausedWait is how often it is looked whether a paused connection goes on.
const pausedWait = time.Second

type group struct {
	connection, object string
	members            []*pending
}

// due returns the reads whose time has come, grouped into calls, and how long
// until the next one. What is almost due comes along: a burst would otherwise
// be read in as many calls as it took moments to arrive.
func (e *enricher) due(now time.Time) (groups []*group, next time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	next = time.Hour
	for _, p := range e.waiting {
		if !p.reading {
			next = min(next, e.dueIn(p, now))
		}
	}
	if next > 0 {
		return nil, next
	}
	next = time.Hour
	open := map[[2]string]*group{}
	for _, p := range e.waiting {
		if p.reading {
			continue
		}
		if wait := e.dueIn(p, now); wait > e.w.Quiet/4 {
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

// giveBack lets what still waits be delivered to another replica at once.
func (e *enricher) giveBack() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.waiting {
		(&unit{msgs: p.msgs}).again(0)
	}
}
