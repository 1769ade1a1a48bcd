package worker_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/match"
	"github.com/spoke-sync/spoke/services/transform/worker"
)

// withDomain makes a snapshot with a name and a web domain.
func withDomain(connection, object, id, domain string, minute int) events.Change {
	c := change(connection, object, events.EntityCompany, id, minute, named(connection+" "+id))
	c.Fields.Set("domain", domain)
	c.Snapshot = true
	return c
}

func (r *rig) matching() *worker.Worker {
	r.match = match.Default()
	return r.worker(nil)
}

// standing returns the records of companies that are no part of another one.
func (r *rig) standing() (keys []string) {
	r.t.Helper()
	for m, err := range r.bus.Scan(r.t.Context(), events.StreamHub, "record."+tenant+".company.>") {
		require.NoError(r.t, err)
		var rec events.Record
		require.NoError(r.t, json.Unmarshal(m.Data, &rec))
		if rec.Merged == nil {
			keys = append(keys, rec.Key.ID)
		}
	}
	return keys
}

// TestACustomerFromBeforeIsLinked instead of being made a second time, whether
// the hub's company or the ERP's customer is heard of first, or both at once.
func TestACustomerFromBeforeIsLinked(t *testing.T) {
	t.Parallel()
	hubs := func(r *rig) { r.say("h", withDomain(crm, "company", "9", "https://www.Acme.example/", 5)) }
	erps := func(r *rig) { r.say("e", withDomain(erp, "customer", "55", "acme.example", 2)) }
	for name, tc := range map[string]struct {
		together bool
		steps    []func(*rig)
	}{
		"hub first":       {false, []func(*rig){hubs, erps}},
		"ERP first":       {false, []func(*rig){erps, hubs}},
		"at once":         {true, []func(*rig){hubs, erps}},
		"at once, turned": {true, []func(*rig){erps, hubs}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			w := r.matching()
			if !tc.together {
				r.run(w)
			}
			for _, step := range tc.steps {
				step(r)
				if !tc.together {
					r.handedOver()
				}
			}
			if tc.together {
				r.run(w)
			}
			r.handedOver()
			k := key(events.EntityCompany, "9")
			require.Equal(t, []string{"9"}, r.standing())
			require.Equal(t, "55", r.record(k).Docs["erp/customer"].ID)
			require.Equal(t, "crm 9", r.text(k, "name"), "the later word")
			d, ok := r.desired("customer", k)
			require.True(t, ok)
			require.Equal(t, "55", d.KnownID)
			if name == "ERP first" {
				require.EqualValues(t, 1, r.record(k).Version, "the first document named the customer")
			}
			r.say("e2", withDomain(erp, "customer", "55", "acme.example", 9))
			r.handedOver()
			require.Equal(t, []string{"9"}, r.standing())
			require.Empty(t, r.quarantined())
		})
	}
}

// TestAnUpstreamsCompanyIsTheHubs: two customers must not be made for it.
func TestAnUpstreamsCompanyIsTheHubs(t *testing.T) {
	t.Parallel()
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.run(r.matching())
			steps := []events.Change{withDomain(crm, "company", "9", "acme.example", 1), withDomain(shop, "company", "c1", "acme.example", 2)}
			for _, i := range order {
				r.say(fmt.Sprint("s", i), steps[i])
				r.handedOver()
			}
			require.Equal(t, []string{"9"}, r.standing())
			require.Equal(t, "shop c1", r.text(key(events.EntityCompany, "9"), "name"))
			if d, ok := r.desired("customer", key(events.EntityCompany, "shop-c1")); ok {
				require.Equal(t, events.DesiredNone, d.Op)
			}
		})
	}
}

// TestTwoOfOneSystemAreTwo, whatever they have in common.
func TestTwoOfOneSystemAreTwo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w := r.matching()
	r.say("h", withDomain(crm, "company", "9", "acme.example", 1))
	r.say("i", withDomain(crm, "company", "8", "other.example", 1))
	r.run(w)
	r.handedOver()
	r.say("a", withDomain(erp, "customer", "55", "acme.example", 2))
	r.say("b", withDomain(erp, "customer", "56", "acme.example", 2))
	r.say("c", withDomain(crm, "company", "7", "acme.example", 3))
	r.say("d", withDomain(erp, "customer", "57", "gmail.com", 3))
	r.handedOver()
	require.ElementsMatch(t, []string{"9", "8", "7"}, without(r.standing(), "erp-"))
	linked := map[string]bool{}
	for _, id := range r.standing() {
		linked[r.record(key(events.EntityCompany, id)).Docs["erp/customer"].ID] = true
	}
	for _, id := range []string{"55", "56", "57"} {
		require.True(t, linked[id], "customer %s belongs to a record", id)
	}
}

func without(all []string, prefix string) (left []string) {
	for _, s := range all {
		if len(s) < len(prefix) || s[:len(prefix)] != prefix {
			left = append(left, s)
		}
	}
	return left
}
