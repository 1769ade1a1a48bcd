package hub_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// name is the record's name.
func (d *drifting) name() string { return events.Fields{"n": d.rec.Fields["name"].Value}.Text("n") }

// hear merges and routes a fact.
func (d *drifting) hear(f hub.Fact) {
	d.t.Helper()
	var failed []hub.Failure
	d.rec, _ = hub.Merge(d.rec, []hub.Fact{f}, d.p)
	d.rec, _, failed = hub.Route(d.rec, d.flows)
	require.Empty(d.t, failed)
}

// change is what the hub says, seen what netsuite is seen to hold.
func (d *drifting) change(value string, minute int) {
	d.hear(said("h"+time.Duration(minute).String(), "hubspot", "name", value, minute, true))
}

func (d *drifting) seen(value string, minute int) {
	f := said("s"+time.Duration(minute).String(), "netsuite", "name", value, minute, true)
	f.Change.Record = d.rec.Key
	d.hear(f)
}

// TestAnOlderWordOfOursIsNoNewWord: the customer is seen to hold what we told it
// before the hub said something newer, by its clock after that. Whether that is
// seen before or after the outcome of our write, the hub's word stands.
func TestAnOlderWordOfOursIsNoNewWord(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string]func(d *drifting){
		"before the outcome": func(d *drifting) {
			d.change("Two", 4)
			d.change("Three", 5)
			d.seen("Two", 6)
			d.done(7)
		},
		"after the outcome of the newer one": func(d *drifting) {
			d.change("Two", 4)
			d.change("Three", 5)
			d.done(7)
			d.seen("Two", 7)
		},
		"several behind": func(d *drifting) {
			d.change("Two", 4)
			d.done(5)
			d.change("Three", 6)
			d.change("Four", 7)
			d.seen("Two", 8)
			d.change("Three", 9)
			d.seen("Four", 10)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDrifting(t, policy(t, hub.Rules{}))
			steps(d)
			require.Equal(t, "Three", d.name())
			d.done(30)
			d.seen("Three", 31)
			require.Equal(t, "Three", d.name())
		})
	}
}

// TestAPersonsWordIsHeard: also one that was ours once, when the system has
// long held something else.
func TestAPersonsWordIsHeard(t *testing.T) {
	t.Parallel()
	d := newDrifting(t, policy(t, hub.Rules{}))
	d.change("Two", 4)
	d.done(5)
	d.seen("Two", 6)
	d.seen("By hand", 7)
	require.Equal(t, "By hand", d.name())
	d.done(8)
	d.change("Three", 9)
	d.done(10)
	d.seen("Three", 11)
	d.seen("By hand", 60)
	require.Equal(t, "By hand", d.name(), "it is long since we said so")
	d.seen("Three", 70)
	require.Equal(t, "Three", d.name(), "what it was told last, after a word of its own")
}

// TestWhatWasSaidIsForgotten keeps records from growing with every change.
func TestWhatWasSaidIsForgotten(t *testing.T) {
	t.Parallel()
	d := newDrifting(t, policy(t, hub.Rules{}))
	for i := range 40 {
		d.change(time.Duration(i).String(), 10+10*i)
		d.done(11 + 10*i)
	}
	require.LessOrEqual(t, len(d.rec.Wanted["netsuite/company"].Said), 2)
	for i := range 40 {
		d.change(time.Duration(-i).String(), 1000+i)
	}
	require.LessOrEqual(t, len(d.rec.Wanted["netsuite/company"].Said), 8)
}
