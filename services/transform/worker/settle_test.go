package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/match"
	"github.com/spoke-sync/spoke/services/internal/quarantine"
)

// settle decides on an entry; the zero Key means none of the choices.
func (r *rig) settle(e quarantine.Entry, k events.Key) {
	r.t.Helper()
	d, err := r.desk().Decide(r.t.Context(), e, k)
	require.NoError(r.t, err)
	_, err = r.desk().Settle(r.t.Context(), e, d)
	require.NoError(r.t, err)
	r.handedOver()
}

// customersWanted are the companies for which the ERP is to hold a customer.
func (r *rig) customersWanted() (ids []string) {
	r.t.Helper()
	for m, err := range r.bus.Scan(r.t.Context(), events.StreamHub, "desired."+tenant+"."+erp+".customer.>") {
		require.NoError(r.t, err)
		var d events.Desired
		require.NoError(r.t, json.Unmarshal(m.Data, &d))
		if d.Op != events.DesiredNone {
			ids = append(ids, d.Record.ID)
		}
	}
	return ids
}

// about is a snapshot, or what an upstream says of some fields.
func about(connection, object, id, name string, minute int) events.Change {
	c := withDomain(connection, object, id, "acme.example", minute)
	c.Fields.Set("name", name)
	c.Snapshot = connection != shop
	return c
}

// ambiguity is a kind of object that may stand for one of two records.
type ambiguity struct {
	connection, object, id string
	before                 []events.Change
	choices                [2]string
	own                    string
}

func ambiguities() map[string]ambiguity {
	hubs := []events.Change{about(crm, "company", "9", "Nine", 1), about(crm, "company", "8", "Eight", 1)}
	erps := []events.Change{about(erp, "customer", "55", "Five", 1), about(erp, "customer", "56", "Six", 1)}
	return map[string]ambiguity{
		"vendor":               {erp, "customer", "57", hubs, [2]string{"8", "9"}, "erp-57"},
		"upstream":             {shop, "company", "c.1", hubs, [2]string{"8", "9"}, "shop-c.1"},
		"upstream, of vendors": {shop, "company", "c1", erps, [2]string{"erp-55", "erp-56"}, "shop-c1"},
		"hub":                  {crm, "company", "7", erps, [2]string{"erp-55", "erp-56"}, "7"},
	}
}

// ambiguous makes the ambiguity, with two events that wait.
func (r *rig) ambiguous(a ambiguity) quarantine.Entry {
	r.t.Helper()
	for i, c := range a.before {
		r.say(fmt.Sprint("before", i), c)
	}
	r.handedOver()
	first := about(a.connection, a.object, a.id, "", 2)
	first.Fields = events.Fields{"domain": first.Fields["domain"]}
	first.Fields.Set("city", "Oslo")
	r.say("w1", first)
	r.idle()
	second := about(a.connection, a.object, a.id, "Second", 3)
	if second.Snapshot {
		second.Fields.Set("city", "Oslo")
	}
	r.say("w2", second)
	r.idle()
	all := r.apart()
	require.NotEmpty(r.t, all)
	return all[0]
}

// TestAnAmbiguousMatchNamesItsChoices and merges nothing. What an upstream said
// of some fields is not lost to what it says of others.
func TestAnAmbiguousMatchNamesItsChoices(t *testing.T) {
	t.Parallel()
	for name, a := range ambiguities() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.run(r.matching())
			e := r.ambiguous(a)
			require.Equal(t, match.Code, e.Problem.Code)
			require.Equal(t, []events.Choice{
				{Record: key(events.EntityCompany, a.choices[0]), Field: "domain"}, {Record: key(events.EntityCompany, a.choices[1]), Field: "domain"},
			}, e.Choices)
			require.Equal(t, key(events.EntityCompany, a.own), e.Own)
			require.Equal(t, fmt.Sprintf("transform: %s %s of %s may be company/%s or company/%s: they have the same domain (field domain)",
				a.object, a.id, a.connection, a.choices[0], a.choices[1]), e.Problem.Message)
			want := 1
			if a.connection == shop {
				want = 2
			}
			require.Len(t, r.apart(), want)
			require.Zero(t, r.record(e.Own).Version)
		})
	}
}

// TestADecisionHolds for what waited and for what comes later, after a restart,
// too.
func TestADecisionHolds(t *testing.T) {
	t.Parallel()
	for name, a := range ambiguities() {
		for _, none := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", none: ", none), func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				stop := r.run(r.matching())
				e := r.ambiguous(a)
				before := r.customersWanted()
				chosen, other := key(events.EntityCompany, a.choices[1]), key(events.EntityCompany, a.choices[0])
				if none {
					chosen = events.Key{}
				}
				r.settle(e, chosen)
				standing := []string{a.choices[0], a.choices[1]}
				if none {
					chosen = e.Own
					standing = append(standing, e.Own.ID)
				}
				holds := func(name string) {
					t.Helper()
					require.Empty(t, r.apart())
					require.ElementsMatch(t, standing, r.standing())
					require.Equal(t, name, r.text(chosen, "name"))
					require.Equal(t, "Oslo", r.text(chosen, "city"))
					require.Equal(t, a.id, r.record(chosen).Docs[events.DocKey(a.connection, a.object)].ID)
					require.NotContains(t, r.record(other).Docs[events.DocKey(a.connection, a.object)].ID, a.id)
				}
				holds("Second")
				if none {
					before = append(before, e.Own.ID)
				}
				require.ElementsMatch(t, before, r.customersWanted(), "no further customer")
				r.say("later", about(a.connection, a.object, a.id, "Later", 5))
				r.handedOver()
				holds("Later")
				stop()
				r.run(r.matching())
				r.say("latest", about(a.connection, a.object, a.id, "Latest", 6))
				r.handedOver()
				holds("Latest")
			})
		}
	}
}

// TestRepeatedDecisions change nothing, and what is no choice is refused.
func TestRepeatedDecisions(t *testing.T) {
	t.Parallel()
	for name, a := range ambiguities() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.run(r.matching())
			e := r.ambiguous(a)
			_, err := r.desk().Decide(t.Context(), e, key(events.EntityCompany, "99"))
			require.ErrorContains(t, err, "company/99 is none of the records that it may be: choose company/"+a.choices[0]+" or company/"+a.choices[1])
			chosen := key(events.EntityCompany, a.choices[0])
			r.settle(e, chosen)
			before, _ := r.desired("customer", chosen)
			d, err := r.desk().Decide(t.Context(), e, chosen)
			require.NoError(t, err)
			require.Empty(t, d.Waiting)
			d.Waiting = []quarantine.Entry{e} // as if the first one had ended before it was removed
			_, err = r.desk().Settle(t.Context(), e, d)
			require.NoError(t, err)
			r.handedOver()
			require.Empty(t, r.apart())
			require.Equal(t, "Second", r.text(chosen, "name"))
			require.ElementsMatch(t, a.choices[:], r.standing())
			after, _ := r.desired("customer", chosen)
			require.Equal(t, before.Hash, after.Hash)
			require.Len(t, r.scan(events.StreamAudit, "audit.>"), 2)
		})
	}
}

// TestAChoiceThatWasMergedMeanwhile stands for what it is a part of.
func TestAChoiceThatWasMergedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"8", "10"} {
		t.Run(said, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.run(r.matching())
			r.say("ten", change(crm, "company", events.EntityCompany, "10", 1, named("Ten")))
			e := r.ambiguous(ambiguities()["vendor"])
			r.say("m", merged(events.EntityCompany, "8", "10", 4))
			r.handedOver()
			r.settle(e, key(events.EntityCompany, said))
			k := key(events.EntityCompany, "10")
			require.Equal(t, "57", r.record(k).Docs["erp/customer"].ID)
			require.Equal(t, "Second", r.text(k, "name"))
			require.Empty(t, r.apart())
			require.ElementsMatch(t, []string{"9", "10"}, r.standing())
		})
	}
}

// TestAChoiceThatIsNoneByNow is refused: it is deleted, or has another object.
func TestAChoiceThatIsNoneByNow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.matching())
	e := r.ambiguous(ambiguities()["vendor"])
	gone := change(crm, "company", events.EntityCompany, "8", 4, nil)
	gone.Op = events.OpDeleted
	r.say("gone", gone)
	r.tell("o", customer("66", key(events.EntityCompany, "9"), 1, "h"))
	r.handedOver()
	_, err := r.desk().Decide(t.Context(), e, key(events.EntityCompany, "8"))
	require.ErrorContains(t, err, "company/8 was deleted at crm")
	_, err = r.desk().Decide(t.Context(), e, key(events.EntityCompany, "9"))
	require.ErrorContains(t, err, "company/9 has customer 66 of erp by now")
}

// TestAnObjectThatIsGoneByNow needs no decision.
func TestAnObjectThatIsGoneByNow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.matching())
	e := r.ambiguous(ambiguities()["vendor"])
	gone := about(erp, "customer", "57", "Seven", 9)
	gone.Op, gone.Fields, gone.Snapshot = events.OpDeleted, nil, false
	r.say("gone", gone)
	r.handedOver()
	for _, k := range []events.Key{{}, key(events.EntityCompany, "8")} {
		_, err := r.desk().Decide(t.Context(), e, k)
		require.ErrorContains(t, err, "customer 57 was deleted at erp meanwhile: drop it")
	}
}

// TestWhatIsSetApartStaysApart although only one record with the value is left.
func TestWhatIsSetApartStaysApart(t *testing.T) {
	t.Parallel()
	for name, a := range ambiguities() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.run(r.matching())
			e := r.ambiguous(a)
			away := a.before[0]
			away = withDomain(away.Connection, away.Object, away.ID, "else.example", 4)
			r.say("away", away)
			r.handedOver()
			r.settle(e, events.Key{})
			want := []string{a.choices[0], a.choices[1], a.own}
			require.ElementsMatch(t, want, r.standing())
			// The other one gets the value anew, and is compared again.
			stays := a.before[1]
			for i, domain := range []string{"third.example", "acme.example"} {
				r.say(fmt.Sprint("again", i), withDomain(stays.Connection, stays.Object, stays.ID, domain, 5+i))
				r.handedOver()
			}
			require.ElementsMatch(t, want, r.standing())
		})
	}
}

// TestLinksFollowADecision, those that came while it was awaited included.
func TestLinksFollowADecision(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"upstream", "hub", "vendor"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := ambiguities()[name]
			r := newRig(t)
			r.run(r.matching())
			e := r.ambiguous(a)
			c := change(a.connection, "deal", events.EntityDeal, "1", 2, linked("company", a.object, a.id))
			r.say("d", c)
			r.idle()
			k := match.OwnRecord(c.External(), events.EntityDeal, a.connection == crm)
			require.NotZero(t, r.record(k).Version)
			chosen := key(events.EntityCompany, a.choices[0])
			r.settle(e, chosen)
			r.eventually(func() bool { return r.link(k, "company").Record == chosen }, "the deal never follows")
		})
	}
}

// TestEachOfSeveralThatWereReadTogether is retried by itself: the right one is
// read again.
func TestEachOfSeveralThatWereReadTogether(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.match = match.Default()
	reader := &reader{read: func(_ context.Context, _ string, ids []string) (all []events.Change, err error) {
		for _, id := range ids {
			all = append(all, about(erp, "customer", id, "Customer "+id, 3))
		}
		return all, nil
	}}
	for i, c := range ambiguities()["vendor"].before {
		r.say(fmt.Sprint("before", i), c)
	}
	for _, id := range []string{"57", "58"} {
		c := change(erp, "customer", events.EntityCompany, id, 2, nil)
		c.Signal = true
		r.say("signal"+id, c)
	}
	r.run(r.worker(map[string]connector.Reader{erp: reader}))
	r.eventually(func() bool { return len(r.apart()) == 2 }, "they are not set apart")
	for _, e := range r.apart() {
		var c events.Change
		require.NoError(t, json.Unmarshal(e.Original, &c))
		r.settle(e, key(events.EntityCompany, map[string]string{"57": "8", "58": "9"}[c.ID]))
	}
	require.Equal(t, "57", r.record(key(events.EntityCompany, "8")).Docs["erp/customer"].ID)
	require.Equal(t, "58", r.record(key(events.EntityCompany, "9")).Docs["erp/customer"].ID)
	require.Empty(t, r.apart())
}

// TestWhatWasReadAlongIsSettled although no event ever told of it.
func TestWhatWasReadAlongIsSettled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.match = match.Default()
	a := ambiguities()["hub"]
	reader := &reader{read: func(context.Context, string, []string) ([]events.Change, error) {
		return []events.Change{about(crm, "company", a.id, "Seven", 3)}, nil
	}}
	for i, c := range a.before {
		r.say(fmt.Sprint("before", i), c)
	}
	r.run(r.worker(map[string]connector.Reader{crm: reader}))
	r.handedOver()
	r.say("d", change(crm, "deal", events.EntityDeal, "1", 2, linked("company", "company", a.id)))
	r.idle()
	require.Len(t, r.apart(), 1)
	chosen := key(events.EntityCompany, a.choices[0])
	r.settle(r.apart()[0], chosen)
	require.Equal(t, a.id, r.record(chosen).Docs["crm/company"].ID)
	require.Equal(t, "Seven", r.text(chosen, "name"))
	r.eventually(func() bool { return r.link(key(events.EntityDeal, "1"), "company").Record == chosen }, "the deal never follows")
	require.Empty(t, r.apart())
}

// TestAnEventOvertakesTheDecision: of a decision, only the alias can be seen so
// far, which is enough.
func TestAnEventOvertakesTheDecision(t *testing.T) {
	t.Parallel()
	for name, a := range ambiguities() {
		for _, none := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", none: ", none), func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				r.run(r.matching())
				e := r.ambiguous(a)
				k, standing := key(events.EntityCompany, a.choices[1]), a.choices[:]
				if none {
					k, standing = e.Own, append(standing, e.Own.ID)
				}
				if none { // and there is only one left that it may be
					b := a.before[0]
					r.say("away", withDomain(b.Connection, b.Object, b.ID, "else.example", 4))
					r.handedOver()
				}
				data, err := json.Marshal(k)
				require.NoError(t, err)
				x := events.External{Connection: a.connection, Object: a.object, ID: a.id}
				_, err = r.bus.Publish(t.Context(), bus.Message{Subject: events.AliasSubject(tenant, x), Data: data})
				require.NoError(t, err)
				waits := len(r.apart())
				r.say("overtakes", about(a.connection, a.object, a.id, "Third", 5))
				r.handedOver()
				require.Len(t, r.apart(), waits)
				require.Equal(t, "Third", r.text(k, "name"))
				require.ElementsMatch(t, standing, r.standing())
			})
		}
	}
}
