package breaker

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func down(after time.Duration) error {
	return fault.New(fault.Unavailable, "erp", "down").After(after)
}

func TestRampUp(t *testing.T) {
	t.Parallel()
	r, ok := record{}.fail("a", noon, down(0), 0.5)
	require.True(t, ok)
	require.Equal(t, StateOpen, r.State)
	require.Equal(t, noon.Add(time.Second), r.Until, "half of two seconds")
	_, ok = r.fail("b", noon, down(0), 0.5)
	require.False(t, ok, "what was in flight together fails once")
	_, ok = r.claim("a", noon)
	require.False(t, ok, "not before its time")
	now := r.Until
	r, ok = r.claim("a", now)
	require.True(t, ok)
	_, ok = r.claim("b", now)
	require.False(t, ok, "one at a time")
	for _, lanes := range []int{2, 4} {
		r, ok = r.succeed("a", now, 8)
		require.True(t, ok)
		require.Equal(t, StateRecovering, r.State)
		require.Equal(t, lanes, r.Lanes)
		_, ok = r.claim("b", now)
		require.False(t, ok, "the one that tried goes on alone")
		_, ok = r.succeed("b", now, 8)
		require.False(t, ok, "an old call of another does not count")
	}
	again, ok := r.claim("b", now.Add(holdFor+time.Second))
	require.True(t, ok, "its holder died")
	require.Equal(t, 1, again.Lanes, "from the beginning")
	r, _ = r.succeed("a", now, 8)
	require.Equal(t, StateRunning, r.State)
	require.Equal(t, record{Condition: r.Condition}, r, "nothing is left")
}

func TestPausesGrow(t *testing.T) {
	t.Parallel()
	refused := fault.New(fault.Unauthorized, "erp", "no")
	for _, tc := range []struct {
		err  error
		want []int // seconds
	}{
		{down(0), []int{2, 4, 8, 15, 15}},
		{down(20 * time.Second), []int{20, 20, 20}},
		{refused, []int{5, 10, 20, 40, 80, 160, 300, 300}},
	} {
		r, now := record{}, noon
		for i, want := range tc.want {
			var ok bool
			if i > 0 {
				r, ok = r.claim("a", now)
				require.True(t, ok)
			}
			r, ok = r.fail("a", now, tc.err, 1)
			require.True(t, ok)
			require.InDelta(t, want, r.Until.Sub(now).Seconds(), 1e-9, "%v, try %d", tc.err, i)
			now = r.Until
		}
	}
}

func TestAnOperatorsPause(t *testing.T) {
	t.Parallel()
	r := record{}.pause("year end", noon)
	require.Equal(t, StatePaused, r.State)
	require.Equal(t, "year end", r.Reason)
	_, ok := r.claim("a", noon)
	require.False(t, ok)
	r, _ = r.fail("a", noon, down(0), 1) // a call that was in flight
	require.Equal(t, StatePaused, r.State, "people see the pause")
	r = r.resume(noon.Add(time.Hour))
	require.Equal(t, StateOpen, r.State, "what it was under the pause")
	r = record{}.pause("", noon).resume(noon)
	require.Equal(t, StateRecovering, r.State, "what has piled up goes out gently")
	require.Equal(t, r, r.resume(noon), "resume without a pause changes nothing")
}

// TestOneHolder: whatever happens, at most one process may call while the
// connection is not closed, and every way leads back to running.
func TestOneHolder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var r record
		now := noon
		names := []string{"a", "b", "c"}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 6000).Draw(t, "ms")) * time.Millisecond)
			me := rapid.SampledFrom(names).Draw(t, "who")
			before := r
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				r, _ = r.fail(me, now, down(0), rapid.Float64Range(0, 1).Draw(t, "jitter"))
			case 1:
				r, _ = r.claim(me, now)
			case 2:
				r, _ = r.succeed(me, now, 8)
			case 3:
				r = r.pause("", now)
			case 4:
				r = r.resume(now)
			}
			if before.Holder != "" && now.Before(before.Lease) && r.Holder != before.Holder && r.Holder != "" {
				t.Fatalf("%s took the place of %s, which is alive", r.Holder, before.Holder)
			}
			if (r.State == StatePaused) != r.Paused {
				t.Fatalf("paused is %v and people see %q", r.Paused, r.State)
			}
		}
		r = r.resume(now)
		now = now.Add(time.Hour)
		for range 10 {
			r, _ = r.claim("a", now)
			r, _ = r.succeed("a", now, 8)
		}
		if r.Phase != closed {
			t.Fatal(fmt.Sprint("does not get back to running: ", r))
		}
	})
}
