package netsuite

import (
	"slices"

	"github.com/spoke-sync/spoke/services/internal/connector"
)

// The record types, as in the paths of the API.
const (
	typeCustomer = "customer"
	typeContact  = "contact"
	typeItem     = "item" // a family of types; see item.go
	typeOrder    = "salesOrder"
	typeInvoice  = "invoice"
	typePayment  = "customerPayment"
	typeCredit   = "creditMemo"
	typeRefund   = "customerRefund"
	typeTask     = "task"
)

// form is how a value is written in a record's body.
type form int

const (
	plain    form = iota // as it stands
	asID                 // a reference by internal id
	asISO                // a currency by its ISO code
	asLines              // a sublist
	asBillTo             // a part of the first billing address
	asFrom               // the record that this one is transformed from
)

// field is a field with its way into the body.
type field struct {
	connector.Field
	form  form
	lines []field
}

// voiding is a way to take the effect of a record back.
type voiding int

const (
	voidsNever    voiding = iota // NetSuite has none over REST
	voidsInactive                // it becomes inactive
	voidsLines                   // its open lines are closed
	voidsComplete                // a task is done
)

// record is a type that documents are written to.
type record struct {
	connector.Object
	fields []field
	// item is set for a type of items.
	item bool
	// custom is the prefix of the type's custom fields, customLine that of its
	// lines'; empty where there are none.
	custom, customLine string
	// from is the type that the record can be transformed from.
	from string
	// voids says how a record's effect is taken back.
	voids voiding
	// needs returns the name of a field without which a new record can't be
	// made, as far as that depends on the others.
	needs func(fields map[string]any) string
	// read are the fields asked for after a write, shows the canonical ones that
	// they tell in full.
	read  string
	shows []string
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
	f.form, f.Once = asBillTo, true
	return f
}

func list(name, doc string, lines ...field) field {
	return field{Field: connector.Field{Name: name, Type: connector.FieldList, Fields: plainFields(lines), Doc: doc}, form: asLines, lines: lines}
}

func from(object, doc string) field {
	f := reference("createdFrom", object, doc)
	f.form, f.Once = asFrom, true
	return f
}

func (f field) required() field { f.Required = true; return f }

// create makes a field one that is only sent when the record is created: what
// people or NetSuite itself change later must not be set back.
func (f field) create() field { f.Once = true; return f }

func plainFields(fields []field) []connector.Field {
	all := make([]connector.Field, len(fields))
	for i, f := range fields {
		all[i] = f.Field
	}
	return all
}

// field returns a field by name.
func (r record) field(name string) (field, bool) {
	i := slices.IndexFunc(r.fields, func(f field) bool { return f.Name == name })
	if i < 0 {
		return field{}, false
	}
	return r.fields[i], true
}
