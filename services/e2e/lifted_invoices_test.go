package e2e_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
)

// TestLimitLifted_InvoicesBothWays: the invoice that QuickBooks holds for a won
// deal is an invoice object in HubSpot, and stays in step when a bookkeeper
// changes its due date or a line. An invoice that a bookkeeper makes is there
// too, and one that is made in HubSpot is made in QuickBooks.
func TestLimitLifted_InvoicesBothWays(t *testing.T) {
	t.Parallel()
	n := lift{seed: buyer, flows: []string{`flow: deal-invoice-to-hubspot
from: deal
when: deal.won && has(docs.quickbooks.Invoice.number)
to: hubspot
object: invoice
create: true
fields:
  hs_currency: deal.amount.currency
  hs_invoice_billable: "false"
  hs_due_date: docs.quickbooks.Invoice.dueOn
  hs_invoice_status: docs.quickbooks.Invoice.status
  hs_comments: docs.quickbooks.Invoice.number
  spoke_total: docs.quickbooks.Invoice.total.amount
  associated_company: ref(deal.company)
  associated_deal: ref(record)
  line_items:
    each: docs.quickbooks.Invoice.lines
    as: line
    fields:
      name: line.name
      quantity: line.quantity
      price: line.price.amount
`, `flow: invoice-to-hubspot
from: invoice
when: has(invoice.total)
to: hubspot
object: invoice
create: true
fields:
  hs_currency: invoice.total.currency
  hs_invoice_billable: "false"
  hs_due_date: invoice.dueOn
  hs_comments: invoice.memo
  spoke_total: invoice.total.amount
  associated_company: ref(invoice.company)
`}}.start(t)
	hubspot, quickbooks := n.boxes.HubSpot, n.boxes.QuickBooks
	// mirror is HubSpot's invoice with a due date.
	mirror := func(due string) (id string, of map[string]any) {
		for id, i := range n.objects(t, "hubspot")["invoices"] {
			if v, _ := i["hs_due_date"].(string); v != "" && v[:min(10, len(v))] == due {
				return id, i
			}
		}
		return "", nil
	}
	shows := func(due, total string) {
		t.Helper()
		await(t, "HubSpot shows the invoice due "+due+" over "+total, func() bool {
			_, i := mirror(due)
			return i != nil && fmt.Sprint(i["spoke_total"]) == total
		})
	}

	n.bills(t, "USD", map[string]string{"77": "3"})
	numbered(t, n.boxes, "77")
	made := quickbooks.Invoices()
	require.Len(t, made, 1)
	shows(fmt.Sprint(made[0]["DueDate"]), "300")
	id, _ := mirror(fmt.Sprint(made[0]["DueDate"]))
	n.quiet(t)
	require.NotEmpty(t, hubspot.Associated("invoice", id, "deal", "77"))
	require.NotEmpty(t, hubspot.Associated("invoice", id, "company", "201"))

	edit := func(fields map[string]any) {
		t.Helper()
		require.NoError(t, quickbooks.Edit("Invoice", fmt.Sprint(made[0]["Id"]), fields))
	}
	edit(map[string]any{"DueDate": "2027-01-31"})
	shows("2027-01-31", "300")
	edit(map[string]any{"Line": []any{map[string]any{
		"DetailType": "SalesItemLineDetail", "Amount": 250, "SalesItemLineDetail": map[string]any{
			"ItemRef": map[string]any{"value": quickbooks.Items()[0]["Id"]}, "Qty": 5, "UnitPrice": 50, "TaxCodeRef": map[string]any{"value": "NON"},
		},
	}}})
	shows("2027-01-31", "250")
	n.quiet(t)
	require.Equal(t, []string{"5 of 50"}, mirrored(n.objects(t, "hubspot")["line_items"]), "the one line as it stands in QuickBooks now")
	require.Len(t, n.objects(t, "hubspot")["invoices"], 1)
	require.Equal(t, once("spoke-deal-77"), quickbooks.Counts().Effects["Invoice created"])

	// A bookkeeper's own.
	_, err := quickbooks.Add("Invoice", map[string]any{
		"CustomerRef": map[string]any{"value": quickbooks.Customers()[0]["Id"]}, "DueDate": "2027-02-28", "Line": made[0]["Line"],
	})
	require.NoError(t, err)
	shows("2027-02-28", "300")

	// HubSpot's own.
	id, err = hubspot.Add("invoice", "8001", map[string]string{"hs_currency": "USD", "hs_amount_billed": "200", "hs_invoice_status": "draft"})
	require.NoError(t, err)
	_, err = hubspot.Add("line_item", "8002", map[string]string{"name": "Field Sensor", "hs_product_id": "401", "quantity": "2", "price": "100.00"})
	require.NoError(t, err)
	require.NoError(t, hubspot.Link("invoice", id, "line_item", "8002"))
	require.NoError(t, hubspot.Link("invoice", id, "company", "201"))
	_, err = hubspot.AddContact(hubspotbox.Contact{ID: "301", FirstName: "Mara", LastName: "Quinn", Email: "mara@harborcoffee.example"})
	require.NoError(t, err)
	require.NoError(t, hubspot.Link("invoice", id, "contact", "301"))
	require.NoError(t, hubspot.Set("invoice", id, map[string]string{"hs_due_date": "2027-03-31", "hs_invoice_status": "open"}))
	await(t, "QuickBooks has HubSpot's invoice", func() bool {
		for _, i := range quickbooks.Invoices() {
			if i["DueDate"] == "2027-03-31" {
				return fmt.Sprint(i["TotalAmt"]) == "200.00"
			}
		}
		return false
	})
	n.quiet(t)
	require.Len(t, quickbooks.Invoices(), 3)
	require.Len(t, n.objects(t, "hubspot")["invoices"], 3)
}

// mirrored are the lines that Spoke has made in HubSpot.
func mirrored(lines map[string]map[string]any) (all []string) {
	for _, l := range lines {
		if l["spoke_key"] != nil {
			all = append(all, fmt.Sprint(l["quantity"], " of ", l["price"]))
		}
	}
	return all
}
