package hubspot

import (
	"maps"
	"slices"

	"github.com/spoke-sync/spoke/events"
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
	// links names the kinds whose records the canonical fields link to.
	links []string
	// title is the property with the name of a custom object.
	title string
	// status is the property that HubSpot accepts only once the record's lines
	// and associations are there.
	status string
	// needed are properties without which HubSpot makes no record.
	needed []string
}

const (
	lastModified        = "hs_lastmodifieddate"
	contactLastModified = "lastmodifieddate" // contacts alone call it so
)

// The record types that every portal has.
var (
	company = kind{
		name: "company", plural: "companies", typeID: "0-2", entity: events.EntityCompany, modified: lastModified,
		properties: []string{"name", "domain", "phone", "address", "city", "state", "zip", "country"},
	}
	contact = kind{
		name: "contact", plural: "contacts", typeID: "0-1", entity: events.EntityContact, modified: contactLastModified,
		properties: []string{"firstname", "lastname", "email", "phone"},
		links:      []string{"company"},
	}
	product = kind{
		name: "product", plural: "products", typeID: "0-7", entity: events.EntityProduct, modified: lastModified,
		properties: []string{"name", "hs_sku", "description", "price", "hs_cost_of_goods_sold"},
	}
	deal = kind{
		name: "deal", plural: "deals", typeID: "0-3", entity: events.EntityDeal, modified: lastModified,
		properties: []string{
			"dealname", "amount", "deal_currency_code", "pipeline", "dealstage", "closedate",
			"hs_is_closed_won", "hs_is_closed_lost",
		},
		links: []string{"company", "contact", "line_item"},
	}
	// A line item has no canonical entity of its own: what happens to it is
	// a change of what it belongs to.
	lineItem = kind{
		name: "line_item", plural: "line_items", typeID: "0-8", entity: events.EntityDeal, modified: lastModified,
		properties: []string{
			"name", "hs_sku", "quantity", "price", "amount", "hs_product_id", "hs_line_item_currency_code",
		},
	}
	quote = kind{
		name: "quote", plural: "quotes", typeID: "0-14", entity: events.EntityQuote, modified: lastModified,
		properties: []string{
			"hs_title", "hs_quote_number", "hs_status", "hs_quote_amount", "hs_currency", "hs_expiration_date", "hs_quote_link",
		},
		links: []string{"company", "contact", "deal", "line_item"}, status: "hs_status",
	}
	invoice = kind{
		name: "invoice", plural: "invoices", typeID: "0-53", entity: events.EntityInvoice, modified: lastModified,
		properties: []string{
			"hs_number", "hs_invoice_status", "hs_currency", "hs_amount_billed", "hs_amount_paid", "hs_balance_due",
			"hs_invoice_date", "hs_due_date", "hs_invoice_link", "hs_comments",
		},
		links: []string{"company", "contact", "deal", "order", "line_item"}, status: "hs_invoice_status",
		needed: []string{"hs_currency"},
	}
	order = kind{
		name: "order", plural: "orders", typeID: "0-123", entity: events.EntityOrder, modified: lastModified,
		properties: []string{
			"hs_order_name", "hs_currency_code", "hs_total_price", "hs_tax", "hs_external_order_status", "hs_fulfillment_status",
			"hs_external_created_date",
		},
		links: []string{"company", "contact", "deal", "line_item"},
	}
	payment = kind{
		name: "commerce_payment", plural: "commerce_payments", typeID: "0-101", entity: events.EntityPayment, modified: lastModified,
		properties: []string{
			"hs_initial_amount", "hs_currency_code", "hs_latest_status", "hs_initiated_date", "hs_payment_method", "hs_reference_number",
		},
		links: []string{"company", "invoice"},
	}
	subscription = kind{
		name: "subscription", plural: "subscriptions", typeID: "0-69", entity: events.EntitySubscription, modified: lastModified,
		properties: []string{
			"hs_status", "hs_currency_code", "hs_next_payment_amount", "hs_recurring_billing_frequency",
			"hs_recurring_billing_start_date", "hs_next_payment_due_date",
		},
		links: []string{"company", "line_item"},
	}
)

// catalog holds the record types of one portal: HubSpot's and its own.
type catalog []kind

func standard() catalog {
	return catalog{company, contact, product, deal, lineItem, quote, invoice, order, payment, subscription}
}

// newCatalog adds the portal's custom objects.
func newCatalog(s *Settings) catalog {
	all := standard()
	for _, name := range slices.Sorted(maps.Keys(s.CustomObjects)) {
		c := s.CustomObjects[name]
		k := kind{
			name: name, plural: c.Type, typeID: c.Type, entity: events.Entity("x_" + name), modified: lastModified,
			title: c.NameProperty, links: []string{"company", "contact", "deal"},
		}
		if c.NameProperty != "" {
			k.properties = []string{c.NameProperty}
		}
		all = append(all, k)
	}
	return all
}

func (c catalog) named(name string) (kind, bool) {
	return c.pick(func(k kind) bool { return k.name == name })
}

func (c catalog) ofType(typeID string) (kind, bool) {
	return c.pick(func(k kind) bool { return k.typeID == typeID })
}

func (c catalog) pick(is func(kind) bool) (kind, bool) {
	i := slices.IndexFunc(c, is)
	if i < 0 {
		return kind{}, false
	}
	return c[i], true
}

// linked are the kinds that a kind's canonical fields link to.
func (c catalog) linked(k kind) []kind {
	var all []kind
	for _, o := range c {
		if holds(k, o) {
			all = append(all, o)
		}
	}
	return all
}

// holders are the kinds whose canonical fields link to a kind.
func (c catalog) holders(k kind) []kind {
	return slices.DeleteFunc(slices.Clone(c), func(h kind) bool { return !holds(h, k) })
}

// holds reports whether a record of one kind has a link to one of the other
// in its canonical fields.
func holds(holder, other kind) bool { return slices.Contains(holder.links, other.name) }

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
