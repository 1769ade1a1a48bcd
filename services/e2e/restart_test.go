package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/spoke/demo"
)

// TestRestart runs the demo again in the folder of an earlier run.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		first func(t *testing.T, folder string)
		// done is whether the second run finds everything done.
		done bool
	}{
		{"after its end", func(t *testing.T, folder string) {
			t.Helper()
			r := runDemo(t, folder)
			require.Greater(t, r.FirstDealSeconds, 0.0)
			t.Logf("%d API calls, numbers after %.1f s, all after %.1f s", r.APICalls, r.FirstDealSeconds, r.Seconds)
		}, true},
		{"after a kill", killDemo, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			tc.first(t, folder)
			r := runDemo(t, folder)
			t.Logf("second run: %d API calls, %.1f s", r.APICalls, r.Seconds)
			for vendor, c := range r.Sandboxes {
				require.True(t, !tc.done || len(c.Effects) == 0, "%s: %v", vendor, c.Effects)
			}
			require.Len(t, r.Deals, 3)
			for _, d := range r.Deals {
				for what, made := range map[string][]string{
					"NetSuite order": d.NetSuite, "QuickBooks invoice": d.QuickBooks, "Stripe invoice": d.Stripe,
					"NetSuite payment": d.Paid.NetSuite, "QuickBooks payment": d.Paid.QuickBooks,
				} {
					require.Len(t, made, 1, "%s of deal %s", what, d.Deal)
				}
				require.Equal(t, "paid", d.HubSpot["spoke_payment_status"])
			}
			n := newNode(t, folder)
			n.quiet(t)
			for vendor, c := range n.counts() {
				require.Empty(t, c.Effects, "%s: what is done is not done again", vendor)
			}
		})
	}
}

// runDemo runs the story to its end and returns what it came to.
func runDemo(t *testing.T, folder string) demo.Report {
	t.Helper()
	status, stdout, stderr := run(t, "up", "--demo", "--once", "--json", "--data", folder, "--listen", freeAddress(t))
	var r demo.Report
	require.NoError(t, json.Unmarshal([]byte(stdout), &r), stdout+stderr)
	require.Empty(t, r.Problems)
	require.True(t, r.OK)
	require.Zero(t, status)
	require.Empty(t, stderr)
	return r
}

// killDemo kills the demo when the first outcome is there: more are under way
// then, some of them at the vendors.
func killDemo(t *testing.T, folder string) {
	t.Helper()
	p := start(t, program(t, spoke), nil, "up", "--demo", "--once", "--data", folder, "--listen", freeAddress(t))
	await(t, "the first outcome", func() bool { return strings.Contains(p.stdout.String(), " ← ") })
	p.kill()
	require.NotContains(t, p.stdout.String(), "Done in", "it was killed too late to prove anything")
}
