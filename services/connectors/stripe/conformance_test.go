package stripe_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/stripe"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/connectortest"
	"github.com/spoke-sync/spoke/services/internal/spec"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Case{Kind: stripe.Kind(), Start: fixture, Spec: spec.Stripe})
}

// world is what a fixture has seeded: objects of other records.
type world struct {
	*bundle
	customer, product, price, invoice, intent string
}

func newWorld(t testing.TB) world {
	w := world{bundle: start(t)}
	seed := func(doc connector.Document) connector.Document {
		doc.Key += "-seed"
		doc.Record.ID += "-seed"
		return doc
	}
	w.customer = w.mustApply(t, seed(customerDoc())).ID
	w.product = w.mustApply(t, seed(productDoc())).ID
	w.price = w.post(t, "/v1/prices", "currency=eur&unit_amount=900&recurring[interval]=month&product="+w.product)
	w.invoice = w.mustApply(t, seed(invoiceDoc(w.customer, w.product))).ID
	w.intent = w.paid(t)
	return w
}

// open issues another invoice by hand and returns its id.
func (w world) open(t testing.TB) string {
	t.Helper()
	id := w.post(t, "/v1/invoices", "collection_method=send_invoice&days_until_due=30&currency=eur&customer="+w.customer)
	w.post(t, "/v1/invoiceitems", "amount=1250&currency=eur&customer="+w.customer+"&invoice="+id)
	w.post(t, "/v1/invoices/"+id+"/finalize", "")
	return id
}

// paid pays another invoice and returns the PaymentIntent's id.
func (w world) paid(t testing.TB) string {
	t.Helper()
	intent, err := w.box.PayTogether(map[string]int64{w.open(t): 0})
	require.NoError(t, err)
	return intent
}

// fixture seeds objects of other records, whose webhooks are the deliveries and
// which are read.
func fixture(t testing.TB) connectortest.Fixture {
	w := newWorld(t)
	require.NoError(t, w.box.Pay(w.invoice, 0))
	reads := w.reads(t)
	w.events(t) // waits for the webhooks
	return connectortest.Fixture{
		Settings: w.settings, Sandbox: w.box.Server, Deliveries: w.relevant(t),
		Signature: "Stripe-Signature", MaxAge: stripe.Tolerance, Docs: w.docs(), Reads: reads, Scans: w.scans(),
		Touch: w.touch, Heard: w.fresh(),
	}
}

// touch changes an object's metadata by hand. Of a quote's change Stripe does
// not tell.
func (w world) touch(t testing.TB, object, id string) bool {
	path := map[string]string{
		"customer": "customers", "product": "products", "price": "prices", "invoice": "invoices", "subscription": "subscriptions",
		"payment_link": "payment_links", "refund": "refunds", "credit_note": "credit_notes",
	}[object]
	if path == "" {
		return false
	}
	w.post(t, "/v1/"+path+"/"+id, "metadata[person]=was+here")
	return true
}

// fresh returns the deliveries that came since it was last called.
func (w world) fresh() func(testing.TB) []connector.Delivery {
	seen := 0
	return func(t testing.TB) []connector.Delivery {
		w.events(t) // waits for the webhooks
		all := w.hooks.deliveries()
		more := all[seen:]
		seen = len(all)
		return more
	}
}

func (w world) reads(t testing.TB) []connectortest.Read {
	var reads []connectortest.Read
	for object, make := range w.makers() {
		reads = append(reads, connectortest.Read{Object: object, ID: make(t), Missing: missingIDs[object]})
	}
	return reads
}

var missingIDs = map[string]string{
	"customer": "cus_missing", "product": "prod_missing", "invoice": "in_missing", "payment": "pi_missing", "refund": "re_missing",
	"dispute": "du_missing", "credit_note": "cn_missing", "subscription": "sub_missing", "quote": "qt_missing",
	"payment_link": "plink_missing",
}

// makers make one more object of each type by hand.
func (w world) makers() map[string]func(testing.TB) string {
	line := "line_items[0][quantity]=2&line_items[0][price_data][currency]=eur&line_items[0][price_data][unit_amount]=500" +
		"&line_items[0][price_data][product]=" + w.product
	n := 0
	return map[string]func(testing.TB) string{
		"customer": func(t testing.TB) string { return w.post(t, "/v1/customers", "name=Someone") },
		"product":  func(t testing.TB) string { return w.post(t, "/v1/products", "name=Something") },
		"invoice":  w.open,
		"payment":  w.paid,
		"subscription": func(t testing.TB) string {
			return w.post(t, "/v1/subscriptions", "collection_method=send_invoice&days_until_due=30&items[0][price]="+w.price+"&customer="+w.customer)
		},
		"quote":        func(t testing.TB) string { return w.post(t, "/v1/quotes", line+"&customer="+w.customer) },
		"payment_link": func(t testing.TB) string { return w.post(t, "/v1/payment_links", line) },
		"refund":       func(t testing.TB) string { return w.post(t, "/v1/refunds", "amount=1&payment_intent="+w.paid(t)) },
		"credit_note":  func(t testing.TB) string { return w.post(t, "/v1/credit_notes", "amount=1&invoice="+w.open(t)) },
		"dispute": func(t testing.TB) string {
			n++
			id, err := w.box.Dispute(w.paid(t), 100, n%2 == 0)
			require.NoError(t, err)
			return id
		},
	}
}

func (w world) docs() []connectortest.Doc {
	company := events.Key{Entity: events.EntityCompany, ID: "12"}
	item := events.Key{Entity: events.EntityProduct, ID: "5"}
	deal := events.Key{Entity: events.EntityDeal, ID: "77"}
	customer, product := events.Ref{Object: "customer", Record: company}, events.Ref{Object: "product", Record: item}
	price := events.Ref{Object: "price", Record: item}
	bill := events.Ref{Object: "invoice", Record: deal}
	offer := []any{map[string]any{"product": product, "quantity": json.Number("2"), "price": money("9.99", "EUR")}}
	var docs []connectortest.Doc
	add := func(object string, record events.Key, created, op string, fields, change map[string]any) {
		doc := document(object, record, fields)
		doc.Tenant, doc.Connection, doc.Hash, doc.IdempotencyKey, doc.First = "", "", "", "", time.Time{}
		d := connectortest.Doc{Document: doc, Created: created, CreateOp: op}
		if change != nil {
			d.Change = map[string]any{}
			for name, v := range fields {
				d.Change[name] = v
			}
			for name, v := range change {
				d.Change[name] = v
			}
		}
		docs = append(docs, d)
	}
	note := map[string]any{"metadata.note": "seen"}
	add("customer", company, "customer created", "create customer", customerDoc().Fields, map[string]any{"name": "Acme Limited"})
	add("product", item, "product created", "create product", productDoc().Fields, map[string]any{"description": "A better widget"})
	add("price", item, "price created", "create price",
		map[string]any{"product": product, "amount": money("49", "EUR"), "interval": "month", "nickname": "Monthly"},
		map[string]any{"nickname": "Each month"})
	add("invoice", deal, "invoice created", "create invoice", invoiceFields(customer, product), nil)
	add("invoice", events.Key{Entity: events.EntityDeal, ID: "78"}, "invoice created", "create invoice", invoiceFields(customer, product), nil)
	add("subscription", events.Key{Entity: events.EntitySubscription, ID: "shop-1"}, "subscription created", "create subscription",
		map[string]any{"customer": customer, "items": []any{map[string]any{"price": price, "quantity": json.Number("2")}}},
		map[string]any{"items": []any{map[string]any{"price": price, "quantity": json.Number("3")}}})
	add("quote", events.Key{Entity: events.EntityQuote, ID: "31"}, "quote created", "create quote",
		map[string]any{"customer": customer, "description": "An offer", "lines": offer}, note)
	add("payment_link", deal, "payment_link created", "create payment_link", map[string]any{"lines": offer}, note)
	add("payment", events.Key{Entity: events.EntityPayment, ID: "quickbooks-4"}, "payment attached", "attach payment",
		map[string]any{"invoice": bill, "amount": money("100", "EUR"), "received_on": "2026-11-20", "method": "Bank transfer", "reference": "QB-4"}, nil)
	add("refund", events.Key{Entity: events.EntityRefund, ID: "shop-2"}, "refund created", "create refund",
		map[string]any{"payment": w.intent, "amount": money("5", "EUR"), "reason": "duplicate"}, note)
	docs[len(docs)-1].Endable = func(t testing.TB, id string) { // one that has gone through is final
		require.NoError(t, w.box.RefundTurns(id, "requires_action"))
	}
	add("credit_note", events.Key{Entity: events.EntityCreditNote, ID: "shop-3"}, "credit_note created", "create credit_note",
		map[string]any{"invoice": bill, "amount": money("10", "EUR"), "reason": "order_change"}, map[string]any{"memo": "Sorry"})
	return docs
}

func (w world) scans() []connectortest.Scan {
	const page = 100
	var scans []connectortest.Scan
	for object, make := range w.makers() {
		scans = append(scans, connectortest.Scan{Feed: object, Page: page, Seed: func(t testing.TB, n int) []events.External {
			var made []events.External
			for range n {
				made = append(made, events.External{Object: object, ID: make(t)})
			}
			return made
		}})
	}
	return append(scans, connectortest.Scan{
		Feed: "events", Page: page,
		Seed: func(t testing.TB, n int) []events.External {
			var made []events.External
			for i := range n {
				made = append(made, events.External{Object: "customer", ID: w.post(t, "/v1/customers", fmt.Sprint("name=N", i))})
			}
			return made
		},
		Change: func(t testing.TB, x events.External) { w.post(t, "/v1/customers/"+x.ID, "name=Changed") },
		Delete: func(t testing.TB, x events.External) { w.byHand(t, http.MethodDelete, "/v1/customers/"+x.ID, "") },
	})
}

// relevant returns the deliveries that hold what Spoke uses.
func (b *bundle) relevant(t testing.TB) []connector.Delivery {
	var out []connector.Delivery
	for _, d := range b.hooks.deliveries() {
		got, err := b.Webhooks.Decode(d)
		require.NoError(t, err)
		if len(got) > 0 {
			out = append(out, d)
		}
	}
	return out
}
