package e2e_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLimitLifted_PaymentOverSeveralInvoices: one Stripe payment that pays the
// invoices of two deals is booked once in NetSuite and once in QuickBooks, with
// what each invoice got.
func TestLimitLifted_PaymentOverSeveralInvoices(t *testing.T) {
	t.Parallel()
	n := lift{settings: map[string]string{"netsuite": "      invoices: order\n"}, seed: buyer}.start(t)
	hubspot, netsuite, quickbooks := n.boxes.HubSpot, n.boxes.NetSuite, n.boxes.QuickBooks
	n.bills(t, "USD", map[string]string{"77": "3", "78": "5"})
	numbered(t, n.boxes, "77")
	numbered(t, n.boxes, "78")

	parts := map[string]int64{}
	for _, i := range n.boxes.Stripe.Invoices() {
		parts[i.ID] = i.Total
	}
	require.Len(t, parts, 2)
	intent, err := n.boxes.Stripe.PayTogether(parts)
	require.NoError(t, err)
	await(t, "both deals are paid, and the money is booked", func() bool {
		return hubspot.Deal("77")["spoke_payment_status"] == "paid" && hubspot.Deal("78")["spoke_payment_status"] == "paid" &&
			len(netsuite.Payments()) > 0 && len(quickbooks.Payments()) > 0
	})
	n.quiet(t)

	key := once("spoke-payment-stripe-" + intent)
	require.Equal(t, key, netsuite.Counts().Effects["customerPayment created"])
	payment := netsuite.Records("customerPayment")[0]
	require.Equal(t, "800", payment.Text("payment"))
	applied := map[string]string{}
	for _, line := range payment.Lines("apply") {
		applied[line["doc"].(string)] = line["amount"].(string)
	}
	want := map[string]string{}
	for _, i := range netsuite.Records("invoice") {
		want[i.ID] = i.Text("total")
	}
	require.Len(t, want, 2)
	require.Equal(t, want, applied)

	require.Equal(t, key, quickbooks.Counts().Effects["Payment created"])
	require.Len(t, quickbooks.Payments()[0]["Line"], 2)
	for _, i := range quickbooks.Invoices() {
		require.Equal(t, "0.00", fmt.Sprint(i["Balance"]), i["DocNumber"])
	}
}
