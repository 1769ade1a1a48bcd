package app

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/config"
)

// TestWhatWebhooksAreHeard: of what is polled only what no poll may tell.
func TestWhatWebhooksAreHeard(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mode                               config.Mode
		changed, restored, deleted, merged bool
	}{
		"realtime": {config.Mode{}, true, true, true, true},
		"every":    {config.Mode{Every: time.Minute}, false, false, true, true},
		"nightly":  {config.Mode{Nightly: &config.TimeOfDay{}}, false, false, true, true},
		"off":      {config.Mode{Off: true}, false, false, false, false},
	} {
		require.Equal(t, c.changed, heard(c.mode, events.OpChanged), name)
		require.Equal(t, c.restored, heard(c.mode, events.OpRestored), name)
		require.Equal(t, c.deleted, heard(c.mode, events.OpDeleted), name)
		require.Equal(t, c.merged, heard(c.mode, events.OpMerged), name)
		require.True(t, heard(c.mode, events.OpErased), "%s: a person's wish to be forgotten", name)
	}
}
