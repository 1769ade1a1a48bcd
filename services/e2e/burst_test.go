package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// TestTogether wins all deals with one delivery of webhooks, so that they are
// read in one call and must still arrive with all that each of them needs.
func TestTogether(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	deals := []string{firstDeal, secondDeal, thirdDeal}
	for _, deal := range deals {
		require.NoError(t, n.boxes.HubSpot.SetDeal(deal, map[string]string{"dealstage": "closedwon"}))
	}
	for _, deal := range deals {
		numbered(t, n.boxes, deal)
		pay(t, n.boxes, deal)
	}
	for _, deal := range deals {
		paid(t, n.boxes, deal)
	}
	madeOnce(t, n.boxes, deals, []string{firstCompany, secondCompany, thirdCompany})
	settled(t, n.boxes)
}

// burstChanges are made within a second.
const burstChanges = 100

// slowArrival is more than the last change takes to its vendors where Spoke has a
// core to itself.
const slowArrival = time.Second

// TestBurst changes a won deal a hundred times within a second. It costs a
// few reads and one write at each vendor, whatever the number of changes.
func TestBurst(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	win(t, n.boxes, firstDeal)
	numbered(t, n.boxes, firstDeal)
	n.quiet(t)
	before := n.counts()

	pace := time.NewTicker(time.Second / burstChanges)
	defer pace.Stop()
	name, date := "", ""
	began := time.Now()
	for i := range burstChanges {
		<-pace.C
		if i%2 == 0 {
			name = fmt.Sprintf("Harbor Coffee, version %d", i)
			require.NoError(t, n.boxes.HubSpot.SetDeal(firstDeal, map[string]string{"dealname": name}))
			continue
		}
		date = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i).Format(time.DateOnly)
		require.NoError(t, n.boxes.HubSpot.SetDeal(firstDeal, map[string]string{"closedate": date}))
	}
	took := time.Since(began)
	await(t, "the last change arrives", func() bool {
		return n.boxes.NetSuite.Orders()[0].Memo == name && n.boxes.QuickBooks.Invoices()[0]["TxnDate"] == date
	})
	arrived := time.Since(began) - took
	n.quiet(t)
	// A busy machine takes longer than a second to make the changes, or to hear of
	// them; what it hears in other seconds is another burst.
	bursts := max(int(took.Round(time.Second)/time.Second), 1) + int(arrived/slowArrival)

	after := n.counts()
	made := map[string]map[string]int{}
	for vendor, c := range after {
		made[vendor] = calls(before[vendor], c)
	}
	t.Logf("%d changes in %s, which arrived %s later, made %v", burstChanges, took, arrived, made)
	reads := 0
	for op, count := range made["hubspot"] {
		if strings.HasSuffix(op, " get") || strings.HasSuffix(op, " read") || strings.HasSuffix(op, " search") {
			reads += count
		}
	}
	require.LessOrEqual(t, reads, 3*bursts, "reads of HubSpot")
	for _, vendor := range []string{"netsuite", "quickbooks"} {
		require.Positive(t, writes(made[vendor]), vendor)
		require.LessOrEqual(t, writes(made[vendor]), bursts, vendor)
	}
	require.Zero(t, writes(made["stripe"]), "a finalized invoice stays as it is")
	require.LessOrEqual(t, writes(made["hubspot"]), bursts, "what is written back")
}

func (n *oneNode) counts() map[string]sandbox.Counts {
	return map[string]sandbox.Counts{
		"hubspot": n.boxes.HubSpot.Counts(), "netsuite": n.boxes.NetSuite.Counts(),
		"quickbooks": n.boxes.QuickBooks.Counts(), "stripe": n.boxes.Stripe.Counts(),
	}
}

// calls returns the calls by operation that came between two counts.
func calls(before, after sandbox.Counts) map[string]int {
	made := map[string]int{}
	for op, count := range after.Calls {
		if count > before.Calls[op] {
			made[op] = count - before.Calls[op]
		}
	}
	return made
}

// writes counts the calls that change something at a vendor: by their names,
// all but those that read or fetch a token.
func writes(made map[string]int) int {
	count := 0
	for _, op := range slices.Sorted(maps.Keys(made)) {
		words := strings.FieldsFunc(op, func(r rune) bool { return r == ' ' || r == '.' })
		reading := slices.ContainsFunc(words, func(w string) bool {
			return slices.Contains([]string{"get", "read", "list", "search", "query", "suiteql", "token", "info", "companyinfo"}, w)
		})
		if !reading {
			count += made[op]
		}
	}
	return count
}
