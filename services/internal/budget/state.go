package budget

import (
	"maps"
	"time"
)

// state is what everybody who calls one account has to know: it is one value,
// changed as a whole. Its times are those of the store's clock.
type state struct {
	// Next is, for each bucket with a rate, when it will be full again (the
	// theoretical arrival time of the generic cell rate algorithm).
	Next map[string]time.Time `json:"next,omitempty"`
	// Until is when the vendor wants calls again.
	Until time.Time `json:"until,omitzero"`
	// Slowed is how often the rates are halved, Good how many calls went well
	// since then.
	Slowed int `json:"slowed,omitempty"`
	Good   int `json:"good,omitempty"`
	// Shares are the slots that each process has or waits for.
	Shares map[string]share `json:"shares,omitempty"`
}

// share is what one process has of the slots. It is over at Until, so that the
// slots of a process that died come back.
type share struct {
	Until time.Time            `json:"until"`
	Held  map[string]int       `json:"held,omitempty"`
	Since map[string]time.Time `json:"since,omitempty"` // it waits for a slot of the bucket
}

const (
	// lease is how long a process has its slots without saying so again.
	lease = 5 * time.Second
	// healAfter is how many good calls double a halved rate.
	healAfter = 20
	// maxSlowed bounds how often the rates are halved: to a sixteenth.
	maxSlowed = 4
	// defaultPause follows a 429 without Retry-After.
	defaultPause = time.Second
)

// ask is what one process wants of the state.
type ask struct {
	me string
	// used are the slots under calls, spare those that it likes to keep for
	// the calls to come; by bucket.
	used, spare []int
	calls       []int // the classes of calls that wait, in order
	extra       []int // turns to have in hand, by class
	lead        time.Duration
	good        int
	refused     bool          // the vendor answered 429 …
	pause       time.Duration // … and wants no calls for so long
	fresh       bool          // nobody knows what was spent before
}

// answer is what it got.
type answer struct {
	held  []int       // slots, by bucket
	turns []time.Time // by call; zero when it must wait
	extra [][]time.Time
	// By class: when those that wait for a turn may ask again, and whether a
	// call waits for a slot.
	retry    []time.Time
	slotless []bool
	until    time.Time // no call before
	lease    time.Time // of the slots
	crowded  []bool    // by bucket: somebody has less than their part of the slots
	slowed   bool
}

// clone copies a state deeply.
func (s state) clone() state {
	s.Next = maps.Clone(s.Next)
	if s.Next == nil {
		s.Next = map[string]time.Time{}
	}
	shares := make(map[string]share, len(s.Shares))
	for id, sh := range s.Shares {
		shares[id] = share{Until: sh.Until, Held: maps.Clone(sh.Held), Since: maps.Clone(sh.Since)}
	}
	s.Shares = shares
	return s
}

// settle works out what a process gets now, and the state after it. It is
// pure.
func (p *plan) settle(s state, now time.Time, a ask) (state, answer) {
	s = s.clone()
	for id, sh := range s.Shares {
		if id != a.me && now.After(sh.Until) {
			delete(s.Shares, id)
		}
	}
	if a.fresh {
		p.empty(&s, now)
	}
	p.adjust(&s, now, a)
	n := len(p.classes)
	ans := answer{
		turns: make([]time.Time, len(a.calls)), extra: make([][]time.Time, n),
		retry: make([]time.Time, n), slotless: make([]bool, n), until: s.Until,
	}
	d := p.divide(s, now, a)
	// Who asks too early waits until there are some turns at a time; who gets
	// one gets all that it can use within the window.
	ahead := window / 2
	for i, class := range a.calls {
		if !ans.retry[class].IsZero() {
			continue // nor is there a turn for those behind
		}
		if !d.fits(p.classes[class]) {
			ans.slotless[class] = true
			continue
		}
		at, ok := p.turn(&s, now, a.lead, ahead, class)
		if !ok {
			ans.retry[class], ans.slotless[class] = at, false
			continue
		}
		d.use(p.classes[class])
		ans.turns[i], ahead = at, window
	}
	for class, n := range a.extra {
		for range n {
			at, ok := p.turn(&s, now, a.lead, ahead, class)
			if !ok || !p.rated(class) {
				break
			}
			ans.extra[class] = append(ans.extra[class], at)
		}
	}
	ans.held, ans.lease = d.store(&s, now, a)
	ans.crowded, ans.slowed = d.crowded, s.Slowed > 0
	return s, ans
}

// empty leaves no burst: what was spent before is not known.
func (p *plan) empty(s *state, now time.Time) {
	for _, b := range p.buckets {
		if b.perSecond > 0 {
			s.Next[b.name] = latest(s.Next[b.name], now.Add(b.depth(s.Slowed)))
		}
	}
}

// adjust slows down after a 429, and heals after enough good calls.
func (p *plan) adjust(s *state, now time.Time, a ask) {
	if a.refused {
		pause := a.pause
		if pause <= 0 {
			pause = defaultPause
		}
		// Calls that were in flight together and meet one limit are one sign.
		if !now.Before(s.Until) {
			s.Slowed = min(s.Slowed+1, maxSlowed)
		}
		s.Until, s.Good = latest(s.Until, now.Add(pause)), 0
		p.empty(s, s.Until) // not all at once when it is over
		return
	}
	if s.Slowed > 0 {
		if s.Good += a.good; s.Good >= healAfter {
			s.Slowed, s.Good = s.Slowed-1, 0
		}
	}
}

// turn takes the next turn of a class, if it is no further ahead than so much.
// Otherwise it returns when to ask again.
func (p *plan) turn(s *state, now time.Time, lead, ahead time.Duration, class int) (time.Time, bool) {
	if now.Before(s.Until) {
		return s.Until, false
	}
	at := now.Add(lead)
	for _, i := range p.classes[class] {
		if b := p.buckets[i]; b.perSecond > 0 {
			at = latest(at, s.Next[b.name].Add(-b.depth(s.Slowed)))
		}
	}
	if background(class) {
		ahead = 0 // it takes what is left, and keeps nobody else waiting
	}
	if limit := now.Add(lead + ahead); at.After(limit) {
		return now.Add(at.Sub(limit)), false
	}
	for _, i := range p.classes[class] {
		if b := p.buckets[i]; b.perSecond > 0 {
			s.Next[b.name] = latest(s.Next[b.name], at).Add(b.interval(s.Slowed))
		}
	}
	return at, true
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
