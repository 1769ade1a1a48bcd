package e2e_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
	"github.com/spoke-sync/spoke/services/spoke/demo"
)

// TestLimitLifted_Refunds: what Stripe gives back is credited and refunded in
// NetSuite, and a record of it stands at the deal in HubSpot.
func TestLimitLifted_Refunds(t *testing.T) {
	t.Parallel()
	n := lift{
		settings: map[string]string{
			"hubspot":  "      custom_objects:\n        refund: {type: 2-1001, name_property: reference}\n",
			"netsuite": "      invoices: order\n      refunds: {item: \"1002\", account: \"1\", payment_option: \"2\"}\n",
		},
		flows: []string{`flow: refund-to-hubspot
from: refund
when: refund.status == 'succeeded'
to: hubspot
object: refund
create: true
fields:
  reference: refund.reference
  amount: refund.amount.amount
  spoke_netsuite_refund: docs.netsuite.customerRefund.number
  associated_company: ref(refund.company)
  associated_deal: ref(refund.invoice)
`},
		seed: func(t *testing.T, s *demo.Sandboxes) {
			t.Helper()
			buyer(t, s)
			id, err := s.NetSuite.AddItem("REFUND", "Refund", events.Decimal{})
			require.NoError(t, err)
			require.Equal(t, "1002", id)
			_, err = s.HubSpot.AddSchema(hubspotbox.Schema{Name: "refund", TypeID: machineType, Texts: []string{"reference"}, Numbers: []string{"amount"}})
			require.NoError(t, err)
		},
	}.start(t)
	hubspot, netsuite := n.boxes.HubSpot, n.boxes.NetSuite
	n.bills(t, "USD", map[string]string{"77": "3"})
	numbered(t, n.boxes, "77")
	pay(t, n.boxes, "77")
	paid(t, n.boxes, "77")

	n.stripe(t, "/v1/refunds", url.Values{"payment_intent": {n.boxes.Stripe.Intents(n.boxes.Stripe.Invoices()[0].ID)[0]}, "amount": {"5000"}})
	// refunds are the records in HubSpot.
	refunds := func() map[string]map[string]any { return n.objects(t, "hubspot")[machineType] }
	await(t, "the refund is in HubSpot, with its number in NetSuite", func() bool {
		for _, r := range refunds() {
			return r["spoke_netsuite_refund"] != nil
		}
		return false
	})
	n.quiet(t)
	memos, booked := netsuite.Records("creditMemo"), netsuite.Records("customerRefund")
	require.Len(t, memos, 1)
	require.Len(t, booked, 1)
	require.Equal(t, "50.00", memos[0].Text("total"))
	require.Equal(t, "50", booked[0].Text("total"))
	require.Equal(t, memos[0].ID, booked[0].Lines("apply")[0]["doc"])
	require.Equal(t, netsuite.Customers()[0].ID, booked[0].Text("customer"))
	require.Len(t, refunds(), 1)
	for id, r := range refunds() {
		require.Equal(t, "50", r["amount"])
		require.Equal(t, booked[0].Text("tranId"), r["spoke_netsuite_refund"])
		require.NotEmpty(t, hubspot.Associated("refund", id, "company", "201"))
		require.NotEmpty(t, hubspot.Associated("refund", id, "deal", "77"))
	}
}
