package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/catalog"
	"github.com/spoke-sync/spoke/services/internal/config"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
	stripebox "github.com/spoke-sync/spoke/services/internal/sandbox/stripe"
)

// accounts is Spoke between one portal and two Stripe accounts.
type accounts struct {
	portal *hubspotbox.Box
	url    string // of the portal
	us, eu *stripebox.Box
}

// serveBox serves a sandbox until the test ends and returns its URL.
func serveBox(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-ended })
	return "http://" + l.Addr().String()
}

// newAccounts starts all of it with the default flows, which take the account
// from one rule.
func newAccounts(t *testing.T) accounts {
	t.Helper()
	address := freeAddress(t)
	portal, err := hubspotbox.New(hubspotbox.Options{WebhookURL: "http://" + address + "/webhooks/hubspot"})
	require.NoError(t, err)
	t.Cleanup(portal.Close)
	a := accounts{portal: portal, url: serveBox(t, portal)}
	settings := ""
	for _, name := range []string{"us", "eu"} {
		key, secret := "sk_test_account"+name, "whsec_account"+name
		box, err := stripebox.New(stripebox.Options{
			Key: key, Account: "acct_" + name, WebhookSecret: secret, WebhookURL: "http://" + address + "/webhooks/stripe_" + name, Thin: true,
			Currencies: map[string][]string{"us": {"usd"}, "eu": {"eur"}}[name],
		})
		require.NoError(t, err)
		t.Cleanup(box.Close)
		settings += fmt.Sprintf("  stripe_%s:\n    kind: stripe\n    settings: {url: %s, key: %q, webhook_secrets: [%q], account: acct_%s}\n",
			name, serveBox(t, box), "literal:"+key, "literal:"+secret, name)
		if name == "us" {
			a.us = box
		} else {
			a.eu = box
		}
	}
	text := fmt.Sprintf(`tenant: two
data: %q
http: {listen: %s, public_url: "http://%s"}
connections:
  hubspot:
    kind: hubspot
    settings: {url: %s, token: "literal:%s", client_secrets: ["literal:%s"], portal_id: %d}
%srouting:
  stripe:
    deal: 'deal.amount.currency == "EUR" ? "stripe_eu" : deal.amount.currency == "USD" ? "stripe_us" : ""'
`, t.TempDir(), address, address, a.url, hubspotbox.DefaultToken, hubspotbox.DefaultClientSecret, hubspotbox.DefaultPortalID, settings)
	cfg, err := config.Parse("test", []byte(text), catalog.Kinds())
	require.NoError(t, err)
	runNode(t, cfg)
	return a
}

// win moves a deal to its won stage.
func (a accounts) win(t *testing.T, deal string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, a.url+"/crm/objects/2026-03/deals/"+deal,
		strings.NewReader(`{"properties":{"dealstage":"closedwon"}}`))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+hubspotbox.DefaultToken)
	req.Header.Set("Content-Type", "application/json")
	call(t, req)
}

// TestLimitLifted_SeveralStripeAccounts bills deals in EUR and USD in two
// accounts. Each account has only the customers and products that it bills, a
// company that buys in both currencies has a customer in each, and what is paid
// comes back from both.
func TestLimitLifted_SeveralStripeAccounts(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	must := func(_ string, err error) {
		t.Helper()
		require.NoError(t, err)
	}
	for id, name := range map[string]string{"1": "Euro Only", "2": "Dollar Only", "3": "Both", "4": "Buys Nothing"} {
		must(a.portal.AddCompany(hubspotbox.Company{ID: id, Name: name}))
	}
	for id, currency := range map[string]string{"41": "EUR", "42": "USD"} {
		must(a.portal.AddProduct(hubspotbox.Product{ID: id, Name: "Product " + currency, SKU: currency, Price: "10.00"}))
	}
	deals := []struct{ id, company, currency, product string }{
		{"11", "1", "EUR", "41"}, {"12", "2", "USD", "42"}, {"13", "3", "EUR", "41"}, {"14", "3", "USD", "42"}, {"15", "4", "GBP", "42"},
	}
	for _, d := range deals {
		must(a.portal.AddDeal(hubspotbox.Deal{
			ID: d.id, Name: "Deal " + d.id, Amount: "100.00", Currency: d.currency, CloseDate: "2026-11-20", Company: d.company,
			Lines: []hubspotbox.Line{{ID: "9" + d.id, Product: d.product, Name: "Work", Quantity: "10", Price: "10.00", Currency: d.currency}},
		}))
	}
	for _, d := range deals {
		a.win(t, d.id)
	}
	await(t, "every deal's invoice number is back on HubSpot", func() bool {
		for _, d := range deals[:4] {
			if a.portal.Deal(d.id)["spoke_stripe_invoice"] == "" {
				return false
			}
		}
		return true
	})
	keys := func(box *stripebox.Box) (all []string) {
		for _, i := range box.Invoices() {
			require.Equal(t, "open", i.Status)
			all = append(all, i.Currency+" "+i.Key)
		}
		return all
	}
	require.ElementsMatch(t, []string{"eur spoke-deal-11", "eur spoke-deal-13"}, keys(a.eu))
	require.ElementsMatch(t, []string{"usd spoke-deal-12", "usd spoke-deal-14"}, keys(a.us))
	require.Equal(t, once("spoke-company-1", "spoke-company-3"), a.eu.Counts().Effects["customer created"])
	require.Equal(t, once("spoke-company-2", "spoke-company-3"), a.us.Counts().Effects["customer created"])
	require.Equal(t, once("spoke-product-41"), a.eu.Counts().Effects["product created"])
	require.Equal(t, once("spoke-product-42"), a.us.Counts().Effects["product created"])
	require.Empty(t, a.portal.Deal("15")["spoke_stripe_invoice"], "no account takes pounds")

	for _, box := range []*stripebox.Box{a.eu, a.us} {
		for _, i := range box.Invoices() {
			require.NoError(t, box.Pay(i.ID, 0))
		}
	}
	await(t, "every payment is back on HubSpot", func() bool {
		for _, d := range deals[:4] {
			if a.portal.Deal(d.id)["spoke_payment_status"] != "paid" {
				return false
			}
		}
		return true
	})
}
