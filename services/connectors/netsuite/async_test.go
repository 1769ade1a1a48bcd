package netsuite_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
)

// large makes every order a job that runs at a given poll, in an account
// without a network between, so that time is the test's.
func large(polls int) func(*netsuitebox.Options, *netsuite.Settings) {
	return func(o *netsuitebox.Options, s *netsuite.Settings) {
		s.AsyncLines, o.JobPolls, s.URL = 2, polls, "http://netsuite.test"
	}
}

func TestLargeOrdersAreJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, large(3))
		customerID, itemID := b.stock(t)
		doc := order("77", customerID, itemID)
		made := b.apply(t, doc)
		require.Equal(t, "SO1001", made.Number)
		require.Equal(t, 4, b.box.Counts().Calls["job"])
		doc.ExternalID, doc.IdempotencyKey = made.ID, "other content"
		doc.Fields = with(doc, map[string]any{"memo": "changed"})
		b.apply(t, doc)
		require.Equal(t, "changed", b.box.Orders()[0].Memo)
		require.Len(t, b.box.Orders(), 1)

		small := order("78", customerID, itemID)
		small.Fields = with(small, map[string]any{"item": []any{map[string]any{"item": itemID, "rate": json.Number("1")}}})
		calls := b.box.Counts().Calls["job"]
		b.apply(t, small)
		require.Equal(t, calls, b.box.Counts().Calls["job"], "one line is written at once")
	})
}

// TestJobOutlivesItsTry: a job that still runs when the try ends, or whose
// acceptance was never heard of, is met again by the document's key, also by
// another process; the order is made once.
func TestJobOutlivesItsTry(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*sandbox.Fault{
		"still runs":       nil,
		"answer lost":      {Op: "upsert salesOrder", Kind: sandbox.FaultLost, Count: 1},
		"killed at a poll": {Op: "job", Kind: sandbox.FaultDown, Count: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, large(7))
				customerID, itemID := b.stock(t)
				doc := order("77", customerID, itemID)
				if f != nil {
					b.box.Inject(*f)
				}
				err := b.refuse(t, doc)
				if f == nil {
					require.Equal(t, "JOB_RUNS", fault.As(err).Code)
					require.Equal(t, fault.Throttled, fault.KindOf(err), "waiting for it costs no attempt")
				} else {
					require.Equal(t, fault.Transient, fault.KindOf(err))
				}
				require.Empty(t, b.box.Orders())
				b.open(t, time.Now) // after a restart
				var r connector.Result
				for range 3 {
					if r = b.target.Apply(t.Context(), []connector.Document{doc})[0]; r.Err == nil {
						break
					}
				}
				require.NoError(t, r.Err)
				require.Len(t, b.box.Orders(), 1)
				require.Equal(t, map[string]int{"spoke-deal-77": 1}, b.box.Counts().Effects["salesOrder created"])
			})
		})
	}
}

// TestFailedJob: the reason of a job is the one that the call would have had;
// once it is mended, the same document goes through.
func TestFailedJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, large(0))
		customerID, itemID := b.stock(t)
		b.box.ClosePeriod("2026-12-01")
		doc := order("77", customerID, itemID)
		f := fault.As(b.refuse(t, doc))
		require.Equal(t, fault.Rejected, f.Kind)
		require.Equal(t, "tranDate", f.Field)
		require.Contains(t, f.Hint, "period is closed")
		b.box.ClosePeriod("")
		b.apply(t, doc)
		require.Len(t, b.box.Orders(), 1)
	})
}

func TestJobKey(t *testing.T) {
	t.Parallel()
	key := netsuite.JobKey("spoke-deal-77-abc")
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, key)
	require.Equal(t, key, netsuite.JobKey("spoke-deal-77-abc"))
	require.NotEqual(t, key, netsuite.JobKey("spoke-deal-77-abd"))
}
