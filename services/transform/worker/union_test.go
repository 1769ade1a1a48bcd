package worker_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

var (
	companyA = key(events.EntityCompany, "a")
	companyB = key(events.EntityCompany, "b")
	companyC = key(events.EntityCompany, "c")
)

// merged is the hub's word that it made one object of two.
func merged(entity events.Entity, from, into string, minute int) events.Change {
	c := change(crm, string(entity), entity, from, minute, nil)
	c.Op, c.Into = events.OpMerged, into
	return c
}

// customer is the outcome by which the ERP's customer stands for a company.
func customer(id string, k events.Key, seq uint64, hash string) events.Outcome {
	return events.Outcome{
		Connection: erp, Entity: events.EntityCompany, Object: "customer", Record: k, State: events.StateDone,
		Effect: events.EffectCreated, ID: id, Hash: hash, Sequence: seq, At: t0.Add(2 * time.Minute), Attempts: 1,
	}
}

func (r *rig) company(k events.Key, minute int) {
	r.t.Helper()
	r.say("c"+k.ID, change(crm, "company", events.EntityCompany, k.ID, minute, named("company "+k.ID)))
}

// handedOver waits until no merged record has anything left to hand over.
func (r *rig) handedOver() {
	r.t.Helper()
	r.idle()
	r.eventually(func() bool { return len(r.scan(events.StreamHub, "bequest.>")) == 0 }, "something is never handed over")
}

// TestTheSurvivorAdoptsTheOnlyCustomer: a second one must not be made, and what
// was wanted for the merged company is withdrawn.
func TestTheSurvivorAdoptsTheOnlyCustomer(t *testing.T) {
	t.Parallel()
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.run(r.worker(nil))
			steps := []func(){
				func() { r.company(companyA, 1) }, func() { r.company(companyB, 1) },
				func() { r.tell("o", customer("55", companyA, 1, "h")) },
				func() { r.say("m", merged(events.EntityCompany, "a", "b", 3)) },
			}
			for _, i := range order {
				steps[i]()
				r.idle()
			}
			r.handedOver()
			a, b := r.record(companyA), r.record(companyB)
			require.Equal(t, companyB, a.Merged.Into)
			require.Equal(t, "company b", r.text(companyB, "name"), "the hub has merged its own fields")
			require.Equal(t, "55", b.Docs["erp/customer"].ID)
			require.Equal(t, companyA, b.Docs["erp/customer"].Adopted)
			d, ok := r.desired("customer", companyB)
			require.True(t, ok)
			require.Equal(t, "55", d.KnownID)
			require.Equal(t, events.DesiredUpsert, d.Op)
			if d, ok := r.desired("customer", companyA); ok {
				require.Equal(t, events.DesiredNone, d.Op)
				require.Empty(t, d.Fields)
			}
			// What the ERP says of it from now on is said of the survivor.
			r.say("e", change(erp, "customer", events.EntityCompany, "55", 9, linkless("city", "Oslo")))
			r.handedOver()
			require.Equal(t, "Oslo", r.text(companyB, "city"))
			r.tell("o2", customer("55", companyB, 99, d.Hash))
			r.handedOver()
			require.True(t, r.record(companyB).Docs["erp/customer"].Adopted.IsZero(), "it is the survivor's own now")
			require.Empty(t, r.quarantined())
		})
	}
}

func linkless(field, value string) events.Fields {
	f := events.Fields{}
	f.Set(field, value)
	return f
}

// TestTheSurvivorsOwnCustomerIsUsed although the merged company had one, which
// stays known.
func TestTheSurvivorsOwnCustomerIsUsed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.worker(nil))
	r.company(companyA, 1)
	r.company(companyB, 1)
	r.tell("oa", customer("55", companyA, 1, "h"))
	r.tell("ob", customer("66", companyB, 2, "h"))
	r.say("m", merged(events.EntityCompany, "a", "b", 3))
	r.handedOver()
	require.Equal(t, "66", r.record(companyB).Docs["erp/customer"].ID)
	require.Equal(t, "55", r.record(companyA).Docs["erp/customer"].ID)
	require.Equal(t, "55", r.record(companyB).Absorbed[companyA.String()].Docs["erp/customer"].ID)
}

// TestLinksFollowAMerger, those that came before it and those that come after,
// and a link to an invoice stays with the deal that it was made for.
func TestLinksFollowAMerger(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.worker(nil))
	r.company(companyA, 1)
	r.company(companyB, 1)
	deal := func(id string, minute int) events.Key {
		c := change(crm, "deal", events.EntityDeal, id, minute, linked("company", "company", "a"))
		r.say("d"+id, c)
		return key(events.EntityDeal, id)
	}
	before := deal("1", 2)
	r.tell("i", invoiced("in_1", before, 3))
	r.say("p", paid())
	r.idle()
	r.say("m", merged(events.EntityCompany, "a", "b", 4))
	r.handedOver()
	after := deal("2", 5)
	again := deal("1", 6)
	r.idle()
	for _, k := range []events.Key{before, after, again} {
		require.Equal(t, companyB, r.link(k, "company").Record, "%s", k)
	}
	r.say("md", merged(events.EntityDeal, "1", "2", 7))
	r.handedOver()
	require.Equal(t, before, r.link(thePayment, "invoice").Record, "the invoice that was paid is that of the merged deal")
	require.Equal(t, "in_1", r.record(after).Docs["bank/invoice"].ID, "and the survivor, which has none, shows it")
}

// TestChainsAndCirclesOfMergers end in one survivor, in every order.
func TestChainsAndCirclesOfMergers(t *testing.T) {
	t.Parallel()
	ab, bc, ca := merged(events.EntityCompany, "a", "b", 3), merged(events.EntityCompany, "b", "c", 4), merged(events.EntityCompany, "c", "a", 5)
	for name, tc := range map[string]struct {
		words    []events.Change
		survivor events.Key
	}{
		"chain":         {[]events.Change{ab, bc}, companyC},
		"chain, late":   {[]events.Change{bc, ab}, companyC},
		"circle":        {[]events.Change{ab, bc, ca}, companyA}, // the oldest word is void
		"circle, late":  {[]events.Change{ca, bc, ab}, companyA},
		"circle, mixed": {[]events.Change{bc, ab, ca}, companyA},
		"two":           {[]events.Change{ab, merged(events.EntityCompany, "b", "a", 6)}, companyA},
		"two, late":     {[]events.Change{merged(events.EntityCompany, "b", "a", 6), ab}, companyA},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.run(r.worker(nil))
			for _, k := range []events.Key{companyA, companyB, companyC} {
				r.company(k, 1)
			}
			r.tell("o", customer("55", companyB, 1, "h"))
			r.say("d", change(crm, "deal", events.EntityDeal, "1", 2, linked("company", "company", "a")))
			r.idle()
			for i, w := range tc.words {
				r.say(fmt.Sprint("m", i), w)
				r.handedOver()
			}
			require.Nil(t, r.record(tc.survivor).Merged)
			require.Equal(t, "55", r.record(tc.survivor).Docs["erp/customer"].ID)
			require.Equal(t, tc.survivor, r.link(key(events.EntityDeal, "1"), "company").Record)
			d, ok := r.desired("customer", tc.survivor)
			require.True(t, ok)
			require.Equal(t, events.DesiredUpsert, d.Op, "the survivor is written")
			require.Equal(t, "55", d.KnownID)
			if name == "two" || name == "two, late" {
				return // company c has no part in it
			}
			for _, k := range []events.Key{companyA, companyB, companyC} {
				require.Equal(t, k != tc.survivor, r.record(k).Merged != nil, "%s", k)
			}
		})
	}
}

// TestABequestOutlivesACrash that came after the tombstone was committed and
// before anything was handed over.
func TestABequestOutlivesACrash(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stop := r.run(r.worker(nil))
	r.company(companyA, 1)
	r.company(companyB, 1)
	r.tell("o", customer("55", companyA, 1, "h"))
	r.say("d", change(crm, "deal", events.EntityDeal, "1", 2, linked("company", "company", "a")))
	r.idle()
	stop()
	c := merged(events.EntityCompany, "a", "b", 3)
	rec, _ := hub.Merge(r.record(companyA), []hub.Fact{{ID: "m", Change: &c, Into: companyB}}, hub.Policy{Hub: crm})
	put := func(subject string, v any) {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		_, err = r.bus.Publish(t.Context(), bus.Message{Subject: subject, Data: b})
		require.NoError(t, err)
	}
	put(events.RecordSubject(tenant, companyA), rec)
	put(events.MovedSubject(tenant, companyA), companyB)
	put(events.BequestSubject(tenant, companyA), []events.Key{companyB})
	r.run(r.worker(nil))
	r.handedOver()
	require.Equal(t, "55", r.record(companyB).Docs["erp/customer"].ID)
	require.Equal(t, companyB, r.link(key(events.EntityDeal, "1"), "company").Record)
}

// TestAnErasedPersonIsForgotten wherever HUB and QUARANTINE hold the person, and
// comes back only by the word of the system that forgot.
func TestAnErasedPersonIsForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.worker(nil))
	r.company(companyA, 1)
	r.tell("o", customer("55", companyA, 1, "h"))
	r.idle()
	q, err := json.Marshal(events.Quarantined{Service: "erp-sink", Record: companyA, Original: json.RawMessage(`{"name":"company a"}`)})
	require.NoError(t, err)
	_, err = r.bus.Publish(t.Context(), bus.Message{Subject: events.QuarantineSubject("erp-sink", erp, "rejected", events.EntityCompany, "x"), Data: q})
	require.NoError(t, err)
	c := change(crm, "company", events.EntityCompany, "a", 5, nil)
	c.Op = events.OpErased
	r.say("e", c)
	r.idle()
	r.say("late", change(crm, "company", events.EntityCompany, "a", 4, named("company a")))
	r.say("other", change(erp, "customer", events.EntityCompany, "55", 6, named("company a")))
	r.idle()
	for m, err := range r.bus.Scan(t.Context(), events.StreamHub, ">") {
		require.NoError(t, err)
		require.NotContains(t, string(m.Data), "company a", m.Subject)
	}
	rec := r.record(companyA)
	require.NotNil(t, rec.Deleted)
	require.Equal(t, "55", rec.Docs["erp/customer"].ID, "ids stay")
	require.Empty(t, r.quarantined())
	d, ok := r.desired("customer", companyA)
	require.True(t, ok)
	require.Equal(t, events.DesiredNone, d.Op)

	r.say("back", change(crm, "company", events.EntityCompany, "a", 8, named("again")))
	r.idle()
	require.Equal(t, "again", r.text(companyA, "name"))
}

// TestAWithdrawnMergerSetsTheRecordFree again.
func TestAWithdrawnMergerSetsTheRecordFree(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.worker(nil))
	r.company(companyA, 1)
	r.company(companyB, 1)
	r.tell("o", customer("55", companyA, 1, "h"))
	r.say("m", merged(events.EntityCompany, "a", "b", 3))
	r.handedOver()
	c := change(crm, "company", events.EntityCompany, "a", 4, nil)
	c.Op = events.OpRestored
	r.say("r", c)
	r.handedOver()
	require.Nil(t, r.record(companyA).Merged)
	require.Empty(t, r.record(companyB).Docs["erp/customer"].ID, "the survivor gives it back")
	d, _ := r.desired("customer", companyA)
	require.Equal(t, events.DesiredUpsert, d.Op)
	d, _ = r.desired("customer", companyB)
	require.Empty(t, d.KnownID)
}
