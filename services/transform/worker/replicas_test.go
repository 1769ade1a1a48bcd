package worker_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// TestTwoReplicasConverge has two replicas fight over a few records: random
// changes from several systems, in random order, some of them twice. Whatever
// they do, the records must be what merging all facts makes of them, the last
// desired documents what the records say, and nothing may be left over.
func TestTwoReplicasConverge(t *testing.T) {
	t.Parallel()
	const records, speakers, each = 4, 4, 120
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := newRig(t)
	r.run(r.worker(nil))
	r.run(r.worker(nil))
	facts := map[events.Key][]hub.Fact{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for s := range speakers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(s)))
			for i := range each {
				c, k := randomChange(rnd, records)
				id := fmt.Sprintf("e%d-%d", s, i)
				mu.Lock()
				facts[k] = append(facts[k], hub.Fact{ID: id, Change: &c})
				mu.Unlock()
				r.say(id, c)
				if rnd.IntN(4) == 0 {
					r.say(id, c)
				}
			}
		})
	}
	wg.Wait()
	r.idle()
	require.Empty(t, r.quarantined())
	for k, fs := range facts {
		want, _ := hub.Merge(events.Record{Tenant: tenant, Key: k}, fs, hub.Policy{Hub: crm})
		got := r.record(k)
		ignore := cmpopts.IgnoreFields(events.Record{}, "Version", "Wanted", "UpdatedAt")
		if d := cmp.Diff(want, got, ignore, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s: %s", k, d)
		}
		d, ok := r.desired("customer", k)
		require.True(t, ok)
		require.Equal(t, r.text(k, "name"), d.Fields["name"])
		require.Equal(t, d.Hash, got.Wanted["erp/customer"].Hash)
	}
}

// randomChange makes a change of a company of the hub by one of the systems
// that can name it.
func randomChange(rnd *rand.Rand, records int) (events.Change, events.Key) {
	id := fmt.Sprint(rnd.IntN(records))
	k := key(events.EntityCompany, id)
	c := change(crm, "company", events.EntityCompany, id, rnd.IntN(50), events.Fields{})
	if rnd.IntN(2) == 0 { // a spoke's object that carries our key
		c.Connection, c.Object, c.ID, c.Record = erp, "customer", "c"+id, k
	}
	for range 1 + rnd.IntN(2) {
		name := []string{"name", "phone", "city"}[rnd.IntN(3)]
		c.Fields[name] = json.RawMessage(fmt.Sprintf(`"%s-%d"`, name, rnd.IntN(1000)))
	}
	// Every record gets a name sooner or later.
	if rnd.IntN(3) == 0 {
		c.Fields.Set("name", fmt.Sprint("n", rnd.IntN(1000)))
	}
	return c, k
}

// TestTwoReplicasReleaseEveryWait mixes payments and the invoices that they
// pay, in random order, with two replicas and with repeats.
func TestTwoReplicasReleaseEveryWait(t *testing.T) {
	t.Parallel()
	const n = 80
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	r := newRig(t)
	r.run(r.worker(nil))
	r.run(r.worker(nil))
	type step func()
	var steps []step
	for i := range n {
		deal := key(events.EntityDeal, fmt.Sprint(i))
		c := change(bank, "payment", events.EntityPayment, fmt.Sprint("py_", i), 5, linked("invoice", "invoice", fmt.Sprint("in_", i)))
		steps = append(steps,
			func() { r.say(fmt.Sprint("p", i), c) },
			func() { r.tell(fmt.Sprint("o", i), invoiced(fmt.Sprint("in_", i), deal, 2)) },
			func() { r.say(fmt.Sprint("p", i), c) })
	}
	rnd.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	var wg sync.WaitGroup
	for part := range 3 {
		wg.Go(func() {
			for i := part; i < len(steps); i += 3 {
				steps[i]()
			}
		})
	}
	wg.Wait()
	r.idle()
	r.eventually(func() bool { return len(r.scan(events.StreamHub, "waiting.>")) == 0 }, "a note is left behind")
	for i := range n {
		k := key(events.EntityPayment, fmt.Sprint("bank-py_", i))
		require.Equal(t, key(events.EntityDeal, fmt.Sprint(i)), r.link(k, "invoice").Record, "%s", k)
		_, ok := r.desired("receipt", k)
		require.True(t, ok)
	}
	require.Empty(t, r.quarantined())
}
