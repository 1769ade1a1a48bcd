package events_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
)

// TestObserved: what a read shows stood when it began, or when the source says
// that it was changed meanwhile. A source's clock that is ahead counts for
// nothing, or what it showed before our next write would look newer than that.
func TestObserved(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	ended := began.Add(time.Second)
	for name, c := range map[string]struct{ at, want time.Time }{
		"changed before":      {began.Add(-time.Hour), began},
		"changed meanwhile":   {began.Add(300 * time.Millisecond), began.Add(300 * time.Millisecond)},
		"its clock is ahead":  {ended.Add(time.Second), began},
		"another time zone":   {began.Add(500 * time.Millisecond).In(time.FixedZone("", 3600)), began.Add(500 * time.Millisecond)},
		"as the answer ended": {ended, ended},
	} {
		change := events.Change{At: c.at}
		require.Equal(t, c.at, change.Observed(), "%s: nothing is known of a read", name)
		change.ReadBetween(began, ended)
		require.Equal(t, c.want, change.Observed(), name)
	}
}
