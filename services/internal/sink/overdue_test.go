package sink_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

func (r *rig) alerts(kind string) (all []events.Alert) {
	r.t.Helper()
	for m, err := range r.bus.Scan(r.t.Context(), events.StreamAlerts, "alert.>") {
		require.NoError(r.t, err)
		var a events.Alert
		require.NoError(r.t, json.Unmarshal(m.Data, &a))
		if a.Kind == kind {
			all = append(all, a)
		}
	}
	return all
}

// held returns the notes of what waits.
func (r *rig) held() (all []events.Held) {
	r.t.Helper()
	for m, err := range r.bus.Scan(r.t.Context(), events.StreamHub, "held.>") {
		require.NoError(r.t, err)
		var h events.Held
		require.NoError(r.t, json.Unmarshal(m.Data, &h))
		all = append(all, h)
	}
	return all
}

func needs(object, id string) map[string]any {
	return map[string]any{"parent": events.Ref{Object: object, Record: company(id)}}
}

// TestAWaitThatLastsIsToldOnce, though every sweep sees it, and though newer
// versions of the document wait on.
func TestAWaitThatLastsIsToldOnce(t *testing.T) {
	t.Parallel()
	r, v := newRig(t), newVendor()
	r.heldLimit = time.Nanosecond
	stop := r.run(v)
	r.want("order", company("2"), needs("customer", "1"))
	r.outcome(company("2"), events.StateHeld)
	r.idle()
	stop()
	since := r.held()[0].Since
	for range 2 {
		stop = r.run(v) // which sweeps
		require.Eventually(t, func() bool { return r.held()[0].Told }, 20*time.Second, 5*time.Millisecond)
		stop()
	}
	stop = r.run(v)
	d := r.want("order", company("2"), map[string]any{"parent": events.Ref{Object: "customer", Record: company("1")}, "memo": "new"})
	require.Eventually(t, func() bool { return r.outcome(company("2"), events.StateHeld).Hash == d.Hash }, 20*time.Second, 5*time.Millisecond)
	r.idle()
	stop()
	h := r.held()
	require.Len(t, h, 1)
	require.True(t, h[0].Told, "it was told already")
	require.Equal(t, since, h[0].Since, "it has waited since the first version")
	all := r.alerts("held")
	require.Len(t, all, 1)
	require.Equal(t, company("2"), all[0].Record)
	require.Contains(t, all[0].Message, "order of company/2 has waited for customer of company/1 since ")
}

// TestANoteOfWhatIsNoMoreWantedIsRemoved, and nobody is alarmed.
func TestANoteOfWhatIsNoMoreWantedIsRemoved(t *testing.T) {
	t.Parallel()
	r, v := newRig(t), newVendor()
	r.heldLimit = time.Nanosecond
	stop := r.run(v)
	r.want("order", company("2"), needs("customer", "1"))
	r.outcome(company("2"), events.StateHeld)
	r.idle()
	stop()
	r.want("order", company("2"), map[string]any{"memo": "alone"})
	r.run(v)
	require.Eventually(t, func() bool { return len(r.held()) == 0 }, 20*time.Second, 5*time.Millisecond)
	require.Empty(t, r.alerts("held"))
}

// TestDocumentsThatWaitForEachOtherAreSetApart with the way of the circle; what
// merely leads into it waits.
func TestDocumentsThatWaitForEachOtherAreSetApart(t *testing.T) {
	t.Parallel()
	r, v := newRig(t), newVendor()
	r.run(v)
	r.want("customer", company("0"), needs("customer", "1"))
	r.outcome(company("0"), events.StateHeld)
	r.want("customer", company("1"), needs("order", "2"))
	r.outcome(company("1"), events.StateHeld)
	r.want("order", company("2"), needs("bill", "3"))
	r.outcome(company("2"), events.StateHeld)
	r.want("bill", company("3"), needs("customer", "1"))
	o := r.outcome(company("3"), events.StateQuarantined)
	require.Equal(t, "hold_circle", o.Error.Code)
	require.Contains(t, o.Error.Message, "bill of company/3 waits for customer of company/1 waits for order of company/2 waits for bill of company/3")
	require.Eventually(t, func() bool { return len(r.held()) == 3 }, wait, tick, "its own note goes after its outcome is told")

	// Once the circle is broken, everything is written.
	r.want("bill", company("3"), map[string]any{"memo": "alone"})
	for _, id := range []string{"3", "2", "1", "0"} {
		r.outcome(company(id), events.StateDone)
	}
	r.want("customer", company("4"), needs("customer", "4"))
	o = r.outcome(company("4"), events.StateQuarantined)
	require.Contains(t, o.Error.Message, "customer of company/4 waits for customer of company/4")
	var apart []bus.Stored
	for m, err := range r.bus.Scan(t.Context(), events.StreamQuarantine, "quarantine.>") {
		require.NoError(t, err)
		apart = append(apart, m)
	}
	require.Len(t, apart, 1, "the bill is out of quarantine")
}
