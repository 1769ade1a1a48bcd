// Package breaker keeps calls from a vendor that does not answer as it should,
// that refuses the credentials, or that an operator has paused. A connection
// has one state, in a key-value bucket, that all processes share and change
// with compare-and-set only (rule 3): when it opens no process calls, one at a
// time tries, and after that one alone makes 1, 2, 4, … calls at once before
// all go on.
//
// The local mechanism, which counts failures in a row, is gobreaker. Its
// DistributedCircuitBreaker is not used: it reads the shared state before it
// takes its lock, and holds that lock across each call.
package breaker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"github.com/sony/gobreaker/v2"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// The conditions of a connection.
const (
	StateRunning      = "running"
	StateOpen         = "open"
	StateUnauthorized = "unauthorized"
	StateRecovering   = "recovering"
	StatePaused       = "paused"
)

const (
	// failuresToOpen is how many failures in a row open the breaker.
	failuresToOpen = 5
	// changeLimit bounds one change of the shared state.
	changeLimit = 5 * time.Second
	// refusedWait is when to come again with what was refused.
	refusedWait = 2 * time.Second
)

// Options of Open.
type Options struct {
	// KV is the bucket that all processes share.
	KV         jetstream.KeyValue
	Connection string
	// Lanes is how many calls at once are normal: with so many a vendor has
	// recovered.
	Lanes int
	Log   *slog.Logger
	// Changed is told of each change of the condition that this process made;
	// may be nil.
	Changed func(events.Condition)
	// Jitter returns a number in [0,1); nil means a random one.
	Jitter func() float64
}

// Breaker is one connection's.
type Breaker struct {
	Options
	key, me string
	watcher jetstream.KeyWatcher
	cancel  context.CancelFunc
	ended   chan struct{}
	local   atomic.Pointer[gobreaker.CircuitBreaker[struct{}]]
	trip    atomic.Bool // open at the next failure, whatever the count

	mu    sync.Mutex
	known record
	rev   uint64
	news  chan struct{} // closed with each new revision
	good  int           // calls that went well with this many lanes
}

// Open watches a connection's state.
func Open(ctx context.Context, o Options) (*Breaker, error) {
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	b := &Breaker{Options: o, key: events.Token(o.Connection), me: nuid.Next(), ended: make(chan struct{}), news: make(chan struct{})}
	b.reset()
	watched, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w, err := o.KV.Watch(watched, b.key)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("breaker: watch %s: %w", o.Connection, err)
	}
	b.watcher, b.cancel = w, cancel
	there := make(chan struct{})
	go b.watch(there)
	select {
	case <-there:
	case <-ctx.Done():
		b.Close()
		return nil, fmt.Errorf("breaker: %s: %w", o.Connection, ctx.Err())
	}
	return b, nil
}

// Begin says that somebody works on the connection, if it has no condition
// yet.
func (b *Breaker) Begin(ctx context.Context) {
	b.change(ctx, func(r record, now time.Time) (record, bool) {
		fresh := r.State == ""
		r.tell(events.Condition{State: StateRunning}, now)
		return r, fresh
	})
}

// Close stops the watch.
func (b *Breaker) Close() {
	_ = b.watcher.Stop() // the connection may be gone
	b.cancel()
	<-b.ended
}

func (b *Breaker) watch(there chan<- struct{}) {
	defer close(b.ended)
	for e := range b.watcher.Updates() {
		if e == nil {
			close(there)
			continue
		}
		b.take(e)
	}
}

// take learns a stored state. One that can't be read is told, and passed over.
func (b *Breaker) take(e jetstream.KeyValueEntry) {
	var r record
	if e.Operation() == jetstream.KeyValuePut {
		if err := json.Unmarshal(e.Value(), &r); err != nil {
			b.Log.Error("breaker: state can't be read", "connection", b.Connection, "error", err)
		}
	}
	b.learn(r, e.Revision())
}

func (b *Breaker) learn(r record, rev uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if rev <= b.rev {
		return
	}
	if r.Phase != b.known.Phase && r.Phase != open && r.Phase != unauthorized {
		b.reset() // what was counted before says nothing about now
	}
	if r.Phase != b.known.Phase || r.Lanes != b.known.Lanes {
		b.good = 0
	}
	b.known, b.rev = r, rev
	close(b.news)
	b.news = make(chan struct{})
}

// reset begins to count anew.
func (b *Breaker) reset() {
	b.trip.Store(false)
	b.local.Store(gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: b.Connection, MaxRequests: 1, Timeout: refusedWait,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return b.trip.Swap(false) || c.ConsecutiveFailures >= failuresToOpen
		},
		IsSuccessful: func(err error) bool { return weight(err) == fault.BreakerSuccess },
		IsExcluded:   func(err error) bool { return weight(err) == fault.BreakerIgnore },
	}))
}

func weight(err error) fault.Breaker {
	if err == nil {
		return fault.BreakerSuccess
	}
	return fault.Judge(err, 1, 0).Breaker
}

// change computes the next state until a compare-and-set succeeds, or f wants
// none. It reports whether this process made the change.
func (b *Breaker) change(ctx context.Context, f func(record, time.Time) (record, bool)) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeLimit)
	defer cancel()
	for {
		b.mu.Lock()
		old, rev, news := b.known, b.rev, b.news
		b.mu.Unlock()
		next, wanted := f(old, time.Now().UTC())
		if !wanted {
			return false
		}
		now, err := put(ctx, b.KV, b.key, next, rev)
		if err == nil {
			b.learn(next, now)
			if next.State != old.State {
				b.tell(next.Condition)
			}
			return true
		}
		if !lost(err) {
			b.Log.Warn("breaker: state not stored", "connection", b.Connection, "error", err)
			return false
		}
		if e, err := b.KV.Get(ctx, b.key); err == nil {
			b.take(e)
			continue
		}
		select {
		case <-news:
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return false
		}
	}
}

func (b *Breaker) tell(c events.Condition) {
	if c.State == StateRunning || c.State == StateRecovering {
		b.Log.Info("connection: "+c.State, "connection", b.Connection)
	} else {
		b.Log.Error("connection: "+c.State, "connection", b.Connection, "reason", c.Reason)
	}
	if b.Changed != nil {
		b.Changed(c)
	}
}

// put stores a state over the revision that it was made from.
func put(ctx context.Context, kv jetstream.KeyValue, key string, r record, rev uint64) (uint64, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	if rev == 0 {
		return kv.Create(ctx, key, text)
	}
	return kv.Update(ctx, key, text, rev)
}

func lost(err error) bool {
	return errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch)
}
