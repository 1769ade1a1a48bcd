package worker_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
)

// made is the outcome by which an object of the hub stands for a record that
// began elsewhere.
func made(id string, record events.Key, minute int) events.Outcome {
	o := invoiced(id, record, minute)
	o.Connection, o.Entity, o.Object = crm, events.EntityCompany, "company"
	return o
}

// TestHubObjectsThatSpokeMadeKeepTheirRecord: an object of the hub that was
// made for a record of another system is no record of its own, whichever
// comes first, the outcome of the write or what the hub says of the object.
func TestHubObjectsThatSpokeMadeKeepTheirRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.worker(nil))
	origin := key(events.EntityCompany, "shop-c1")
	r.say("e1", change(shop, "company", events.EntityCompany, "c1", 1, named("a")))
	r.idle()
	keyed := change(crm, "company", events.EntityCompany, "900", 2, named("a"))
	keyed.Snapshot, keyed.Record = true, origin
	r.say("e2", keyed) // ahead of the outcome: only the key tells
	r.idle()
	r.tell("e3", made("900", origin, 2))
	r.idle()
	r.say("e4", change(crm, "company", events.EntityCompany, "900", 3, named("b"))) // a person, without any key
	linking := change(crm, "contact", events.EntityContact, "5", 4, linked("company", "company", "900"))
	r.say("e5", linking)
	r.idle()
	require.Equal(t, "b", r.text(origin, "name"))
	require.Zero(t, r.record(key(events.EntityCompany, "900")).Version, "no second record of the hub's id")
	require.Contains(t, string(r.record(key(events.EntityContact, "5")).Fields["company"].Value), origin.String())
	d, ok := r.desired("customer", origin)
	require.True(t, ok)
	require.Equal(t, "b", d.Fields["name"])
}

// TestACopiedKeyDoesNotMoveARecord: when the hub makes one object of two, the
// one that lives on may carry the key of the other.
func TestACopiedKeyDoesNotMoveARecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.worker(nil))
	r.say("e1", change(crm, "company", events.EntityCompany, "9", 1, named("a")))
	r.idle()
	copied := change(crm, "company", events.EntityCompany, "9", 2, named("b"))
	copied.Record = key(events.EntityCompany, "shop-c1")
	r.say("e2", copied)
	r.idle()
	require.Equal(t, "b", r.text(key(events.EntityCompany, "9"), "name"))
	require.Zero(t, r.record(copied.Record).Version)
}
