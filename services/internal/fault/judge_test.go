package fault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

// TestJudge is the table that users were promised.
func TestJudge(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind    fault.Kind
		attempt int
		action  fault.Action
		breaker fault.Breaker
		alert   bool
	}{
		{fault.Transient, 1, fault.Retry, fault.BreakerFailure, false},
		{fault.Transient, 1000, fault.Retry, fault.BreakerFailure, false}, // never dropped
		{fault.Throttled, 50, fault.Wait, fault.BreakerIgnore, false},
		{fault.Unavailable, 1, fault.Stop, fault.BreakerTrip, true},
		{fault.Unauthorized, 1, fault.Pause, fault.BreakerTrip, true},
		{fault.Ambiguous, 7, fault.LookUp, fault.BreakerFailure, false},
		{fault.Conflict, fault.ReapplyTries, fault.Reapply, fault.BreakerSuccess, false},
		{fault.Conflict, fault.ReapplyTries + 1, fault.Quarantine, fault.BreakerSuccess, true},
		{fault.Missing, 9, fault.Hold, fault.BreakerSuccess, false},
		{fault.Rejected, 1, fault.Quarantine, fault.BreakerSuccess, true},
		{fault.Malformed, 1, fault.Quarantine, fault.BreakerIgnore, true},
		{fault.Internal, fault.InternalTries - 1, fault.Retry, fault.BreakerIgnore, false},
		{fault.Internal, fault.InternalTries, fault.Quarantine, fault.BreakerIgnore, true},
		{fault.Kind(200), 1, fault.Retry, fault.BreakerIgnore, false},
	} {
		v := fault.Judge(fault.New(tc.kind, "op", "cause"), tc.attempt, 0.5)
		require.Equal(t, tc.action, v.Action, "%v at attempt %d", tc.kind, tc.attempt)
		require.Equal(t, tc.breaker, v.Breaker, "%v", tc.kind)
		require.Equal(t, tc.alert, v.Alert, "%v at attempt %d", tc.kind, tc.attempt)
	}
}

func TestJudgeIsTotalAndBounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom(fault.Kinds()).Draw(t, "kind")
		attempt := rapid.IntRange(-5, 1<<30).Draw(t, "attempt")
		asked := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "asked"))
		v := fault.Judge(fault.New(k, "op", "cause").After(asked), attempt, rapid.Float64Range(0, 0.999).Draw(t, "jitter"))
		if v.Delay < asked {
			t.Fatalf("%v: the vendor asked for %v and gets %v", k, asked, v.Delay)
		}
		if v.Delay > max(asked, 5*time.Minute) {
			t.Fatalf("%v: a delay of %v", k, v.Delay)
		}
	})
}

func TestBackoffGrowsToItsCeiling(t *testing.T) {
	t.Parallel()
	last := time.Duration(0)
	for attempt := 1; attempt < 20; attempt++ {
		d := fault.Backoff(attempt, 1)
		require.GreaterOrEqual(t, d, last)
		require.Zero(t, fault.Backoff(attempt, 0), "full jitter begins at nothing")
		last = d
	}
	require.Equal(t, 5*time.Minute, last)
}

func TestKindSurvivesWrapping(t *testing.T) {
	t.Parallel()
	e := fault.New(fault.Rejected, "netsuite: create", "bad %s", "item").WithField("item[0]").WithHint("fix it").WithCode("X")
	err := fmt.Errorf("outer: %w", e)
	require.Equal(t, fault.Rejected, fault.KindOf(err))
	require.True(t, fault.Is(err, fault.Rejected))
	require.False(t, fault.Is(nil, fault.Rejected))
	p := fault.Problem(err)
	require.Equal(t, "rejected", p.Kind)
	require.Equal(t, "item[0]", p.Field)
	require.Equal(t, "fix it", p.Hint)
	require.Equal(t, "outer: netsuite: create: bad item (field item[0])", p.Message)
	require.Equal(t, fault.Internal, fault.KindOf(errors.New("plain")))
	require.Equal(t, fault.Transient, fault.KindOf(context.Canceled), "a stop is no failure of the vendor")
}

func TestWithDoesNotChangeTheOriginal(t *testing.T) {
	t.Parallel()
	e := fault.New(fault.Rejected, "op", "cause")
	_ = e.WithField("f").WithHint("h").WithCode("c").After(time.Second)
	require.Equal(t, "op: cause", e.Error())
	require.Empty(t, e.Hint)
	require.Zero(t, e.RetryAfter)
}
