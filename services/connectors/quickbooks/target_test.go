package quickbooks_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

func acme(id, email string) connector.Document {
	fields := map[string]any{"DisplayName": "Acme"}
	if email != "" {
		fields["PrimaryEmailAddr"] = email
	}
	return document("Customer", key(events.EntityCompany, id), fields)
}

func TestNameTaken(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		there map[string]any // the customer that has the name
		email string
		taken []string // names of vendors
		name  string   // that the record's customer ends with
		adopt bool
	}{
		"same mail":        {there: map[string]any{"PrimaryEmailAddr": map[string]any{"Address": "Billing@acme.example"}, "Notes": "by hand"}, email: "billing@acme.example", name: "Acme", adopt: true},
		"other mail":       {there: map[string]any{"PrimaryEmailAddr": map[string]any{"Address": "other@acme.example"}}, email: "billing@acme.example", name: "Acme (11)"},
		"no mail":          {there: map[string]any{}, name: "Acme (11)"},
		"another record's": {there: map[string]any{"PrimaryEmailAddr": map[string]any{"Address": "billing@acme.example"}, "Notes": "spoke-company-12"}, email: "billing@acme.example", name: "Acme (11)"},
		"key in the notes": {there: map[string]any{"Notes": "hello\nspoke-company-11"}, email: "billing@acme.example", name: "Acme", adopt: true},
		"a vendor's":       {taken: []string{"ACME"}, email: "billing@acme.example", name: "Acme (11)"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, quickbooksbox.Options{TakenNames: c.taken})
			there := ""
			if c.there != nil {
				c.there["DisplayName"] = "Acme"
				var err error
				there, err = b.box.Add("Customer", c.there)
				require.NoError(t, err)
			}
			doc := acme("11", c.email)
			r := b.must(t, doc)
			require.Equal(t, c.adopt, r.ID == there)

			doc.ExternalID = r.ID
			again := b.must(t, doc)
			require.Equal(t, events.EffectUnchanged, again.Effect, "the name stays")
			found, ok, err := b.Target.Find(t.Context(), doc)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, r.ID, found.ID)
			for _, o := range b.box.Customers() {
				if o["Id"] == r.ID {
					require.Equal(t, c.name, o["DisplayName"])
					require.Contains(t, o["Notes"], "spoke-company-11")
				}
			}
			if c.adopt {
				require.Zero(t, b.box.Counts().Total("Customer created"))
				if note, ok := c.there["Notes"].(string); ok {
					require.Contains(t, b.box.Customers()[0]["Notes"], note)
				}
			}
		})
	}
}

func TestRenamedNameTakenToo(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{TakenNames: []string{"Acme", "Acme (11)"}})
	f := requireFault(t, b.apply(t, acme("11", "")).Err, fault.Rejected, "6240")
	require.Equal(t, "DisplayName", f.Field)
	require.NotEmpty(t, f.Hint)
}

func TestUpdateToTakenName(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{TakenNames: []string{"Acme"}})
	doc := document("Customer", key(events.EntityCompany, "11"), map[string]any{"DisplayName": "Bolt"})
	doc.ExternalID = b.must(t, doc).ID
	doc.Fields = map[string]any{"DisplayName": "Acme"}
	require.Equal(t, events.EffectUpdated, b.must(t, doc).Effect)
	require.Equal(t, "Acme (11)", b.box.Customers()[0]["DisplayName"])
}

func TestItemsAreTakenOver(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	income := map[string]any{"value": "79"}
	bySKU, err := b.box.Add("Item", map[string]any{"Name": "Old Widget", "Sku": "W-1", "Type": "NonInventory", "IncomeAccountRef": income})
	require.NoError(t, err)
	byName, err := b.box.Add("Item", map[string]any{"Name": "Support", "Type": "Service", "IncomeAccountRef": income})
	require.NoError(t, err)

	r := b.must(t, document("Item", key(events.EntityProduct, "1"), map[string]any{"Name": "Widget", "Sku": "W-1"}))
	require.Equal(t, bySKU, r.ID)
	require.Equal(t, "NonInventory", b.box.Items()[0]["Type"], "what is booked on it keeps its type")
	r = b.must(t, document("Item", key(events.EntityProduct, "2"), map[string]any{"Name": "Support", "Sku": "S-1"}))
	require.Equal(t, byName, r.ID)
	require.Equal(t, "S-1", b.box.Items()[1]["Sku"])
	// The name is taken by an item with another SKU.
	r = b.must(t, document("Item", key(events.EntityProduct, "3"), map[string]any{"Name": "Support", "Sku": "S-2"}))
	require.NotEqual(t, byName, r.ID)
	require.Equal(t, "Support (3)", b.box.Items()[2]["Name"])
	require.Equal(t, 1, b.box.Counts().Total("Item created"))
}

func TestItemNeedsAnAccount(t *testing.T) {
	t.Parallel()
	doc := document("Item", key(events.EntityProduct, "1"), map[string]any{"Name": "Widget"})
	for account, hint := range map[string]string{"": "set income_account", "No Such Account": "id of an account"} {
		b := setup(t, quickbooksbox.Options{}, func(s *quickbooks.Settings) { s.IncomeAccount = account })
		require.Contains(t, requireFault(t, b.apply(t, doc).Err, fault.Rejected, "").Hint, hint)
	}
	b := setup(t, quickbooksbox.Options{}, func(s *quickbooks.Settings) { s.IncomeAccount = "999" })
	requireFault(t, b.apply(t, doc).Err, fault.Rejected, "2500")
}

func TestNumberTaken(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, item := b.sale(t)
	line := map[string]any{"Amount": usd("10")}
	doc := invoice(customer, item, "77", line)
	first := b.must(t, doc)

	// The same record under a key that the vendor has not seen: its own.
	again := doc
	again.IdempotencyKey = "another-key"
	r := b.must(t, again)
	require.Equal(t, first.ID, r.ID)
	require.Equal(t, events.EffectUnchanged, r.Effect)

	// Another record with the same number.
	other := invoice(customer, item, "7", line)
	other.Fields["DocNumber"] = "HS-77"
	f := requireFault(t, b.apply(t, other).Err, fault.Rejected, "6140")
	require.Equal(t, "DocNumber", f.Field)
	require.NotEmpty(t, f.Hint)
	require.Equal(t, 1, b.box.Counts().Total("Invoice created"))

	// Where the company repeats numbers by design.
	b.settings.TakenNumbers = "allow"
	b.Connector = open(t, b.settings, b.store)
	made := b.must(t, other)
	require.Equal(t, events.EffectCreated, made.Effect)
	require.Equal(t, made.ID, b.must(t, other).ID)
	require.Equal(t, "HS-77", made.Number)
	require.Equal(t, 2, b.box.Counts().Total("Invoice created"))
}

func TestInventoryItem(t *testing.T) {
	t.Parallel()
	doc := document("Item", key(events.EntityProduct, "1"), map[string]any{"Name": "Chair", "Type": "Inventory"})
	b := setup(t, quickbooksbox.Options{})
	f := requireFault(t, b.apply(t, doc).Err, fault.Rejected, "")
	require.Equal(t, "AssetAccountRef", f.Field)
	require.Contains(t, f.Hint, "asset_account")
	b.settings.AssetAccount, b.settings.ExpenseAccount = quickbooksbox.AssetAccount, quickbooksbox.ExpenseAccount
	b.Connector = open(t, b.settings, b.store)
	b.must(t, doc)
	require.Equal(t, json.Number("0"), b.box.Items()[0]["QtyOnHand"])
}

func TestOldDocumentsAreLookedUpFirst(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{AutoNumbers: true})
	customer, item := b.sale(t)
	inv := invoice(customer, item, "77", map[string]any{"Amount": usd("10")})
	delete(inv.Fields, "DocNumber") // the company numbers by itself
	made := b.must(t, inv)
	require.Equal(t, "1001", made.Number)
	paid := document("Payment", key(events.EntityPayment, "5"), map[string]any{"CustomerRef": customer, "TotalAmt": usd("4"), "InvoiceRef": made.ID})
	pay := b.must(t, paid)

	for doc, id := range map[*connector.Document]string{&inv: made.ID, &paid: pay.ID} {
		late := *doc
		late.IdempotencyKey, late.First = "forgotten", time.Now().Add(-21*time.Hour)
		require.Equal(t, id, b.must(t, late).ID)
		late.IdempotencyKey, late.First, late.Reapply = "forgotten-2", time.Now(), true
		require.Equal(t, id, b.must(t, late).ID)
	}
	counts := b.box.Counts()
	require.Equal(t, 1, counts.Total("Invoice created"))
	require.Equal(t, 1, counts.Total("Payment created"))
}

func TestStaleVersion(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, item := b.sale(t)
	doc := invoice(customer, item, "77", map[string]any{"Amount": usd("10")})
	doc.ExternalID = b.must(t, doc).ID

	// Somebody edits it: the version from the last answer is stale.
	require.NoError(t, b.box.Edit("Invoice", doc.ExternalID, map[string]any{"BillEmail": map[string]any{"Address": "a@b.example"}}))
	doc.Fields["TxnDate"] = "2026-11-22"
	require.Equal(t, events.EffectUpdated, b.must(t, doc).Effect)
	require.Equal(t, "2026-11-22", b.box.Invoices()[0]["TxnDate"])
	require.NotNil(t, b.box.Invoices()[0]["BillEmail"], "what others wrote stays")
}

func TestEditBetweenReadAndWrite(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	doc := acme("11", "a@acme.example")
	doc.ExternalID = b.must(t, doc).ID

	transport := &http.Transport{DisableKeepAlives: true}
	edits := 2 // once more than one Apply reads anew
	client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/customer") && edits > 0 {
			edits--
			if err := b.box.Edit("Customer", doc.ExternalID, map[string]any{"Notes": "call first"}); err != nil {
				return nil, err
			}
		}
		return transport.RoundTrip(r)
	})}
	var err error
	b.Connector, err = quickbooks.Open(b.settings, connector.Deps{Connection: "qbo", HTTP: client, Now: time.Now, Tokens: b.store})
	require.NoError(t, err)

	doc.Fields = map[string]any{"DisplayName": "Acme", "PrimaryEmailAddr": "b@acme.example"}
	requireFault(t, b.apply(t, doc).Err, fault.Conflict, "5010")
	doc.Reapply = true
	require.Equal(t, events.EffectUpdated, b.must(t, doc).Effect)
	require.Equal(t, "call first\nspoke-company-11", b.box.Customers()[0]["Notes"])
}

func TestUpdateIsReadWhenNothingIsToDo(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	doc := acme("11", "a@acme.example")
	doc.ExternalID = b.must(t, doc).ID
	require.NoError(t, b.box.Edit("Customer", doc.ExternalID, map[string]any{"PrimaryEmailAddr": map[string]any{"Address": "x@acme.example"}}))
	// What we remember holds the document, what QuickBooks holds does not.
	require.Equal(t, events.EffectUpdated, b.must(t, doc).Effect)
	require.Equal(t, events.EffectUnchanged, b.must(t, doc).Effect)
}

func TestGoneObject(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	doc := acme("11", "")
	doc.ExternalID = "4711"
	f := requireFault(t, b.apply(t, doc).Err, fault.Rejected, "610")
	require.NotEmpty(t, f.Hint)
	require.Zero(t, b.box.Counts().Total("Customer created"))
}

func TestClosedPeriodAndDeposit(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{BookCloseDate: "2026-10-31"})
	customer, item := b.sale(t)
	doc := invoice(customer, item, "77", map[string]any{"Amount": usd("10")})
	doc.Fields["TxnDate"] = "2026-10-31"
	f := requireFault(t, b.apply(t, doc).Err, fault.Rejected, "6210")
	require.Contains(t, f.Hint, "books are closed")
	require.Equal(t, "TxnDate", f.Field)

	pay := document("Payment", key(events.EntityPayment, "5"), map[string]any{"CustomerRef": customer, "TotalAmt": usd("4"), "TxnDate": "2026-11-20"})
	pay.ExternalID = b.must(t, pay).ID
	require.NoError(t, b.box.Deposit(pay.ExternalID))
	pay.Op = events.DesiredDelete
	requireFault(t, b.apply(t, pay).Err, fault.Rejected, "6540")
}

// Whoever opens the books or turns a currency on tries again at once, and is not
// to wait until what was read of the company is forgotten. Nor is each refusal
// worth a metered read.
func TestARefusalOfACompanyThatWas(t *testing.T) {
	t.Parallel()
	now := time.Now()
	box, settings := startBox(t, quickbooksbox.Options{BookCloseDate: "2026-10-31", AccessLife: 24 * time.Hour})
	b := &bundle{box: box, settings: settings}
	var err error
	b.Connector, err = quickbooks.Open(settings, connector.Deps{Connection: "qbo", HTTP: plainHTTP(), Now: func() time.Time { return now }})
	require.NoError(t, err)
	customer, item := b.sale(t)
	closed := invoice(customer, item, "77", map[string]any{"Amount": usd("10")})
	closed.Fields["TxnDate"] = "2026-10-31"
	abroad := document("Customer", key(events.EntityCompany, "12"), map[string]any{"DisplayName": "Müller", "CurrencyRef": "EUR"})
	queries := func() int { return box.Counts().Calls["query"] }
	requireFault(t, b.apply(t, closed).Err, fault.Rejected, "6210")
	before := queries()
	for range 3 {
		requireFault(t, b.apply(t, closed).Err, fault.Rejected, "6210")
		requireFault(t, b.apply(t, abroad).Err, fault.Rejected, "6000")
	}
	require.Equal(t, before, queries(), "what was just read is not read again")

	box.CloseBooks("")
	box.AddCurrency("EUR")
	now = now.Add(6 * time.Second)
	b.must(t, closed)
	b.must(t, abroad)
}

func TestVoidAndDelete(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, item := b.sale(t)
	inv := invoice(customer, item, "77", map[string]any{"Amount": usd("10")})
	inv.ExternalID = b.must(t, inv).ID
	pay := document("Payment", key(events.EntityPayment, "5"), map[string]any{"CustomerRef": customer, "TotalAmt": usd("4"), "InvoiceRef": inv.ExternalID})
	pay.ExternalID = b.must(t, pay).ID

	inv.Op = events.DesiredVoid
	f := requireFault(t, b.apply(t, inv).Err, fault.Rejected, "")
	require.Contains(t, f.Hint, "take the payments off")

	pay.Op = events.DesiredVoid
	r := b.must(t, pay)
	require.Equal(t, events.EffectVoided, r.Effect)
	require.Equal(t, "canceled", r.Seen.Text("status"))
	r = b.must(t, inv)
	require.Equal(t, events.EffectVoided, r.Effect)
	require.Equal(t, "void", r.Seen.Text("status"))
	require.Equal(t, events.EffectUnchanged, b.must(t, inv).Effect)

	inv.Op = events.DesiredUpsert
	requireFault(t, b.apply(t, inv).Err, fault.Rejected, "")
	inv.Op = events.DesiredDelete
	require.Equal(t, events.EffectDeleted, b.must(t, inv).Effect)
	require.Equal(t, events.EffectUnchanged, b.must(t, inv).Effect)
	require.Empty(t, b.box.Invoices())

	who := acme("11", "")
	who.ExternalID, who.Op = customer, events.DesiredVoid
	requireFault(t, b.apply(t, who).Err, fault.Rejected, "")
	who.Op = events.DesiredDelete
	require.Equal(t, events.EffectDeleted, b.must(t, who).Effect)
	require.Equal(t, false, b.box.Customers()[0]["Active"])
	who.ExternalID = ""
	require.NoError(t, b.apply(t, who).Err, "what is not there needs no deleting")
}

func TestMalformedDocuments(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	line := func(fields map[string]any) map[string]any {
		return map[string]any{"CustomerRef": "1", "Line": []any{fields}}
	}
	cases := map[string]struct {
		object string
		fields map[string]any
		field  string
	}{
		"no name":           {"Customer", map[string]any{}, "DisplayName"},
		"name a number":     {"Customer", map[string]any{"DisplayName": json.Number("1")}, "DisplayName"},
		"flag a text":       {"Customer", map[string]any{"DisplayName": "A", "Active": "yes"}, "Active"},
		"no item name":      {"Item", map[string]any{"Sku": "x"}, "Name"},
		"price no number":   {"Item", map[string]any{"Name": "A", "UnitPrice": usd("x")}, "UnitPrice"},
		"no customer":       {"Invoice", map[string]any{"Line": []any{map[string]any{"Amount": usd("1")}}}, "CustomerRef"},
		"no lines":          {"Invoice", map[string]any{"CustomerRef": "1"}, "Line"},
		"line a text":       {"Invoice", map[string]any{"CustomerRef": "1", "Line": []any{"x"}}, "Line[0]"},
		"no amount":         {"Invoice", line(map[string]any{"Qty": json.Number("1")}), "Line[0].Amount"},
		"two currencies":    {"Invoice", line(map[string]any{"UnitPrice": usd("1"), "Amount": map[string]any{"amount": "1", "currency": "EUR"}}), "Line[0].Amount"},
		"no currency":       {"Invoice", line(map[string]any{"Amount": map[string]any{"amount": "1", "currency": "dollars"}}), "Line[0].Amount"},
		"no day":            {"Invoice", map[string]any{"CustomerRef": "1", "TxnDate": "20/11/2026", "Line": []any{map[string]any{"Amount": usd("1")}}}, "TxnDate"},
		"long number":       {"Invoice", map[string]any{"CustomerRef": "1", "DocNumber": "HS-1234567890123456789", "Line": []any{map[string]any{"Amount": usd("1")}}}, "DocNumber"},
		"no total":          {"Payment", map[string]any{"CustomerRef": "1"}, "TotalAmt"},
		"nothing paid":      {"Payment", map[string]any{"CustomerRef": "1", "TotalAmt": usd("0")}, "TotalAmt"},
		"fractions of cent": {"Payment", map[string]any{"CustomerRef": "1", "TotalAmt": usd("1.005")}, "TotalAmt"},
		"lines above total": {"Payment", map[string]any{"CustomerRef": "1", "TotalAmt": usd("1"), "Line": []any{map[string]any{"InvoiceRef": "2", "Amount": usd("1.01")}}}, "Line"},
		"both ways to pay":  {"Payment", map[string]any{"CustomerRef": "1", "TotalAmt": usd("1"), "InvoiceRef": "2", "Line": []any{map[string]any{"InvoiceRef": "3", "Amount": usd("1")}}}, "InvoiceRef"},
		"unknown item type": {"Item", map[string]any{"Name": "A", "Type": "Bundle"}, "Type"},
		"unknown state":     {"Estimate", map[string]any{"CustomerRef": "1", "TxnStatus": "Won", "Line": []any{map[string]any{"Amount": usd("1")}}}, "TxnStatus"},
		"no rate":           {"Invoice", map[string]any{"CustomerRef": "1", "ExchangeRate": json.Number("0"), "Line": []any{map[string]any{"Amount": usd("1")}}}, "ExchangeRate"},
		"credit of nothing": {"CreditMemo", map[string]any{"CustomerRef": "1", "Apply": []any{map[string]any{"InvoiceRef": "2"}}, "Line": []any{map[string]any{"Amount": usd("1")}}}, "Apply[0].Amount"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := requireFault(t, b.apply(t, document(c.object, key(events.EntityDeal, "1"), c.fields)).Err, fault.Malformed, "")
			require.Equal(t, c.field, f.Field)
		})
	}
	require.Zero(t, b.box.Counts().TotalCalls())
}
