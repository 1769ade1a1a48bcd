package feeder

import (
	"context"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

// pressure makes backfills wait while transform has more to do than a limit,
// so that what happens now is not stuck behind a million old objects.
type pressure struct {
	most uint64
	look func(context.Context) (waiting uint64, unacked int, err error)

	mu      sync.Mutex
	at      time.Time
	pending uint64
}

// lookEvery is for how long an answer counts.
const lookEvery = 250 * time.Millisecond

// wait returns when there is room.
func (p *pressure) wait(ctx context.Context) error {
	for {
		n, err := p.ask(ctx)
		if err != nil {
			return fault.New(fault.Transient, "feeder", "how far transform is: %w", err)
		}
		if n <= p.most {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(2 * lookEvery):
		}
	}
}

func (p *pressure) ask(ctx context.Context) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.at) < lookEvery {
		return p.pending, nil
	}
	waiting, unacked, err := p.look(ctx)
	if err == nil {
		p.at, p.pending = time.Now(), waiting+uint64(unacked)
	}
	return p.pending, err
}
