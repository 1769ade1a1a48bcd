package group

import (
	"context"
	"os"
	"time"
)

// WithParent returns a context that ends when the process that started this one is gone. `go run`
// does not pass a SIGTERM on: without this, a stopped `make test` would leave its tests running.
func WithParent(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	go func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if os.Getppid() != parent {
					cancel()
					return
				}
			}
		}
	}()
	return ctx, cancel
}
