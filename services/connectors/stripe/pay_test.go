package stripe_test

import (
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/stripe"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

// objects is what the sandbox shows.
func (b *bundle) objects(t testing.TB) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/_sandbox/objects", nil)
	require.NoError(t, err)
	resp, err := b.wire.real.RoundTrip(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var all map[string]any
	require.NoError(t, json.Unmarshal(body, &all))
	return all
}

// The customer pays in two parts: each is a payment of its own, and the
// invoice is paid with the second.
func TestPaymentComesIn(t *testing.T) {
	t.Parallel()
	b := startSold(t)
	r := b.mustApply(t, invoiceDoc(b.customerID, b.productID))
	require.NoError(t, b.box.Pay(r.ID, 10000))
	require.NoError(t, b.box.Pay(r.ID, 0))
	require.Error(t, b.box.Pay(r.ID, 1))

	paid := b.heard(t, "payment")
	require.Len(t, paid, 2)
	sum := events.Decimal{}
	for _, id := range paid {
		require.True(t, strings.HasPrefix(id, "pi_"))
		changes := b.read(t, "payment", id)
		require.Len(t, changes, 2) // and the invoice that it pays
		c := changes[0]
		require.Equal(t, events.EntityPayment, c.Entity)
		require.Equal(t, "succeeded", c.Fields.Text("status"))
		require.Equal(t, "card", c.Fields.Text("method"))
		require.Equal(t, id, c.Fields.Text("reference"))
		require.Equal(t, time.Now().UTC().Format(time.DateOnly), c.Fields.Text("receivedOn"))
		deal := events.Key{Entity: events.EntityDeal, ID: "77"}
		invoice := events.Link{Record: deal, Connection: "stripe", Object: "invoice", ID: r.ID}
		require.Equal(t, invoice, linkIn(t, c.Fields, "invoice"))
		require.Equal(t, events.Link{Connection: "stripe", Object: "customer", ID: b.customerID}, linkIn(t, c.Fields, "company"))
		m := c.Fields.Money("amount")
		require.Equal(t, []events.Applied{{Invoice: invoice, Amount: m}}, appliedIn(t, c.Fields))
		var err error
		sum, err = sum.Add(m.Amount)
		require.NoError(t, err)
		require.Equal(t, r.ID, changes[1].ID)
		require.Equal(t, deal, changes[1].Record)
		require.Equal(t, "paid", changes[1].Fields.Text("status"))
		require.Equal(t, "0.00 EUR", changes[1].Fields.Money("amountDue").String())
	}
	require.Equal(t, "242.47", sum.String())
}

// heard returns the ids of an object type that the webhooks have named so far.
func (b *bundle) heard(t testing.TB, object string) []string {
	t.Helper()
	var ids []string
	for _, e := range b.events(t) {
		c, err := e.Change()
		require.NoError(t, err)
		if c.Object == object && !slices.Contains(ids, c.ID) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

func (b *bundle) read(t testing.TB, object, id string) []events.Change {
	t.Helper()
	changes, err := b.Reader.Read(t.Context(), object, []string{id})
	require.NoError(t, err)
	require.NotEmpty(t, changes)
	for _, c := range changes {
		require.True(t, c.Snapshot)
		for name := range c.Fields {
			require.Contains(t, c.Entity.Fields(), name)
		}
	}
	return changes
}

func linkIn(t testing.TB, f events.Fields, name string) (l events.Link) {
	t.Helper()
	if !events.IsNull(f[name]) {
		require.NoError(t, json.Unmarshal(f[name], &l))
	}
	return l
}

func appliedIn(t testing.TB, f events.Fields) (a []events.Applied) {
	t.Helper()
	require.NoError(t, json.Unmarshal(f["applied"], &a))
	return a
}

// A payment that covers several invoices is one payment with a part for each,
// whichever of its parts is told first, and by whichever kind of event.
func TestOnePaymentOverSeveralInvoices(t *testing.T) {
	t.Parallel()
	b := startSold(t)
	one := b.mustApply(t, invoiceDoc(b.customerID, b.productID))
	second := invoiceDoc(b.customerID, b.productID)
	second.Record.ID, second.Key = "78", "spoke-deal-78"
	two := b.mustApply(t, second)
	intent, err := b.box.PayTogether(map[string]int64{one.ID: 10000, two.ID: 0})
	require.NoError(t, err)
	require.Equal(t, []string{intent}, b.heard(t, "payment"), "three events tell of one payment")
	names := append([]string{intent}, append(b.box.Payments(one.ID), b.box.Payments(two.ID)...)...)
	require.Len(t, names, 3)
	for _, id := range names { // thin events name the parts
		c := b.read(t, "payment", id)[0]
		require.Equal(t, intent, c.ID)
		require.Equal(t, "342.47 EUR", c.Fields.Money("amount").String())
		require.True(t, linkIn(t, c.Fields, "invoice").IsZero(), "it is not one invoice")
		sum := events.Money{Currency: "EUR"}
		deals := map[string]string{}
		for _, a := range appliedIn(t, c.Fields) {
			deals[a.Invoice.Record.ID] = a.Amount.String()
			sum, err = sum.Add(a.Amount)
			require.NoError(t, err)
		}
		require.Equal(t, map[string]string{"77": "100.00 EUR", "78": "242.47 EUR"}, deals)
		require.True(t, sum.Equal(c.Fields.Money("amount")), "no cent twice, none lost")
	}
	require.Equal(t, events.OpDeleted, mustRead(t, b.bundle, "payment", "pi_none")[0].Op)
	require.Empty(t, mustRead(t, b.bundle, "payment", "inpay_none"))
}

func mustRead(t testing.TB, b *bundle, object, id string) []events.Change {
	t.Helper()
	changes, err := b.Reader.Read(t.Context(), object, []string{id})
	require.NoError(t, err)
	return changes
}

// A refund succeeds and then fails: what is read last is what counts.
func TestRefundThatFailsLater(t *testing.T) {
	t.Parallel()
	b := startSold(t)
	r := b.mustApply(t, invoiceDoc(b.customerID, b.productID))
	require.NoError(t, b.box.Pay(r.ID, 0))
	intent := b.heard(t, "payment")[0]
	key := events.Key{Entity: events.EntityRefund, ID: "quickbooks-9"}
	doc := document("refund", key, map[string]any{"payment": intent, "amount": money("20", "EUR"), "reason": "requested_by_customer"})
	made := b.mustApply(t, doc)
	require.Equal(t, "succeeded", made.Seen.Text("status"))
	c := b.read(t, "refund", made.ID)[0]
	require.Equal(t, key, c.Record)
	require.Equal(t, "20.00 EUR", c.Fields.Money("amount").String())
	require.Equal(t, intent, linkIn(t, c.Fields, "payment").ID)
	require.Equal(t, "77", linkIn(t, c.Fields, "invoice").Record.ID)
	require.Equal(t, b.customerID, linkIn(t, c.Fields, "company").ID)
	require.NoError(t, b.box.RefundFails(made.ID))
	require.Equal(t, []string{made.ID}, b.heard(t, "refund"))
	require.Equal(t, "failed", b.read(t, "refund", made.ID)[0].Fields.Text("status"))
	require.Equal(t, events.EffectUnchanged, b.mustApply(t, doc).Effect, "it is not made again behind anybody's back")
	require.Equal(t, 1, b.box.Counts().Total("refund created"))
}

func TestDisputes(t *testing.T) {
	t.Parallel()
	b := startSold(t)
	r := b.mustApply(t, invoiceDoc(b.customerID, b.productID))
	require.NoError(t, b.box.Pay(r.ID, 0))
	intent := b.heard(t, "payment")[0]
	state := func(id string) (string, bool) {
		f := b.read(t, "dispute", id)[0].Fields
		require.Equal(t, intent, linkIn(t, f, "payment").ID)
		require.Equal(t, "77", linkIn(t, f, "invoice").Record.ID)
		return f.Text("status"), string(f["fundsTaken"]) == "true"
	}
	expect := func(id, status string, taken bool) {
		t.Helper()
		gotStatus, gotTaken := state(id)
		require.Equal(t, status, gotStatus)
		require.Equal(t, taken, gotTaken)
	}
	inquiry, err := b.box.Dispute(intent, 5000, true)
	require.NoError(t, err)
	expect(inquiry, "inquiry", false)
	require.NoError(t, b.box.CloseDispute(inquiry, "warning_closed"))
	expect(inquiry, "closed", false)
	d, err := b.box.Dispute(intent, 0, false)
	require.NoError(t, err)
	expect(d, "open", true)
	require.NoError(t, b.box.CloseDispute(d, "won"))
	expect(d, "won", false)
	require.Equal(t, []string{inquiry, d}, b.heard(t, "dispute"))
	lost, err := b.box.Dispute(intent, 0, false)
	require.NoError(t, err)
	require.NoError(t, b.box.CloseDispute(lost, "lost"))
	expect(lost, "lost", true)
	require.NoError(t, b.box.CloseDispute(lost, "a_status_to_come"))
	expect(lost, "a_status_to_come", true)
}

func compiled(t testing.TB) *mapping.Set {
	t.Helper()
	k := stripe.Kind()
	names, err := fs.Glob(k.Flows, "flows/*.yaml")
	require.NoError(t, err)
	var files []mapping.File
	for _, name := range names {
		text, err := fs.ReadFile(k.Flows, name)
		require.NoError(t, err)
		files = append(files, mapping.File{Name: name, Text: text, Connections: []string{"stripe"}})
	}
	set, err := mapping.Compile(files, []mapping.Target{{Name: "stripe", Kind: k}})
	require.NoError(t, err)
	return set
}

// The default mappings make of a won deal what Stripe accepts.
func TestDefaultFlows(t *testing.T) {
	t.Parallel()
	b := startSold(t)
	set := compiled(t)
	text := func(v any) events.Field {
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		return events.Field{Value: raw, Source: "hubspot"}
	}
	deal := &events.Record{Tenant: "acme", Key: events.Key{Entity: events.EntityDeal, ID: "77"}, Fields: map[string]events.Field{
		"name": text("Big deal"), "won": text(true), "amount": text(events.Money{Amount: events.MustDecimal("27.5"), Currency: "EUR"}),
		"company": text(events.Link{Record: events.Key{Entity: events.EntityCompany, ID: "12"}}),
		"lines": text([]events.Line{{
			Name: "Widget", Product: events.Link{Record: events.Key{Entity: events.EntityProduct, ID: "5"}},
			Quantity: events.MustDecimal("3"), Price: events.Money{Amount: events.MustDecimal("10"), Currency: "EUR"},
			Amount: events.Money{Amount: events.MustDecimal("27.5"), Currency: "EUR"},
		}}),
	}}
	flow, ok := set.Find("stripe-invoice")
	require.True(t, ok)
	applies, err := flow.Applies(deal)
	require.NoError(t, err)
	require.True(t, applies)
	fields, err := flow.Fields(deal)
	require.NoError(t, err)
	want := events.Desired{Fields: fields}
	ids := map[string]string{"customer": b.customerID, "product": b.productID}
	doc := document("invoice", deal.Key, want.Resolve(func(r events.Ref) string { return ids[r.Object] }))
	b.mustApply(t, doc)
	require.EqualValues(t, 2750, b.box.Invoices()[0].Total)

	company := &events.Record{Tenant: "acme", Key: events.Key{Entity: events.EntityCompany, ID: "13"}, Fields: map[string]events.Field{
		"name": text("Other Ltd"), "country": text("United Kingdom"), "email": text("pay@other.example"),
	}}
	product := &events.Record{Tenant: "acme", Key: events.Key{Entity: events.EntityProduct, ID: "6"}, Fields: map[string]events.Field{
		"name": text("Gadget"), "sku": text("G-1"), "price": text(events.Money{Amount: events.MustDecimal("3"), Currency: "USD"}),
	}}
	for name, record := range map[string]*events.Record{"stripe-customer": company, "stripe-product": product} {
		flow, ok := set.Find(name)
		require.True(t, ok)
		applies, err := flow.Applies(record)
		require.NoError(t, err)
		require.True(t, applies)
		fields, err := flow.Fields(record)
		require.NoError(t, err)
		b.mustApply(t, document(flow.Object.Name, record.Key, fields))
	}
	nameless := &events.Record{Key: events.Key{Entity: events.EntityCompany, ID: "14"}, Fields: map[string]events.Field{}}
	flow, _ = set.Find("stripe-customer")
	applies, err = flow.Applies(nameless)
	require.NoError(t, err)
	require.False(t, applies)
}
