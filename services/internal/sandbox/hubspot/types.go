package hubspotbox

import "slices"

// objectType is one of the portal's record types with HubSpot's own
// properties.
type objectType struct {
	name, plural, typeID string
	// modified is the property with the time of the last change.
	modified   string
	properties []property
}

// property is the definition of a property.
type property struct {
	Name        string   `json:"name"`
	Label       string   `json:"label"`
	Description string   `json:"description"`
	GroupName   string   `json:"groupName"`
	Type        string   `json:"type"`
	FieldType   string   `json:"fieldType"`
	Options     []option `json:"options"`
	Unique      bool     `json:"hasUniqueValue"`
	Defined     bool     `json:"hubspotDefined"`
	ReadOnly    bool     `json:"-"`
}

type option struct {
	Label  string `json:"label"`
	Value  string `json:"value"`
	Hidden bool   `json:"hidden"`
}

// The types of a property's values.
const (
	typeString   = "string"
	typeNumber   = "number"
	typeDate     = "date"
	typeDateTime = "datetime"
	typeBool     = "bool"
	typeEnum     = "enumeration"
)

func objectTypes() []*objectType {
	return []*objectType{
		define("company", "companies", "0-2", "hs_lastmodifieddate",
			texts("name", "domain", "phone", "address", "address2", "city", "state", "zip", "country", "description",
				"industry", "hubspot_owner_id", "website"),
			of(typeNumber, "annualrevenue", "numberofemployees")),
		define("contact", "contacts", "0-1", "lastmodifieddate",
			texts("firstname", "lastname", "phone", "jobtitle", "hubspot_owner_id", "lifecyclestage"),
			[]property{{Name: "email", Type: typeString, Unique: true}}),
		define("product", "products", "0-7", "hs_lastmodifieddate",
			texts("name", "description", "hs_sku"), of(typeNumber, "price", "hs_cost_of_goods_sold")),
		define("deal", "deals", "0-3", "hs_lastmodifieddate",
			texts("dealname", "deal_currency_code", "pipeline", "dealtype", "description", "hubspot_owner_id"),
			of(typeEnum, "dealstage"), of(typeNumber, "amount"), of(typeDateTime, "closedate"),
			readOnly(typeBool, "hs_is_closed_won", "hs_is_closed_lost", "hs_is_closed")),
		define("line_item", "line_items", "0-8", "hs_lastmodifieddate",
			texts("name", "hs_sku", "description", "hs_product_id", "hs_line_item_currency_code", "recurringbillingfrequency"),
			of(typeNumber, "quantity", "price", "amount", "discount")),
		define("quote", "quotes", "0-14", "hs_lastmodifieddate",
			texts("hs_title", "hs_quote_number", "hs_status", "hs_currency", "hs_template_type", "hs_comments"),
			of(typeNumber, "hs_quote_amount"), of(typeDateTime, "hs_expiration_date"), readOnly(typeString, "hs_quote_link"),
			readOnly(typeBool, "hs_locked")),
		define("invoice", "invoices", "0-53", "hs_lastmodifieddate",
			texts("hs_number", "hs_currency", "hs_comments", "hs_purchase_order_number", "hs_external_recipient"),
			choice("hs_invoice_status", "draft", "open", "paid", "voided"), of(typeBool, "hs_invoice_billable"),
			of(typeDateTime, "hs_invoice_date", "hs_due_date"),
			of(typeNumber, "hs_amount_billed", "hs_amount_paid", "hs_balance_due", "hs_tax"), readOnly(typeString, "hs_invoice_link")),
		define("order", "orders", "0-123", "hs_lastmodifieddate",
			texts("hs_order_name", "hs_currency_code", "hs_source_store", "hs_fulfillment_status", "hs_pipeline",
				"hs_pipeline_stage", "hs_external_order_id", "hs_external_order_status"),
			of(typeDateTime, "hs_external_created_date"), of(typeNumber, "hs_total_price", "hs_tax")),
		define("commerce_payment", "commerce_payments", "0-101", "hs_lastmodifieddate",
			texts("hs_currency_code", "hs_latest_status", "hs_payment_method", "hs_reference_number"),
			of(typeNumber, "hs_initial_amount"), of(typeDateTime, "hs_initiated_date")),
		define("subscription", "subscriptions", "0-69", "hs_lastmodifieddate",
			texts("hs_name", "hs_status", "hs_currency_code", "hs_recurring_billing_frequency"),
			of(typeNumber, "hs_next_payment_amount"), of(typeDateTime, "hs_recurring_billing_start_date", "hs_next_payment_due_date")),
	}
}

// define adds what every type has.
func define(name, plural, typeID, modified string, groups ...[]property) *objectType {
	groups = append(groups, readOnly(typeDateTime, "createdate", modified), readOnly(typeNumber, "hs_object_id"))
	t := &objectType{name: name, plural: plural, typeID: typeID, modified: modified, properties: slices.Concat(groups...)}
	for i := range t.properties {
		p := &t.properties[i]
		p.Label, p.GroupName, p.FieldType, p.Defined = p.Name, name+"information", "text", true
		if p.Options == nil {
			p.Options = []option{}
		}
	}
	return t
}

func texts(names ...string) []property { return of(typeString, names...) }

func of(typ string, names ...string) []property {
	all := make([]property, len(names))
	for i, n := range names {
		all[i] = property{Name: n, Type: typ}
	}
	return all
}

// choice is a property with a fixed list of options.
func choice(name string, values ...string) []property {
	p := property{Name: name, Type: typeEnum}
	for _, v := range values {
		p.Options = append(p.Options, option{Label: v, Value: v})
	}
	return []property{p}
}

func readOnly(typ string, names ...string) []property {
	all := of(typ, names...)
	for i := range all {
		all[i].ReadOnly = true
	}
	return all
}

// typeNamed finds a type under any of its names.
func (b *Box) typeNamed(name string) (*objectType, bool) {
	i := slices.IndexFunc(b.types, func(t *objectType) bool { return t.name == name || t.plural == name || t.typeID == name })
	if i < 0 {
		return nil, false
	}
	return b.types[i], true
}

// property finds a definition, HubSpot's or the portal's own. The caller
// holds the lock.
func (b *Box) property(t *objectType, name string) (property, bool) {
	if i := slices.IndexFunc(t.properties, func(p property) bool { return p.Name == name }); i >= 0 {
		return t.properties[i], true
	}
	p, ok := b.state.Properties[t.plural][name]
	return p, ok
}
