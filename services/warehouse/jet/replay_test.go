package jet_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

// TestAReplayMakesNoRow: an event that is gone over again is in the lake
// already, alone or between others.
func TestAReplayMakesNoRow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start(r.parts())
	for n := range 3 {
		r.put(outcome(t, n))
	}
	r.settle()
	before := len(r.table("events"))
	m, ok, err := r.bus.At(t.Context(), events.StreamEvents, 2)
	require.NoError(t, err)
	require.True(t, ok)
	r.put(bus.ReplayOf(m))
	r.settle()
	require.Len(t, r.table("events"), before)
	r.put(bus.ReplayOf(m))
	r.put(outcome(t, 3))
	r.settle()
	require.Len(t, r.table("events"), before+1)
	require.Equal(t, 3, before)
}
