package budget

import (
	"net/http"
	"time"

	"github.com/spoke-sync/spoke/services/internal/connector"
)

// plan is the limits of a connection as buckets, and which of them a call
// draws from. It never changes.
type plan struct {
	buckets []bucket
	pools   []connector.Pool
	// classes are lists of buckets: two for each pool and two for the calls
	// outside of pools, the second of each for background calls.
	classes [][]int
}

// bucket is one limit. Zero values are none.
type bucket struct {
	name       string
	perSecond  float64
	burst      float64
	concurrent int
	// late is how long after its time a turn may be used. What comes late adds
	// to what comes in time, so the burst leaves room for it.
	late time.Duration
}

const (
	// window is how far ahead turns are reserved, and for how long an unused
	// one is kept.
	window = 200 * time.Millisecond
	// lateShare bounds, for a small burst, how much of it may be late turns.
	lateShare = 4
	// defaultBackground is the share of rate and slots for background calls.
	defaultBackground = 0.5

	mainBucket = "calls"
)

func newPlan(l connector.Limits) *plan {
	p := &plan{pools: l.Pools}
	share := l.Background
	if share <= 0 || share > 1 {
		share = defaultBackground
	}
	add := func(name string, perSecond float64, burst, concurrent int) (whole, background int) {
		p.buckets = append(p.buckets,
			newBucket(name, perSecond, float64(burst), concurrent),
			newBucket(name+":background", perSecond*share, 1, slotShare(concurrent, share)))
		return len(p.buckets) - 2, len(p.buckets) - 1
	}
	whole, background := add(mainBucket, l.PerSecond, l.Burst, l.Concurrent)
	p.classes = append(p.classes, []int{whole}, []int{whole, background})
	for _, pool := range l.Pools {
		w, b := add("pool:"+pool.Name, pool.PerSecond, pool.Burst, pool.Concurrent)
		fore, back := []int{w}, []int{w, b}
		if pool.Shared {
			fore, back = append(fore, whole), append(back, whole, background)
		}
		p.classes = append(p.classes, fore, back)
	}
	return p
}

// slotShare returns the slots that background calls may use: one at least.
func slotShare(concurrent int, share float64) int {
	if concurrent <= 0 {
		return 0
	}
	return max(1, int(float64(concurrent)*share))
}

func newBucket(name string, perSecond, burst float64, concurrent int) bucket {
	b := bucket{name: name, perSecond: max(perSecond, 0), burst: max(burst, 1), concurrent: max(concurrent, 0)}
	if b.perSecond > 0 {
		b.late = min(window, time.Duration(b.burst/lateShare/b.perSecond*float64(time.Second)))
		b.burst = max(1, b.burst-b.perSecond*b.late.Seconds())
	}
	return b
}

// class returns which class a call is of.
func (p *plan) class(r *http.Request) int {
	class := 0
	for i, pool := range p.pools {
		if pool.Match != nil && pool.Match(r) {
			class = 2 * (i + 1)
			break
		}
	}
	if IsBackground(r.Context()) {
		class++
	}
	return class
}

// background reports whether a class yields to others.
func background(class int) bool { return class%2 == 1 }

// rated reports whether calls of a class need a turn.
func (p *plan) rated(class int) bool {
	for _, i := range p.classes[class] {
		if p.buckets[i].perSecond > 0 {
			return true
		}
	}
	return false
}

// late is how long after its time a turn of a class may be used.
func (p *plan) late(class int) time.Duration {
	d := window
	for _, i := range p.classes[class] {
		if b := p.buckets[i]; b.perSecond > 0 {
			d = min(d, b.late)
		}
	}
	return d
}

// interval is the time between two turns of a bucket that was slowed down so
// many times.
func (b bucket) interval(slowed int) time.Duration {
	return time.Duration(float64(time.Second) / b.perSecond * float64(int(1)<<slowed))
}

// depth is how far a bucket that is full lies behind the time of its next
// turn.
func (b bucket) depth(slowed int) time.Duration {
	burst := max(1, b.burst/float64(int(1)<<slowed))
	return time.Duration((burst - 1) * float64(b.interval(slowed)))
}
