package budget

import (
	"maps"
	"time"
)

// division is how the slots of each bucket are divided up, seen by one
// process.
type division struct {
	p *plan
	// most is how many slots the process may have, free how many of those are
	// not under a call; by bucket.
	most, used, wanted, fair []int
	crowded                  []bool
}

// divide finds out how many slots of each bucket a process may have. Whoever
// has less than their part goes first; what is left is for whoever asks.
func (p *plan) divide(s state, now time.Time, a ask) *division {
	n := len(p.buckets)
	d := &division{
		p: p, most: make([]int, n), used: make([]int, n), wanted: make([]int, n), fair: make([]int, n),
		crowded: make([]bool, n),
	}
	copy(d.used, a.used)
	for i, b := range p.buckets {
		if b.concurrent > 0 {
			d.bucket(i, s, now, a)
		}
	}
	return d
}

func (d *division) bucket(i int, s state, now time.Time, a ask) {
	b := d.p.buckets[i]
	mine := s.Shares[a.me]
	since := now
	if t, ok := mine.Since[b.name]; ok {
		since = t
	}
	others, active, earlier := 0, 1, 0
	for id, sh := range s.Shares {
		if id == a.me {
			continue
		}
		t, waits := sh.Since[b.name]
		others += sh.Held[b.name]
		if sh.Held[b.name] > 0 || waits {
			active++
		}
		if waits {
			d.crowded[i] = true
			if t.Before(since) || t.Equal(since) && id < a.me {
				earlier++
			}
		}
	}
	d.fair[i] = max(1, b.concurrent/active)
	held := mine.Held[b.name]
	// Free slots go to those who wait for longer than this process.
	d.most[i] = max(held, b.concurrent-others-earlier)
	if d.crowded[i] {
		d.most[i] = min(d.most[i], d.fair[i])
		if active > b.concurrent && held > 0 {
			d.most[i] = 0 // there is not one for each: they take turns
		}
	}
	d.most[i] = max(min(d.most[i], b.concurrent-others), 0)
}

// fits reports whether one more call of a class has its slots, and notes what
// is wanted if not.
func (d *division) fits(class []int) bool {
	ok := true
	for _, i := range class {
		if d.p.buckets[i].concurrent > 0 && d.used[i] >= d.most[i] {
			d.wanted[i]++
			ok = false
		}
	}
	return ok
}

// use gives a call its slots.
func (d *division) use(class []int) {
	for _, i := range class {
		d.used[i]++
	}
}

// store writes the process's share into the state and returns its slots, and
// until when it has them.
func (d *division) store(s *state, now time.Time, a ask) (slots []int, until time.Time) {
	held := make([]int, len(d.p.buckets))
	old := s.Shares[a.me]
	sh := share{Until: now.Add(lease), Held: map[string]int{}, Since: map[string]time.Time{}}
	for i, b := range d.p.buckets {
		if b.concurrent == 0 {
			continue
		}
		held[i] = max(d.used[i], min(d.used[i]+a.spare[i], d.most[i]))
		if held[i] > 0 {
			sh.Held[b.name] = held[i]
		}
		if d.wanted[i] > 0 && held[i] < d.fair[i] {
			sh.Since[b.name] = now
			if t, ok := old.Since[b.name]; ok {
				sh.Since[b.name] = t
			}
		}
	}
	if maps.Equal(sh.Held, old.Held) && maps.EqualFunc(sh.Since, old.Since, time.Time.Equal) && old.Until.After(now.Add(lease/2)) {
		sh.Until = old.Until // nothing to tell
	}
	delete(s.Shares, a.me)
	if len(sh.Held) > 0 || len(sh.Since) > 0 {
		s.Shares[a.me] = sh
	}
	return held, sh.Until
}
