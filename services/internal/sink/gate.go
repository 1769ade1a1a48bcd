package sink

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// gate decides whether the sink may pull: not while the breaker is open, nor
// while the credentials are refused (rule 6).
type gate struct {
	sink    *Sink
	breaker *gobreaker.CircuitBreaker[struct{}]
	trip    atomic.Bool // open at the next failure, whatever the count

	mu      sync.Mutex
	paused  error // the refusal, while paused
	retryAt time.Time
	tries   int
}

// The conditions that a sink reports.
const (
	stateRunning      = "running"
	stateOpen         = "open"
	stateUnauthorized = "unauthorized"
)

const (
	// failuresToOpen is how many failures in a row open the breaker.
	failuresToOpen = 5
	// openFor is how long an open breaker stays open before a probe.
	openFor = 2 * time.Second
	// pauseBase and pauseMax bound how often refused credentials are tried.
	pauseBase = 5 * time.Second
	pauseMax  = 5 * time.Minute
)

func newGate(s *Sink) *gate {
	g := &gate{sink: s}
	g.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: s.Connection, MaxRequests: 1, Timeout: openFor,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return g.trip.Swap(false) || c.ConsecutiveFailures >= failuresToOpen
		},
		IsSuccessful: func(err error) bool {
			return err == nil || fault.Judge(err, 1, 0).Breaker == fault.BreakerSuccess
		},
		IsExcluded: func(err error) bool {
			return err != nil && fault.Judge(err, 1, 0).Breaker == fault.BreakerIgnore
		},
		OnStateChange: func(_ string, _, to gobreaker.State) { g.changed(to) },
	})
	return g
}

// execute runs a call behind the breaker. A call that the breaker refuses is
// Throttled: it was not made, and costs no attempt.
func (g *gate) execute(ctx context.Context, call func() error) error {
	_, err := g.breaker.Execute(func() (struct{}, error) {
		err := call()
		if fault.Is(err, fault.Unauthorized) {
			g.refuse(ctx, err) // before the breaker opens: this is what people are told
		}
		if err != nil && fault.Judge(err, 1, 0).Breaker == fault.BreakerTrip {
			g.trip.Store(true)
		}
		return struct{}{}, err
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return fault.New(fault.Throttled, g.sink.Kind.Name, "%w", err).After(openFor)
	}
	return err
}

// probing reports whether the next call is a probe.
func (g *gate) probing() bool { return g.breaker.State() == gobreaker.StateHalfOpen }

// wait blocks while the sink must not pull.
func (g *gate) wait(ctx context.Context) error {
	for {
		g.mu.Lock()
		paused, at := g.paused, g.retryAt
		g.mu.Unlock()
		switch {
		case paused != nil:
			pause(ctx, time.Until(at))
			if ctx.Err() == nil {
				g.recheck(ctx)
			}
		case g.breaker.State() == gobreaker.StateOpen:
			pause(ctx, openFor/4)
		default:
			return ctx.Err()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// refuse pauses the connection because its credentials are refused. Calls
// that were refused together are one refusal.
func (g *gate) refuse(ctx context.Context, err error) {
	g.mu.Lock()
	first := g.paused == nil
	if !first && time.Now().Before(g.retryAt) {
		g.mu.Unlock()
		return
	}
	g.paused = err
	g.retryAt = time.Now().Add(min(pauseBase<<min(g.tries, 10), pauseMax))
	g.tries++
	g.mu.Unlock()
	if first {
		g.report(ctx, events.Condition{State: stateUnauthorized, Reason: err.Error(), Hint: fault.As(err).Hint})
	}
}

// recheck asks the vendor whether it takes the credentials again.
func (g *gate) recheck(ctx context.Context) {
	if err := g.sink.Target.Check(ctx); err != nil {
		if fault.Is(err, fault.Unauthorized) {
			g.refuse(ctx, err)
			return
		}
	}
	g.mu.Lock()
	g.paused, g.tries = nil, 0
	g.mu.Unlock()
	g.report(ctx, events.Condition{State: stateRunning})
}

func (g *gate) changed(to gobreaker.State) {
	g.trip.Store(false) // it was for the state that ends here
	g.mu.Lock()
	paused := g.paused != nil
	g.mu.Unlock()
	if paused {
		return // that is told, and what ends it will be
	}
	// The callback runs under the breaker's lock: report from outside.
	c := events.Condition{State: stateRunning}
	if to == gobreaker.StateOpen {
		c = events.Condition{
			State: stateOpen, Reason: "the vendor does not answer as it should",
			Hint: "nothing is lost: what is wanted stands in HUB and is written once the vendor answers",
		}
	}
	if to == gobreaker.StateHalfOpen {
		return
	}
	g.sink.wg.Add(1)
	go func() {
		defer g.sink.wg.Done()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		g.report(ctx, c)
	}()
}

// report stores the condition where every replica, the CLI and the console
// see it, and alerts when it is not a good one.
func (g *gate) report(ctx context.Context, c events.Condition) {
	c.Since = time.Now().UTC()
	b, err := json.Marshal(c)
	if err == nil {
		_, err = g.sink.state.Put(ctx, events.Token(g.sink.Connection), b)
	}
	if err != nil {
		g.sink.Log.Warn("sink: condition not stored", "connection", g.sink.Connection, "error", err)
	}
	if c.State == stateRunning {
		g.sink.Log.Info("sink: running", "connection", g.sink.Connection)
		return
	}
	g.sink.Log.Error("sink: "+c.State, "connection", g.sink.Connection, "reason", c.Reason)
	severity, kind := "critical", "breaker"
	if c.State == stateUnauthorized {
		kind = fault.Unauthorized.String()
	}
	g.sink.alert(ctx, events.Alert{Severity: severity, Kind: kind, Message: c.Reason, Hint: c.Hint})
}

// alert publishes an alert.
func (s *Sink) alert(ctx context.Context, a events.Alert) {
	a.Connection = s.Connection
	if err := s.Bus.Alert(ctx, a); err != nil {
		s.Log.Error("sink: alert not stored", "connection", s.Connection, "kind", a.Kind, "error", err)
	}
}
