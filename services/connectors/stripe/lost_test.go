package stripe_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/connectortest"
)

// upTo applies the documents of a world before one of an object type, and
// returns that one as the sink runtime gives it.
func (w world) upTo(t testing.TB, object string) (connectortest.Doc, connector.Document) {
	t.Helper()
	ids := map[events.Ref]string{}
	for _, d := range w.docs() {
		fields := d.Resolve(func(r events.Ref) string { return ids[r] })
		doc := document(d.Object, d.Record, fields)
		doc.First = w.clock.now()
		if d.Object == object {
			return d, doc
		}
		ids[events.Ref{Object: d.Object, Record: d.Record}] = w.mustApply(t, doc).ID
	}
	t.Fatalf("no document is of the type %s", object)
	return connectortest.Doc{}, connector.Document{}
}

// TestEachObjectSurvivesALostCall makes each call of each write fail in each
// way. Another process tries again at once, or when Stripe has forgotten every
// idempotency key; there is one object in the end.
func TestEachObjectSurvivesALostCall(t *testing.T) {
	t.Parallel()
	for _, object := range []string{"price", "subscription", "quote", "payment_link", "payment", "refund", "credit_note"} {
		probe := newWorld(t)
		_, doc := probe.upTo(t, object)
		before := len(probe.wire.calls())
		probe.mustApply(t, doc)
		n := len(probe.wire.calls()) - before
		require.Positive(t, n)
		for _, way := range failures() {
			for _, later := range []time.Duration{0, 26 * time.Hour} {
				t.Run(fmt.Sprintf("%s, %s, %s later", object, way.name, later), func(t *testing.T) {
					t.Parallel()
					for at := range n {
						w := newWorld(t)
						d, doc := w.upTo(t, object)
						had := w.box.Counts()
						w.wire.failAt(at, way)
						require.Error(t, w.apply(t, doc).Err)
						w.wire.set(nil)
						w.clock.advance(later)
						r := w.mustApply(t, doc)
						got := w.box.Counts()
						require.Equal(t, 1, got.Total(d.Created)-had.Total(d.Created), "call %d", at)
						require.Equal(t, r.ID, w.mustApply(t, doc).ID)
						found, ok, err := w.Target.Find(t.Context(), doc)
						require.NoError(t, err)
						require.True(t, ok)
						require.Equal(t, r.ID, found.ID)
					}
				})
			}
		}
	}
}

// TestChangedPriceMakesAnother makes a new price for another amount, archives the
// old one, and leaves the product's list price alone.
func TestChangedPriceMakesAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, doc := w.upTo(t, "price")
	first := w.mustApply(t, doc)
	at := func(amount, interval string) connector.Document {
		d := document("price", doc.Record, map[string]any{
			"product": doc.Fields["product"], "amount": money(amount, "EUR"), "interval": interval,
		})
		d.ExternalID = first.ID
		return d
	}
	prices := func() map[string]any {
		return w.objects(t)["price"].(map[string]any)
	}
	active := func(id string) bool {
		p, _ := prices()[id].(map[string]any)
		on, _ := p["active"].(bool)
		return on
	}
	second := w.mustApply(t, at("59", "month"))
	require.Equal(t, events.EffectUpdated, second.Effect)
	require.NotEqual(t, first.ID, second.ID)
	require.False(t, active(first.ID))
	require.True(t, active(second.ID))
	require.Equal(t, events.EffectUnchanged, w.mustApply(t, at("59", "month")).Effect)
	yearly := w.mustApply(t, at("59", "year"))
	require.False(t, active(second.ID))
	back := w.mustApply(t, at("59", "month"))
	require.NotContains(t, []string{first.ID, second.ID}, back.ID, "an archived price is not sold again")
	require.False(t, active(yearly.ID))
	require.Equal(t, "9.99 EUR", w.bundle.price(t, doc.Fields["product"].(string)))
}

// TestSubscriptionBills makes an invoice at once and with every period, which
// comes in as one that began at Stripe.
func TestSubscriptionBills(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, doc := w.upTo(t, "subscription")
	r := w.mustApply(t, doc)
	require.Equal(t, "98.00 EUR", r.Seen.Money("amount").String())
	require.Equal(t, "month", r.Seen.Text("interval"))
	id, err := w.box.Renew(r.ID)
	require.NoError(t, err)
	require.Contains(t, w.heard(t, "invoice"), id)
	inv := w.read(t, "invoice", id)[0]
	require.True(t, inv.Record.IsZero())
	require.Equal(t, "98.00 EUR", inv.Fields.Money("total").String())
	require.Contains(t, string(inv.Fields["lines"]), `"quantity":"2"`)
	c := w.read(t, "subscription", r.ID)[0]
	require.Equal(t, doc.Record, c.Record)
	require.Equal(t, "active", c.Fields.Text("status"))

	void := doc
	void.Op, void.ExternalID, void.Fields = events.DesiredVoid, r.ID, nil
	require.Equal(t, events.EffectVoided, w.mustApply(t, void).Effect)
	require.Equal(t, events.EffectUnchanged, w.mustApply(t, void).Effect)
	require.Equal(t, "canceled", w.read(t, "subscription", r.ID)[0].Fields.Text("status"))
	// Won again: what was canceled does not run again, another one does.
	again := w.mustApply(t, doc)
	require.NotEqual(t, r.ID, again.ID)
	require.Equal(t, 2, w.box.Counts().Total("subscription created"))
}

// TestQuoteIsAccepted sends a quote, refuses to change what was sent, and accepts
// it, which makes an invoice.
func TestQuoteIsAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, doc := w.upTo(t, "quote")
	r := w.mustApply(t, doc)
	require.Equal(t, "open", r.Seen.Text("status"))
	require.NotEmpty(t, r.Number)
	changed := func(name string, v any) connector.Document {
		fields := map[string]any{}
		for k, old := range doc.Fields {
			fields[k] = old
		}
		fields[name] = v
		d := document("quote", doc.Record, fields)
		d.ExternalID = r.ID
		return d
	}
	other := []any{map[string]any{"product": w.product, "price": money("1", "EUR")}}
	requireField(t, w.apply(t, changed("lines", other)).Err, "lines")
	requireField(t, w.apply(t, changed("status", "draft")).Err, "status")
	invoices := len(w.box.Invoices())
	accepted := w.mustApply(t, changed("status", "accepted"))
	require.Equal(t, "accepted", accepted.Seen.Text("status"))
	require.Len(t, w.box.Invoices(), invoices+1)
	require.Equal(t, events.EffectUnchanged, w.mustApply(t, changed("status", "accepted")).Effect)
	require.Len(t, w.box.Invoices(), invoices+1)
}

// TestPaymentLinkIsPaid ties the payment to the record that the link was made
// for, and closes the link with its only use.
func TestPaymentLinkIsPaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, doc := w.upTo(t, "payment_link")
	r := w.mustApply(t, doc)
	require.NotEmpty(t, r.URL)
	intent, err := w.box.PayLink(r.ID)
	require.NoError(t, err)
	require.Contains(t, w.heard(t, "payment"), intent)
	require.Contains(t, w.heard(t, "payment_link"), r.ID)
	c := w.read(t, "payment", intent)[0]
	require.Equal(t, "19.98 EUR", c.Fields.Money("amount").String())
	require.Equal(t, doc.Record, linkIn(t, c.Fields, "invoice").Record)
	require.Equal(t, "void", w.read(t, "payment_link", r.ID)[0].Fields.Text("status"))
	_, err = w.box.PayLink(r.ID)
	require.Error(t, err)
}

// TestPaymentsReceivedElsewhere settles one invoice whole and another in parts.
// Nobody is charged, and what comes back is the same payment.
func TestPaymentsReceivedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pay := func(id, invoice, amount string) connector.Document {
		return document("payment", events.Key{Entity: events.EntityPayment, ID: id},
			map[string]any{"invoice": invoice, "amount": money(amount, "EUR"), "method": "Bank transfer"})
	}
	intents := w.box.Counts().Total("payment_intent created")
	whole := w.open(t)
	r := w.mustApply(t, pay("qb-1", whole, "12.50"))
	require.Equal(t, events.EffectCreated, r.Effect)
	require.Equal(t, events.EffectUnchanged, w.mustApply(t, pay("qb-1", whole, "12.50")).Effect)
	require.Equal(t, "paid", w.read(t, "invoice", whole)[0].Fields.Text("status"))
	require.Equal(t, 1, w.box.Counts().Total("invoice settled"))
	require.Zero(t, w.box.Counts().Total("payment_record created"))

	parts := w.open(t)
	first := w.mustApply(t, pay("qb-2", parts, "5"))
	second := w.mustApply(t, pay("qb-3", parts, "7.50"))
	require.NotEqual(t, first.ID, second.ID)
	require.Equal(t, "paid", w.read(t, "invoice", parts)[0].Fields.Text("status"))
	require.Contains(t, w.heard(t, "payment"), first.ID)
	c := w.read(t, "payment", first.ID)[0]
	require.Equal(t, "payment/qb-2", c.Record.String(), "its own word come back, and not a second payment")
	require.Equal(t, "Bank transfer", c.Fields.Text("method"))
	require.Equal(t, "5.00 EUR", appliedIn(t, c.Fields)[0].Amount.String())
	requireField(t, w.apply(t, pay("qb-4", parts, "1")).Err, "invoice")
	requireField(t, w.apply(t, pay("qb-5", w.open(t), "99")).Err, "amount")
	require.Equal(t, intents, w.box.Counts().Total("payment_intent created"), "nobody is charged")
}

// TestCreditNotes lowers what is to be paid, and settles what was paid already.
func TestCreditNotes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	credit := func(id, invoice, amount, settle string) connector.Document {
		return document("credit_note", events.Key{Entity: events.EntityCreditNote, ID: id},
			map[string]any{"invoice": invoice, "amount": money(amount, "EUR"), "settle": settle})
	}
	open := w.open(t)
	r := w.mustApply(t, credit("a", open, "2.50", ""))
	require.Equal(t, "10.00 EUR", w.read(t, "invoice", open)[0].Fields.Money("amountDue").String())
	c := w.read(t, "credit_note", r.ID)[0]
	require.Equal(t, "applied", c.Fields.Text("status"))
	require.Equal(t, "2.50 EUR", appliedIn(t, c.Fields)[0].Amount.String())
	require.Equal(t, events.EffectUnchanged, w.mustApply(t, credit("a", open, "2.50", "")).Effect)
	requireField(t, w.apply(t, func() connector.Document {
		d := credit("a", open, "3", "")
		d.ExternalID = r.ID
		return d
	}()).Err, "amount")
	require.NoError(t, w.box.Pay(open, 0))
	after := w.mustApply(t, credit("b", open, "1", "outside"))
	require.Empty(t, appliedIn(t, w.read(t, "credit_note", after.ID)[0].Fields), "nothing was left to lower")
	requireField(t, w.apply(t, credit("c", open, "1", "somehow")).Err, "settle")

	void := credit("d", w.open(t), "1", "")
	made := w.mustApply(t, void)
	void.Op, void.ExternalID = events.DesiredVoid, made.ID
	require.Equal(t, events.EffectVoided, w.mustApply(t, void).Effect)
	require.Equal(t, "void", w.read(t, "credit_note", made.ID)[0].Fields.Text("status"))
}
