package bus

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Group gathers concurrent publishes to one stream into atomic batches, since
// one fsync per message makes a single server slower by a factor of 40. While
// one batch is being written the next one gathers, so a busy stream batches
// by itself; a lone message goes out at once as a plain publish.
type Group struct {
	bus *Bus

	mu      sync.Mutex
	queue   []waiter
	queued  int
	writers int
	closed  bool
	wg      sync.WaitGroup
}

type waiter struct {
	msgs []Message
	done chan error
}

// maxWriters is how many batches of one Group may be on their way. A second
// one would only split the batches: what a single server does for a batch costs
// about the same for ten messages as for a thousand.
const maxWriters = 1

// maxQueued bounds what may wait, in messages. Beyond it a publish is
// refused, which ingest turns into 503.
const maxQueued = 50_000

// gather is how long a writer waits for company once several callers are
// around. An fsync takes longer than this.
const gather = 2 * time.Millisecond

// ErrBusy means that too many publishes wait already.
var ErrBusy = errors.New("bus: too many publishes are waiting")

// ErrClosed means that the Group was closed.
var ErrClosed = errors.New("bus: closed")

// NewGroup returns a Group. All messages given to it belong to one stream.
func NewGroup(b *Bus) *Group { return &Group{bus: b} }

// Publish stores the messages, all or none, and returns once they are on
// disk. At most MaxBatch messages; they must not carry Expect or ID.
func (g *Group) Publish(ctx context.Context, msgs ...Message) error {
	if len(msgs) == 0 {
		return nil
	}
	if len(msgs) > MaxBatch {
		return errors.New("bus: more messages than one batch holds")
	}
	w := waiter{msgs: msgs, done: make(chan error, 1)}
	if err := g.enqueue(w); err != nil {
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		// The batch goes on; whether it is stored is unknown to this caller.
		return ctx.Err()
	}
}

func (g *Group) enqueue(w waiter) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	if g.queued+len(w.msgs) > maxQueued {
		return ErrBusy
	}
	g.queue = append(g.queue, w)
	g.queued += len(w.msgs)
	if g.writers < maxWriters {
		g.writers++
		g.wg.Add(1)
		go g.write(g.writers > 1)
	}
	return nil
}

// write sends batches until nothing is queued. crowded says that another
// writer is at work, so more callers are about to come.
func (g *Group) write(crowded bool) {
	defer g.wg.Done()
	for {
		if crowded {
			time.Sleep(gather)
		}
		batch := g.take()
		if batch == nil {
			return
		}
		var msgs []Message
		for _, w := range batch {
			msgs = append(msgs, w.msgs...)
		}
		_, err := g.bus.Batch(context.Background(), msgs)
		for _, w := range batch {
			w.done <- err
		}
		crowded = len(batch) > 1
	}
}

// take removes the next batch from the queue, or ends the writer.
func (g *Group) take() []waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, size := 0, 0
	for n < len(g.queue) && size+len(g.queue[n].msgs) <= MaxBatch {
		size += len(g.queue[n].msgs)
		n++
	}
	if n == 0 {
		g.writers--
		return nil
	}
	batch := g.queue[:n:n]
	g.queue = g.queue[n:]
	g.queued -= size
	return batch
}

// Close waits for everything that was accepted and refuses the rest.
func (g *Group) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.wg.Wait()
}
