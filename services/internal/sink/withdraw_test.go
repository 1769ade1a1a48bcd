package sink_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// withdrawn publishes the document that takes back what was wanted.
func (r *rig) withdrawn(object string, k events.Key) {
	r.t.Helper()
	d := events.Desired{
		Tenant: tenant, Connection: conn, Object: object, Entity: events.EntityCompany, Record: k,
		Flow: "f", Op: events.DesiredNone, Reason: "merged",
	}
	require.NoError(r.t, d.Seal())
	r.put(d)
}

// TestWithdrawnDocumentIsNotWritten makes no call, and takes back nothing that
// was written.
func TestWithdrawnDocumentIsNotWritten(t *testing.T) {
	t.Parallel()
	r, v := newRig(t), newVendor()
	r.run(v)
	r.withdrawn("customer", company("1"))
	r.want("customer", company("2"), map[string]any{"name": "a"})
	r.outcome(company("2"), events.StateDone)
	r.withdrawn("customer", company("2"))
	r.idle()
	v.mu.Lock()
	defer v.mu.Unlock()
	require.Equal(t, 1, v.calls)
	require.Len(t, v.objects, 1)
}

// TestWithdrawnDocumentTellsWhatALostAnswerMade: the object that a create made
// whose answer was lost must be known, or the survivor gets a second one.
func TestWithdrawnDocumentTellsWhatALostAnswerMade(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := newVendor(func(connector.Document) (bool, error) {
		return true, fault.New(fault.Ambiguous, "erp", "the answer was lost").After(time.Hour)
	})
	stop := r.run(v)
	r.want("customer", company("1"), map[string]any{"name": "a"})
	<-v.seen
	stop()
	r.withdrawn("customer", company("1"))
	r.run(v)
	o := r.outcome(company("1"), events.StateDone)
	require.NotEmpty(t, o.ID)
	require.Equal(t, events.EffectUnchanged, o.Effect)
	v.mu.Lock()
	defer v.mu.Unlock()
	require.Equal(t, 1, v.calls, "what was withdrawn is not written again")
}

// TestAReferenceFollowsAMergedRecord to the object of its survivor.
func TestAReferenceFollowsAMergedRecord(t *testing.T) {
	t.Parallel()
	r, v := newRig(t), newVendor()
	merged := events.Record{Tenant: tenant, Key: company("1"), Version: 1, Merged: &events.Union{Into: company("2"), Source: "hub", Event: "m"}}
	b, err := json.Marshal(merged)
	require.NoError(t, err)
	_, err = r.bus.Publish(t.Context(), bus.Message{Subject: events.RecordSubject(tenant, company("1")), Data: b})
	require.NoError(t, err)
	r.run(v)
	r.want("customer", company("2"), map[string]any{"name": "b"})
	survivor := r.outcome(company("2"), events.StateDone)
	<-v.seen
	r.want("order", company("3"), map[string]any{"customer": events.Ref{Object: "customer", Record: company("1")}})
	r.outcome(company("3"), events.StateDone)
	require.Equal(t, survivor.ID, (<-v.seen).Fields["customer"])
}
