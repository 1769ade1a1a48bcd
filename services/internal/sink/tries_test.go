package sink_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// TestTriesOfOneKindDoNotUseUpAnother: what a vendor's bad hour cost must not
// count against the few tries that a conflict or a bug has.
func TestTriesOfOneKindDoNotUseUpAnother(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		before fault.Kind
		times  int
		then   fault.Kind
	}{
		{"conflict after an outage", fault.Transient, fault.ReapplyTries + 1, fault.Conflict},
		{"internal after transient", fault.Transient, fault.InternalTries, fault.Internal},
		{"internal after ambiguous", fault.Ambiguous, fault.InternalTries, fault.Internal},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			for range tc.times {
				v.script = append(v.script, fails(false, tc.before))
			}
			v.script = append(v.script, fails(false, tc.then))
			r := newRig(t)
			r.run(v)
			r.want("customer", company("1"), map[string]any{"name": "a"})
			r.outcome(company("1"), events.StateDone)
			r.idle()
			require.Equal(t, 1, v.created["spoke-company-1"])
			r.requireQuarantine(0)
		})
	}
}

// TestBoundedTries: a conflict and a bug that do not end are set apart, after
// as many tries as are promised.
func TestBoundedTries(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind  fault.Kind
		calls int
	}{
		{fault.Conflict, fault.ReapplyTries + 1},
		{fault.Internal, fault.InternalTries},
	} {
		t.Run(tc.kind.String(), func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			for range 20 {
				v.script = append(v.script, fails(false, tc.kind))
			}
			r := newRig(t)
			r.run(v)
			r.want("customer", company("1"), map[string]any{"name": "a"})
			o := r.outcome(company("1"), events.StateQuarantined)
			r.idle()
			require.Equal(t, tc.calls, v.calls)
			require.Equal(t, tc.calls, o.Attempts)
			// Another content starts from the beginning.
			r.want("customer", company("1"), map[string]any{"name": "b"})
			r.outcome(company("1"), events.StateQuarantined)
			require.Eventually(t, func() bool { v.mu.Lock(); defer v.mu.Unlock(); return v.calls == 2*tc.calls }, wait, tick)
			r.idle()
		})
	}
}

// TestReapplyOutlivesAPause: between the conflict and the try that deals with
// it, the vendor may ask for a pause.
func TestReapplyOutlivesAPause(t *testing.T) {
	t.Parallel()
	var reapply []bool
	note := func(kind fault.Kind) func(connector.Document) (bool, error) {
		return func(d connector.Document) (bool, error) {
			reapply = append(reapply, d.Reapply)
			return false, fault.New(kind, "erp: write", "told to fail")
		}
	}
	r, v := newRig(t), newVendor(note(fault.Conflict), note(fault.Throttled), note(fault.Transient),
		func(d connector.Document) (bool, error) { reapply = append(reapply, d.Reapply); return true, nil })
	r.run(v)
	r.want("customer", company("1"), map[string]any{"name": "a"})
	r.outcome(company("1"), events.StateDone)
	r.idle()
	require.Equal(t, []bool{false, true, true, true}, reapply)
}
