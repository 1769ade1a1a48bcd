package e2e_test

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestProcesses runs the story with every service as its own process: two
// deals are won and paid, one of them while transform and a sink are dead.
// Its parts build on each other.
func TestProcesses(t *testing.T) {
	t.Parallel()
	jaeger := newJaeger(t)
	c := newCluster(t, jaeger.tracing()...)

	t.Run("Story", c.story)
	t.Run("Trace", func(t *testing.T) { jaeger.story(t, firstDeal) })
	t.Run("Kill", c.killed)
	t.Run("Warehouse", c.warehouse)
	for name, s := range c.services {
		s.stop(t)
		require.Zero(t, s.cmd.ProcessState.ExitCode(), name+" is stopped in order")
	}
}

// story wins two deals at once and pays both.
func (c *cluster) story(t *testing.T) {
	win(t, c.boxes, firstDeal)
	win(t, c.boxes, secondDeal)
	for _, deal := range []string{firstDeal, secondDeal} {
		numbered(t, c.boxes, deal)
		pay(t, c.boxes, deal)
	}
	for _, deal := range []string{firstDeal, secondDeal} {
		paid(t, c.boxes, deal)
	}
	madeOnce(t, c.boxes, []string{firstDeal, secondDeal}, []string{firstCompany, secondCompany})
}

// killed wins a deal while transform and the sink of NetSuite are dead. What
// ingest took meanwhile must not be lost, and nothing be made twice.
func (c *cluster) killed(t *testing.T) {
	c.services["transform"].kill()
	c.services["netsuite-sink"].kill()
	win(t, c.boxes, thirdDeal)
	require.NoError(t, c.boxes.HubSpot.Flush(t.Context()), "ingest takes it all the same")
	c.start("transform")
	await(t, "the other systems do not wait", func() bool {
		return len(c.boxes.Stripe.Counts().Effects["invoice finalized"]) == 3 && len(c.boxes.QuickBooks.Invoices()) == 3
	})
	require.Len(t, c.boxes.NetSuite.Orders(), 2)
	c.start("netsuite-sink")
	numbered(t, c.boxes, thirdDeal)
	pay(t, c.boxes, thirdDeal)
	paid(t, c.boxes, thirdDeal)
	madeOnce(t, c.boxes, []string{firstDeal, secondDeal, thirdDeal}, []string{firstCompany, secondCompany, thirdCompany})
	r := settled(t, c.boxes)
	t.Logf("%d API calls", r.APICalls)
}

// warehouse requires the outcomes in the files of the lake.
func (c *cluster) warehouse(t *testing.T) {
	want := map[string]int{}
	for _, deal := range []string{firstDeal, secondDeal, thirdDeal} {
		for _, doc := range []string{"netsuite salesOrder", "quickbooks Invoice", "stripe invoice"} {
			want[doc+" created for deal/"+deal] = 1
		}
	}
	await(t, "the outcomes in the lake", func() bool {
		got := map[string]int{}
		for _, row := range parquetRows(filepath.Join(c.data, "lake", "outcomes")) {
			key := row["connection"] + " " + row["object"] + " " + row["effect"] + " for " + row["record"]
			if _, ok := want[key]; ok && row["state"] == "done" {
				got[key]++
			}
		}
		return maps.Equal(want, got)
	})
	_, err := os.Stat(filepath.Join(c.data, "lake", "views.sql"))
	require.NoError(t, err)
}
