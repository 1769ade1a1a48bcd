package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/endurance"
)

// TestBackfill reads a portal of 20,000 objects with ingest and transform as
// processes, and kills ingest twice on the way. go run ./tools/bench backfill
// does it with 200,000.
func TestBackfill(t *testing.T) {
	t.Parallel()
	nats := tool(t, "nats-server")
	dir, err := build()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	r, err := endurance.Run(ctx, endurance.Options{
		Programs: dir, NATS: nats, Dir: t.TempDir(), Objects: 20_000, Kills: 2, Say: t.Logf,
	})
	require.NoError(t, err)
	var figures strings.Builder
	r.Print(&figures)
	t.Log("\n" + figures.String())
	require.Equal(t, 20_000, r.InHub)
	require.Zero(t, r.Missing)
	require.Zero(t, r.Rewritten, "what is read again is the same event, and merges to nothing")
	require.LessOrEqual(t, r.Calls, r.LeastCalls+2*2, "with each kill a page and the one read ahead")
	require.Less(t, r.PeakRSS, uint64(200<<20))
}
