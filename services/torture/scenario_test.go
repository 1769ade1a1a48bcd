package torture_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/torture"
)

// TestScenarios are short runs of what tools/torture -scenario does at length.
func TestScenarios(t *testing.T) {
	t.Parallel()
	built := programs(t)
	sizes := map[string]int{torture.ScenarioAnswers: 60, torture.ScenarioWebhooks: 1500, torture.ScenarioPoison: 500}
	for _, name := range torture.Scenarios() {
		t.Run(name, func(t *testing.T) {
			a, err := torture.RunScenario(t.Context(), name, torture.Options{
				Seed: 1, Events: sizes[name], Programs: built, Dir: t.TempDir(), Quiet: 5 * time.Minute,
			})
			require.NoError(t, err)
			var text bytes.Buffer
			a.Print(&text)
			require.True(t, a.OK(), text.String())
			t.Log(text.String())
		})
	}
}

// TestScenarioEvents: each scenario has its number of events, and no other name
// is one.
func TestScenarioEvents(t *testing.T) {
	t.Parallel()
	for _, name := range torture.Scenarios() {
		require.Positive(t, torture.ScenarioEvents(name), name)
	}
	require.Zero(t, torture.ScenarioEvents("none"))
	_, err := torture.RunScenario(t.Context(), "none", torture.Options{})
	require.ErrorContains(t, err, "none")
}
