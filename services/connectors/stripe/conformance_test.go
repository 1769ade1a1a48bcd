package stripe_test

import (
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

// fixture seeds the sandbox with a paid invoice of another record, whose
// webhooks are the deliveries and whose objects are read.
func fixture(t testing.TB) connectortest.Fixture {
	b := start(t)
	seed := func(doc connector.Document) connector.Document {
		doc.Key += "-seed"
		doc.Record.ID += "-seed"
		return doc
	}
	customer := b.mustApply(t, seed(customerDoc())).ID
	product := b.mustApply(t, seed(productDoc())).ID
	invoice := b.mustApply(t, seed(invoiceDoc(customer, product))).ID
	require.NoError(t, b.box.Pay(invoice, 0))
	payment := ""
	for _, e := range b.events(t) {
		if c, err := e.Change(); err == nil && c.Object == "invoice_payment" {
			payment = c.ID
		}
	}
	require.NotEmpty(t, payment)
	company := events.Key{Entity: events.EntityCompany, ID: "12"}
	item := events.Key{Entity: events.EntityProduct, ID: "5"}
	changed := func(doc connector.Document, name string, value any) map[string]any {
		fields := map[string]any{name: value}
		for k, v := range doc.Fields {
			if k != name {
				fields[k] = v
			}
		}
		return fields
	}
	bill := invoiceDoc("", "")
	bill.Fields = invoiceFields(events.Ref{Object: "customer", Record: company}, events.Ref{Object: "product", Record: item})
	reset := func(doc connector.Document) connector.Document {
		doc.Tenant, doc.Connection, doc.Hash, doc.IdempotencyKey, doc.First = "", "", "", "", time.Time{}
		return doc
	}
	return connectortest.Fixture{
		Settings: b.settings, Sandbox: b.box.Server, Deliveries: b.relevant(t),
		Signature: "Stripe-Signature", MaxAge: stripe.Tolerance,
		Docs: []connectortest.Doc{
			{
				Document: reset(customerDoc()), Created: "customer created", CreateOp: "create customer",
				Change: changed(customerDoc(), "name", "Acme Limited"),
			},
			{
				Document: reset(productDoc()), Created: "product created", CreateOp: "create product",
				Change: changed(productDoc(), "description", "A better widget"),
			},
			{Document: reset(bill), Created: "invoice created", CreateOp: "create invoice"},
		},
		Reads: []connectortest.Read{
			{Object: "customer", ID: customer, Missing: "cus_missing"},
			{Object: "product", ID: product, Missing: "prod_missing"},
			{Object: "invoice", ID: invoice, Missing: "in_missing"},
			{Object: "invoice_payment", ID: payment, Missing: "inpay_missing"},
		},
	}
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
