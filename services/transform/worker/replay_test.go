package worker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/audit"
	"github.com/spoke-sync/spoke/services/internal/replay"
)

func (r *rig) replayer() *replay.Replayer {
	return replay.New(r.bus, audit.New(r.bus, tenant, "ann@desk"), tenant)
}

// last returns the sequence of the last message of HUB.
func (r *rig) last() uint64 {
	r.t.Helper()
	id, err := r.bus.Identify(r.t.Context(), events.StreamHub)
	require.NoError(r.t, err)
	return id.Last
}

// TestReplay: what was merged before changes nothing; what was lost of HUB comes
// back.
func TestReplay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stop := r.run(r.worker(nil))
	const n = 7
	for i := range n {
		r.say(fmt.Sprint("e", i), change(crm, "company", events.EntityCompany, fmt.Sprint(i), 1, named("a")))
	}
	r.say("d", change(crm, "deal", events.EntityDeal, "77", 1, named("d")))
	r.tell("o", invoiced("in_1", key(events.EntityDeal, "77"), 2))
	r.say("i", change(bank, "invoice", events.EntityInvoice, "in_1", 3, events.Fields{}))
	r.idle()
	before := r.last()
	for name, c := range map[string]struct {
		sel  replay.Selection
		want int
	}{
		"everything":        {replay.Selection{}, n + 3},
		"an entity":         {replay.Selection{Entity: events.EntityCompany}, n},
		"a speaker":         {replay.Selection{From: bank}, 2},
		"a record":          {replay.Selection{Record: key(events.EntityDeal, "77")}, 3},
		"what is to come":   {replay.Selection{Since: time.Now().Add(time.Hour)}, 0},
		"what came long up": {replay.Selection{Until: time.Now().Add(-time.Hour)}, 0},
	} {
		got, err := r.replayer().Events(t.Context(), c.sel, replay.Options{Dry: true})
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
		got, err = r.replayer().Events(t.Context(), c.sel, replay.Options{})
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, "%s: what is replayed is not replayed again", name)
	}
	r.idle()
	require.Equal(t, before, r.last(), "nothing in HUB changed")
	_, err := r.replayer().Events(t.Context(), replay.Selection{Record: theCompany("none")}, replay.Options{})
	require.ErrorContains(t, err, "no record company/none")

	stop()
	m, ok, err := r.bus.LastOne(t.Context(), events.StreamHub, events.RecordSubject(tenant, theCompany("3")))
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, r.bus.Delete(t.Context(), events.StreamHub, m.Seq))
	r.run(r.worker(nil))
	_, err = r.replayer().Events(t.Context(), replay.Selection{Entity: events.EntityCompany}, replay.Options{})
	require.NoError(t, err)
	r.idle()
	require.Equal(t, "a", r.text(theCompany("3"), "name"))
}

// TestResync asserts the documents of all records, or of those that events
// concern, although nothing changed.
func TestResync(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.worker(nil))
	const n = 5
	for i := range n {
		r.say(fmt.Sprint("e", i), change(crm, "company", events.EntityCompany, fmt.Sprint(i), 1, named("a")))
	}
	r.say("d", change(crm, "deal", events.EntityDeal, "77", 1, named("d")))
	r.tell("o", invoiced("in_1", key(events.EntityDeal, "77"), 2))
	r.idle()
	resynced := func() (count int) {
		for i := range n {
			if d, _ := r.desired("customer", theCompany(fmt.Sprint(i))); d.Reason == "resync" {
				count++
			}
		}
		if d, _ := r.desired("order", key(events.EntityDeal, "77")); d.Reason == "resync" {
			count++
		}
		return count
	}
	got, err := r.replayer().Resync(t.Context(), erp, replay.Selection{}, replay.Options{Dry: true})
	require.NoError(t, err)
	require.Equal(t, n+1, got)
	r.idle()
	require.Zero(t, resynced())

	got, err = r.replayer().Force(t.Context(), erp, replay.Selection{From: bank}, replay.Options{})
	require.NoError(t, err)
	require.Equal(t, 1, got)
	r.idle()
	require.Equal(t, 1, resynced(), "only the deal that the bank spoke of")

	got, err = r.replayer().Resync(t.Context(), erp, replay.Selection{Entity: events.EntityCompany}, replay.Options{})
	require.NoError(t, err)
	require.Equal(t, n, got)
	r.idle()
	require.Equal(t, n+1, resynced())
	require.NoError(t, r.replayer().Assert(t.Context(), erp, theCompany("1")))
	r.idle()
	d, _ := r.desired("customer", theCompany("1"))
	require.Equal(t, "drift", d.Reason)
}
