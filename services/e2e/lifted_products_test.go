package e2e_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
)

// TestLimitLifted_TwoWayProductSync: a product that is made or changed in
// HubSpot is so in NetSuite, QuickBooks and Stripe, and one that is changed in
// NetSuite or Stripe, or made in NetSuite, is so in HubSpot and the others. Each
// change is one write to each system, and nothing echoes.
func TestLimitLifted_TwoWayProductSync(t *testing.T) {
	t.Parallel()
	n := lift{
		polled: "product",
		settings: map[string]string{
			"netsuite": "      items: {income_account: \"1\", tax_schedule: \"1\"}\n",
		},
		flows: []string{`flow: product-to-hubspot
from: product
to: hubspot
object: product
create: true
fields:
  name: product.name
  hs_sku: product.sku
  description: product.description
  price: product.price.amount
`},
	}.start(t)
	hubspot, netsuite := n.boxes.HubSpot, n.boxes.NetSuite
	// names are those of a SKU in the four systems.
	names := func(sku string) (all [4]string) {
		for _, p := range n.objects(t, "hubspot")["products"] {
			if p["hs_sku"] == sku {
				all[0], _ = p["name"].(string)
			}
		}
		for _, i := range netsuite.Records("nonInventorySaleItem") {
			if i.Text("itemId") == sku {
				all[1] = i.Text("displayName")
			}
		}
		for _, i := range n.boxes.QuickBooks.Items() {
			if i["Sku"] == sku {
				all[2], _ = i["Name"].(string)
			}
		}
		for _, p := range n.objects(t, "stripe")["product"] {
			if m, _ := p["metadata"].(map[string]any); m["sku"] == sku {
				all[3], _ = p["name"].(string)
			}
		}
		return all
	}
	everywhere := func(what, sku, name string) {
		t.Helper()
		await(t, what, func() bool { return names(sku) == [4]string{name, name, name, name} })
		n.quiet(t)
		require.Equal(t, [4]string{name, name, name, name}, names(sku), "it stays so")
	}

	id, err := hubspot.Create("product", map[string]string{"name": "Gateway", "hs_sku": "GW-20", "price": "420.50"})
	require.NoError(t, err)
	everywhere("what HubSpot made is everywhere", "GW-20", "Gateway")
	require.NoError(t, hubspot.Set("product", id, map[string]string{"name": "Gateway 2"}))
	everywhere("what HubSpot changed is everywhere", "GW-20", "Gateway 2")

	for stripeID := range n.objects(t, "stripe")["product"] {
		n.stripe(t, "/v1/products/"+stripeID, url.Values{"name": {"Gateway by Stripe"}})
	}
	everywhere("what Stripe changed is everywhere", "GW-20", "Gateway by Stripe")

	n.poll(t, "product") // what Spoke wrote is seen as it is
	n.inNetSuite(t, func(b *netsuitebox.Box) error {
		return b.Edit(b.Records("nonInventorySaleItem")[0].ID, map[string]any{"displayName": "Gateway by NetSuite"})
	})
	n.poll(t, "product")
	everywhere("what NetSuite changed is everywhere", "GW-20", "Gateway by NetSuite")

	n.inNetSuite(t, func(b *netsuitebox.Box) error {
		_, err := b.Add("nonInventorySaleItem", map[string]any{
			"itemId": "FS-100", "displayName": "Field Sensor", "incomeAccount": map[string]any{"id": "1"}, "taxSchedule": map[string]any{"id": "1"},
		})
		return err
	})
	n.poll(t, "product")
	everywhere("what NetSuite made is everywhere", "FS-100", "Field Sensor")
	require.Len(t, n.objects(t, "hubspot")["products"], 2)
	require.Len(t, n.boxes.QuickBooks.Items(), 2)
	require.Len(t, n.objects(t, "stripe")["product"], 2)

	// Five changes began elsewhere than in each system, at most.
	for vendor, effects := range map[string]int{
		"HubSpot":    hubspot.Counts().Total("product updated"),
		"NetSuite":   netsuite.Counts().Total("nonInventorySaleItem updated"),
		"QuickBooks": n.boxes.QuickBooks.Counts().Total("Item updated"),
		"Stripe":     n.boxes.Stripe.Counts().Total("product updated"),
	} {
		require.LessOrEqual(t, effects, 5, vendor)
	}
}
