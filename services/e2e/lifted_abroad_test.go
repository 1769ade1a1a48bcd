package e2e_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLimitLifted_QuickBooksOutsideTheUS: in a British company of QuickBooks
// each line gets a tax code of the company's, QuickBooks adds the tax in
// pounds, and the payment is booked against it.
func TestLimitLifted_QuickBooksOutsideTheUS(t *testing.T) {
	t.Parallel()
	l := lift{
		settings: map[string]string{"quickbooks": `      home_currency: GBP
      tax:
        us_automated: false
        default_tax_code: "5"
`},
		seed: buyer,
	}
	l.hubspot.Currency, l.netsuite.Currencies = "GBP", []string{"GBP"}
	l.quickbooks.Country, l.quickbooks.Currency = "GB", "GBP"
	l.quickbooks.TaxRates = map[string]string{"5": "20", "6": "0"}
	n := l.start(t)
	quickbooks := n.boxes.QuickBooks
	n.bills(t, "GBP", map[string]string{"77": "3"})
	numbered(t, n.boxes, "77")
	pay(t, n.boxes, "77")
	paid(t, n.boxes, "77")
	n.quiet(t)

	invoices := quickbooks.Invoices()
	require.Len(t, invoices, 1)
	i := invoices[0]
	require.Equal(t, map[string]any{"value": "GBP"}, i["CurrencyRef"])
	require.Equal(t, "TaxExcluded", i["GlobalTaxCalculation"])
	line, _ := i["Line"].([]any)[0].(map[string]any)
	detail, _ := line["SalesItemLineDetail"].(map[string]any)
	require.Equal(t, map[string]any{"value": "5"}, detail["TaxCodeRef"])
	require.Equal(t, []string{"360.00", "60.00"}, []string{fmt.Sprint(i["TotalAmt"]), fmt.Sprint(i["Balance"])}, "300.00 and 20 % of it, less the payment")
	require.Len(t, quickbooks.Payments(), 1)
}
