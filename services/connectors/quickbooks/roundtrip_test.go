package quickbooks_test

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

// back is the document that the default flow makes of what QuickBooks said of
// an object of its own.
func (b *bundle) back(t *testing.T, object, flow, id string) connector.Document {
	t.Helper()
	c := b.read(t, object, id)[0]
	r := &events.Record{Key: key(c.Entity, "qbo-"+id), Fields: map[string]events.Field{}}
	for name, v := range c.Fields {
		r.Fields[name] = events.Field{Value: linked(t, v)}
	}
	set, _ := flowsOf(t, quickbooks.Kind())
	f, ok := set.Find(flow)
	require.True(t, ok)
	applies, err := f.Applies(r)
	require.NoError(t, err)
	require.True(t, applies)
	fields, err := f.Fields(r)
	require.NoError(t, err)
	doc := document(object, r.Key, plain(t, fields))
	doc.ExternalID = id
	return doc
}

// to is a reference in the JSON of QuickBooks.
func to(id string) map[string]any { return map[string]any{"value": id} }

// plain resolves references to those records.
func plain(t *testing.T, v map[string]any) map[string]any {
	t.Helper()
	var walk func(any) any
	walk = func(v any) any {
		switch x := v.(type) {
		case map[string]any:
			for name, e := range x {
				x[name] = walk(e)
			}
		case []any:
			for i, e := range x {
				x[i] = walk(e)
			}
		case events.Ref:
			return x.Record.ID
		}
		return v
	}
	out, ok := walk(v).(map[string]any)
	require.True(t, ok)
	return out
}

// An invoice that people made, with all that no flow can write, comes back to
// QuickBooks as it is: nothing is written, not even in closed books.
func TestInvoiceOfQuickBooksComesBackUnchanged(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{SalesTax: "8.25"})
	customer, item := b.sale(t)
	id, err := b.box.Add("Invoice", map[string]any{
		"CustomerRef": to(customer), "DocNumber": "1042", "TxnDate": "2026-10-01", "PrivateNote": "by Jane",
		"Line": []any{
			map[string]any{"Amount": 90, "DetailType": "SalesItemLineDetail", "Description": "Chairs", "SalesItemLineDetail": map[string]any{
				"ItemRef": to(item), "Qty": 3, "UnitPrice": 30, "TaxCodeRef": to("TAX"), "ServiceDate": "2026-09-30",
			}},
			map[string]any{"DetailType": "DescriptionOnly", "Description": "Thank you"},
			map[string]any{"Amount": 10, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": map[string]any{"ItemRef": to(item), "TaxCodeRef": to("NON")}},
			map[string]any{"Amount": 9, "DetailType": "DiscountLineDetail", "DiscountLineDetail": map[string]any{"PercentBased": true, "DiscountPercent": 10}},
		},
	})
	require.NoError(t, err)
	b.box.CloseBooks("2026-10-31")
	doc := b.back(t, "Invoice", "quickbooks-invoice-record", id)
	before := b.box.Invoices()[0]
	require.Equal(t, events.EffectUnchanged, b.must(t, doc).Effect)
	require.Equal(t, before, b.box.Invoices()[0])

	// Changed elsewhere it is changed here: the line, and nothing beside it.
	b.box.CloseBooks("")
	lines, ok := doc.Fields["Line"].([]any)
	require.True(t, ok)
	require.Len(t, lines, 3, "a discount is a line, a text is none")
	lines[0].(map[string]any)["Qty"], lines[0].(map[string]any)["Amount"] = json.Number("4"), usd("120")
	require.Equal(t, events.EffectUpdated, b.must(t, doc).Effect)
	after := b.box.Invoices()[0]
	var kinds []string
	for _, l := range after["Line"].([]any) {
		kinds = append(kinds, l.(map[string]any)["DetailType"].(string))
	}
	require.Equal(t, []string{"SalesItemLineDetail", "SalesItemLineDetail", "DiscountLineDetail", "DescriptionOnly", "SubTotalLineDetail"}, kinds)
	first := after["Line"].([]any)[0].(map[string]any)["SalesItemLineDetail"].(map[string]any)
	require.Equal(t, "2026-09-30", first["ServiceDate"])
	require.Equal(t, "by Jane\nspoke-invoice-qbo-"+id, after["PrivateNote"])
}

// linked names the records of QuickBooks's own objects after their ids.
func linked(t *testing.T, v json.RawMessage) json.RawMessage {
	t.Helper()
	for object, entity := range map[string]string{"Customer": "company", "Item": "product", "Invoice": "invoice"} {
		from := regexp.MustCompile(`\{"connection":"qbo","object":"` + object + `","id":"([0-9]+)"\}`)
		v = from.ReplaceAll(v, []byte(`{"record":"`+entity+`/$1"}`))
	}
	return v
}

// A tax code that QuickBooks told may come back, but not be put on another line.
func TestForeignTaxCodeComesBack(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{Country: "GB", Currency: "GBP", TaxRates: map[string]string{"5": "20", "9": "0"}}, func(s *quickbooks.Settings) {
		s.HomeCurrency, s.Tax = "GBP", quickbooks.Tax{DefaultTaxCode: "5"}
	})
	customer, item := b.sale(t)
	id, err := b.box.Add("Invoice", map[string]any{"CustomerRef": to(customer), "Line": []any{map[string]any{
		"Amount": 90, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": map[string]any{"ItemRef": to(item), "TaxCodeRef": to("9")},
	}}})
	require.NoError(t, err)
	doc := b.back(t, "Invoice", "quickbooks-invoice-record", id)
	require.Equal(t, events.EffectUnchanged, b.must(t, doc).Effect)
	doc.Fields["Line"].([]any)[0].(map[string]any)["TaxCodeRef"] = "7"
	f := requireFault(t, b.apply(t, doc).Err, fault.Rejected, "")
	require.Equal(t, "Line[0].TaxCodeRef", f.Field)
}

func TestClosedBooksAreSeenBeforeTheWrite(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{BookCloseDate: "2026-10-31"})
	customer, item := b.sale(t)
	doc := invoice(customer, item, "77", map[string]any{"Amount": usd("10")})
	for range 3 {
		doc.Fields["TxnDate"] = "2026-10-31"
		f := requireFault(t, b.apply(t, doc).Err, fault.Rejected, "6210")
		require.Equal(t, "TxnDate", f.Field)
		require.Contains(t, f.Hint, "reopen the period")
	}
	require.Zero(t, b.box.Counts().Calls["invoice.write"])
	doc.Fields["TxnDate"] = "2026-11-01"
	doc.ExternalID = b.must(t, doc).ID

	// The books are closed while Spoke believes that they are open.
	b.box.CloseBooks("2026-11-30")
	doc.Fields["DueDate"] = "2026-12-24"
	require.Equal(t, "TxnDate", requireFault(t, b.apply(t, doc).Err, fault.Rejected, "6210").Field)
	require.Equal(t, 2, b.box.Counts().Calls["invoice.write"])
	requireFault(t, b.apply(t, doc).Err, fault.Rejected, "6210")
	require.Equal(t, 2, b.box.Counts().Calls["invoice.write"], "what QuickBooks refused is known from then on")
}

func TestCountries(t *testing.T) {
	t.Parallel()
	for written, name := range map[string]string{
		"Germany": "Germany", "DE": "Germany", "deu": "Germany", "United States": "United States", "USA": "United States", "UK": "United Kingdom",
	} {
		b := setup(t, quickbooksbox.Options{})
		doc := document("Customer", key(events.EntityCompany, "11"), map[string]any{"DisplayName": "Acme", "BillAddrCountry": written})
		r := b.must(t, doc)
		doc.ExternalID = r.ID
		other := open(t, b.settings, b.store)
		again := other.Target.Apply(t.Context(), ready(t, doc))[0]
		require.NoError(t, again.Err)
		if written != "DE" { // which the sandbox writes in its own way
			require.Equal(t, events.EffectUnchanged, again.Effect, written)
			require.Equal(t, name, r.Seen.Text("country"))
		}
	}
}

func TestWebhookOfAnotherCompanyIsCounted(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	box, settings := startBox(t, quickbooksbox.Options{})
	settings.RealmID = "999"
	con, err := quickbooks.Open(settings, connector.Deps{Connection: "qbo", HTTP: plainHTTP(), Count: func(what string, n int) { counts[what] += n }})
	require.NoError(t, err)
	list, err := con.Webhooks.Decode(connector.Delivery{Body: box.Notification("Invoice", "1", "Create", "")})
	require.NoError(t, err)
	require.Empty(t, list)
	require.Equal(t, map[string]int{"webhook of another company": 1}, counts)
	requireFault(t, con.Target.Check(t.Context()), fault.Unauthorized, "3100")
}

// A notice that can't be read does not silence the others of its body.
func TestDecodeTellsWhatItCan(t *testing.T) {
	t.Parallel()
	list, err := listener(t).Decode(connector.Delivery{Body: []byte(`[7,
		{"id":"a","source":"s","type":"qbo.customer.merged.v1","intuitentityid":"1","intuitaccountid":"310687","data":{"deletedid":"2"}},
		{"source":"s","type":"qbo.item.updated.v1","intuitentityid":"3","intuitaccountid":"310687"}]`)})
	require.Equal(t, "[0]", requireFault(t, err, fault.Malformed, "").Field)
	require.Len(t, list, 2)
	merged, err := list[0].Change()
	require.NoError(t, err)
	require.Equal(t, []string{"merged", "2", "1"}, []string{string(merged.Op), merged.ID, merged.Into})
}
