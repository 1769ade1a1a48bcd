package worker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/crash"
)

// commitAll computes every change and commits them in batches that fit, and
// then what follows from them.
func (w *Worker) commitAll(ctx context.Context, changes []*change) {
	for len(changes) > 0 {
		changes = w.followUp(ctx, w.commitBatches(ctx, w.compute(ctx, changes)))
	}
}

// commitBatches commits batches at the same time, since each waits for the
// disk, and they are about different records. It returns the changes that were
// committed.
func (w *Worker) commitBatches(ctx context.Context, batches [][]*change) (done []*change) {
	var wg sync.WaitGroup
	results := make([]bool, len(batches))
	for i, batch := range batches {
		wg.Add(1)
		go func() {
			defer wg.Done()
			results[i] = w.commit(ctx, batch)
		}()
	}
	wg.Wait()
	for i, batch := range batches {
		if results[i] {
			done = append(done, batch...)
		}
	}
	return done
}

// commit publishes one batch and acks. A lost compare-and-set is computed
// anew on what stands there now.
func (w *Worker) commit(ctx context.Context, batch []*change) bool {
	for try := 0; ; try++ {
		var msgs []bus.Message
		for _, c := range batch {
			msgs = append(msgs, c.msgs...)
		}
		last, err := uint64(0), error(nil)
		if len(msgs) > 0 {
			crash.Point(crash.TransformComputed)
			last, err = w.Bus.Batch(ctx, msgs)
		}
		if err == nil {
			crash.Point(crash.TransformCommitted)
			w.committed(batch, last-uint64(len(msgs)))
			for _, c := range batch {
				w.unnote(ctx, c)
				w.handedOver(ctx, c)
			}
			return true
		}
		w.Meter.conflict()
		if try >= casTries || ctx.Err() != nil {
			w.Log.Warn("transform: commit", "records", len(batch), "error", err)
			w.release(batch, giveAgain)
			return false
		}
		if !errors.Is(err, bus.ErrStale) {
			// It may have been stored: start from what is there.
			w.Log.Warn("transform: commit, trying again", "error", err)
		}
		if batch = w.recompute(ctx, batch); batch == nil {
			return false
		}
	}
}

// recompute starts from what HUB holds now. When the batch no longer fits,
// its facts are delivered again.
func (w *Worker) recompute(ctx context.Context, batch []*change) []*change {
	batch = slices.DeleteFunc(slices.Clone(batch), func(c *change) bool { return c.partner })
	for _, c := range batch {
		w.cache.Remove(events.RecordSubject(w.Tenant, c.key))
		c.with, c.failed, c.extra = nil, nil, nil // matches are found again
	}
	again := w.compute(ctx, batch)
	if len(again) == 1 {
		return again[0]
	}
	for _, b := range again {
		w.release(b, 0)
	}
	return nil
}

// committed remembers the new versions and acks. before is the sequence that
// stood before the batch's first message.
func (w *Worker) committed(batch []*change, before uint64) {
	seq := before
	for _, c := range batch {
		if len(c.msgs) > 0 {
			w.cache.Add(events.RecordSubject(w.Tenant, c.key), cached{rec: c.after, seq: seq + 1})
			seq += uint64(len(c.msgs))
		} else {
			w.cache.Add(events.RecordSubject(w.Tenant, c.key), c.before)
		}
		for _, x := range c.learnt {
			w.alias.Add(x, c.key)
		}
		if c.moves() {
			w.moved.Add(c.key, into(c.after))
		}
		w.Meter.merged(len(c.facts), c.dirty)
		c.close()
		for _, f := range c.facts {
			f.unit.committed(1)
		}
	}
}

func (c *change) close() {
	if c.span != nil {
		c.span.End()
		c.span = nil
	}
}

// release gives the messages behind changes back.
func (w *Worker) release(changes []*change, delay time.Duration) {
	for _, c := range changes {
		w.cache.Remove(events.RecordSubject(w.Tenant, c.key))
		c.close()
		for _, f := range c.facts {
			f.unit.again(delay)
		}
	}
}
