package torture

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

// tenant is that of the demo's configuration.
const tenant = "demo"

const (
	settlePoll = 250 * time.Millisecond
	// calm is how long nothing must move before everything counts as done: a
	// document for the hub settles for a second, and an outcome makes a round.
	calm = 5 * time.Second
)

// settle waits until every webhook is delivered, every event merged, every
// document applied, and nothing moves any more.
func (r *run) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.Quiet)
	defer cancel()
	if err := until(ctx, settlePoll, func() bool { return r.relay.pending.Load() == 0 && r.world.flushed(ctx) }); err != nil {
		return fmt.Errorf("webhooks are still on their way after %s", r.Quiet)
	}
	b, err := r.dial(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	var last [2]uint64
	since, open := time.Now(), ""
	err = until(ctx, settlePoll, func() bool {
		now, busy := r.standing(ctx, b)
		if busy != "" || now != last || r.relay.pending.Load() > 0 {
			last, since, open = now, time.Now(), busy
			return false
		}
		return time.Since(since) > calm
	})
	if err != nil {
		return fmt.Errorf("not quiet after %s: %s", r.Quiet, open)
	}
	return nil
}

func (w *world) flushed(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return w.boxes.HubSpot.Flush(ctx) == nil && w.boxes.Stripe.Flush(ctx) == nil && w.boxes.QuickBooks.Hook().Flush(ctx) == nil
}

func (r *run) dial(ctx context.Context) (*bus.Bus, error) {
	return bus.Connect(ctx, bus.Options{URL: "nats://" + r.natsAddr, Name: "torture", Log: slog.New(slog.DiscardHandler)})
}

// standing returns how far the two streams have come, and what is not done yet.
func (r *run) standing(ctx context.Context, b *bus.Bus) (last [2]uint64, busy string) {
	for i, name := range []string{events.StreamEvents, events.StreamHub} {
		s, err := b.JetStream().Stream(ctx, name)
		if err != nil {
			return last, err.Error()
		}
		last[i] = s.CachedInfo().State.LastSeq
		consumers := s.ListConsumers(ctx)
		for c := range consumers.Info() {
			if what := unfinished(c); what != "" {
				busy = what
			}
		}
		if err := consumers.Err(); err != nil {
			return last, err.Error()
		}
	}
	return last, busy
}

func unfinished(c *jetstream.ConsumerInfo) string {
	if c.NumPending == 0 && c.NumAckPending == 0 {
		return ""
	}
	return fmt.Sprintf("%s of %s has %d to do and %d under way", c.Name, c.Stream, c.NumPending, c.NumAckPending)
}
