package budget

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/spoke-sync/spoke/services/internal/connector"
)

// Options of Open.
type Options struct {
	// KV is the bucket that all processes share.
	KV jetstream.KeyValue
	// Name of the budget: a key of the bucket.
	Name   string
	Limits connector.Limits
	Log    *slog.Logger
}

// Open returns a budget that all processes which open the same name share.
// Their limits should be the same; each keeps to its own.
func Open(ctx context.Context, o Options) (*Budget, error) {
	s := &shared{kv: o.KV, key: o.Name, me: nuid.Next(), log: o.Log, news: make(chan struct{}), stopped: make(chan struct{})}
	// The watch lasts as long as the budget.
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	w, err := o.KV.Watch(ctx, s.key)
	if err != nil {
		s.cancel()
		return nil, fmt.Errorf("budget: watch %s: %w", s.key, err)
	}
	s.watcher = w
	return newBudget(o.Limits, s, newDay(o.Limits, &sharedDay{kv: o.KV, key: o.Name + ".day"})), nil
}

// shared is a state in a key-value bucket.
type shared struct {
	kv      jetstream.KeyValue
	key, me string
	log     *slog.Logger
	watcher jetstream.KeyWatcher
	cancel  context.CancelFunc
	stopped chan struct{}

	mu     sync.Mutex
	known  state
	text   []byte
	rev    uint64
	clock  clock
	rtt    time.Duration // of a change
	failed bool
	news   chan struct{} // closed with each new revision
}

// settle implements store. Only a compare-and-set that succeeds counts.
func (s *shared) settle(ctx context.Context, p *plan, a ask) (answer, time.Duration, error) {
	ans, ahead, err := s.change(ctx, p, a)
	s.mu.Lock()
	defer s.mu.Unlock()
	if failed := err != nil; failed != s.failed {
		s.failed = failed
		if failed {
			s.log.Warn("budget: can't be reached, no call begins", "budget", s.key, "error", err)
		} else {
			s.log.Info("budget: reached again", "budget", s.key)
		}
	}
	return ans, ahead, err
}

func (s *shared) change(ctx context.Context, p *plan, a ask) (answer, time.Duration, error) {
	if err := s.setClock(ctx); err != nil {
		return answer{}, 0, err
	}
	a.me = s.me
	for {
		s.mu.Lock()
		base, old, rev, ahead := s.known, s.text, s.rev, s.clock.ahead()
		a.fresh, a.lead = base.Next == nil, min(s.rtt, window)
		s.mu.Unlock()
		began := time.Now()
		next, ans := p.settle(base, began.Add(ahead), a)
		text, err := json.Marshal(next)
		if err != nil {
			return answer{}, 0, fmt.Errorf("budget: %w", err)
		}
		if rev > 0 && bytes.Equal(text, old) {
			return ans, ahead, nil
		}
		now, err := s.put(ctx, text, rev)
		if err == nil {
			s.mu.Lock()
			s.rtt = (3*s.rtt + time.Since(began)) / 4
			s.mu.Unlock()
			s.learn(next, text, now)
			return ans, ahead, nil
		}
		if !lost(err) {
			return answer{}, 0, fmt.Errorf("budget: %s: %w", s.key, err)
		}
		if err := s.catchUp(ctx, rev); err != nil {
			return answer{}, 0, err
		}
	}
}

// put stores a state over the revision that it was made from.
func (s *shared) put(ctx context.Context, text []byte, rev uint64) (uint64, error) {
	if rev == 0 {
		return s.kv.Create(ctx, s.key, text)
	}
	return s.kv.Update(ctx, s.key, text, rev)
}

// lost reports whether somebody else's change came first.
func lost(err error) bool {
	return errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch)
}

// catchUp waits for a newer revision than the one that lost. A read may be
// behind, and the watch too, so both are tried.
func (s *shared) catchUp(ctx context.Context, rev uint64) error {
	for {
		e, err := s.kv.Get(ctx, s.key)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			s.forget(rev)
			return nil
		case err != nil:
			return fmt.Errorf("budget: %s: %w", s.key, err)
		}
		if err := s.take(e); err != nil {
			return err
		}
		s.mu.Lock()
		newer, news := s.rev != rev, s.news
		s.mu.Unlock()
		if newer {
			return nil
		}
		select {
		case <-news:
		case <-time.After(time.Duration(1+rand.IntN(10)) * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take learns a stored state.
func (s *shared) take(e jetstream.KeyValueEntry) error {
	var st state
	if err := json.Unmarshal(e.Value(), &st); err != nil {
		return fmt.Errorf("budget: %s can't be read, remove its key: %w", s.key, err)
	}
	s.learn(st, e.Value(), e.Revision())
	return nil
}

func (s *shared) learn(st state, text []byte, rev uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rev <= s.rev {
		return
	}
	s.known, s.text, s.rev = st, text, rev
	close(s.news)
	s.news = make(chan struct{})
}

// forget is for a key that is gone.
func (s *shared) forget(rev uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rev == rev {
		s.known, s.text, s.rev = state{}, nil, 0
	}
}

// watch implements store.
func (s *shared) watch(f func(state, string, time.Duration)) {
	go func() {
		defer close(s.stopped)
		live := false
		for e := range s.watcher.Updates() {
			received := time.Now()
			if e == nil { // what stood there before was told
				live = true
				continue
			}
			if e.Operation() != jetstream.KeyValuePut || s.take(e) != nil {
				continue // whoever asks next is told
			}
			s.mu.Lock()
			if live {
				s.clock.add(e.Created().Sub(received))
			}
			known, ahead, set := s.known, s.clock.ahead(), s.clock.n > 0
			s.mu.Unlock()
			if set {
				f(known, s.me, ahead)
			}
		}
	}()
}

// close implements store.
func (s *shared) close() {
	_ = s.watcher.Stop() // the connection may be gone
	s.cancel()
	<-s.stopped
}

// setClock makes sure that the server's clock is known, by a change of which
// the watch tells.
func (s *shared) setClock(ctx context.Context) error {
	for {
		s.mu.Lock()
		set, rev, text, news := s.clock.n > 0, s.rev, s.text, s.news
		s.mu.Unlock()
		if set {
			return nil
		}
		if rev == 0 {
			text = []byte("{}")
		}
		if _, err := s.put(ctx, text, rev); err != nil && !lost(err) {
			return fmt.Errorf("budget: %s: %w", s.key, err)
		}
		select {
		case <-news: // the clock may be known a moment later
		case <-ctx.Done():
			return fmt.Errorf("budget: %s: no news of it: %w", s.key, ctx.Err())
		case <-time.After(clockWait):
		}
		s.mu.Lock()
		set = s.clock.n > 0
		s.mu.Unlock()
		if !set {
			if err := sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
	}
}

// clockWait is how long the echo of a change may take before another is made.
const clockWait = 200 * time.Millisecond

// clock is by how much the server's clock is ahead of this process's: at
// least as much as any message came early. All processes count time by the
// server's clock, and each believes it to be a bit earlier than it is, so that
// no turn is used before its time.
type clock struct {
	samples [16]time.Duration
	n       int
}

func (c *clock) add(d time.Duration) {
	c.samples[c.n%len(c.samples)] = d
	c.n++
}

func (c *clock) ahead() time.Duration {
	if c.n == 0 {
		return 0
	}
	best := c.samples[0]
	for _, d := range c.samples[1:min(c.n, len(c.samples))] {
		best = max(best, d)
	}
	return best
}

// sharedDay is a day's count in a key-value bucket.
type sharedDay struct {
	kv  jetstream.KeyValue
	key string
}

// change implements dayCounter.
func (d *sharedDay) change(ctx context.Context, f func(spent) spent) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	for {
		var s spent
		var rev uint64
		e, err := d.kv.Get(ctx, d.key)
		if err == nil {
			rev = e.Revision()
			err = json.Unmarshal(e.Value(), &s)
		}
		if err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
			return fmt.Errorf("budget: %s: %w", d.key, err)
		}
		text, err := json.Marshal(f(s))
		if err != nil {
			return fmt.Errorf("budget: %s: %w", d.key, err)
		}
		if rev == 0 {
			_, err = d.kv.Create(ctx, d.key, text)
		} else {
			_, err = d.kv.Update(ctx, d.key, text, rev)
		}
		if !lost(err) {
			return err
		}
		if err := sleep(ctx, time.Duration(1+rand.IntN(10))*time.Millisecond); err != nil {
			return err
		}
	}
}
