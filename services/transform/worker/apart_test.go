package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

func theCompany(id string) events.Key { return key(events.EntityCompany, id) }

// withTax makes a company whose tax no flow can write as a number.
func withTax(id string, minute int, tax string) events.Change {
	c := change(crm, "company", events.EntityCompany, id, minute, named("n"+id))
	c.Fields.SetCustom("tax", tax)
	return c
}

// outOfTime is a change at a moment that has no written form in UTC.
func outOfTime(id string) events.Change {
	c := change(crm, "company", events.EntityCompany, id, 1, named("poison"))
	c.At = time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600))
	return c
}

// sayTogether has everything ready before the worker runs, so that it comes in
// one round.
func (r *rig) sayTogether(changes ...events.Change) {
	r.t.Helper()
	for i, c := range changes {
		r.say(fmt.Sprint("together", i), c)
	}
}

// TestAFlowThatFailsIsSetApart commits the record and every other one, tells
// people of the flow, and writes once the value is mended.
func TestAFlowThatFailsIsSetApart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sayTogether(withTax("1", 1, "19"), withTax("2", 1, "nineteen"), withTax("3", 1, "7"))
	r.run(r.worker(nil))
	r.idle()
	for _, id := range []string{"1", "3"} {
		d, ok := r.desired("customer", theCompany(id))
		require.True(t, ok)
		require.Contains(t, d.Fields, "tax")
	}
	_, ok := r.desired("customer", theCompany("2"))
	require.False(t, ok)
	require.Equal(t, "n2", r.text(theCompany("2"), "name"))
	doc := r.record(theCompany("2")).Docs["erp/customer"]
	require.Equal(t, events.StateQuarantined, doc.State)
	require.Equal(t, "tax", doc.Error.Field)
	q := r.quarantined()
	require.Len(t, q, 1)
	require.Equal(t, theCompany("2"), q[0].Record)
	require.Equal(t, erp, q[0].Connection)

	r.say("mended", withTax("2", 2, "19"))
	r.idle()
	d, ok := r.desired("customer", theCompany("2"))
	require.True(t, ok)
	require.Equal(t, json.Number("19"), d.Fields["tax"])
}

// TestAFlowFailsWhileNothingCanBeSetApart keeps the event until both the
// record and the reason can be stored; the event itself is in order.
func TestAFlowFailsWhileNothingCanBeSetApart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.NoError(t, r.bus.JetStream().DeleteStream(t.Context(), events.StreamQuarantine))
	r.run(r.worker(nil))
	r.sayTogether(withTax("1", 1, "nineteen"))
	p := r.puller()
	r.eventually(func() bool { _, unacked, err := p.Pending(t.Context()); return err == nil && unacked == 1 }, "not taken")
	require.NoError(t, r.bus.Provision(t.Context(), bus.NewTopology(bus.TopologyOptions{Tenant: tenant, Replicas: 1})))
	r.idle()
	require.Equal(t, "n1", r.text(theCompany("1"), "name"))
	q := r.quarantined()
	require.Len(t, q, 1)
	require.Empty(t, q[0].Event, "the flow is set apart, not the event")
}

// TestAPoisonEventIsSetApart quarantines the one event of a record that can't
// be merged; what else concerns the record goes through, as do other records.
func TestAPoisonEventIsSetApart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sayTogether(
		change(crm, "company", events.EntityCompany, "1", 1, named("a")), outOfTime("1"),
		change(crm, "company", events.EntityCompany, "2", 1, named("b")),
		change(crm, "company", events.EntityCompany, "1", 2, named("c")))
	r.run(r.worker(nil))
	r.idle()
	require.Equal(t, "c", r.text(theCompany("1"), "name"))
	require.Equal(t, "b", r.text(theCompany("2"), "name"))
	q := r.quarantined()
	require.Len(t, q, 1)
	require.Equal(t, "together1", q[0].Event)
	r.say("later", change(crm, "company", events.EntityCompany, "1", 3, named("d")))
	r.idle()
	require.Equal(t, "d", r.text(theCompany("1"), "name"), "the record is as good as ever")
}

// TestAPoisonChangeInAnAnswer is the same with changes that one read told of,
// and which share their messages: the good one must not wait for the bad one
// for ever.
func TestAPoisonChangeInAnAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	reader := &reader{read: func(_ context.Context, _ string, _ []string) ([]events.Change, error) {
		return []events.Change{
			change(crm, "company", events.EntityCompany, "1", 1, named("a")), outOfTime("1"),
			change(crm, "company", events.EntityCompany, "2", 1, named("b")),
		}, nil
	}}
	r.run(r.worker(map[string]connector.Reader{crm: reader}))
	r.announce("s1", "company", "1")
	r.idle()
	require.Equal(t, "a", r.text(theCompany("1"), "name"))
	require.Equal(t, "b", r.text(theCompany("2"), "name"))
	require.Len(t, r.quarantined(), 1)
}

// TestARecordThatCantBeRead stops nobody but itself.
func TestARecordThatCantBeRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.bus.Publish(t.Context(), bus.Message{Subject: events.RecordSubject(tenant, theCompany("1")), Data: []byte("{broken")})
	require.NoError(t, err)
	r.sayTogether(
		change(crm, "company", events.EntityCompany, "1", 1, named("a")),
		change(crm, "company", events.EntityCompany, "2", 1, named("b")))
	r.run(r.worker(nil))
	r.idle()
	require.Equal(t, "b", r.text(theCompany("2"), "name"))
	q := r.quarantined()
	require.Len(t, q, 1)
	require.Equal(t, theCompany("1"), q[0].Record)
	m, _, err := r.bus.LastOne(t.Context(), events.StreamHub, events.RecordSubject(tenant, theCompany("1")))
	require.NoError(t, err)
	require.Equal(t, "{broken", string(m.Data), "what can't be read is not overwritten")
}

// TestTooLargeTogether has two changes that each fit into a record, and don't
// fit into one record. One of them has to go, not both.
func TestTooLargeTogether(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	half := strings.Repeat("x", 600_000)
	a, b := change(crm, "company", events.EntityCompany, "1", 1, named("a")), change(crm, "company", events.EntityCompany, "1", 2, named("b"))
	a.Fields.Set("street", half)
	b.Fields.Set("city", half)
	r.sayTogether(a, b)
	r.run(r.worker(nil))
	r.idle()
	q := r.quarantined()
	require.Len(t, q, 1)
	require.Equal(t, "rejected", q[0].Problem.Kind)
	require.NotZero(t, r.record(theCompany("1")).Version)
}

// TestEachGarbageIsKept: what can't be decoded must not push out what could
// not be decoded before.
func TestEachGarbageIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.worker(nil))
	subject := events.EventSubject(tenant, shop, events.EntityOrder, events.OpChanged, "1")
	for _, text := range []string{"{broken", `{"specversion":"1.0","id":"e","data":{"entity":"bird"}}`, `"nothing"`, ""} {
		_, err := r.bus.Publish(t.Context(), bus.Message{Subject: subject, Data: []byte(text)})
		require.NoError(t, err)
	}
	r.idle()
	q := r.quarantined()
	require.Len(t, q, 4)
	for _, x := range q {
		require.Equal(t, "malformed", x.Problem.Kind)
		require.Equal(t, shop, x.Connection)
		require.Equal(t, subject, x.Subject)
	}
}
