package budget

import (
	"context"
	"time"
)

const (
	// keepIdle is how long a slot is kept for the next call.
	keepIdle = time.Second
	// askLimit bounds one change of the shared state, askAgain is the pause
	// after one that failed.
	askLimit = 5 * time.Second
	askAgain = 250 * time.Millisecond
	// lastLimit bounds how long a process that stops tries to give its slots
	// back; they come back by themselves too.
	lastLimit = time.Second
	// busy is how many turns within a window make it worth to have some in
	// hand.
	busy = 2
)

// tend makes sure that somebody looks after those that wait. The caller holds
// the lock.
func (b *Budget) tend() {
	if b.closed {
		return
	}
	if !b.running {
		b.running, b.ended = true, make(chan struct{})
		go b.run(b.ended)
	}
	b.nudge()
}

// run asks for what is needed until nothing is: no call waits, no slot is
// held, and there is nothing to tell.
func (b *Budget) run(ended chan<- struct{}) {
	defer close(ended)
	for {
		b.mu.Lock()
		b.compact()
		a, due := b.ask(time.Now())
		closed := b.closed
		if !closed && b.idle() {
			b.running = false
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		if due {
			b.exchange(a)
		}
		if closed {
			return
		}
		b.await()
	}
}

// idle reports whether there is nothing to look after.
func (b *Budget) idle() bool {
	for _, n := range b.held {
		if n > 0 {
			return false
		}
	}
	return len(b.waiting) == 0 && !b.refused
}

// ask puts together what is needed, and reports whether it is worth asking.
func (b *Budget) ask(now time.Time) (request, bool) {
	r := request{ask: ask{
		used: append([]int(nil), b.used...), spare: make([]int, len(b.used)), extra: make([]int, len(b.turns)),
		good: b.good, refused: b.refused, pause: b.pause,
	}, last: b.closed}
	due := b.refused || b.slowed && b.good >= healAfter
	for i, n := range b.held {
		if n == 0 {
			continue
		}
		if now.Sub(b.lastUse[i]) < keepIdle && !b.closed {
			r.spare[i] = n - b.used[i]
		}
		due = due || b.used[i]+r.spare[i] < n || b.crowded[i] && b.used[i] < n || now.Add(lease/2).After(b.lease)
	}
	for _, w := range b.waiting {
		if !now.Before(b.retry[w.class]) && !now.Before(b.until) {
			r.waiters = append(r.waiters, w)
			r.calls = append(r.calls, w.class)
			due = true
		}
	}
	for class := range r.extra {
		p := &b.pace[class]
		p.roll(now)
		if n := max(p.now, p.last); n >= busy && len(r.calls) > 0 {
			r.extra[class] = max(n-len(b.turns[class]), 0)
		}
	}
	return r, due
}

// request is an ask with the calls that it is for.
type request struct {
	ask
	waiters []*waiter
	last    bool // the process is stopping
}

// exchange asks the store and applies what it answers.
func (b *Budget) exchange(r request) {
	limit := askLimit
	if r.last {
		limit = lastLimit
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	ans, ahead, err := b.store.settle(ctx, b.plan, r.ask)
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if err != nil {
		// No call begins without a turn; those that wait go on waiting.
		for class := range b.retry {
			b.retry[class], b.slotless[class] = now.Add(askAgain), false
		}
		return
	}
	local := func(t time.Time) time.Time { return t.Add(-ahead) }
	if r.refused && b.pause <= r.pause {
		b.refused, b.pause = false, 0
	}
	b.good = max(b.good-r.good, 0)
	b.slowed = ans.slowed
	b.held, b.crowded, b.lease = ans.held, ans.crowded, local(ans.lease)
	if !ans.until.IsZero() && now.Before(local(ans.until)) {
		b.hush(local(ans.until))
	}
	for _, class := range r.calls {
		b.slotless[class] = ans.slotless[class]
		b.retry[class] = time.Time{}
		if b.slotless[class] { // only somebody's slot helps: see release and seen
			b.retry[class] = now.Add(lease / 4)
		} else if !ans.retry[class].IsZero() {
			b.retry[class] = local(ans.retry[class])
		}
	}
	b.deal(r, ans, local, now)
}

// deal gives the turns to those who wait.
func (b *Budget) deal(r request, ans answer, local func(time.Time) time.Time, now time.Time) {
	for i, w := range r.waiters {
		at := ans.turns[i]
		if at.IsZero() {
			continue
		}
		at = local(at)
		switch {
		case b.plan.rated(w.class) && now.After(at.Add(b.plan.late(w.class))):
			b.retry[w.class] = time.Time{} // it came too late: it counts with the turns of now
		case w.done:
			b.turns[w.class] = append(b.turns[w.class], at)
		case now.Before(b.until), b.closed:
		default:
			b.start(w, at, now)
		}
	}
	for class, extra := range ans.extra {
		for _, at := range extra {
			b.turns[class] = append(b.turns[class], local(at))
		}
	}
	if now.Before(b.until) {
		b.hush(b.until)
	}
	b.serve()
}

// await sleeps until there may be something to do.
func (b *Budget) await() {
	b.mu.Lock()
	now := time.Now()
	next := lease / 2
	for i, n := range b.held {
		if n > 0 {
			next = min(next, b.lease.Add(-lease/2).Sub(now))
			if b.used[i] < n {
				next = min(next, b.lastUse[i].Add(keepIdle).Sub(now))
			}
		}
	}
	for _, w := range b.waiting {
		next = min(next, latest(b.retry[w.class], b.until).Sub(now))
	}
	if b.refused {
		next = min(next, askAgain)
	}
	b.mu.Unlock()
	t := time.NewTimer(max(next, time.Millisecond))
	defer t.Stop()
	select {
	case <-b.wake:
	case <-t.C:
	}
}

// seen is told of every new state: whoever waits for a slot may get one, and a
// pause that another process met holds here too.
func (b *Budget) seen(s state, me string, ahead time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := s.Until.Add(-ahead); !s.Until.IsZero() && time.Now().Before(until) {
		b.hush(until)
	}
	b.slowed = s.Slowed > 0
	for i, k := range b.plan.buckets {
		if k.concurrent == 0 {
			continue
		}
		all := 0
		b.crowded[i] = false
		for id, sh := range s.Shares {
			all += sh.Held[k.name]
			if _, waits := sh.Since[k.name]; waits && id != me {
				b.crowded[i] = true
			}
		}
		if b.crowded[i] && b.held[i] > b.used[i] {
			b.nudge()
		}
		if all < k.concurrent {
			b.slotFree()
		}
	}
}

// slotFree lets those ask again who wait for a slot.
func (b *Budget) slotFree() {
	for class, waits := range b.slotless {
		if waits {
			b.retry[class], b.slotless[class] = time.Time{}, false
			b.nudge()
		}
	}
}
