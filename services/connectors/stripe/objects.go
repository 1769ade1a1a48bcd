package stripe

import (
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// The object types of this connector, named as in Stripe's API, but for payment:
// see payment.go.
const (
	objectCustomer     = "customer"
	objectProduct      = "product"
	objectPrice        = "price"
	objectInvoice      = "invoice"
	objectSubscription = "subscription"
	objectQuote        = "quote"
	objectPaymentLink  = "payment_link"
	objectPayment      = "payment"
	objectRefund       = "refund"
	objectDispute      = "dispute"
	objectCreditNote   = "credit_note"
)

// Names of Stripe metadata that Spoke writes.
const (
	metaRecord = "spoke_record" // the golden record: deal/77
	metaKey    = "spoke_key"    // Document.Key
	metaLine   = "spoke_line"   // position of an invoice's line, from 0
	metaLines  = "spoke_lines"  // digest of the lines of a quote or payment link
	metaVoided = "spoke_voided" // set before Spoke voids an invoice
	// metaSettled is set before Spoke marks an invoice as paid outside Stripe: the
	// Document.Key of the payment.
	metaSettled = "spoke_settled"
	// metaFor is on the payments of a payment link: the record that the link was
	// made for.
	metaFor = "spoke_for"
)

// metaPrefix begins a field that sets metadata of the user's choice:
// "metadata.project" sets metadata[project].
const metaPrefix = "metadata."

const (
	reads  = connector.Read | connector.Webhook
	writes = connector.Create | connector.Update | connector.Delete
)

func objects() []connector.Object {
	object := func(name string, entity events.Entity, can connector.Ability, fields []connector.Field) connector.Object {
		o := connector.Object{Name: name, Entity: entity, Can: can, Fields: fields}
		if o.Writable() {
			o.Open = isMetadata
		}
		return o
	}
	return []connector.Object{
		object(objectCustomer, events.EntityCompany, reads|writes, customerFields()),
		object(objectProduct, events.EntityProduct, reads|writes, productFields()),
		object(objectPrice, events.EntityProduct, writes, priceFields()),
		// An invoice is issued as soon as it is made, and only drafts can be changed.
		object(objectInvoice, events.EntityInvoice, reads|connector.Create|connector.Delete, invoiceFields()),
		object(objectSubscription, events.EntitySubscription, reads|writes, subscriptionFields()),
		object(objectQuote, events.EntityQuote, reads|writes, quoteFields()),
		object(objectPaymentLink, events.EntityInvoice, reads|writes, paymentLinkFields()),
		object(objectPayment, events.EntityPayment, reads|connector.Create, paymentFields()),
		object(objectRefund, events.EntityRefund, reads|writes, refundFields()),
		object(objectDispute, events.EntityDispute, reads, nil),
		object(objectCreditNote, events.EntityCreditNote, reads|writes, creditNoteFields()),
	}
}

// entityOf is the canonical kind of an object type.
func entityOf(object string) events.Entity {
	for _, o := range objects() {
		if o.Name == object {
			return o.Entity
		}
	}
	return ""
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

func priceFields() []connector.Field {
	return []connector.Field{
		{Name: "product", Type: connector.FieldRef, Ref: objectProduct, Required: true},
		{
			Name: "amount", Type: connector.FieldMoney, Required: true,
			Doc: "Price of one unit. Another amount or interval makes a new Price and archives the old one",
		},
		{Name: "interval", Type: connector.FieldString, Doc: "day, week, month or year for what recurs; absent for what is sold once"},
		{Name: "interval_count", Type: connector.FieldInt, Doc: "1 when absent"},
		{Name: "nickname", Type: connector.FieldString},
	}
}

func subscriptionFields() []connector.Field {
	return []connector.Field{
		{Name: "customer", Type: connector.FieldRef, Ref: objectCustomer, Required: true},
		{Name: "items", Type: connector.FieldList, Required: true, Fields: []connector.Field{
			{Name: "price", Type: connector.FieldRef, Ref: objectPrice, Required: true, Doc: "A price that recurs"},
			{Name: "quantity", Type: connector.FieldInt, Doc: "1 when absent"},
		}},
		{Name: "description", Type: connector.FieldString},
		{Name: "days_until_due", Type: connector.FieldInt, Doc: "Term of payment of each invoice"},
		{Name: "trial_days", Type: connector.FieldInt, Doc: "Only when it is made"},
		{Name: "cancel_at_period_end", Type: connector.FieldBool},
	}
}

func quoteFields() []connector.Field {
	return []connector.Field{
		{Name: "customer", Type: connector.FieldRef, Ref: objectCustomer, Required: true},
		{Name: "currency", Type: connector.FieldString, Doc: "ISO 4217 code; the first line's when absent"},
		{Name: "description", Type: connector.FieldString},
		{Name: "expires_on", Type: connector.FieldDate, Doc: "Last day to accept it"},
		{Name: "days_until_due", Type: connector.FieldInt, Doc: "Term of payment of the invoice it becomes"},
		{Name: "status", Type: connector.FieldString, Doc: "draft, open or accepted; open when absent"},
		{Name: "lines", Type: connector.FieldList, Required: true, Fields: []connector.Field{
			{Name: "product", Type: connector.FieldRef, Ref: objectProduct, Required: true},
			{Name: "quantity", Type: connector.FieldInt, Doc: "1 when absent"},
			{Name: "price", Type: connector.FieldMoney, Required: true, Doc: "Price of one unit"},
			{Name: "amount", Type: connector.FieldMoney, Doc: "What the line comes to where a discount makes it differ"},
		}},
	}
}

func paymentLinkFields() []connector.Field {
	return []connector.Field{
		{Name: "currency", Type: connector.FieldString, Doc: "ISO 4217 code; the first line's when absent"},
		{Name: "uses", Type: connector.FieldInt, Doc: "How often it can be paid; once when absent, 0 for any number"},
		{Name: "active", Type: connector.FieldBool},
		{Name: "lines", Type: connector.FieldList, Required: true, Fields: []connector.Field{
			{Name: "product", Type: connector.FieldRef, Ref: objectProduct, Required: true},
			{Name: "quantity", Type: connector.FieldInt, Doc: "1 when absent"},
			{Name: "price", Type: connector.FieldMoney, Required: true, Doc: "Price of one unit"},
			{Name: "amount", Type: connector.FieldMoney, Doc: "What the line comes to where a discount makes it differ"},
		}},
	}
}

func paymentFields() []connector.Field {
	return []connector.Field{
		{Name: "invoice", Type: connector.FieldRef, Ref: objectInvoice, Required: true},
		{Name: "amount", Type: connector.FieldMoney, Required: true, Doc: "What was received outside Stripe"},
		{Name: "received_on", Type: connector.FieldDate, Doc: "Today when absent"},
		{Name: "method", Type: connector.FieldString, Doc: "Name of the way that it took, such as Bank transfer"},
		{Name: "reference", Type: connector.FieldString, Doc: "Id of the payment where it was received"},
	}
}

func refundFields() []connector.Field {
	return []connector.Field{
		{Name: "payment", Type: connector.FieldRef, Ref: objectPayment, Required: true},
		{Name: "amount", Type: connector.FieldMoney, Doc: "All that is left when absent"},
		{Name: "reason", Type: connector.FieldString, Doc: "duplicate, fraudulent or requested_by_customer"},
	}
}

func creditNoteFields() []connector.Field {
	return []connector.Field{
		{Name: "invoice", Type: connector.FieldRef, Ref: objectInvoice, Required: true},
		{Name: "amount", Type: connector.FieldMoney, Required: true},
		{Name: "reason", Type: connector.FieldString, Doc: "duplicate, fraudulent, order_change or product_unsatisfactory"},
		{Name: "memo", Type: connector.FieldString},
		{
			Name: "settle", Type: connector.FieldString,
			Doc: "What becomes of the part that was paid already: balance (the customer's credit, the default), refund or outside",
		},
	}
}
