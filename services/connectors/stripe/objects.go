package stripe

import (
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// The object types of this connector, named as in Stripe's API.
const (
	objectCustomer       = "customer"
	objectProduct        = "product"
	objectPrice          = "price" // only as a sign that its product changed
	objectInvoice        = "invoice"
	objectInvoicePayment = "invoice_payment"
)

// Names of Stripe metadata that Spoke writes.
const (
	metaRecord = "spoke_record" // the golden record: deal/77
	metaKey    = "spoke_key"    // Document.Key
	metaLine   = "spoke_line"   // position of an invoice's line, from 0
	metaVoided = "spoke_voided" // set before Spoke voids an invoice
)

// metaPrefix begins a field that sets metadata of the user's choice:
// "metadata.project" sets metadata[project].
const metaPrefix = "metadata."

const (
	reads  = connector.Read | connector.Webhook
	writes = connector.Create | connector.Update | connector.Delete
)

func objects() []connector.Object {
	return []connector.Object{
		{Name: objectCustomer, Entity: events.EntityCompany, Can: reads | writes, Open: isMetadata, Fields: customerFields()},
		{Name: objectProduct, Entity: events.EntityProduct, Can: reads | writes, Open: isMetadata, Fields: productFields()},
		{Name: objectInvoice, Entity: events.EntityInvoice, Can: reads | writes, Open: isMetadata, Fields: invoiceFields()},
		{Name: objectInvoicePayment, Entity: events.EntityPayment, Can: reads},
	}
}

// isMetadata accepts "metadata.<name>" within Stripe's 40 characters, but for
// the names that Spoke itself uses.
func isMetadata(name string) bool {
	key, ok := strings.CutPrefix(name, metaPrefix)
	return ok && key != "" && len(key) <= 40 && !strings.HasPrefix(key, "spoke_") && !strings.ContainsAny(key, "[]")
}

func customerFields() []connector.Field {
	return []connector.Field{
		{Name: "name", Type: connector.FieldString, Doc: "At most 256 characters"},
		{Name: "email", Type: connector.FieldString, Doc: "Where Stripe sends invoices"},
		{Name: "phone", Type: connector.FieldString, Doc: "At most 20 characters"},
		{Name: "address", Type: connector.FieldObject, Fields: []connector.Field{
			{Name: "line1", Type: connector.FieldString},
			{Name: "line2", Type: connector.FieldString},
			{Name: "city", Type: connector.FieldString},
			{Name: "state", Type: connector.FieldString},
			{Name: "postal_code", Type: connector.FieldString},
			{Name: "country", Type: connector.FieldString, Doc: "Code or English name"},
		}},
	}
}

func productFields() []connector.Field {
	return []connector.Field{
		{Name: "name", Type: connector.FieldString, Required: true},
		{Name: "description", Type: connector.FieldString},
		{Name: "sku", Type: connector.FieldString, Doc: "Kept in metadata; Stripe's products have no SKU"},
		{
			Name: "price", Type: connector.FieldMoney,
			Doc: "List price of one unit. Another amount makes a new Price, since Stripe's can't be changed",
		},
		{Name: "active", Type: connector.FieldBool},
	}
}

func invoiceFields() []connector.Field {
	return []connector.Field{
		{Name: "customer", Type: connector.FieldRef, Ref: objectCustomer, Required: true},
		{Name: "currency", Type: connector.FieldString, Doc: "ISO 4217 code; the first line's when absent"},
		{Name: "description", Type: connector.FieldString, Doc: "Memo on the invoice"},
		{Name: "due_date", Type: connector.FieldDate, Doc: "Last day to pay; outranks days_until_due"},
		{Name: "days_until_due", Type: connector.FieldInt, Doc: "Term of payment from the day of issue"},
		{Name: "lines", Type: connector.FieldList, Required: true, Fields: []connector.Field{
			{Name: "product", Type: connector.FieldRef, Ref: objectProduct},
			{Name: "description", Type: connector.FieldString},
			{Name: "quantity", Type: connector.FieldDecimal, Doc: "1 when absent"},
			{Name: "price", Type: connector.FieldMoney, Required: true, Doc: "Price of one unit"},
			{
				Name: "amount", Type: connector.FieldMoney,
				Doc: "What the line comes to where a discount makes it differ from price times quantity",
			},
		}},
	}
}
