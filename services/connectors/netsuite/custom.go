package netsuite

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// CustomRecord declares a custom record type of the account.
type CustomRecord struct {
	// Type is the script id: customrecord_machine.
	Type string `yaml:"type"`
	// Entity is the canonical entity of its records: x_machine.
	Entity events.Entity `yaml:"entity"`
	// TypeID is the internal id of the type, by which NetSuite's table of
	// deletions may name it; empty when it uses the script id.
	TypeID string `yaml:"type_id"`
	// Fields are the fields that flows may set and that are read.
	Fields []CustomField `yaml:"fields"`
}

// CustomField declares a field of a custom record.
type CustomField struct {
	// Name is the script id: custrecord_machine_serial.
	Name string `yaml:"name"`
	// Type is string, bool, decimal, date, id (an internal id that is written
	// as a reference, such as of a list's value) or ref; string when empty.
	Type string `yaml:"type"`
	// Ref is the object that a ref points to: customer.
	Ref string `yaml:"ref"`
	// Required is checked before any call.
	Required bool `yaml:"required"`
}

var (
	customTypeForm  = regexp.MustCompile(`^customrecord_?[a-z0-9_]+$`)
	customFieldForm = regexp.MustCompile(`^custrecord_?[a-z0-9_]+$`)
)

// maxType is how long a script id may be.
const maxType = 60

func (c CustomRecord) validate(objects []string, bad func(path, format string, args ...any)) {
	path := "custom_records." + c.Type
	if !customTypeForm.MatchString(c.Type) || len(c.Type) > maxType {
		bad("custom_records.type", "%q: want the script id of a record type, such as customrecord_machine", c.Type)
	}
	if !c.Entity.Custom() {
		bad(path+".entity", "%q: want x_ and a short name, such as x_machine", c.Entity)
	}
	if c.TypeID != "" && !internalIDForm.MatchString(c.TypeID) {
		bad(path+".type_id", "%q: want an internal id, a number", c.TypeID)
	}
	seen := map[string]bool{}
	for _, f := range c.Fields {
		at := path + ".fields." + f.Name
		if !customFieldForm.MatchString(f.Name) || seen[f.Name] {
			bad(path+".fields", "%q: want the script id of a field, such as custrecord_serial, once", f.Name)
		}
		seen[f.Name] = true
		if !slices.Contains([]string{"", "string", "bool", "decimal", "date", "id", "ref"}, f.Type) {
			bad(at+".type", "%q: want string, bool, decimal, date, id or ref", f.Type)
		}
		if (f.Type == "ref") != slices.Contains(objects, f.Ref) {
			bad(at+".ref", "%q: want one of %s with the type ref, and nothing with another", f.Ref, strings.Join(objects, ", "))
		}
	}
}

func (f CustomField) field() field {
	var out field
	switch f.Type {
	case "bool":
		out = flag(f.Name, "")
	case "decimal":
		out = decimal(f.Name, "")
	case "date":
		out = date(f.Name, "")
	case "id":
		out = id(f.Name, "Of a record or a list's value")
	case "ref":
		out = reference(f.Name, f.Ref, "")
	default:
		out = text(f.Name, "")
	}
	out.Required = f.Required
	return out
}

// record is the type as documents are written to it.
func (c CustomRecord) record() record {
	r := record{
		Object: connector.Object{Name: c.Type, Entity: c.Entity, Can: everything},
		page:   "/app/common/custom/custrecordentry.nl", voids: voidsInactive,
		fields: []field{text("name", "Name of the record, where the type has one"), flag("isInactive", "")},
	}
	r.read, r.shows = "id,name", []string{"name", "company", "contact"}
	for _, f := range c.Fields {
		r.fields = append(r.fields, f.field())
		r.read += "," + f.Name
		r.shows = append(r.shows, "custom."+f.Name)
	}
	return r
}

// validateCustom checks the declared types together.
func (s *Settings) validateCustom(bad func(path, format string, args ...any)) {
	objects := []string{typeCustomer, typeContact, typeItem, typeOrder, typeInvoice, typePayment, typeCredit, typeRefund}
	for _, c := range s.CustomRecords {
		objects = append(objects, c.Type)
	}
	types, entities := map[string]bool{}, map[events.Entity]bool{}
	for _, c := range s.CustomRecords {
		c.validate(objects, bad)
		if types[c.Type] || entities[c.Entity] {
			bad("custom_records."+c.Type, "%s", fmt.Sprintf("the type and the entity %s stand for one another only once", c.Entity))
		}
		types[c.Type], entities[c.Entity] = true, true
	}
}
