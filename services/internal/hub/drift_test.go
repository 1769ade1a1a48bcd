package hub_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/hub"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

// customers compiles a flow that writes a company's name to netsuite, and
// nothing of its phone.
func customers(t testing.TB) []*mapping.Flow {
	t.Helper()
	set, err := mapping.Compile([]mapping.File{{Name: "f.yaml", Text: []byte(
		"flow: customer\nfrom: company\nto: netsuite\nobject: company\nfields:\n  name: company.name\n  tier: company.custom.tier\n  city: company.city\n")}},
		[]mapping.Target{{Name: "netsuite", Kind: connector.Kind{Name: "netsuite", Title: "NetSuite", Objects: []connector.Object{{
			Name: "company", Entity: events.EntityCompany, Can: connector.Create | connector.Update,
			Fields: []connector.Field{{Name: "name", Type: connector.FieldString}, {Name: "tier", Type: connector.FieldString}, {Name: "city", Type: connector.FieldString, Once: true}},
		}}}}})
	require.NoError(t, err)
	return set.For(events.EntityCompany)
}

// drifting is a company whose name hubspot owns, as netsuite was told of it.
type drifting struct {
	t     *testing.T
	p     hub.Policy
	flows []*mapping.Flow
	rec   events.Record
	n     uint64
}

func newDrifting(t *testing.T, p hub.Policy) *drifting {
	d := &drifting{t: t, p: p, flows: customers(t), rec: company()}
	d.rec, _ = hub.Merge(d.rec, []hub.Fact{said("1", "hubspot", "name", "Acme", 1, true)}, p)
	var wanted []events.Desired
	d.rec, wanted, _ = hub.Route(d.rec, d.flows)
	require.Len(t, wanted, 1)
	d.done(2)
	d.see("name", "Acme", 3)
	return d
}

// done is the outcome of what was wanted last.
func (d *drifting) done(minute int) {
	d.n++
	f := told("w"+time.Duration(minute).String(), d.n, events.StateDone, minute)
	f.Outcome.Hash, f.Outcome.Object = d.rec.Wanted["netsuite/company"].Hash, "company"
	d.step(f)
}

// see is what netsuite is seen to hold; it returns what is written back.
func (d *drifting) see(field, value string, minute int) (again []events.Desired, contested []string) {
	f := said("s"+time.Duration(minute).String(), "netsuite", field, value, minute, true)
	f.Change.Record = d.rec.Key
	return d.step(f)
}

func (d *drifting) step(f hub.Fact) (again []events.Desired, contested []string) {
	d.t.Helper()
	merged, _ := hub.Merge(d.rec, []hub.Fact{f}, d.p)
	routed, wanted, failed := hub.Route(merged, d.flows)
	require.Empty(d.t, failed)
	routed, again, contested = hub.Reassert(routed, d.flows, hub.DriftIn(d.rec, merged, []hub.Fact{f}))
	require.Empty(d.t, wanted, "the record itself wants nothing new")
	d.rec = routed
	return again, contested
}

// TestOwnersValueIsWrittenBack over what a system changed that has no say in
// it, with the reason, and nothing else is.
func TestOwnersValueIsWrittenBack(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]hub.Policy{
		"owner":        policy(t, hub.Rules{events.EntityCompany: {"name": "owner: hubspot"}}),
		"first":        policy(t, hub.Rules{events.EntityCompany: {"name": "first"}}),
		"only written": policy(t, nil).Mute("netsuite", events.EntityCompany),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDrifting(t, p)
			again, contested := d.see("name", "Acme GmbH", 4)
			require.Len(t, again, 1)
			require.Empty(t, contested)
			require.Equal(t, "drift", again[0].Reason)
			require.Equal(t, d.rec.Wanted["netsuite/company"].Hash, again[0].Hash)
			require.Equal(t, map[string]any{"name": "Acme"}, again[0].Fields)
			again, _ = d.see("name", "Acme", 5)
			require.Empty(t, again, "the echo of what was written back")
			again, _ = d.see("phone", "123", 6)
			require.Empty(t, again, "no flow is made of it, and nobody owns it")
		})
	}
}

// TestWhatIsWrittenOnceIsNotWrittenBack: writing the document again would change
// nothing of it, and again, and again.
func TestWhatIsWrittenOnceIsNotWrittenBack(t *testing.T) {
	t.Parallel()
	d := newDrifting(t, policy(t, nil).Mute("netsuite", events.EntityCompany))
	d.see("city", "Bonn", 4)
	again, contested := d.see("city", "Berlin", 5)
	require.Empty(t, again)
	require.Empty(t, contested)
	again, _ = d.see("name", "Acme GmbH", 6)
	require.Len(t, again, 1)
}

// TestAVendorThatInsistsIsWrittenToLessAndLess: its rewriting must not become
// an endless loop, and people are told once.
func TestAVendorThatInsistsIsWrittenToLessAndLess(t *testing.T) {
	t.Parallel()
	d := newDrifting(t, policy(t, hub.Rules{events.EntityCompany: {"name": "owner: hubspot"}}))
	writes, alerts := 0, 0
	const days = 10
	for minute := 4; minute < days*24*60; minute += 2 {
		again, contested := d.see("name", "mine", minute)
		writes += len(again)
		alerts += len(contested)
		if len(again) > 0 {
			d.done(minute + 1)
			d.see("name", "Acme", minute+1)
		} else { // it changes something all the time
			d.see("name", "yours", minute+1)
		}
	}
	require.Equal(t, 1, alerts)
	require.Less(t, writes, 20)
	require.Greater(t, writes, 5, "but it is not given up")

	// A value that changes at its owner is written at once, and a new start.
	f := said("new", "hubspot", "name", "Acme 2", days*24*60+1, true)
	merged, _ := hub.Merge(d.rec, []hub.Fact{f}, d.p)
	routed, wanted, _ := hub.Route(merged, d.flows)
	require.Len(t, wanted, 1)
	require.False(t, routed.Wanted["netsuite/company"].Contested)
}
