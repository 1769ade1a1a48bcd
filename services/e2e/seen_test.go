package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
)

// companyBack writes what other systems say of a company to HubSpot too.
const companyBack = `flow: company-back
from: company
to: hubspot
object: company
fields:
  name: company.name
  phone: company.phone
  city: company.city
  country: company.country
  state: company.state
`

// TestEditsBeforeTheFirstRead: what a person changes in NetSuite in an object
// that Spoke has just made, before NetSuite is polled once, arrives in every
// other system; so does a value that is set back after Spoke's update. NetSuite
// writes the address in its own way, which is no edit; and once it is quiet,
// nobody is written to.
func TestEditsBeforeTheFirstRead(t *testing.T) {
	t.Parallel()
	n := lift{
		polled: "company", flows: []string{companyBack},
		settings: map[string]string{"hubspot": "    default_flows: false\n"}, // whose flow of companies writes no names
	}.start(t)
	hubspot, netsuite := n.boxes.HubSpot, n.boxes.NetSuite
	_, err := hubspot.AddCompany(hubspotbox.Company{
		ID: "201", Name: "Harbor", Phone: "+1 555 0100", City: "Oakland", State: "California", Country: "United States",
	})
	require.NoError(t, err)
	require.NoError(t, hubspot.Set("company", "201", map[string]string{"name": "Harbor Coffee"}))

	// everywhere waits until each system has a value, and stays so.
	everywhere := func(what, name, phone string) {
		t.Helper()
		has := func() bool {
			customers := netsuite.Customers()
			if len(customers) != 1 || len(n.boxes.QuickBooks.Customers()) != 1 || len(n.objects(t, "stripe")["customer"]) != 1 {
				return false
			}
			company := n.objects(t, "hubspot")["companies"]["201"]
			ok := customers[0].Name == name && customers[0].Phone == phone && company["name"] == name && company["phone"] == phone
			for _, c := range n.objects(t, "stripe")["customer"] {
				ok = ok && c["name"] == name && c["phone"] == phone
			}
			q := n.boxes.QuickBooks.Customers()[0]
			return ok && q["DisplayName"] == name
		}
		await(t, what, has)
		n.quiet(t)
		require.True(t, has(), "%s, and it stays so", what)
	}
	edit := func(fields map[string]any) {
		t.Helper()
		n.inNetSuite(t, func(b *netsuitebox.Box) error { return b.Edit(b.Customers()[0].ID, fields) })
	}
	everywhere("what HubSpot made is everywhere", "Harbor Coffee", "+1 555 0100")
	edit(map[string]any{"phone": "+1 555 0142"})
	n.poll(t, "company")
	everywhere("what was edited before the first read is everywhere", "Harbor Coffee", "+1 555 0142")
	company := n.objects(t, "hubspot")["companies"]["201"]
	require.Equal(t, []any{"Oakland", "California", "United States"}, []any{company["city"], company["state"], company["country"]},
		"NetSuite's way of writing is nobody's word")

	n.poll(t, "company")
	require.NoError(t, hubspot.Set("company", "201", map[string]string{"name": "Harbor Roasters"}))
	everywhere("what HubSpot changed is everywhere", "Harbor Roasters", "+1 555 0142")
	edit(map[string]any{"companyName": "Harbor Coffee"})
	edited := time.Now()
	await(t, "no read can have begun before the update was known", func() bool { return time.Since(edited) > 6*time.Second })
	n.poll(t, "company")
	everywhere("what was set back is everywhere", "Harbor Coffee", "+1 555 0142")

	n.poll(t, "company")
	before := n.counts()
	n.poll(t, "company")
	n.poll(t, "company")
	after := n.counts()
	for vendor := range after {
		require.Equal(t, totals(before[vendor]), totals(after[vendor]), "%s is written to although nothing changed", vendor)
	}
}

// totals are how often each effect came about.
func totals(c sandbox.Counts) map[string]int {
	all := map[string]int{}
	for what := range c.Effects {
		all[what] = c.Total(what)
	}
	return all
}
