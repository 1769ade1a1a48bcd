package sink_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// TestBugAfterTheEffect has the connector break after the vendor made the
// object: a bug says nothing about what happened before it, so the sink must
// look before it creates.
func TestBugAfterTheEffect(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		step func(*vendor) func(connector.Document) (bool, error)
	}{
		{"panic", func(v *vendor) func(connector.Document) (bool, error) {
			return func(d connector.Document) (bool, error) { v.put(d); panic("a bug") }
		}},
		{"internal error", func(*vendor) func(connector.Document) (bool, error) { return fails(true, fault.Internal) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r, v := newRig(t), newVendor()
			v.script = append(v.script, tc.step(v))
			r.run(v)
			r.want("customer", company("1"), map[string]any{"name": "a"})
			r.outcome(company("1"), events.StateDone)
			r.idle()
			require.Equal(t, 1, v.created["spoke-company-1"], "made twice")
		})
	}
}

// TestBugThatIsSetApartStaysUnknown is the same with a document that is given
// up: the next one must still look first.
func TestBugThatIsSetApartStaysUnknown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := newVendor(fails(false, fault.Internal), fails(false, fault.Internal), fails(true, fault.Internal))
	r.run(v)
	r.want("customer", company("1"), map[string]any{"name": "a"})
	r.outcome(company("1"), events.StateQuarantined)
	first := <-v.seen
	require.Zero(t, first.Open, "no try came before it")
	r.want("customer", company("1"), map[string]any{"name": "b"})
	r.outcome(company("1"), events.StateDone)
	r.idle()
	require.Equal(t, 1, v.created["spoke-company-1"], "made twice")
	require.Equal(t, "b", v.objects["spoke-company-1"])
	// What the vendor made may bear the first name and no other: it is found
	// among what was made since the first try of all.
	require.Equal(t, first.First, v.found.Open)
}

// TestWhatIsSettledIsNotLookedForAgain: once an update is known to have taken
// effect, the next one knows of no open try.
func TestWhatIsSettledIsNotLookedForAgain(t *testing.T) {
	t.Parallel()
	r, v := newRig(t), newVendor(fails(true, fault.Ambiguous))
	r.run(v)
	for _, name := range []string{"a", "b"} {
		r.want("customer", company("1"), map[string]any{"name": name})
		r.outcome(company("1"), events.StateDone)
		r.idle()
	}
	var last connector.Document
	for range v.calls {
		last = <-v.seen
	}
	require.Equal(t, "b", last.Fields["name"])
	require.Zero(t, last.Open)
}

// TestWayBackAfterAnUnclearUpdate updates an object with a lost answer, has
// the second try refused, and then wants the first content again. That the
// vendor held it once is no longer known.
func TestWayBackAfterAnUnclearUpdate(t *testing.T) {
	t.Parallel()
	pass := func(connector.Document) (bool, error) { return true, nil }
	r, v := newRig(t), newVendor(pass, fails(true, fault.Ambiguous), fails(false, fault.Rejected))
	r.run(v)
	r.want("customer", company("1"), map[string]any{"name": "a"})
	r.outcome(company("1"), events.StateDone)
	r.want("customer", company("1"), map[string]any{"name": "b"})
	r.outcome(company("1"), events.StateQuarantined)
	r.want("customer", company("1"), map[string]any{"name": "a"})
	r.outcome(company("1"), events.StateDone)
	r.idle()
	require.Equal(t, "a", v.objects["spoke-company-1"])
}
