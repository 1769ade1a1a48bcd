package quickbooks_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/fault"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

// british is a company outside the United States with two rates of tax.
func british(t testing.TB, change ...func(*quickbooks.Settings)) *bundle {
	t.Helper()
	return setup(t, quickbooksbox.Options{
		Country: "GB", Currency: "GBP", Currencies: []string{"EUR"}, TaxRates: map[string]string{"5": "20", "6": "5"},
	}, append([]func(*quickbooks.Settings){func(s *quickbooks.Settings) {
		s.HomeCurrency = "GBP"
		s.Tax = quickbooks.Tax{DefaultTaxCode: "5", Codes: map[string]string{"reduced": "6"}}
	}}, change...)...)
}

func money(amount, currency string) map[string]any {
	return map[string]any{"amount": amount, "currency": currency}
}

func TestQuickBooksOutsideTheUSTaxesEachLine(t *testing.T) {
	t.Parallel()
	b := british(t)
	require.NoError(t, b.Target.Check(t.Context()))
	customer, item := b.sale(t)
	doc := invoice(customer, item, "77", map[string]any{"Amount": money("100", "GBP")})
	doc.Fields["Line"] = append(doc.Fields["Line"].([]any), map[string]any{"ItemRef": item, "Amount": money("10", "GBP"), "TaxCodeRef": "reduced"})
	r := b.must(t, doc)
	require.Equal(t, "130.50 GBP", r.Seen.Money("total").String())
	inv := b.box.Invoices()[0]
	require.Equal(t, "TaxExcluded", inv["GlobalTaxCalculation"])
	for i, code := range []string{"5", "6"} {
		detail := inv["Line"].([]any)[i].(map[string]any)["SalesItemLineDetail"].(map[string]any)
		require.Equal(t, map[string]any{"value": code}, detail["TaxCodeRef"])
	}
	doc.ExternalID = r.ID
	require.Equal(t, events.EffectUnchanged, b.must(t, doc).Effect)
}

func TestQuickBooksOutsideTheUSGuessesNoTaxCode(t *testing.T) {
	t.Parallel()
	b := british(t)
	for _, source := range []string{"standard", "TAX", "7"} { // 7 has the form of an id
		doc := invoice("1", "2", "77", map[string]any{"Amount": money("100", "GBP"), "TaxCodeRef": source})
		f := requireFault(t, b.apply(t, doc).Err, fault.Rejected, "")
		require.Equal(t, "Line[0].TaxCodeRef", f.Field)
		require.Contains(t, f.Hint, "tax.codes")
	}
	require.Zero(t, b.box.Counts().TotalCalls())
	us := setup(t, quickbooksbox.Options{})
	doc := invoice("1", "2", "77", map[string]any{"Amount": usd("100"), "TaxCodeRef": "5"})
	require.Contains(t, requireFault(t, us.apply(t, doc).Err, fault.Rejected, "").Hint, "TAX or NON")
}

func TestQuickBooksOutsideTheUSWithoutTax(t *testing.T) {
	t.Parallel()
	b := british(t, func(s *quickbooks.Settings) { s.Tax = quickbooks.Tax{Calculation: "NotApplicable"} })
	customer, item := b.sale(t)
	r := b.must(t, invoice(customer, item, "77", map[string]any{"Amount": money("100", "GBP")}))
	require.Equal(t, "100.00 GBP", r.Seen.Money("total").String())
	require.Equal(t, "NotApplicable", b.box.Invoices()[0]["GlobalTaxCalculation"])
}

func TestCheckTellsTheWrongCountry(t *testing.T) {
	t.Parallel()
	b := british(t, func(s *quickbooks.Settings) { s.Tax = quickbooks.Tax{USAutomated: true} })
	f := requireFault(t, b.Target.Check(t.Context()), fault.Rejected, "")
	require.Equal(t, "tax.us_automated", f.Field)
	us := setup(t, quickbooksbox.Options{}, func(s *quickbooks.Settings) { s.Tax = quickbooks.Tax{DefaultTaxCode: "5"} })
	requireFault(t, us.Target.Check(t.Context()), fault.Rejected, "")
}

func TestSecondCurrencyOfACustomer(t *testing.T) {
	t.Parallel()
	b := british(t)
	customer, item := b.sale(t)
	doc := invoice(customer, item, "77", map[string]any{"Amount": money("10", "EUR")})
	f := requireFault(t, b.apply(t, doc).Err, fault.Rejected, "6000")
	require.Equal(t, "CurrencyRef", f.Field)
	require.Contains(t, f.Hint, "deals in GBP and this is in EUR")
	require.Contains(t, f.Hint, "second customer")
	pay := document("Payment", key(events.EntityPayment, "5"), map[string]any{"CustomerRef": customer, "TotalAmt": money("10", "EUR")})
	require.Equal(t, "CurrencyRef", requireFault(t, b.apply(t, pay).Err, fault.Rejected, "6000").Field)
}

func TestExchangeRate(t *testing.T) {
	t.Parallel()
	b := british(t)
	_, item := b.sale(t)
	who := document("Customer", key(events.EntityCompany, "12"), map[string]any{"DisplayName": "Müller", "CurrencyRef": "EUR"})
	customer := b.must(t, who).ID
	doc := invoice(customer, item, "77", map[string]any{"Amount": money("10", "EUR")})
	doc.Fields["ExchangeRate"] = json.Number("0.8412")
	b.must(t, doc)
	inv := b.box.Invoices()[0]
	require.Equal(t, "0.8412", text(inv["ExchangeRate"]))
	require.Equal(t, "EUR", inv["CurrencyRef"].(map[string]any)["value"])
	doc.Fields["ExchangeRate"] = json.Number("0")
	require.Equal(t, "ExchangeRate", requireFault(t, b.apply(t, doc).Err, fault.Malformed, "").Field)
}

func TestCharactersOfUSCompanies(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	_, item := b.sale(t)
	for name, ok := range map[string]bool{"Müller & Söhne – “Größe” €": true, "株式会社": false, "Party 🎉": false} {
		doc := document("Customer", key(events.EntityCompany, "50"), map[string]any{"DisplayName": name})
		doc.IdempotencyKey = name[:6]
		if ok {
			b.must(t, doc)
			continue
		}
		f := requireFault(t, b.apply(t, doc).Err, fault.Rejected, "")
		require.NotEmpty(t, f.Field)
		require.Contains(t, f.Hint, "all_characters")
		require.NotContains(t, f.Error(), name)
	}
	doc := invoice(b.box.Customers()[0]["Id"].(string), item, "77", map[string]any{"Amount": usd("1"), "Description": "椅子"})
	require.Equal(t, "Line[0].Description", requireFault(t, b.apply(t, doc).Err, fault.Rejected, "").Field)

	free := setup(t, quickbooksbox.Options{}, func(s *quickbooks.Settings) { s.AllCharacters = true })
	free.must(t, document("Customer", key(events.EntityCompany, "50"), map[string]any{"DisplayName": "株式会社"}))
}
