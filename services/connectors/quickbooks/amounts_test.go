package quickbooks_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/fault"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

// The sandbox refuses a line of which the amount is not quantity times price,
// so that what arrives there is exact.
func TestLineAmounts(t *testing.T) {
	t.Parallel()
	n := func(s string) json.Number { return json.Number(s) }
	cases := map[string]struct {
		line               map[string]any
		amount, qty, price string // at QuickBooks
	}{
		"price and quantity":         {map[string]any{"Qty": n("3"), "UnitPrice": usd("19.99")}, "59.97", "3", "19.99"},
		"no binary fraction":         {map[string]any{"Qty": n("3"), "UnitPrice": usd("0.1")}, "0.30", "3", "0.1"},
		"half a cent goes up":        {map[string]any{"Qty": n("1.5"), "UnitPrice": usd("0.07")}, "0.11", "1.5", "0.07"},
		"fine price":                 {map[string]any{"Qty": n("1000000"), "UnitPrice": usd("0.0000015")}, "1.50", "1000000", "0.0000015"},
		"beyond a float":             {map[string]any{"Qty": n("1"), "UnitPrice": usd("90071992547409.93")}, "90071992547409.93", "1", "90071992547409.93"},
		"price alone is for one":     {map[string]any{"UnitPrice": usd("5")}, "5.00", "1", "5"},
		"amount agrees":              {map[string]any{"Qty": n("2"), "UnitPrice": usd("5"), "Amount": usd("10.00")}, "10.00", "2", "5"},
		"discount lowers the price":  {map[string]any{"Qty": n("4"), "UnitPrice": usd("5"), "Amount": usd("18")}, "18.00", "4", "4.5"},
		"discount on thirds":         {map[string]any{"Qty": n("3"), "UnitPrice": usd("5"), "Amount": usd("10")}, "10.00", "3", "3.3333333"},
		"amount of a quantity":       {map[string]any{"Qty": n("8"), "Amount": usd("10")}, "10.00", "8", "1.25"},
		"amount alone":               {map[string]any{"Amount": usd("10")}, "10.00", "", ""},
		"no price fits the quantity": {map[string]any{"Qty": n("1000000000"), "Amount": usd("0.01")}, "0.01", "", ""},
		"bare numbers":               {map[string]any{"Qty": n("2"), "UnitPrice": n("1.25")}, "2.50", "2", "1.25"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, quickbooksbox.Options{})
			customer, item := b.sale(t)
			r := b.must(t, invoice(customer, item, "77", c.line))
			line, ok := b.box.Invoices()[0]["Line"].([]any)[0].(map[string]any)
			require.True(t, ok)
			detail, ok := line["SalesItemLineDetail"].(map[string]any)
			require.True(t, ok)
			text := func(v any) string {
				s, _ := v.(json.Number)
				return s.String()
			}
			require.Equal(t, []string{c.amount, c.qty, c.price}, []string{text(line["Amount"]), text(detail["Qty"]), text(detail["UnitPrice"])})
			require.Equal(t, c.amount+" USD", r.Seen.Money("total").String())
		})
	}
}

func TestSeenOfAnInvoice(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, item := b.sale(t)
	doc := invoice(customer, item, "77", map[string]any{"Qty": json.Number("2"), "UnitPrice": usd("50")})
	r := b.must(t, doc)
	require.Equal(t, "HS-77", r.Number)
	require.Equal(t, "https://app.qbo.intuit.com/app/invoice?txnId="+r.ID, r.URL)
	want := events.Fields{}
	money := func(s string) events.Money { return events.Money{Amount: events.MustDecimal(s), Currency: "USD"} }
	want.Set("number", "HS-77")
	want.Set("status", "open")
	want.Set("total", money("100.00"))
	want.Set("amountDue", money("100.00"))
	want.Set("amountPaid", money("0.00"))
	want.Set("issuedOn", "2026-11-20")
	want.Set("dueOn", "2026-12-20")
	require.Empty(t, cmp.Diff(want, r.Seen))

	pay := func(id, amount string) events.Fields {
		p := b.must(t, document("Payment", key(events.EntityPayment, id), map[string]any{
			"CustomerRef": customer, "TotalAmt": usd(amount), "InvoiceRef": r.ID, "TxnDate": "2026-11-21",
		}))
		require.Equal(t, amount, p.Seen.Money("amount").Amount.String())
		doc.ExternalID = r.ID
		return b.must(t, doc).Seen
	}
	seen := pay("1", "60.00")
	require.Equal(t, []string{"open", "40.00 USD", "60.00 USD"}, []string{seen.Text("status"), seen.Money("amountDue").String(), seen.Money("amountPaid").String()})
	seen = pay("2", "40.00")
	require.Equal(t, []string{"paid", "0.00 USD", "100.00 USD"}, []string{seen.Text("status"), seen.Money("amountDue").String(), seen.Money("amountPaid").String()})
}

func TestUpdateKeepsWhatPeopleAdd(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, item := b.sale(t)
	doc := invoice(customer, item, "77", map[string]any{"Qty": json.Number("2"), "UnitPrice": usd("50")})
	doc.ExternalID = b.must(t, doc).ID
	lines, ok := b.box.Invoices()[0]["Line"].([]any)
	require.True(t, ok)
	first, ok := lines[0].(map[string]any)
	require.True(t, ok)
	first["SalesItemLineDetail"].(map[string]any)["TaxCodeRef"] = map[string]any{"value": "NON"}
	discount := map[string]any{"DetailType": "DiscountLineDetail", "Amount": json.Number("10"), "DiscountLineDetail": map[string]any{"PercentBased": false}}
	require.NoError(t, b.box.Edit("Invoice", doc.ExternalID, map[string]any{"Line": []any{first, discount}, "PrivateNote": "call first\nspoke-deal-77"}))

	require.Equal(t, events.EffectUnchanged, b.must(t, doc).Effect, "none of it is ours")
	doc.Fields = invoice(customer, item, "77", map[string]any{"Qty": json.Number("3"), "UnitPrice": usd("50")}).Fields
	r := b.must(t, doc)
	require.Equal(t, "140.00 USD", r.Seen.Money("total").String())
	after := b.box.Invoices()[0]
	require.Equal(t, "call first\nspoke-deal-77", after["PrivateNote"])
	line, ok := after["Line"].([]any)[0].(map[string]any)
	require.True(t, ok)
	require.Equal(t, first["Id"], line["Id"])
	require.Equal(t, map[string]any{"value": "NON"}, line["SalesItemLineDetail"].(map[string]any)["TaxCodeRef"])
}

func TestPaymentOverSeveralInvoices(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, item := b.sale(t)
	one := b.must(t, invoice(customer, item, "1", map[string]any{"Amount": usd("10")})).ID
	two := b.must(t, invoice(customer, item, "2", map[string]any{"Amount": usd("20")})).ID
	doc := document("Payment", key(events.EntityPayment, "9"), map[string]any{
		"CustomerRef": customer, "TotalAmt": usd("30"), "PaymentRefNum": "a-reference-longer-than-21", "PrivateNote": "by card",
		"Line": []any{
			map[string]any{"InvoiceRef": one, "Amount": usd("10")},
			map[string]any{"InvoiceRef": two, "Amount": usd("15.5")},
		},
	})
	doc.ExternalID = b.must(t, doc).ID
	p := b.box.Payments()[0]
	require.Equal(t, json.Number("4.50"), p["UnappliedAmt"])
	require.Equal(t, "by card\na-reference-longer-than-21\nspoke-payment-9", p["PrivateNote"])
	require.NotContains(t, p, "PaymentRefNum")

	// A change of the date must not take the money off the invoices.
	doc.Fields["TxnDate"] = "2026-11-01"
	require.Equal(t, events.EffectUpdated, b.must(t, doc).Effect)
	require.Equal(t, json.Number("4.50"), b.box.Payments()[0]["UnappliedAmt"])
	delete(doc.Fields, "Line")
	doc.Fields["TxnDate"] = "2026-11-02"
	b.must(t, doc)
	require.Equal(t, json.Number("4.50"), b.box.Payments()[0]["UnappliedAmt"])

	doc.ExternalID, doc.Key, doc.IdempotencyKey = "", "spoke-payment-10", "k"
	doc.Fields["InvoiceRef"] = two
	f := requireFault(t, b.apply(t, doc).Err, fault.Rejected, "6000")
	require.Contains(t, f.Error(), "exceeds the balance")
}

func TestForeignCurrency(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{Currencies: []string{"EUR"}})
	item := b.must(t, document("Item", key(events.EntityProduct, "21"), map[string]any{
		"Name": "Widget", "UnitPrice": map[string]any{"amount": "9", "currency": "EUR"},
	})).ID
	require.NotContains(t, b.box.Items()[0], "UnitPrice", "an item's price is in the home currency")
	who := document("Customer", key(events.EntityCompany, "11"), map[string]any{"DisplayName": "Acme", "CurrencyRef": "EUR"})
	customer := b.must(t, who).ID
	eur := map[string]any{"amount": "12.5", "currency": "EUR"}
	inv := b.must(t, invoice(customer, item, "77", map[string]any{"Amount": eur}))
	require.Equal(t, "12.50 EUR", inv.Seen.Money("total").String())
	pay := b.must(t, document("Payment", key(events.EntityPayment, "5"), map[string]any{"CustomerRef": customer, "TotalAmt": eur, "InvoiceRef": inv.ID}))
	require.Equal(t, "12.50 EUR", pay.Seen.Money("amount").String())
	requireFault(t, b.apply(t, invoice(customer, item, "78", map[string]any{"Amount": usd("1")})).Err, fault.Rejected, "6000")
}

func TestTaxCodes(t *testing.T) {
	t.Parallel()
	us, abroad := quickbooksbox.Options{SalesTax: "8.25"}, quickbooksbox.Options{Country: "GB", TaxRates: map[string]string{"5": "20", "6": "0"}}
	codes := map[string]string{"standard": "5", "reduced": "6"}
	cases := map[string]struct {
		box         quickbooksbox.Options
		tax         quickbooks.Tax
		line        map[string]any
		want, total string
	}{
		"united states":           {us, quickbooks.Tax{USAutomated: true}, map[string]any{}, "TAX", "10.83"},
		"united states, tax free": {us, quickbooks.Tax{USAutomated: true, DefaultTaxCode: "NON"}, map[string]any{}, "NON", "10.00"},
		"united states, mapped":   {us, quickbooks.Tax{USAutomated: true, Codes: map[string]string{"exempt": "NON"}}, map[string]any{"TaxCodeRef": "exempt"}, "NON", "10.00"},
		"elsewhere":               {abroad, quickbooks.Tax{DefaultTaxCode: "5"}, map[string]any{}, "5", "12.00"},
		"by the flow":             {abroad, quickbooks.Tax{DefaultTaxCode: "5", Codes: codes}, map[string]any{"TaxCodeRef": "6"}, "6", "10.00"},
		"mapped":                  {abroad, quickbooks.Tax{DefaultTaxCode: "6", Codes: codes}, map[string]any{"TaxCodeRef": "standard"}, "5", "12.00"},
		"not applicable":          {abroad, quickbooks.Tax{Calculation: "NotApplicable"}, map[string]any{"TaxCodeRef": "5"}, "", "10.00"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, c.box, func(s *quickbooks.Settings) { s.Tax = c.tax })
			customer, item := b.sale(t)
			c.line["Amount"] = usd("10")
			r := b.must(t, invoice(customer, item, "77", c.line))
			inv := b.box.Invoices()[0]
			detail := inv["Line"].([]any)[0].(map[string]any)["SalesItemLineDetail"].(map[string]any)
			if c.want == "" {
				require.NotContains(t, detail, "TaxCodeRef")
			} else {
				require.Equal(t, map[string]any{"value": c.want}, detail["TaxCodeRef"])
			}
			require.Equal(t, c.total+" USD", r.Seen.Money("total").String())
		})
	}
}

// A tax that the flow has worked out takes the place of QuickBooks's own.
func TestTotalTaxOfTheFlow(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{SalesTax: "8.25"})
	customer, item := b.sale(t)
	doc := invoice(customer, item, "77", map[string]any{"Amount": usd("10")})
	doc.Fields["TotalTax"] = usd("0.77")
	r := b.must(t, doc)
	require.Equal(t, []string{"10.77 USD", "0.77 USD"}, []string{r.Seen.Money("total").String(), r.Seen.Money("tax").String()})
	doc.ExternalID = r.ID
	require.Equal(t, events.EffectUnchanged, b.must(t, doc).Effect)
	doc.Fields["Line"] = []any{map[string]any{"ItemRef": item, "Amount": usd("20")}}
	require.Equal(t, "20.77 USD", b.must(t, doc).Seen.Money("total").String())
}
