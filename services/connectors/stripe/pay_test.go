package stripe_test

import (
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
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

	payments := map[string]events.Change{}
	latest := map[string]events.Change{}
	for _, e := range b.events(t) {
		c, err := e.Change()
		require.NoError(t, err)
		if c.Object == "invoice_payment" {
			require.True(t, c.Signal)
			payments[c.ID] = c
		}
		if !c.At.Before(latest[c.Object+c.ID].At) {
			latest[c.Object+c.ID] = c
		}
	}
	require.Len(t, payments, 2)
	invoice := latest["invoice"+r.ID]
	require.Equal(t, "paid", invoice.Fields.Text("status"))
	require.Equal(t, "0.00 EUR", invoice.Fields.Money("amountDue").String())
	require.Equal(t, events.Key{Entity: events.EntityDeal, ID: "77"}, invoice.Record)

	sum := events.Decimal{}
	for id := range payments {
		changes, err := b.Reader.Read(t.Context(), "invoice_payment", []string{id})
		require.NoError(t, err)
		require.Len(t, changes, 2) // and the invoice that it pays
		c := changes[0]
		require.Equal(t, events.EntityPayment, c.Entity)
		require.Equal(t, "succeeded", c.Fields.Text("status"))
		require.Equal(t, "card", c.Fields.Text("method"))
		require.True(t, strings.HasPrefix(c.Fields.Text("reference"), "pi_"))
		require.Equal(t, time.Now().UTC().Format(time.DateOnly), c.Fields.Text("receivedOn"))
		var link events.Link
		require.NoError(t, json.Unmarshal(c.Fields["invoice"], &link))
		require.Equal(t, events.Link{
			Record: events.Key{Entity: events.EntityDeal, ID: "77"}, Connection: "stripe", Object: "invoice", ID: r.ID,
		}, link)
		link = events.Link{}
		require.NoError(t, json.Unmarshal(c.Fields["company"], &link))
		require.Equal(t, events.Link{Connection: "stripe", Object: "customer", ID: b.customerID}, link)
		m := c.Fields.Money("amount")
		sum, err = sum.Add(m.Amount)
		require.NoError(t, err)
		require.Equal(t, r.ID, changes[1].ID)
		require.Equal(t, "paid", changes[1].Fields.Text("status"))
	}
	require.Equal(t, "242.47", sum.String())
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
