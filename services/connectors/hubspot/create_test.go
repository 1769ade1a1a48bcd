package hubspot_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/hubspot"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

// TestFlowsThatCreate: flows may make products, and invoices with associations
// and lines, of records that began elsewhere.
func TestFlowsThatCreate(t *testing.T) {
	t.Parallel()
	s := hubspot.DefaultSettings()
	withMachines(nil, s, nil)
	targets := []mapping.Target{{Name: "hubspot", Kind: hubspot.Kind().For(s)}}
	for _, text := range []string{
		`flow: products
from: product
to: hubspot
object: product
create: true
fields:
  name: product.name
  hs_sku: product.sku
  price: product.price.amount
`,
		`flow: invoices
from: invoice
to: hubspot
object: invoice
create: true
fields:
  hs_currency: invoice.total.currency
  hs_invoice_billable: "false"
  hs_due_date: invoice.dueOn
  hs_invoice_status: invoice.status
  associated_company: ref(invoice.company)
  associated_contact: ref(invoice.contact)
  line_items:
    each: invoice.lines
    as: line
    fields:
      name: line.name
      quantity: line.quantity
      price: line.price.amount
      hs_product_id: ref(line.product)
`,
		`flow: machines
from: x_machine
to: hubspot
object: machine
create: true
fields:
  machine_name: x_machine.name
  associated_company: ref(x_machine.company)
`,
	} {
		set, err := mapping.Compile([]mapping.File{{Name: "f.yaml", Text: []byte(text)}}, targets)
		require.NoError(t, err)
		require.False(t, set.All()[0].Existing)
	}
	_, err := mapping.Compile([]mapping.File{{Name: "f.yaml", Text: []byte("flow: f\nfrom: payment\nto: hubspot\nobject: commerce_payment\ncreate: true\nfields:\n  hs_initial_amount: \"1\"\n")}}, targets)
	require.ErrorContains(t, err, "no object")
}
