package derive

import (
	"fmt"
	"reflect"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/spoke-sync/spoke/events"
)

// entity derives the schema of a canonical entity as publishers send it in
// the data of an event: no other fields, and null clears a field.
func entity(e events.Entity) (*jsonschema.Schema, error) {
	s, err := fields(e.GoType(), e.Fields())
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", e, err)
	}
	items := map[string]*jsonschema.Schema{}
	for _, k := range []events.Kind{events.KindLines, events.KindApplied} {
		if items[k.ItemName()], err = fields(k.ItemType(), k.ItemFields()); err != nil {
			return nil, fmt.Errorf("schema of %s: %w", k, err)
		}
	}
	s.Title = e.GoType().Name()
	what := "canonical " + string(e)
	if e.Custom() {
		what = "record of a kind that the configuration makes up (x_<name>)"
	}
	s.Description = "The " + what + ", as the data of an event that is posted to Spoke. Null clears a field."
	s.Defs = used(s, givenDefs(items))
	return s, nil
}

func fields(t reflect.Type, types map[string]events.FieldType) (*jsonschema.Schema, error) {
	s, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: givenTypes()})
	if err != nil {
		return nil, err
	}
	for name, p := range s.Properties {
		f := types[name]
		p.Format = f.Format
		if f.Doc != "" {
			p.Description = f.Doc
		}
		s.Properties[name] = nullable(f, p)
	}
	return s, nil
}

// nullable admits null. The object of the custom fields is no field itself
// and can't be cleared.
func nullable(f events.FieldType, p *jsonschema.Schema) *jsonschema.Schema {
	switch {
	case f.Kind == events.KindCustom:
		return p
	case p.Ref != "":
		return &jsonschema.Schema{
			Description: p.Description,
			AnyOf:       []*jsonschema.Schema{{Ref: p.Ref}, {Type: "null"}},
		}
	default:
		p.Types, p.Type = []string{p.Type, "null"}, ""
		return p
	}
}
