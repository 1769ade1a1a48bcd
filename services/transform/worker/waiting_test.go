package worker_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

var (
	theDeal    = key(events.EntityDeal, "77")
	thePayment = key(events.EntityPayment, "bank-py_1")
)

func paid() events.Change {
	return change(bank, "payment", events.EntityPayment, "py_1", 5, linked("invoice", "invoice", "in_1"))
}

func won() events.Change { return change(crm, "deal", events.EntityDeal, "77", 1, named("deal")) }

// requireReleased checks that the payment found its deal, and that the ERP is
// told of it.
func (r *rig) requireReleased() {
	r.t.Helper()
	r.eventually(func() bool { return r.link(thePayment, "invoice").Record == theDeal }, "the payment never finds its deal")
	r.eventually(func() bool { return len(r.scan(events.StreamHub, "waiting.>")) == 0 }, "a note is left behind")
	d, ok := r.desired("receipt", thePayment)
	require.True(r.t, ok)
	require.Equal(r.t, []events.Ref{{Object: "order", Record: theDeal}}, d.Refs())
	require.Empty(r.t, r.quarantined())
}

func (r *rig) link(k events.Key, field string) (l events.Link) {
	r.t.Helper()
	if v := r.record(k).Fields[field].Value; v != nil {
		require.NoError(r.t, json.Unmarshal(v, &l))
	}
	return l
}

// TestAPaymentFindsItsDeal links a payment to the deal that its invoice stands
// for, whichever of the two is told first.
func TestAPaymentFindsItsDeal(t *testing.T) {
	t.Parallel()
	outcome := func(r *rig) { r.tell("o1", invoiced("in_1", theDeal, 2)) }
	payment := func(r *rig) { r.say("p1", paid()) }
	for _, tc := range []struct {
		name  string
		apart bool // the second comes when the first is committed
		steps []func(*rig)
	}{
		{"invoice first", true, []func(*rig){outcome, payment}},
		{"payment first", true, []func(*rig){payment, outcome}},
		{"together", false, []func(*rig){payment, outcome}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.run(r.worker(nil))
			r.say("d1", won())
			for _, step := range tc.steps {
				step(r)
				if tc.apart {
					r.idle()
				}
			}
			r.idle()
			r.requireReleased()
		})
	}
}

// TestAWaitOutlivesACrash: the replica that learnt of the invoice died after
// its commit and before it looked for who waits.
func TestAWaitOutlivesACrash(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stop := r.run(r.worker(nil))
	r.say("d1", won())
	r.say("p1", paid())
	r.idle()
	stop()
	x := events.External{Connection: bank, Object: "invoice", ID: "in_1"}
	require.Equal(t, []string{events.WaitingSubject(tenant, x, thePayment)}, r.scan(events.StreamHub, "waiting.>"))
	k, err := json.Marshal(theDeal)
	require.NoError(t, err)
	_, err = r.bus.Publish(t.Context(), bus.Message{Subject: events.AliasSubject(tenant, x), Data: k})
	require.NoError(t, err)
	r.run(r.worker(nil))
	r.requireReleased()
}

// TestAWaitOutlivesAnOldCopy: the replica that learns of the invoice has a
// version of the payment in memory that did not link to it yet.
func TestAWaitOutlivesAnOldCopy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.worker(nil))
	r.say("d1", won())
	r.say("p0", change(bank, "payment", events.EntityPayment, "py_1", 1, events.Fields{"method": json.RawMessage(`"card"`)}))
	r.idle()
	r.commitAsAnotherReplica("p1", paid())
	r.tell("o1", invoiced("in_1", theDeal, 2))
	r.idle()
	r.requireReleased()
}

// commitAsAnotherReplica stores what a replica makes of a change with a link
// that is not known yet.
func (r *rig) commitAsAnotherReplica(id string, c events.Change) {
	r.t.Helper()
	k := key(c.Entity, c.Connection+"-"+c.ID)
	m, ok, err := r.bus.LastOne(r.t.Context(), events.StreamHub, events.RecordSubject(tenant, k))
	require.NoError(r.t, err)
	require.True(r.t, ok)
	c = hub.Resolve(c, hub.Resolver{Find: func(events.External) (events.Key, bool) { return events.Key{}, false }})
	rec, changed := hub.Merge(r.record(k), []hub.Fact{{ID: id, Change: &c}}, hub.Policy{Hub: crm})
	require.True(r.t, changed)
	data, err := json.Marshal(rec)
	require.NoError(r.t, err)
	note, err := json.Marshal(k)
	require.NoError(r.t, err)
	msgs := []bus.Message{{Subject: m.Subject, Data: data, Expect: bus.Seq(m.Seq)}}
	hub.EachLink(c.Entity, c.Fields, func(l events.Link) {
		msgs = append(msgs, bus.Message{Subject: events.WaitingSubject(tenant, l.External(), k), Data: note})
	})
	require.Len(r.t, msgs, 2)
	_, err = r.bus.Batch(r.t.Context(), msgs)
	require.NoError(r.t, err)
}

// TestManyWaitForOneInvoice releases more records than one batch holds, and
// leaves alone those that wait for another.
func TestManyWaitForOneInvoice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.worker(nil))
	for i := range 30 {
		c := paid()
		c.ID = "py_" + string(rune('a'+i))
		r.say("p"+c.ID, c)
	}
	other := paid()
	other.ID, other.Fields = "py_other", linked("invoice", "invoice", "in_2")
	r.say("other", other)
	r.idle()
	require.Len(t, r.scan(events.StreamHub, "waiting.>"), 31)
	r.tell("o1", invoiced("in_1", theDeal, 2))
	r.idle()
	r.eventually(func() bool { return len(r.scan(events.StreamHub, "waiting.>")) == 1 }, "not all are released")
	for i := range 30 {
		k := key(events.EntityPayment, "bank-py_"+string(rune('a'+i)))
		require.Equal(t, theDeal, r.link(k, "invoice").Record, "%s", k)
	}
	require.False(t, r.link(key(events.EntityPayment, "bank-py_other"), "invoice").Resolved())
}
