package sink

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nuid"
	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/breaker"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/ledger"
)

// Config is one connection's sink.
type Config struct {
	Tenant     string
	Connection string
	Kind       connector.Kind
	// Settle is how long a document must have stood unchanged before it is
	// applied, so that a burst of changes becomes one write. 0 applies at
	// once.
	Settle time.Duration
	// Lanes is how many Apply calls may run at once; 0 means DefaultLanes.
	Lanes int
	// HeldLimit is how long a document may wait for another object before
	// operators are told; 0 means DefaultHeldLimit.
	HeldLimit time.Duration
	// OnDemand reports whether an object type is only written once a document
	// refers to it; nil means that none is.
	OnDemand func(object string) bool
	// Owner names this worker in the ledger. Empty makes a new name, so that
	// what another worker has begun is left alone until its lease is over. A
	// worker that is sure to be the only one of its name takes over at once
	// what it had begun before it died.
	Owner string
}

// DefaultHeldLimit leaves people an hour to fill in what is missing.
const DefaultHeldLimit = time.Hour

// DefaultLanes bounds concurrent Apply calls. The vendor's own limits are
// kept by the connection's budget; this bounds memory and open spans.
const DefaultLanes = 8

// Deps is what a sink works with.
type Deps struct {
	Bus    *bus.Bus
	Target connector.Target
	Log    *slog.Logger
	Tracer trace.Tracer
	Meter  *Meter
	// Breaker is the connection's.
	Breaker *breaker.Breaker
	// Budget says while no call may be made; nil if nothing limits them.
	Budget interface{ Paused() time.Duration }
	// Jitter returns a number in [0,1); nil means a random one.
	Jitter func() float64
}

// Sink is one running connection.
type Sink struct {
	Config
	Deps
	ledger *ledger.Ledger
	puller *bus.Puller
	events *bus.Group

	mu    sync.Mutex
	busy  map[string]bool // subjects that a lane works on
	wg    sync.WaitGroup
	free  chan struct{} // one token per free lane
	freed chan struct{} // told when a lane gets free
}

const (
	// pullWait bounds how long an idle sink blocks in one pull.
	pullWait = 5 * time.Second
	// probeWait is how long a probe waits for a document to try.
	probeWait = 500 * time.Millisecond
	// applyLimit bounds one batch, its waits for the budget included.
	applyLimit = 90 * time.Second
	// sweepEvery is how often everything that is held is looked at again.
	sweepEvery = time.Minute
)

// New opens the connection's ledger and durable.
func New(ctx context.Context, c Config, d Deps) (*Sink, error) {
	if c.Lanes == 0 {
		c.Lanes = DefaultLanes
	}
	if c.HeldLimit == 0 {
		c.HeldLimit = DefaultHeldLimit
	}
	if d.Jitter == nil {
		d.Jitter = rand.Float64
	}
	if c.Owner == "" {
		c.Owner = nuid.Next()
	}
	s := &Sink{Config: c, Deps: d, busy: map[string]bool{}, free: make(chan struct{}, c.Lanes), freed: make(chan struct{}, 1)}
	for range c.Lanes {
		s.free <- struct{}{}
	}
	var err error
	if s.ledger, err = ledger.Open(ctx, d.Bus.JetStream(), bus.LedgerBucket(c.Connection)); err != nil {
		return nil, err
	}
	if s.puller, err = d.Bus.Puller(ctx, events.StreamHub, bus.SinkDurable(c.Connection)); err != nil {
		return nil, err
	}
	s.events = bus.NewGroup(d.Bus)
	return s, nil
}

// Run works until ctx ends, then lets the calls under way finish.
func (s *Sink) Run(ctx context.Context) error {
	s.Breaker.Begin(ctx)
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	sweeping := make(chan struct{})
	go func() {
		defer close(sweeping)
		s.sweep(ctx)
	}()
	for ctx.Err() == nil {
		pass, err := s.leave(ctx)
		if err != nil {
			break
		}
		if err := s.round(ctx, work, pass); err != nil {
			s.Log.Error("sink: pull", "connection", s.Connection, "error", err)
			pause(ctx, time.Second)
		}
	}
	s.wg.Wait()
	<-sweeping
	s.events.Close()
	return nil
}

// round pulls what the free lanes can take and hands it to them. The lanes
// live in work, which outlasts ctx: what was begun is finished.
func (s *Sink) round(ctx, work context.Context, pass breaker.Pass) error {
	if pass.Refused {
		s.recheck(ctx)
		return nil
	}
	lanes := min(len(s.free), pass.Lanes-(s.Lanes-len(s.free)))
	if lanes <= 0 {
		select {
		case <-s.freed:
		case <-time.After(lookAgain): // leave may have been taken
		case <-ctx.Done():
		}
		return nil
	}
	size, wait := s.Target.BatchSize(), pullWait
	if pass.Lanes < s.Lanes { // it recovers: few and small calls
		size = min(size, pass.Lanes)
	}
	limit := lanes * size
	if pass.Probe {
		limit, wait = 1, probeWait
	}
	pulled, err := s.puller.Pull(ctx, limit, wait)
	if err != nil {
		return err
	}
	if len(pulled) == 0 && ctx.Err() == nil && len(s.free) == s.Lanes {
		s.idle(ctx, pass)
	}
	for _, batch := range s.batches(pulled, size) {
		<-s.free
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			defer s.leaveLane()
			defer s.done(batch)
			s.process(work, batch)
		}()
	}
	return nil
}

// idle makes up for documents that would show whether the vendor is back.
func (s *Sink) idle(ctx context.Context, pass breaker.Pass) {
	switch {
	case pass.Probe:
		s.recheck(ctx)
	case pass.Lanes < s.Lanes:
		s.Breaker.Idle(ctx)
	}
}

// leaveLane makes a lane free.
func (s *Sink) leaveLane() {
	s.free <- struct{}{}
	select {
	case s.freed <- struct{}{}:
	default:
	}
}

// batches groups messages by object type, at most size to a batch, and gives
// back what can't be worked on now: a document that is not settled yet, and
// one whose subject a lane is still working on.
func (s *Sink) batches(pulled []bus.Delivered, size int) [][]bus.Delivered {
	var order []string
	groups := map[string][]bus.Delivered{}
	for _, m := range pulled {
		if wait := s.Settle - time.Since(m.Time); wait > 0 {
			// If it is replaced meanwhile, the newer one comes instead.
			s.again(m, wait)
			continue
		}
		if !s.claim(m.Subject) {
			s.again(m, busyWait)
			continue
		}
		object := objectOf(m.Subject)
		if _, ok := groups[object]; !ok {
			order = append(order, object)
		}
		groups[object] = append(groups[object], m)
	}
	var out [][]bus.Delivered
	for _, o := range order {
		for g := groups[o]; len(g) > 0; {
			n := min(size, len(g))
			out = append(out, g[:n:n])
			g = g[n:]
		}
	}
	return out
}

// busyWait is how long a second delivery for a subject waits for the first.
const busyWait = 500 * time.Millisecond

func (s *Sink) claim(subject string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[subject] {
		return false
	}
	s.busy[subject] = true
	return true
}

func (s *Sink) done(batch []bus.Delivered) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range batch {
		delete(s.busy, m.Subject)
	}
}

func (s *Sink) again(m bus.Delivered, delay time.Duration) {
	if err := m.Again(delay); err != nil {
		s.Log.Warn("sink: nak", "connection", s.Connection, "error", err)
	}
}

// objectOf returns the object type in a desired document's subject.
func objectOf(subject string) string {
	t, err := events.SubjectTokens(subject)
	if err != nil || len(t) < 4 {
		return ""
	}
	return t[3]
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
