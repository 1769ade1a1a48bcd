package bus_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

func every(feed string, d time.Duration) bus.Schedule {
	return bus.Schedule{
		Subject: events.ScheduleSubject("t", "poll", "erp", feed, "every"),
		Target:  events.DueSubject("t", "poll", "erp", feed), Every: d,
	}
}

// schedules are the sequences of what stands, by subject.
func schedules(t *testing.T, b *bus.Bus) map[string]uint64 {
	t.Helper()
	found := map[string]uint64{}
	for m, err := range b.Scan(t.Context(), events.StreamSchedules, events.ScheduleFilter("t")) {
		require.NoError(t, err)
		found[m.Subject] = m.Seq
	}
	return found
}

// TestSetSchedulesComparesWithWhatStands: a changed setting replaces its
// schedule, a removed one ends it, and what stays is not begun anew.
func TestSetSchedulesComparesWithWhatStands(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	set := func(want ...bus.Schedule) map[string]uint64 {
		require.NoError(t, b.SetSchedules(t.Context(), events.ScheduleFilter("t"), want))
		return schedules(t, b)
	}
	a, c, d := every("a", time.Hour), every("c", time.Hour), every("d", time.Hour)
	before := set(a, c, d)
	require.Len(t, before, 3)
	changed := every("c", 2*time.Hour)
	after := set(a, changed)
	require.Len(t, after, 2)
	require.Equal(t, before[a.Subject], after[a.Subject], "what is as it was is not touched")
	require.Greater(t, after[c.Subject], before[c.Subject])
	require.Equal(t, after, set(a, changed), "a second replica changes nothing")
	require.Empty(t, set())
}

// TestScheduleFiresIntoItsTarget, and an announcement that nobody took is
// replaced by the next one.
func TestScheduleFiresIntoItsTarget(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	again := every("a", time.Second)
	once := bus.Schedule{
		Subject: events.ScheduleSubject("t", "poll", "erp", "b", "nightly"),
		Target:  events.DueSubject("t", "poll", "erp", "b"), At: time.Now().Add(-time.Hour),
	}
	require.NoError(t, b.SetSchedules(t.Context(), events.ScheduleFilter("t"), []bus.Schedule{again, once}))
	var first uint64
	require.Eventually(t, func() bool {
		m, ok, err := b.LastOne(t.Context(), events.StreamSchedules, again.Target)
		require.NoError(t, err)
		if ok && first == 0 {
			first = m.Seq
		}
		return ok && m.Seq > first
	}, time.Minute, 10*time.Millisecond, "fires again and again")
	n := 0
	for _, err := range b.Scan(t.Context(), events.StreamSchedules, events.DueFilter("t")) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 2, n, "one announcement of each")
	require.Equal(t, map[string]uint64{again.Subject: schedules(t, b)[again.Subject]}, schedules(t, b), "what fired once is gone")
}
