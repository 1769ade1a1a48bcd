package netsuite

import (
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// The record types, as in the paths of the API.
const (
	typeCustomer = "customer"
	typeItem     = "item" // a family of types; Spoke only looks items up
	typeOrder    = "salesOrder"
	typePayment  = "customerPayment"
	typeInvoice  = "invoice"
)

// form is how a value is written in a record's body.
type form int

const (
	plain    form = iota // as it stands
	asID                 // a reference by internal id
	asISO                // a currency by its ISO code
	asLines              // a sublist
	asBillTo             // a part of the first billing address
)

// field is a field with its way into the body.
type field struct {
	connector.Field
	form form
	// once is set for what is only sent when the record is created: what
	// people or NetSuite itself change later must not be set back.
	once  bool
	lines []field
}

// record is a type that documents are written to.
type record struct {
	connector.Object
	fields []field
	// custom is the prefix of the type's custom fields.
	custom string
	// read are the fields asked for after a write.
	read string
	// page is the path of the record's page for people.
	page string
}

func text(name, doc string) field {
	return field{Field: connector.Field{Name: name, Type: connector.FieldString, Doc: doc}}
}

func id(name, doc string) field {
	return field{Field: connector.Field{Name: name, Type: connector.FieldString, Doc: doc + " (internal id)"}, form: asID}
}

func reference(name, object, doc string) field {
	return field{Field: connector.Field{Name: name, Type: connector.FieldRef, Ref: object, Doc: doc}, form: asID}
}

func decimal(name, doc string) field {
	return field{Field: connector.Field{Name: name, Type: connector.FieldDecimal, Doc: doc}}
}

func date(name, doc string) field {
	return field{Field: connector.Field{Name: name, Type: connector.FieldDate, Doc: doc}}
}

func flag(name, doc string) field {
	return field{Field: connector.Field{Name: name, Type: connector.FieldBool, Doc: doc}}
}

func currency() field {
	f := text("currency", "ISO 4217 code; looked up in the account's currencies")
	f.form = asISO
	return f
}

func billTo(name, doc string) field {
	f := text(name, doc+" of the billing address, set when the customer is created")
	f.form, f.once = asBillTo, true
	return f
}

func list(name, doc string, lines ...field) field {
	return field{Field: connector.Field{Name: name, Type: connector.FieldList, Fields: plainFields(lines), Doc: doc}, form: asLines, lines: lines}
}

func (f field) required() field { f.Required = true; return f }

func (f field) create() field { f.once = true; return f }

func plainFields(fields []field) []connector.Field {
	all := make([]connector.Field, len(fields))
	for i, f := range fields {
		all[i] = f.Field
	}
	return all
}

// records are all types that documents are written to.
func records() []record {
	all := []record{customer(), salesOrder(), customerPayment()}
	for i := range all {
		r := &all[i]
		r.Can, r.Fields = connector.Create|connector.Update|connector.Delete, plainFields(r.fields)
		r.Open = func(name string) bool { return strings.HasPrefix(name, r.custom) && len(name) > len(r.custom) }
	}
	return all
}

func customer() record {
	return record{
		Object: connector.Object{Name: typeCustomer, Entity: events.EntityCompany},
		custom: "custentity_", read: "id,entityId", page: "/app/common/entity/custjob.nl",
		fields: []field{
			text("companyName", "Name of a company; persons have firstName and lastName"),
			flag("isPerson", "True for a person").create(),
			text("firstName", "Of a person"),
			text("lastName", "Of a person"),
			text("entityId", "Number or code; leave it out where NetSuite numbers customers").create(),
			text("email", ""),
			text("phone", ""),
			text("url", "Web address"),
			text("comments", ""),
			id("subsidiary", "Primary subsidiary; the connection's setting when absent").create(),
			currency(),
			id("terms", "Payment terms"),
			id("category", ""),
			id("salesRep", ""),
			id("priceLevel", ""),
			flag("isInactive", ""),
			billTo("billAddr1", "Street"),
			billTo("billCity", "City"),
			billTo("billState", "State"),
			billTo("billZip", "Postal code"),
			billTo("billCountry", "Country, as an ISO 3166 code or an English name,"),
		},
	}
}

func salesOrder() record {
	return record{
		Object: connector.Object{Name: typeOrder, Entity: events.EntityOrder},
		custom: "custbody_", read: "id,tranId,status,total,currency", page: "/app/accounting/transactions/salesord.nl",
		fields: []field{
			reference("entity", typeCustomer, "Who buys").required(),
			date("tranDate", "Day of the order; today when absent"),
			text("memo", ""),
			text("otherRefNum", "The customer's order number"),
			text("orderStatus", "A pending approval or B pending fulfillment, set when the order is created").create(),
			currency(),
			id("location", ""),
			id("department", ""),
			id("class", ""),
			id("terms", "Payment terms"),
			date("shipDate", ""),
			list(
				"item", "The lines",
				reference("item", typeItem, "What is sold").required(),
				decimal("quantity", "1 when absent"),
				decimal("rate", "Price of one unit, before tax; the item's own when absent"),
				decimal("amount", "Price of the line after discount, before tax; quantity times rate when absent"),
				text("description", ""),
			).required(),
		},
	}
}

func customerPayment() record {
	return record{
		Object: connector.Object{Name: typePayment, Entity: events.EntityPayment},
		custom: "custbody_", read: "id,tranId", page: "/app/accounting/transactions/custpymt.nl",
		fields: []field{
			reference("customer", typeCustomer, "Who paid").required(),
			decimal("payment", "Amount in the currency").required(),
			date("tranDate", "Day of receipt; today when absent"),
			text("memo", ""),
			text("checkNumber", ""),
			currency(),
			id("account", "Account of the deposit; the connection's setting when absent").create(),
			text("undepFunds", "T to hold it with undeposited funds").create(),
			id("arAcct", "Receivables account").create(),
			list(
				"apply", "The invoices that it pays; the rest stays unapplied",
				reference("doc", typeInvoice, "The invoice").required(),
				decimal("amount", "How much of it is paid").required(),
			),
		},
	}
}

// field returns a field by name.
func (r record) field(name string) (field, bool) {
	i := slices.IndexFunc(r.fields, func(f field) bool { return f.Name == name })
	if i < 0 {
		return field{}, false
	}
	return r.fields[i], true
}

// item describes the items, which flows point to by SKU.
func item() connector.Object {
	return connector.Object{
		Name: typeItem, Entity: events.EntityProduct, Can: connector.Update,
		Fields: []connector.Field{{
			Name: "itemId", Type: connector.FieldString, Required: true,
			Doc: "Name of the item, which is the SKU. It is looked up and never created: an item's accounts and tax schedule are a bookkeeper's choice",
		}},
	}
}

// invoice describes the invoices, which payments may refer to.
func invoice() connector.Object {
	return connector.Object{Name: typeInvoice, Entity: events.EntityInvoice}
}
