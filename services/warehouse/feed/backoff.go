package feed

import (
	"context"
	"time"
)

// The waits between tries that failed: long enough to spare a server in
// trouble, short enough that rows are fresh again soon after it is back.
const (
	firstWait = 250 * time.Millisecond
	maxWait   = 30 * time.Second
)

// backoff doubles its wait with every failure.
type backoff struct{ wait time.Duration }

func (b *backoff) reset() { b.wait = 0 }

// sleep waits, but not beyond the end of ctx.
func (b *backoff) sleep(ctx context.Context) {
	b.wait = min(max(2*b.wait, firstWait), maxWait)
	t := time.NewTimer(b.wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
