package bus

import (
	"context"
	"fmt"
)

// Redeliver makes what was delivered and not acked come again at once, instead
// of when its ack time is over. It is for a process that knows that whoever had
// it is gone. What was acked out of order may come once more too, and what
// somebody does still work on comes twice: every service stands both.
func (b *Bus) Redeliver(ctx context.Context, t Topology) error {
	for _, d := range t.Consumers {
		c, err := b.js.Consumer(ctx, d.Stream, d.Config.Durable)
		if err == nil && c.CachedInfo().NumAckPending > 0 {
			_, err = b.js.ResetConsumer(ctx, d.Stream, d.Config.Durable)
		}
		if err != nil {
			return fmt.Errorf("bus: redeliver to %s of %s: %w", d.Config.Durable, d.Stream, err)
		}
	}
	return nil
}
