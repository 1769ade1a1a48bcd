package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
	stripebox "github.com/spoke-sync/spoke/services/internal/sandbox/stripe"
	"github.com/spoke-sync/spoke/services/spoke/demo"
)

// client calls what the test itself calls. It keeps no connection open, so
// that nothing outlives a test.
var client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// The deals of the demo's portal, and the companies that they are with.
const (
	firstDeal, firstCompany   = "77", "201"
	secondDeal, secondCompany = "78", "202"
	thirdDeal, thirdCompany   = "79", "203"
)

// win moves a deal to its won stage through HubSpot's API.
func win(t *testing.T, s *demo.Sandboxes, deal string) {
	t.Helper()
	body := `{"properties":{"dealstage":"closedwon"}}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, s.URLs["hubspot"]+"/crm/objects/2026-03/deals/"+deal, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+hubspotbox.DefaultToken)
	req.Header.Set("Content-Type", "application/json")
	call(t, req)
}

// pay pays a deal's Stripe invoice, as its customer does.
func pay(t *testing.T, s *demo.Sandboxes, deal string) {
	t.Helper()
	all := s.Stripe.Invoices()
	i := slices.IndexFunc(all, func(inv stripebox.Invoice) bool { return inv.Key == dealKey(deal) })
	require.GreaterOrEqual(t, i, 0, "no Stripe invoice for deal "+deal)
	body, err := json.Marshal(map[string]string{"invoice": all[i].ID})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URLs["stripe"]+"/_sandbox/pay", bytes.NewReader(body))
	require.NoError(t, err)
	call(t, req)
}

func call(t *testing.T, req *http.Request) {
	t.Helper()
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s %s: %s", req.Method, req.URL.Path, answer)
}

// numbered waits until HubSpot shows what the other systems made of a deal.
func numbered(t *testing.T, s *demo.Sandboxes, deal string) {
	t.Helper()
	await(t, "the numbers of deal "+deal+" on HubSpot", func() bool {
		p := s.HubSpot.Deal(deal)
		return p["spoke_netsuite_order"] != "" && p["spoke_quickbooks_invoice"] != "" && p["spoke_stripe_invoice"] != ""
	})
}

// paid waits until HubSpot shows that a deal is paid and in step everywhere.
func paid(t *testing.T, s *demo.Sandboxes, deal string) {
	t.Helper()
	await(t, "deal "+deal+" is paid everywhere", func() bool {
		p := s.HubSpot.Deal(deal)
		return p["spoke_payment_status"] == "paid" && p["spoke_sync_state"] == "synced" &&
			len(s.NetSuite.Payments()) >= len(s.Stripe.Counts().Effects["payment_intent created"]) &&
			len(s.QuickBooks.Payments()) >= len(s.Stripe.Counts().Effects["payment_intent created"])
	})
}

// dealKey is the key that a deal's objects carry at vendors.
func dealKey(deal string) string { return "spoke-deal-" + deal }

// once is what a sandbox counts when each key had an effect exactly once.
func once(keys ...string) map[string]int {
	m := map[string]int{}
	for _, k := range keys {
		m[k] = 1
	}
	return m
}

// madeOnce requires that every object which stands for the won and paid deals
// of some companies was made exactly once, and that no other was made.
func madeOnce(t *testing.T, s *demo.Sandboxes, deals, companies []string) {
	t.Helper()
	var orders, customers, payments []string
	for i := range deals {
		orders = append(orders, dealKey(deals[i]))
		customers = append(customers, "spoke-company-"+companies[i])
	}
	for id := range s.Stripe.Counts().Effects["payment_intent created"] {
		payments = append(payments, "spoke-payment-stripe-"+id)
	}
	require.Len(t, payments, len(deals))
	for _, want := range []struct {
		vendor string
		counts sandbox.Counts
		effect string
		keys   []string
	}{
		{"netsuite", s.NetSuite.Counts(), "customer created", customers},
		{"netsuite", s.NetSuite.Counts(), "salesOrder created", orders},
		{"netsuite", s.NetSuite.Counts(), "customerPayment created", payments},
		{"quickbooks", s.QuickBooks.Counts(), "Customer created", customers},
		{"quickbooks", s.QuickBooks.Counts(), "Invoice created", orders},
		{"quickbooks", s.QuickBooks.Counts(), "Payment created", payments},
		{"stripe", s.Stripe.Counts(), "customer created", customers},
		{"stripe", s.Stripe.Counts(), "invoice created", orders},
		{"stripe", s.Stripe.Counts(), "invoice finalized", orders},
	} {
		diff := cmp.Diff(once(want.keys...), want.counts.Effects[want.effect])
		require.Empty(t, diff, "%s: %s (-want +got)", want.vendor, want.effect)
	}
}

// settled requires that all deals of the portal, which must have been won and
// paid, stand in every system with one object each, as the demo looks at it.
func settled(t *testing.T, s *demo.Sandboxes) demo.Report {
	t.Helper()
	r := demo.Tell(t.Context(), s, func(string, ...any) {})
	require.Empty(t, r.Problems)
	require.True(t, r.OK)
	return r
}
