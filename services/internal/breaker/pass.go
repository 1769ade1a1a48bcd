package breaker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// Pass is leave to make calls.
type Pass struct {
	// Lanes is how many calls there may be at once.
	Lanes int
	// Probe is set when the first call tries whether the vendor is back.
	Probe bool
	// Refused is set when it is the credentials that are tried.
	Refused bool
}

// Wait blocks until this process may make calls.
func (b *Breaker) Wait(ctx context.Context) (Pass, error) {
	for ctx.Err() == nil {
		b.mu.Lock()
		r, news := b.known, b.news
		b.mu.Unlock()
		now := time.Now()
		switch {
		case r.Paused:
			await(ctx, news, time.Hour)
			continue
		case r.Phase == closed:
			if b.local.Load().State() == gobreaker.StateOpen { // not stored yet
				await(ctx, news, refusedWait/4)
				continue
			}
			return Pass{Lanes: b.Lanes}, nil
		case now.Before(r.Until):
			await(ctx, news, r.Until.Sub(now))
			continue
		case r.holds(b.me, now.Add(holdFor/2)):
			return r.pass(), nil
		}
		if b.change(ctx, b.claim) {
			continue
		}
		await(ctx, news, holdFor/10)
	}
	return Pass{}, ctx.Err()
}

func (b *Breaker) claim(r record, now time.Time) (record, bool) { return r.claim(b.me, now) }

func (r record) pass() Pass {
	return Pass{Lanes: max(r.Lanes, 1), Probe: r.Phase != recovering, Refused: r.Phase == unauthorized}
}

func await(ctx context.Context, news <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-news:
	case <-t.C:
	case <-ctx.Done():
	}
}

// Paused reports whether an operator wants no calls.
func (b *Breaker) Paused() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known.Paused
}

// Execute runs a call and learns from its error. A call that may not be made
// now is Throttled: it costs no attempt.
func (b *Breaker) Execute(ctx context.Context, call func() error) error {
	b.mu.Lock()
	r := b.known
	b.mu.Unlock()
	now := time.Now()
	switch {
	case r.Paused:
		return b.refusal(errPaused)
	case r.Phase == closed:
		return b.count(ctx, call)
	case !r.holds(b.me, now):
		return b.refusal(errors.New("the connection is " + r.State))
	case r.Phase == recovering:
		return b.count(ctx, call)
	}
	return b.probe(ctx, call)
}

func (b *Breaker) refusal(err error) error {
	return fault.New(fault.Throttled, b.Connection, "%w", err).After(refusedWait)
}

// count runs a call and counts whether it failed.
func (b *Breaker) count(ctx context.Context, call func() error) error {
	local := b.local.Load()
	_, err := local.Execute(func() (struct{}, error) {
		stop := b.keep(ctx)
		defer stop()
		err := call()
		if weight(err) == fault.BreakerTrip {
			b.trip.Store(true)
		}
		return struct{}{}, err
	})
	switch {
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		return b.refusal(err)
	case weight(err) == fault.BreakerSuccess:
		b.wentWell(ctx)
	case weight(err) != fault.BreakerIgnore && local.State() == gobreaker.StateOpen:
		b.failed(ctx, err)
	}
	return err
}

// probe runs a call that tries whether the vendor is back.
func (b *Breaker) probe(ctx context.Context, call func() error) error {
	stop := b.keep(ctx)
	err := call()
	stop()
	switch weight(err) {
	case fault.BreakerSuccess:
		b.change(ctx, b.succeed)
	case fault.BreakerIgnore: // says nothing: the next call tries
	default:
		b.failed(ctx, err)
	}
	return err
}

func (b *Breaker) succeed(r record, now time.Time) (record, bool) {
	return r.succeed(b.me, now, b.Lanes)
}

func (b *Breaker) failed(ctx context.Context, err error) {
	jitter := b.Jitter()
	b.change(ctx, func(r record, now time.Time) (record, bool) { return r.fail(b.me, now, err, jitter) })
}

// wentWell lets more calls go once as many went well as may be made at once.
func (b *Breaker) wentWell(ctx context.Context) {
	b.mu.Lock()
	enough := false
	if b.known.Phase == recovering {
		b.good++
		if enough = b.good >= b.known.Lanes; enough {
			b.good = 0
		}
	}
	b.mu.Unlock()
	if enough {
		b.change(ctx, b.succeed)
	}
}

// keep renews the lease while a call runs that only one process may make.
func (b *Breaker) keep(ctx context.Context) (stop func()) {
	b.mu.Lock()
	alone := b.known.Phase != closed
	b.mu.Unlock()
	if !alone {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			await(ctx, nil, holdFor/3)
			if ctx.Err() != nil {
				return
			}
			b.change(ctx, func(r record, now time.Time) (record, bool) {
				if !r.holds(b.me, now) {
					return r, false
				}
				r.Lease = now.Add(holdFor)
				return r, true
			})
		}
	}()
	return func() { cancel(); <-done }
}

// Idle notes that there is nothing to do while the vendor recovers: so nothing
// has piled up either.
func (b *Breaker) Idle(ctx context.Context) {
	b.change(ctx, func(r record, now time.Time) (record, bool) {
		if r.Phase != recovering {
			return r, false
		}
		return r.succeed(b.me, now, 0)
	})
}

// Transport refuses calls while the connection is paused, whoever makes them.
func (b *Breaker) Transport(base http.RoundTripper) http.RoundTripper {
	return transport{breaker: b, base: base}
}

type transport struct {
	breaker *Breaker
	base    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.breaker.Paused() {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, fmt.Errorf("%w: %w", rest.ErrBudget, errPaused)
	}
	return t.base.RoundTrip(r)
}

var errPaused = errors.New("the connection is paused")
