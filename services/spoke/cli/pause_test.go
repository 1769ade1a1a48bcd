package cli_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPauseAndResume works on the folder of a stopped Spoke, which so proves
// that a pause outlasts the process.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	state := func() (state, reason string) {
		status, out, errw := spoke("status", "--json", "--data", dir)
		require.Zero(t, status, errw)
		var s struct {
			Connections []struct {
				Name  string
				State struct{ State, Reason string }
			}
		}
		require.NoError(t, json.Unmarshal([]byte(out), &s))
		for _, c := range s.Connections {
			if c.Name == "hubspot" {
				return c.State.State, c.State.Reason
			}
		}
		require.Fail(t, "no hubspot")
		return "", ""
	}
	status, out, errw := spoke("pause", "hubspot", "--reason", "year end", "--data", dir)
	require.Zero(t, status, errw)
	require.Equal(t, "hubspot is paused\n", out)
	now, reason := state()
	require.Equal(t, "paused", now)
	require.Equal(t, "year end", reason)
	status, out, errw = spoke("resume", "hubspot", "--data", dir)
	require.Zero(t, status, errw)
	require.Equal(t, "hubspot is recovering\n", out)
	now, _ = state()
	require.Equal(t, "stopped", now)
	status, _, errw = spoke("pause", "hubspt", "--data", dir)
	require.Equal(t, 1, status)
	require.Contains(t, errw, `no connection is named "hubspt"`)
}
