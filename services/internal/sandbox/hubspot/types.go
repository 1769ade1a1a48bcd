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

func objectTypes() []objectType {
	return []objectType{
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
	}
}

// define adds what every type has.
func define(name, plural, typeID, modified string, groups ...[]property) objectType {
	groups = append(groups, readOnly(typeDateTime, "createdate", modified), readOnly(typeNumber, "hs_object_id"))
	t := objectType{name: name, plural: plural, typeID: typeID, modified: modified, properties: slices.Concat(groups...)}
	for i := range t.properties {
		p := &t.properties[i]
		p.Label, p.GroupName, p.FieldType, p.Defined, p.Options = p.Name, name+"information", "text", true, []option{}
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

func readOnly(typ string, names ...string) []property {
	all := of(typ, names...)
	for i := range all {
		all[i].ReadOnly = true
	}
	return all
}

// typeNamed finds a type under any of its names.
func (b *Box) typeNamed(name string) (*objectType, bool) {
	i := slices.IndexFunc(b.types, func(t objectType) bool { return t.name == name || t.plural == name || t.typeID == name })
	if i < 0 {
		return nil, false
	}
	return &b.types[i], true
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
