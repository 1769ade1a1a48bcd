package jet_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/warehouse/feed"
	"github.com/spoke-sync/spoke/services/warehouse/lake"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// chaos makes the parts of a service fail at random, and asks for its stop.
type chaos struct {
	mu   sync.Mutex
	rand *rand.Rand
	left int // faults still to come
	stop chan struct{}
}

// draw returns one of n faults, or 0 for none.
func (c *chaos) draw(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 || c.rand.IntN(3) > 0 {
		return 0
	}
	c.left--
	if c.rand.IntN(3) == 0 {
		select {
		case c.stop <- struct{}{}:
		default:
		}
	}
	return 1 + c.rand.IntN(n)
}

func (c *chaos) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left == 0
}

type shakyPublisher struct {
	*chaos
	feed.Publisher
}

func (p shakyPublisher) Publish(ctx context.Context, rows []row.Envelope) error {
	switch p.draw(3) {
	case 1: // lost on the way
		return errLost
	case 2: // half stored
		return errors.Join(p.Publisher.Publish(ctx, rows[:len(rows)/2]), errLost)
	case 3: // stored, the answer lost
		return errors.Join(p.Publisher.Publish(ctx, rows), errLost)
	}
	return p.Publisher.Publish(ctx, rows)
}

type shakySource struct {
	*chaos
	feed.Source
	open func() feed.Source
}

func (s *shakySource) Fetch(ctx context.Context, limit int, wait time.Duration) (feed.Batch, error) {
	b, err := s.Source.Fetch(ctx, min(limit, 40), wait)
	if err != nil || len(b.Messages) == 0 {
		return b, err
	}
	switch s.draw(2) {
	case 1: // as a process that died with them: nothing is given back
		s.Source = s.open()
		return feed.Batch{}, errLost
	case 2: // the ack never arrives
		s.Source = s.open()
		b.Ack = func(context.Context) error { return errLost }
	}
	return b, nil
}

type shakyStore struct {
	*chaos
	feed.Store
}

func (s shakyStore) Commit() (lake.Commit, error) {
	switch s.draw(2) {
	case 1: // died before
		return lake.Commit{}, errLost
	case 2: // died after
		_, err := s.Store.Commit()
		return lake.Commit{}, errors.Join(err, errLost)
	}
	return s.Store.Commit()
}

func (r *rig) shake(c *chaos) parts {
	p := r.parts()
	p.hub = &shakySource{c, p.hub, func() feed.Source { return r.parts().hub }}
	p.events = &shakySource{c, p.events, func() feed.Source { return r.parts().events }}
	p.publisher = shakyPublisher{c, p.publisher}
	open := p.open
	p.open = func(s row.Stream) (feed.Store, error) {
		store, err := open(s)
		if err != nil {
			return nil, err
		}
		return shakyStore{c, store}, nil
	}
	return p
}

// grow publishes n outcomes, and records some of which change, in the
// background.
func (r *rig) grow(n int) <-chan error {
	r.t.Helper()
	var msgs []bus.Message
	for i := range n {
		msgs = append(msgs, record(r.t, deal(i%100), uint64(1+i/100), i == 120), outcome(r.t, i))
	}
	done := make(chan error, 1)
	go func() {
		for _, m := range msgs {
			if _, err := r.bus.Publish(context.Background(), m); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	return done
}

// The service fails and is stopped and started at random moments while the
// streams grow. In the end every row is there once.
func TestStoppedAtAnyTimeEveryRowIsThereOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			const n = 150
			grown := r.grow(n)
			c := &chaos{rand: rand.New(rand.NewPCG(seed, 1)), left: 25, stop: make(chan struct{}, 1)}
			for version := uint64(1); !c.over(); version++ {
				stop := r.start(r.shake(c))
				select {
				case <-c.stop:
				case <-time.After(time.Second): // nothing more to fail on: more work is needed
					r.put(record(t, deal(1000), version, false))
				}
				stop()
			}
			require.NoError(t, <-grown)
			r.start(r.parts())
			// A commit whose answer was lost is not told to anybody.
			r.put(record(t, deal(1001), 1, false))
			r.settle()
			r.check(n)
		})
	}
}
