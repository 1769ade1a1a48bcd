package budget

import (
	"context"
	"sync"
	"time"
)

// store keeps the state of a budget.
type store interface {
	// settle changes the state as the plan says and returns the answer, and by
	// how much the store's clock is ahead of this process's.
	settle(ctx context.Context, p *plan, a ask) (ans answer, ahead time.Duration, err error)
	// watch calls f with each new state, until close.
	watch(f func(s state, me string, ahead time.Duration))
	close()
}

// local is a state in memory.
type local struct {
	mu sync.Mutex
	s  state
}

func newLocal() *local { return &local{} }

const localName = "local"

func (l *local) settle(_ context.Context, p *plan, a ask) (answer, time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.me = localName
	var ans answer
	l.s, ans = p.settle(l.s, time.Now(), a)
	return ans, 0, nil
}

func (*local) watch(func(state, string, time.Duration)) {}
func (*local) close()                                   {}
