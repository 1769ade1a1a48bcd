package cli_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGoingOver asks a stopped Spoke; what is asked for is done once it runs.
func TestGoingOver(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{1, "say --all", []string{"replay"}},
		{1, "want a time such as", []string{"replay", "--since", "soon"}},
		{1, `"deel" is no entity`, []string{"replay", "--entity", "deel"}},
		{1, "there is no record deal/9", []string{"replay", "--record", "deal/9"}},
		{1, `no connection is named "xero": one of hubspot, netsuite, stripe`, []string{"replay", "--all", "--to", "xero"}},
		{0, "0 events would be merged again; nothing was changed", []string{"replay", "--all", "--dry-run"}},
		{1, `no connection is named "xero"`, []string{"resync", "xero"}},
		{1, `"deel" is no entity`, []string{"resync", "stripe", "deel"}},
		{0, "2 records would be asserted at stripe; nothing was changed", []string{"resync", "stripe", "--dry-run"}},
		{0, "1 record will be asserted at stripe when Spoke runs again", []string{"resync", "stripe", "--record", "deal/77"}},
		// A request is nothing that a system said.
		{0, "0 events would be merged again", []string{"replay", "--all", "--dry-run"}},
	} {
		status, out, errw := spoke(append(c.args, "--data", dir)...)
		require.Equal(t, c.status, status, "%v: %s", c.args, out+errw)
		require.Contains(t, out+errw, c.want, c.args)
	}
}
