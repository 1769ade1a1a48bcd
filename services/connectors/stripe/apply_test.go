package stripe_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// sold is a bundle with a customer and a product.
type sold struct {
	*bundle
	customerID, productID string
}

func startSold(t testing.TB) sold {
	b := start(t)
	return sold{b, b.customer(t), b.mustApply(t, productDoc()).ID}
}

// bill is the invoice of one line over the amount.
func (s sold) bill(amount, currency string) connector.Document {
	return document("invoice", events.Key{Entity: events.EntityDeal, ID: "77"}, map[string]any{
		"customer": s.customerID,
		"lines":    []any{map[string]any{"product": s.productID, "description": "Widget", "price": money(amount, currency)}},
	})
}

func TestInvoiceResult(t *testing.T) {
	t.Parallel()
	b := startSold(t)
	r := b.mustApply(t, invoiceDoc(b.customerID, b.productID))
	require.Equal(t, events.EffectCreated, r.Effect)
	require.Equal(t, b.box.Invoices()[0].Number, r.Number)
	require.Equal(t, b.url+"/invoices/"+r.ID, r.URL)
	require.Equal(t, "open", r.Seen.Text("status"))
	require.Equal(t, r.URL, r.Seen.Text("url"))
	require.Equal(t, "242.47 EUR", r.Seen.Money("total").String())
	require.Equal(t, "242.47 EUR", r.Seen.Money("amountDue").String())
	require.Equal(t, "0.00 EUR", r.Seen.Money("amountPaid").String())
	require.NotEmpty(t, r.Seen.Text("dueOn"))
	again := b.mustApply(t, invoiceDoc(b.customerID, b.productID))
	require.Equal(t, events.EffectUnchanged, again.Effect)
	require.Equal(t, r.ID, again.ID)
}

func TestInvoiceLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		line     map[string]any
		total    int64
		quantity string
		text     string
		refused  string // the field at fault
	}{
		{name: "plain", line: map[string]any{"price": money("10", "EUR"), "quantity": json.Number("3")}, total: 3000, quantity: "3"},
		{name: "one is the default", line: map[string]any{"price": money("10", "EUR")}, total: 1000, quantity: "1"},
		{name: "fraction", line: map[string]any{"price": money("10", "EUR"), "quantity": json.Number("0.333")}, total: 333, quantity: "0.333"},
		{name: "rounds half up", line: map[string]any{"price": money("0.0125", "EUR"), "quantity": json.Number("2")}, total: 3, quantity: "2"},
		{name: "amount agrees", line: map[string]any{
			"price": money("3.333", "EUR"), "quantity": json.Number("3"), "amount": money("9.999", "EUR"),
		}, total: 1000, quantity: "3"},
		{name: "discount", line: map[string]any{
			"description": "Widget", "price": money("10", "EUR"), "quantity": json.Number("3"), "amount": money("27.50", "EUR"),
		}, total: 2750, quantity: "1", text: "Widget × 3"},
		{name: "yen", line: map[string]any{"price": money("500", "JPY"), "quantity": json.Number("2")}, total: 1000, quantity: "2"},
		{name: "krona", line: map[string]any{"price": money("1500", "ISK"), "quantity": json.Number("2")}, total: 300000, quantity: "2"},
		{name: "half a krona", line: map[string]any{"price": money("1500", "ISK"), "quantity": json.Number("0.5"), "amount": money("750.5", "ISK")}, refused: "lines[0].price"},
		{name: "dinar", line: map[string]any{"price": money("1.25", "KWD")}, total: 1250, quantity: "1"},
		{name: "fine dinar", line: map[string]any{"price": money("1.255", "KWD")}, refused: "lines[0].price"},
		{name: "two dinars that fit", line: map[string]any{"price": money("1.255", "KWD"), "quantity": json.Number("2")}, total: 2510, quantity: "2"},
		{name: "shilling", line: map[string]any{"price": money("1000", "UGX")}, refused: "lines[0].price"},
		{name: "no price", line: map[string]any{"quantity": json.Number("1")}, refused: "lines[0].price"},
		{name: "no number", line: map[string]any{"price": money("1", "EUR"), "quantity": "many"}, refused: "lines[0].quantity"},
		{name: "negative quantity", line: map[string]any{"price": money("1", "EUR"), "quantity": json.Number("-1")}, refused: "lines[0].quantity"},
		{name: "less than nothing", line: map[string]any{"price": money("-1", "EUR")}, refused: "lines"},
		{name: "amount in another currency", line: map[string]any{"price": money("1", "EUR"), "amount": money("1", "USD")}, refused: "lines[0].amount"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := startSold(t)
			c.line["product"] = b.productID
			doc := document("invoice", events.Key{Entity: events.EntityDeal, ID: "77"}, map[string]any{
				"customer": b.customerID, "lines": []any{c.line},
			})
			r := b.apply(t, doc)
			if c.refused != "" {
				require.True(t, fault.Is(r.Err, fault.Rejected), "%v", r.Err)
				require.Equal(t, c.refused, fault.As(r.Err).Field)
				require.Empty(t, b.box.Invoices())
				return
			}
			require.NoError(t, r.Err)
			got := b.box.Invoices()[0]
			require.Equal(t, c.total, got.Total)
			require.Equal(t, c.quantity, got.Lines[0].Quantity)
			require.Equal(t, c.text, got.Lines[0].Description)
			require.Equal(t, b.productID, got.Lines[0].Product)
			// What was issued is what the document asks for.
			require.Equal(t, events.EffectUnchanged, b.mustApply(t, doc).Effect)
		})
	}
}

func TestInvoiceDocumentsThatAreRefused(t *testing.T) {
	t.Parallel()
	b := startSold(t)
	line := map[string]any{"price": money("1", "EUR")}
	for field, fields := range map[string]map[string]any{
		"customer":       {"lines": []any{line}},
		"lines":          {"customer": b.customerID},
		"due_date":       {"customer": b.customerID, "lines": []any{line}, "due_date": "tomorrow"},
		"days_until_due": {"customer": b.customerID, "lines": []any{line}, "days_until_due": json.Number("-3")},
		"lines[1].price": {"customer": b.customerID, "lines": []any{line, map[string]any{"price": money("1", "USD")}}},
		"lines[0].price": {"customer": b.customerID, "lines": []any{line}, "currency": "USD"},
	} {
		r := b.apply(t, document("invoice", events.Key{Entity: events.EntityDeal, ID: "77"}, fields))
		require.True(t, fault.Is(r.Err, fault.Rejected), "%s: %v", field, r.Err)
		require.Equal(t, field, fault.As(r.Err).Field)
	}
	require.Empty(t, b.box.Invoices())
}

func TestIssuedInvoiceIsNeverChanged(t *testing.T) {
	t.Parallel()
	b := startSold(t)
	first := b.mustApply(t, b.bill("100", "EUR"))
	changed := b.bill("90", "EUR")
	changed.ExternalID = first.ID
	r := b.apply(t, changed)
	require.True(t, fault.Is(r.Err, fault.Rejected), "%v", r.Err)
	require.Equal(t, "lines", fault.As(r.Err).Field)
	require.Contains(t, fault.As(r.Err).Hint, "void")
	require.EqualValues(t, 10000, b.box.Invoices()[0].Total)

	// Other words are no other demand.
	reworded := b.bill("100", "EUR")
	reworded.Fields["description"] = "Another memo"
	require.Equal(t, events.EffectUnchanged, b.mustApply(t, reworded).Effect)

	// Another day to pay by is.
	later := b.bill("100", "EUR")
	later.Fields["due_date"] = "2099-01-01"
	r = b.apply(t, later)
	require.True(t, fault.Is(r.Err, fault.Rejected), "%v", r.Err)
	require.Equal(t, "due_date", fault.As(r.Err).Field)

	require.NoError(t, b.box.Pay(first.ID, 0))
	r = b.apply(t, changed)
	require.True(t, fault.Is(r.Err, fault.Rejected))
	require.Contains(t, fault.As(r.Err).Hint, "credit note")
	require.Equal(t, "paid", b.mustApply(t, b.bill("100", "EUR")).Seen.Text("status"))
	require.Len(t, b.box.Invoices(), 1)
}

// A person voids the invoice, and the corrected deal gets its new one. The
// same demand is not sent again behind that person's back.
func TestVoidAndReissue(t *testing.T) {
	t.Parallel()
	b := startSold(t)
	first := b.mustApply(t, b.bill("100", "EUR"))
	b.voidByHand(t, first.ID)
	same := b.bill("100", "EUR")
	same.ExternalID = first.ID
	r := b.mustApply(t, same)
	require.Equal(t, events.EffectUnchanged, r.Effect)
	require.Equal(t, "void", r.Seen.Text("status"))
	require.Len(t, b.box.Invoices(), 1)

	changed := b.bill("90", "EUR")
	changed.ExternalID = first.ID
	second := b.mustApply(t, changed)
	require.NotEqual(t, first.ID, second.ID)
	require.Equal(t, "open", second.Seen.Text("status"))
	// Even if this outcome is lost, a repetition finds the second one.
	require.Equal(t, second.ID, b.mustApply(t, changed).ID)
	require.Len(t, b.box.Invoices(), 2)
	found, ok, err := b.Target.Find(t.Context(), changed)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, second.ID, found.ID)
}

// Spoke voids the invoice of a deal that is lost, and issues a new one when
// the deal is won again, though nothing about it has changed.
func TestVoidedBySpokeIsIssuedAgain(t *testing.T) {
	t.Parallel()
	b := startSold(t)
	doc := b.bill("100", "EUR")
	first := b.mustApply(t, doc)
	void := doc
	void.Op, void.ExternalID = events.DesiredVoid, first.ID
	require.Equal(t, events.EffectVoided, b.mustApply(t, void).Effect)
	require.Equal(t, events.EffectUnchanged, b.mustApply(t, void).Effect)
	_, found, err := b.Target.Find(t.Context(), doc)
	require.NoError(t, err)
	require.False(t, found)
	ids := map[string]bool{first.ID: true}
	for range 3 {
		again := doc
		again.ExternalID = first.ID
		r := b.mustApply(t, again)
		require.Equal(t, "open", r.Seen.Text("status"))
		ids[r.ID] = true
		void.ExternalID = r.ID
		require.Equal(t, events.EffectVoided, b.mustApply(t, void).Effect)
	}
	require.Len(t, ids, 4)
	require.Len(t, b.box.Invoices(), 4)
}

func TestVoidAndDeleteOfInvoices(t *testing.T) {
	t.Parallel()
	b := startSold(t)
	doc := b.bill("100", "EUR")
	void, del := doc, doc
	void.Op, del.Op = events.DesiredVoid, events.DesiredDelete
	require.Equal(t, events.EffectUnchanged, b.apply(t, void).Effect) // there is none

	b.wire.failAt(2, failures()[1]) // leaves a draft
	require.Error(t, b.apply(t, doc).Err)
	b.wire.set(nil)
	require.Equal(t, events.EffectVoided, b.mustApply(t, void).Effect)
	require.Empty(t, b.box.Invoices())
	// The idempotency key still answers with the draft that is gone.
	r := b.mustApply(t, doc)
	require.True(t, fault.Is(b.apply(t, del).Err, fault.Rejected))
	require.NoError(t, b.box.Pay(r.ID, 0))
	refused := b.apply(t, void)
	require.True(t, fault.Is(refused.Err, fault.Rejected))
	require.Contains(t, fault.As(refused.Err).Hint, "credit note")
	require.Len(t, b.box.Invoices(), 1)
}

func TestManyInvoicesAreAllLookedThrough(t *testing.T) {
	t.Parallel()
	b := startSold(t)
	first := b.mustApply(t, b.bill("100", "EUR"))
	for range 120 {
		b.post(t, "/v1/invoices", "customer="+b.customerID+"&collection_method=send_invoice&days_until_due=3&currency=eur")
	}
	require.Equal(t, first.ID, b.mustApply(t, b.bill("100", "EUR")).ID)
	require.Equal(t, 1, b.box.Counts().Effects["invoice created"]["spoke-deal-77"])
}

func TestCustomerUpsert(t *testing.T) {
	t.Parallel()
	b := start(t)
	r := b.mustApply(t, customerDoc())
	require.Equal(t, events.EffectCreated, r.Effect)
	require.Equal(t, "DE", r.Seen.Text("country"))
	same := customerDoc()
	same.ExternalID = r.ID
	require.Equal(t, events.EffectUnchanged, b.mustApply(t, same).Effect)
	cleared := customerDoc()
	cleared.ExternalID = r.ID
	cleared.Fields["phone"], cleared.Fields["metadata.segment"] = nil, "gold"
	require.Equal(t, events.EffectUpdated, b.mustApply(t, cleared).Effect)
	require.Equal(t, events.EffectUnchanged, b.mustApply(t, cleared).Effect)
	changes, err := b.Reader.Read(t.Context(), "customer", []string{r.ID})
	require.NoError(t, err)
	require.True(t, events.IsNull(changes[0].Fields["phone"]))
	require.Equal(t, "Acme Inc", changes[0].Fields.Text("name"))

	lost := customerDoc()
	lost.Fields["address"] = map[string]any{"country": "Atlantis"}
	refused := b.apply(t, lost)
	require.True(t, fault.Is(refused.Err, fault.Rejected))
	require.Equal(t, "address.country", fault.As(refused.Err).Field)
}

// Stripe's own refusals name the field and the request, and hide the value.
func TestRefusalsOfStripe(t *testing.T) {
	t.Parallel()
	b := start(t)
	doc := customerDoc()
	doc.Fields["email"] = "someone at example"
	r := b.apply(t, doc)
	require.True(t, fault.Is(r.Err, fault.Rejected))
	f := fault.As(r.Err)
	require.Equal(t, "email", f.Field)
	require.Equal(t, "email_invalid", f.Code)
	require.Contains(t, f.Hint, "req_")
	doc.Fields["email"], doc.Fields["phone"] = "x@example.com", "+49 30 12345678901234567890"
	r = b.apply(t, doc)
	require.Equal(t, "phone", fault.As(r.Err).Field)

	bill := document("invoice", events.Key{Entity: events.EntityDeal, ID: "1"}, invoiceFields("cus_gone", "prod_gone"))
	r = b.apply(t, bill)
	require.True(t, fault.Is(r.Err, fault.Rejected))
	require.Equal(t, "customer", fault.As(r.Err).Field)
	require.Equal(t, "resource_missing", fault.As(r.Err).Code)
}
