package hubspot

import (
	"slices"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// kind is one of HubSpot's record types as this package needs it.
type kind struct {
	name   string // as in webhooks, flows and External: deal
	plural string // as in paths: deals
	typeID string // as in generic webhooks: 0-3
	entity events.Entity
	// modified is the property with the time of the last change.
	modified string
	// properties are read for the canonical fields.
	properties []string
}

const (
	lastModified        = "hs_lastmodifieddate"
	contactLastModified = "lastmodifieddate" // contacts alone call it so
)

// The record types.
var (
	company = kind{
		name: "company", plural: "companies", typeID: "0-2", entity: events.EntityCompany, modified: lastModified,
		properties: []string{"name", "domain", "phone", "address", "city", "state", "zip", "country"},
	}
	contact = kind{
		name: "contact", plural: "contacts", typeID: "0-1", entity: events.EntityContact, modified: contactLastModified,
		properties: []string{"firstname", "lastname", "email", "phone"},
	}
	product = kind{
		name: "product", plural: "products", typeID: "0-7", entity: events.EntityProduct, modified: lastModified,
		properties: []string{"name", "hs_sku", "description", "price"},
	}
	deal = kind{
		name: "deal", plural: "deals", typeID: "0-3", entity: events.EntityDeal, modified: lastModified,
		properties: []string{
			"dealname", "amount", "deal_currency_code", "pipeline", "dealstage", "closedate",
			"hs_is_closed_won", "hs_is_closed_lost",
		},
	}
	// A line item has no canonical entity of its own: what happens to it is
	// a change of its deal.
	lineItem = kind{
		name: "line_item", plural: "line_items", typeID: "0-8", entity: events.EntityDeal, modified: lastModified,
		properties: []string{
			"name", "hs_sku", "quantity", "price", "amount", "hs_product_id", "hs_line_item_currency_code",
		},
	}
	kinds = [...]kind{company, contact, product, deal, lineItem}
)

func kindNamed(name string) (kind, bool) {
	return pick(func(k kind) bool { return k.name == name })
}

func kindOfType(typeID string) (kind, bool) {
	return pick(func(k kind) bool { return k.typeID == typeID })
}

func pick(is func(kind) bool) (kind, bool) {
	i := slices.IndexFunc(kinds[:], is)
	if i < 0 {
		return kind{}, false
	}
	return kinds[i], true
}

// objects declares the record types for flows. Products are read only: they
// are kept in HubSpot.
func objects() []connector.Object {
	text := func(name, doc string) connector.Field {
		return connector.Field{Name: name, Type: connector.FieldString, Doc: doc}
	}
	state := text("spoke_sync_state", "Whether the other systems hold the record: failed, waiting, pending or synced")
	writable := func(k kind, fields ...connector.Field) connector.Object {
		return connector.Object{Name: k.name, Entity: k.entity, Can: connector.Read | connector.Webhook | connector.Update, Fields: fields, Open: propertyName}
	}
	return []connector.Object{
		writable(deal,
			text("spoke_netsuite_order", "Number of the sales order in NetSuite"),
			text("spoke_quickbooks_invoice", "Number of the invoice in QuickBooks"),
			text("spoke_stripe_invoice", "Number of the invoice in Stripe"),
			text("spoke_stripe_invoice_url", "Page where the customer sees and pays the invoice"),
			connector.Field{Name: "spoke_amount_paid", Type: connector.FieldDecimal, Doc: "Paid so far, in the deal's currency"},
			text("spoke_payment_status", "Status of the invoice: draft, open, paid, void or uncollectible"),
			state),
		writable(company,
			text("spoke_netsuite_customer", "Id of the customer in NetSuite"),
			text("spoke_quickbooks_customer", "Id of the customer in QuickBooks"),
			text("spoke_stripe_customer", "Id of the customer in Stripe"),
			state),
		writable(contact, state),
		{Name: product.name, Entity: product.entity, Can: connector.Read | connector.Webhook},
		{Name: lineItem.name, Entity: lineItem.entity, Can: connector.Read | connector.Webhook},
	}
}

// propertyName reports whether name can be the internal name of a property.
func propertyName(name string) bool {
	if name == "" || len(name) > 100 {
		return false
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' {
			return false
		}
	}
	return true
}

// validID reports whether id has the form of a record id.
func validID(id string) bool {
	if id == "" || len(id) > 20 {
		return false
	}
	for _, r := range id {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

// byID orders record ids as numbers, which is the order they were made in.
func byID(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
