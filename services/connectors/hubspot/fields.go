package hubspot

import (
	"maps"
	"slices"

	"github.com/spoke-sync/spoke/services/internal/connector"
)

// writable reports whether Spoke makes and writes records of the kind.
// Payments and subscriptions are made by HubSpot's own payment processing, and
// line items are written as a part of what they belong to.
func (k kind) writable() bool {
	return k.name != lineItem.name && k.name != payment.name && k.name != subscription.name
}

// Short forms of what fields are.
func text(name, doc string) connector.Field {
	return connector.Field{Name: name, Type: connector.FieldString, Doc: doc}
}

func decimal(name, doc string) connector.Field {
	return connector.Field{Name: name, Type: connector.FieldDecimal, Doc: doc}
}

func date(name, doc string) connector.Field {
	return connector.Field{Name: name, Type: connector.FieldDate, Doc: doc}
}

// declared are the fields of HubSpot's own types that flows may set by name;
// any other property may be set too.
var declared = map[string][]connector.Field{
	company.name: {
		text("name", "Company name"), text("domain", "Web domain"), text("phone", ""), text("address", "Street"),
		text("city", ""), text("state", ""), text("zip", ""), text("country", ""),
		text("spoke_netsuite_customer", "Id of the customer in NetSuite"),
		text("spoke_quickbooks_customer", "Id of the customer in QuickBooks"),
		text("spoke_stripe_customer", "Id of the customer in Stripe"),
	},
	contact.name: {text("firstname", ""), text("lastname", ""), text("email", "Unique in the portal"), text("phone", "")},
	product.name: {
		text("name", "Product name"), text("hs_sku", "Stock keeping unit"), text("description", ""),
		decimal("price", "List price in the portal's currency"), decimal("hs_cost_of_goods_sold", "What one unit costs the seller"),
	},
	deal.name: {
		text("dealname", "Deal name"), decimal("amount", "In the deal's currency"), text("deal_currency_code", "ISO 4217 code"),
		text("pipeline", "Id of the pipeline"), text("dealstage", "Id of the stage"), date("closedate", "Day it closes"),
		text("spoke_netsuite_order", "Number of the sales order in NetSuite"),
		text("spoke_quickbooks_invoice", "Number of the invoice in QuickBooks"),
		text("spoke_stripe_invoice", "Number of the invoice in Stripe"),
		text("spoke_stripe_invoice_url", "Page where the customer sees and pays the invoice"),
		decimal("spoke_amount_paid", "Paid so far, in the deal's currency"),
		text("spoke_payment_status", "Status of the invoice: draft, open, paid, void or uncollectible"),
	},
	quote.name: {
		text("hs_title", "Quote name"), date("hs_expiration_date", "Last day it can be accepted"), text("hs_currency", "ISO 4217 code"),
		text("hs_template_type", "CPQ_QUOTE for quotes of the current kind"), text("hs_status", "Written last; it publishes the quote"),
	},
	invoice.name: {
		text("hs_currency", "ISO 4217 code; HubSpot makes no invoice without it"), date("hs_invoice_date", ""), date("hs_due_date", ""),
		{Name: "hs_invoice_billable", Type: connector.FieldBool, Doc: "False for the mirror of an invoice that another system bills"},
		text("hs_invoice_status", "draft, open, paid or voided; written last"), text("hs_comments", "Memo"),
	},
	order.name: {
		text("hs_order_name", "Order name or number"), text("hs_currency_code", "ISO 4217 code"), text("hs_source_store", ""),
		text("hs_fulfillment_status", ""), text("hs_external_order_status", "Status at its source"), text("hs_external_order_id", ""),
		date("hs_external_created_date", "Day it was placed"), decimal("hs_total_price", ""),
		text("hs_pipeline", ""), text("hs_pipeline_stage", ""),
	},
}

// lineFields are those of a line item within its parent.
var lineFields = []connector.Field{
	text("name", "What is sold"), text("hs_sku", ""), text("description", ""), decimal("quantity", ""),
	decimal("price", "Of one unit, before tax; not negative"), decimal("discount", "Off the price of one unit"),
	{Name: "hs_product_id", Type: connector.FieldRef, Ref: "product", Doc: "The product it is a copy of"},
	text("hs_line_item_currency_code", "ISO 4217 code"), text("hs_tax_rate_group_id", ""),
	text("recurringbillingfrequency", ""), text("hs_recurring_billing_period", "As in P12M"),
}

// fieldsOf are the fields of a kind, with its associations and lines.
func fieldsOf(s *Settings, kinds catalog, k kind) []connector.Field {
	fields := slices.Clone(declared[k.name])
	if k.title != "" {
		fields = append(fields, text(k.title, "Name"))
	}
	fields = append(fields, text("spoke_sync_state", "Whether the other systems hold the record: failed, waiting, pending or synced"))
	ref := func(name, to, doc string) {
		fields = append(fields, connector.Field{Name: associatedPrefix + name, Type: connector.FieldRef, Ref: to, Doc: doc})
	}
	for _, o := range kinds.linked(k) {
		if o.name == lineItem.name {
			fields = append(fields, connector.Field{
				Name: linesField, Type: connector.FieldList, Fields: lineFields, Doc: "Line items that Spoke keeps; those that people add stay",
			})
			continue
		}
		ref(o.name, o.name, "The "+o.name+" it is associated with")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Associations[k.name])) {
		a := s.Associations[k.name][name]
		ref(name, a.To, "Associated under this label")
	}
	return fields
}

// objects declares the record types for flows.
func objects(s *Settings) []connector.Object {
	kinds := newCatalog(s)
	var all []connector.Object
	for _, k := range kinds {
		o := connector.Object{Name: k.name, Entity: k.entity, Can: connector.Read | connector.Webhook}
		if k.writable() {
			o.Can |= connector.Create | connector.Update | connector.Delete
			o.Fields, o.Open = fieldsOf(s, kinds, k), propertyName
		}
		all = append(all, o)
	}
	return all
}
