package sink_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

// TestHeldDocumentDemandsWhatIsOnDemand says once per held document that the
// object is needed here, and nothing where objects are written anyway.
func TestHeldDocumentDemandsWhatIsOnDemand(t *testing.T) {
	t.Parallel()
	for _, onDemand := range []bool{true, false} {
		r, v := newRig(t), newVendor()
		r.onDemand = func(object string) bool { return onDemand && object == "customer" }
		r.run(v)
		need := events.Ref{Object: "customer", Record: company("1")}
		r.want("order", company("2"), map[string]any{"customer": need})
		r.outcome(company("2"), events.StateHeld)
		r.idle()
		subject := events.EventSubject(tenant, conn, events.EntityCompany, events.OpWritten, company("1").String())
		m, said, err := r.bus.LastOne(t.Context(), events.StreamEvents, subject)
		require.NoError(t, err)
		require.Equal(t, onDemand, said)
		if !said {
			continue
		}
		e, err := bus.DecodeEvent(m)
		require.NoError(t, err)
		o, err := e.Outcome()
		require.NoError(t, err)
		require.Equal(t, events.StateNeeded, o.State)
		require.Equal(t, need.Record, o.Record)
		require.Equal(t, "customer", o.Object)
		require.Equal(t, events.EntityCompany, o.Entity)

		r.want("customer", company("1"), map[string]any{"name": "a"})
		r.outcome(company("2"), events.StateDone)
	}
}

// TestDemandIsRepeatedAtStart does so for a document that was held before its
// object was on demand.
func TestDemandIsRepeatedAtStart(t *testing.T) {
	t.Parallel()
	r, v := newRig(t), newVendor()
	stop := r.run(v)
	r.want("order", company("2"), map[string]any{"customer": events.Ref{Object: "customer", Record: company("1")}})
	r.outcome(company("2"), events.StateHeld)
	r.idle()
	stop()
	r.onDemand = func(string) bool { return true }
	r.run(v)
	r.outcome(company("1"), events.StateNeeded)
}
