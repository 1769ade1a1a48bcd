// Package budget keeps the calls of one connection within the vendor's
// limits: a sustained rate, a burst, a number of calls in flight, and pauses
// that the vendor asks for. It sits in the HTTP transport, so that every call
// counts, whoever makes it (rule 7).
package budget

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// Budget is shared by everything in the process that calls one connection.
type Budget struct {
	limiter *rate.Limiter
	slots   *semaphore.Weighted
	full    rate.Limit

	mu     sync.Mutex
	until  time.Time // no call before
	healed int       // calls without a 429 since the last slow-down
}

const (
	// defaultPause follows a 429 without Retry-After.
	defaultPause = time.Second
	// healAfter is how many good calls double a halved rate.
	healAfter = 20
	// floor is the lowest rate that slowing down may reach, as a share of
	// the full one.
	floor = 1.0 / 16
)

// New returns a budget of the given limits. Zero values mean no limit.
func New(l connector.Limits) *Budget {
	b := &Budget{full: rate.Inf}
	if l.PerSecond > 0 {
		b.full = rate.Limit(l.PerSecond)
	}
	b.limiter = rate.NewLimiter(b.full, max(l.Burst, 1))
	if l.Concurrent > 0 {
		b.slots = semaphore.NewWeighted(int64(l.Concurrent))
	}
	return b
}

// Transport wraps a transport so that each request waits for its turn.
func (b *Budget) Transport(base http.RoundTripper) http.RoundTripper {
	return transport{budget: b, base: base}
}

type transport struct {
	budget *Budget
	base   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.budget.acquire(r.Context()); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, fmt.Errorf("%w: %w", rest.ErrBudget, err)
	}
	defer t.budget.release()
	resp, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		t.budget.slow(rest.RetryAfter(resp.Header, time.Now()))
	} else {
		t.budget.heal()
	}
	return resp, nil
}

func (b *Budget) acquire(ctx context.Context) error {
	if b.slots != nil {
		if err := b.slots.Acquire(ctx, 1); err != nil {
			return err
		}
	}
	if err := b.wait(ctx); err != nil {
		b.release()
		return err
	}
	return nil
}

// wait returns when a call may go out. A pause may begin, or grow, while it
// waits.
func (b *Budget) wait(ctx context.Context) error {
	for {
		if d := b.Paused(); d > 0 {
			select {
			case <-time.After(d):
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := b.limiter.Wait(ctx); err != nil || b.Paused() == 0 {
			return err
		}
	}
}

func (b *Budget) release() {
	if b.slots != nil {
		b.slots.Release(1)
	}
}

// Paused returns how long the vendor still wants no calls.
func (b *Budget) Paused() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(time.Until(b.until), 0)
}

// slow halves the rate and pauses.
func (b *Budget) slow(pause time.Duration) {
	if pause == 0 {
		pause = defaultPause
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	// Calls that were in flight together and meet one limit are one sign.
	first := !now.Before(b.until)
	if t := now.Add(pause); t.After(b.until) {
		b.until = t
	}
	b.healed = 0
	if first && b.full != rate.Inf {
		b.limiter.SetLimit(max(b.limiter.Limit()/2, b.full*floor))
	}
}

// heal doubles a slowed rate after enough good calls.
func (b *Budget) heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full == rate.Inf || b.limiter.Limit() >= b.full {
		return
	}
	if b.healed++; b.healed >= healAfter {
		b.healed = 0
		b.limiter.SetLimit(min(b.limiter.Limit()*2, b.full))
	}
}
