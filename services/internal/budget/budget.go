// Package budget keeps the calls of one account at a vendor within its limits:
// a sustained rate, a burst, a number of calls in flight, a number of calls a
// day, and pauses that the vendor asks for. It sits in the HTTP transport, so
// that every call counts, whoever makes it (rule 7).
//
// All processes that call one account share one state, which is only changed
// with compare-and-set (rule 3). A process takes what it needs for the next
// tenth of a second at a time, so that a busy one asks ten times a second, not
// once per call. While the state can't be reached no call begins: nothing that
// Spoke does at a vendor could be noted down then either.
package budget

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// Budget is shared by everything in the process that calls one account.
type Budget struct {
	plan  *plan
	store store
	day   *day

	mu      sync.Mutex
	waiting []*waiter // in order: background calls last
	used    []int     // slots under calls, by bucket
	held    []int     // slots that this process has, by bucket
	lastUse []time.Time
	turns   [][]time.Time // in hand, by class
	pace    []pace        // by class
	crowded []bool
	lease   time.Time // of the slots
	until   time.Time // no call before
	// By class: when to ask for those that wait, and whether it is a slot that
	// they wait for.
	retry    []time.Time
	slotless []bool
	good     int
	slowed   bool
	refused  bool
	pause    time.Duration
	running  bool // somebody looks after those that wait and the slots
	closed   bool
	wake     chan struct{}
	ended    chan struct{} // closed when running ends
}

// waiter is a call that waits for its turn.
type waiter struct {
	class int
	at    time.Time // its turn
	ready chan struct{}
	done  bool // it has its turn, or has left
}

// pace counts the turns of a class that were used, to tell how many to have in
// hand.
type pace struct {
	began     time.Time
	now, last int
}

// New returns a budget of the given limits for this process alone. Zero values
// mean no limit.
func New(l connector.Limits) *Budget {
	return newBudget(l, newLocal(), newDay(l, &localDay{}))
}

func newBudget(l connector.Limits, s store, d *day) *Budget {
	p := newPlan(l)
	n := len(p.buckets)
	b := &Budget{
		plan: p, store: s, day: d, used: make([]int, n), held: make([]int, n), lastUse: make([]time.Time, n),
		crowded: make([]bool, n), turns: make([][]time.Time, len(p.classes)), pace: make([]pace, len(p.classes)),
		retry: make([]time.Time, len(p.classes)), slotless: make([]bool, len(p.classes)),
		wake: make(chan struct{}, 1),
	}
	s.watch(b.seen)
	return b
}

// Close gives back what the process still has. Calls that wait are refused.
func (b *Budget) Close() {
	b.mu.Lock()
	b.closed = true
	for _, w := range b.waiting {
		w.leave()
	}
	b.waiting = nil
	ended := b.ended
	if !b.running {
		ended = nil
	}
	b.mu.Unlock()
	b.nudge()
	if ended != nil {
		<-ended
	}
	b.store.close()
}

// Transport wraps a transport so that each request waits for its turn.
func (b *Budget) Transport(base http.RoundTripper) http.RoundTripper {
	return transport{budget: b, base: base}
}

type transport struct {
	budget *Budget
	base   http.RoundTripper
}

// RoundTrip implements http.RoundTripper. The slot is free again when the
// answer's header is there.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	class := t.budget.plan.class(r)
	if err := t.budget.acquire(r.Context(), class); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	defer t.budget.release(class)
	resp, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	t.budget.answered(resp)
	return resp, nil
}

var errClosed = errors.New("the process is stopping")

// Paused returns how long no call may be made: the vendor asked for a pause,
// or the calls of the day are spent.
func (b *Budget) Paused() time.Duration {
	b.mu.Lock()
	until := b.until
	b.mu.Unlock()
	return max(time.Until(until), b.day.paused(), 0)
}

// acquire returns when a call may go out. What it waits for in vain is an
// ErrBudget, which says nothing about the vendor.
func (b *Budget) acquire(ctx context.Context, class int) error {
	date, err := b.day.take(ctx, background(class))
	if err != nil {
		return fmt.Errorf("%w: %w", rest.ErrBudget, err)
	}
	err = b.turn(ctx, class)
	if err == nil {
		if err = rest.Fenced(ctx); err != nil {
			b.release(class)
		}
	}
	if err != nil {
		b.day.giveBack(date, background(class))
		return fmt.Errorf("%w: %w", rest.ErrBudget, err)
	}
	return nil
}

// turn waits for slots and a turn. A pause may begin, or grow, while it waits.
func (b *Budget) turn(ctx context.Context, class int) error {
	for {
		if err := b.outlasts(ctx); err != nil {
			return err
		}
		at, err := b.line(ctx, class)
		if err != nil {
			return err
		}
		if err := sleep(ctx, time.Until(at)); err != nil {
			b.release(class)
			return err
		}
		b.mu.Lock()
		paused := time.Now().Before(b.until)
		b.mu.Unlock()
		if !paused {
			return nil
		}
		b.release(class)
	}
}

// outlasts fails at once when a pause is longer than the caller waits.
func (b *Budget) outlasts(ctx context.Context) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx.Err()
	}
	if d := b.Paused(); d > 0 && deadline.Before(time.Now().Add(d)) {
		return &Wait{For: d}
	}
	return ctx.Err()
}

// Wait says that the pause of a budget is longer than the caller could wait.
type Wait struct{ For time.Duration }

// Error implements error.
func (w *Wait) Error() string { return fmt.Sprintf("no calls for %s", w.For.Round(time.Second)) }

// RetryAfter is when to try again.
func (w *Wait) RetryAfter() time.Duration { return w.For }

// Is makes it a deadline that would be exceeded.
func (*Wait) Is(target error) bool { return target == context.DeadlineExceeded }

// line queues until the call has its slots and a turn, and returns when that
// is.
func (b *Budget) line(ctx context.Context, class int) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	w := &waiter{class: class, ready: make(chan struct{})}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return time.Time{}, errClosed
	}
	b.enqueue(w)
	b.serve()
	if !w.done {
		b.tend()
	}
	b.mu.Unlock()
	select {
	case <-w.ready:
	case <-ctx.Done():
		if b.withdraw(w) {
			return time.Time{}, ctx.Err()
		}
	}
	if w.at.IsZero() {
		return time.Time{}, errClosed
	}
	return w.at, nil
}

// enqueue puts a call behind those of its kind.
func (b *Budget) enqueue(w *waiter) {
	i := len(b.waiting)
	if !background(w.class) {
		for i > 0 && background(b.waiting[i-1].class) {
			i--
		}
	}
	b.waiting = append(b.waiting, nil)
	copy(b.waiting[i+1:], b.waiting[i:])
	b.waiting[i] = w
}

// withdraw takes a call out of the queue; false when it has its turn already.
func (b *Budget) withdraw(w *waiter) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.done {
		return false
	}
	w.leave()
	b.compact()
	return true
}

func (w *waiter) leave() {
	w.done = true
	close(w.ready)
}

// compact drops the waiters that are done.
func (b *Budget) compact() {
	kept := b.waiting[:0]
	for _, w := range b.waiting {
		if !w.done {
			kept = append(kept, w)
		}
	}
	clear(b.waiting[len(kept):])
	b.waiting = kept
}

// serve lets those go for whom slots and a turn are in hand. The caller holds
// the lock.
func (b *Budget) serve() {
	now := time.Now()
	if b.closed || now.Before(b.until) {
		return
	}
	b.compact()
	for _, w := range b.waiting {
		if at, ok := b.inHand(w.class, now); ok {
			b.start(w, at, now)
		}
	}
	b.compact()
}

// inHand takes a turn for a class, if its slots are free too.
func (b *Budget) inHand(class int, now time.Time) (time.Time, bool) {
	for _, i := range b.plan.classes[class] {
		if b.plan.buckets[i].concurrent == 0 {
			continue
		}
		if b.used[i] >= b.held[i] || b.crowded[i] || now.Add(leaseMargin).After(b.lease) {
			return time.Time{}, false
		}
	}
	if !b.plan.rated(class) {
		return now, true
	}
	late := b.plan.late(class)
	for len(b.turns[class]) > 0 {
		at := b.turns[class][0]
		b.turns[class] = b.turns[class][1:]
		if !now.After(at.Add(late)) {
			return at, true
		}
	}
	return time.Time{}, false
}

// leaseMargin is how long before the end of a lease its slots are left alone.
const leaseMargin = time.Second

// start gives a call its turn.
func (b *Budget) start(w *waiter, at, now time.Time) {
	for _, i := range b.plan.classes[w.class] {
		b.used[i]++
		b.lastUse[i] = now
	}
	b.pace[w.class].count(now)
	w.at = at
	w.leave()
}

func (b *Budget) release(class int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for _, i := range b.plan.classes[class] {
		b.used[i]--
		b.lastUse[i] = now
		if b.crowded[i] {
			b.nudge()
		}
	}
	b.serve()
	if len(b.waiting) > 0 {
		b.slotFree()
	}
}

// answered learns from an answer.
func (b *Budget) answered(resp *http.Response) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if resp.StatusCode != http.StatusTooManyRequests {
		if b.slowed {
			b.good++
		}
		return
	}
	pause := rest.RetryAfter(resp.Header, time.Now())
	if pause <= 0 {
		pause = defaultPause
	}
	b.refused, b.pause, b.good = true, max(b.pause, pause), 0
	b.hush(time.Now().Add(pause))
	b.tend()
}

// hush stops calls until a time. Turns in hand are given up.
func (b *Budget) hush(until time.Time) {
	b.until = latest(b.until, until)
	for class := range b.turns {
		b.turns[class] = nil
	}
}

func (b *Budget) nudge() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (p *pace) count(now time.Time) {
	p.roll(now)
	p.now++
}

// roll begins a new window when the last one is over.
func (p *pace) roll(now time.Time) {
	switch d := now.Sub(p.began); {
	case d >= 2*window:
		p.began, p.last, p.now = now, 0, 0
	case d >= window:
		p.began, p.last, p.now = now, p.now, 0
	}
}

// sleep waits, if there is anything to wait for.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
