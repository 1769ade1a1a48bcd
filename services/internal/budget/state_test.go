package budget

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spoke-sync/spoke/services/internal/connector"
)

// TestAnyNumberOfProcesses drives the shared state as processes do that ask at
// any time, use their turns as late as they may, keep slots, and die. Together
// they never have more slots than there are, and never make more calls in any
// span of time than the limits allow.
func TestAnyNumberOfProcesses(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate, burst := rapid.Float64Range(1, 200).Draw(t, "rate"), rapid.IntRange(8, 100).Draw(t, "burst")
		slots := rapid.IntRange(1, 10).Draw(t, "slots")
		p := newPlan(connector.Limits{PerSecond: rate, Burst: burst, Concurrent: slots})
		n := rapid.IntRange(1, 5).Draw(t, "processes")
		used := make([][]int, n)
		for i := range used {
			used[i] = make([]int, len(p.buckets))
		}
		have := make([]answer, n) // what each was told last
		var s state
		var calls []time.Time
		now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 700).Draw(t, "ms")) * time.Millisecond)
			me := rapid.IntRange(0, n-1).Draw(t, "who")
			name := fmt.Sprint(me)
			if now.After(have[me].lease) { // it was dead
				clear(used[me])
			}
			for i := range used[me] { // some calls have ended
				used[me][i] = rapid.IntRange(0, used[me][i]).Draw(t, "used")
			}
			used[me][1] = min(used[me][1], used[me][0])
			a := ask{me: name, used: used[me], spare: []int{rapid.IntRange(0, 3).Draw(t, "spare"), 0}, extra: []int{0, 0}}
			a.extra[0] = rapid.IntRange(0, 20).Draw(t, "extra")
			for range rapid.IntRange(0, 8).Draw(t, "calls") {
				a.calls = append(a.calls, rapid.IntRange(0, 1).Draw(t, "class"))
			}
			slices.Sort(a.calls)
			var ans answer
			s, ans = p.settle(s, now, a)
			use := func(at time.Time, class int) {
				late := time.Duration(rapid.Float64Range(0, 1).Draw(t, "late") * float64(p.late(class)))
				calls = append(calls, at.Add(late))
			}
			for i, at := range ans.turns {
				if !at.IsZero() {
					use(at, a.calls[i])
					for _, b := range p.classes[a.calls[i]] {
						used[me][b]++
					}
				}
			}
			for class := range ans.extra {
				for _, at := range ans.extra[class] {
					use(at, class)
				}
			}
			have[me] = ans
			checkSlots(t, p, have, now)
			for i := range used[me] {
				if p.buckets[i].concurrent > 0 && used[me][i] > ans.held[i] {
					t.Fatalf("%d calls with %d slots", used[me][i], ans.held[i])
				}
			}
		}
		checkRate(t, calls, rate, float64(burst))
	})
}

// checkSlots adds up what each process believes to have.
func checkSlots(t *rapid.T, p *plan, have []answer, now time.Time) {
	for i, b := range p.buckets {
		held := 0
		for _, a := range have {
			if !now.After(a.lease) {
				held += a.held[i]
			}
		}
		if b.concurrent > 0 && held > b.concurrent {
			t.Fatalf("%s: %d slots of %d", b.name, held, b.concurrent)
		}
	}
}

// checkRate empties a token bucket with the calls.
func checkRate(t *rapid.T, calls []time.Time, rate, burst float64) {
	slices.SortFunc(calls, time.Time.Compare)
	tokens := burst
	for i := range calls {
		if i > 0 {
			tokens = min(burst, tokens+rate*calls[i].Sub(calls[i-1]).Seconds())
		}
		if tokens < 1-1e-6 {
			t.Fatalf("call %d of %d is one too many", i, len(calls))
		}
		tokens--
	}
}
