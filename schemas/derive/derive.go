// Package derive makes Spoke's JSON Schemas from the Go types of package
// events. It is used by the generator and by the test that compares its
// output with the committed files; nothing of it runs in production.
package derive

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/spoke-sync/spoke/events"
)

const dialect = "https://json-schema.org/draft/2020-12/schema"

// All returns every schema by file name, as indented JSON.
func All() (map[string][]byte, error) {
	files := make(map[string][]byte)
	for _, d := range documents() {
		s, err := document(d)
		if err != nil {
			return nil, err
		}
		if err := add(files, d.name, s); err != nil {
			return nil, err
		}
	}
	for _, e := range append(events.Entities(), "x_any") {
		s, err := entity(e)
		if err != nil {
			return nil, err
		}
		name := string(e)
		if e.Custom() {
			name = "custom_object"
		}
		if err := add(files, name, s); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// FileName is the file of a schema: "change" is in change.v1.json.
func FileName(name string) string { return name + ".v1.json" }

func add(files map[string][]byte, name string, s *jsonschema.Schema) error {
	file := FileName(name)
	s.Schema, s.ID = dialect, events.SchemaBase+file
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("schema %s: %w", file, err)
	}
	files[file] = append(b, '\n')
	return nil
}

// doc is one of the forms that stand on the streams.
type doc struct {
	name, title, description string
	typ                      reflect.Type
}

func documents() []doc {
	return []doc{
		{
			"change", "Change", "What a system says about one of its objects: the data of a changed, deleted, restored, merged or erased event.",
			reflect.TypeFor[events.Change](),
		},
		{
			"outcome", "Outcome", "What came of one desired document: the data of a written event.",
			reflect.TypeFor[events.Outcome](),
		},
		{
			"record", "Record", "The golden record of one business object: the winning value of each field, and where the object stands in every connected system.",
			reflect.TypeFor[events.Record](),
		},
		{
			"desired", "Desired", "What one connected system should hold for one record.",
			reflect.TypeFor[events.Desired](),
		},
	}
}

// document derives the schema of a stored form. Readers must put up with
// fields that a later version adds, so objects stay open.
func document(d doc) (*jsonschema.Schema, error) {
	s, err := jsonschema.ForType(d.typ, &jsonschema.ForOptions{TypeSchemas: storedTypes()})
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", d.name, err)
	}
	walk(s, func(s *jsonschema.Schema) {
		notNull(s)
		if s.Properties != nil {
			s.AdditionalProperties = nil
		}
	})
	s.Title, s.Description = d.title, d.description
	s.Defs = used(s, storedDefs())
	return s, nil
}

// notNull removes null from the types of a slice or pointer: all of them are
// left out when they are empty.
func notNull(s *jsonschema.Schema) {
	if len(s.Types) == 2 && s.Types[0] == "null" {
		s.Type, s.Types = s.Types[1], nil
	}
}

// walk visits s and everything below it.
func walk(s *jsonschema.Schema, visit func(*jsonschema.Schema)) {
	if s == nil {
		return
	}
	visit(s)
	walk(s.Items, visit)
	walk(s.AdditionalProperties, visit)
	for _, p := range s.Properties {
		walk(p, visit)
	}
	for _, list := range [][]*jsonschema.Schema{s.AnyOf, s.OneOf, s.AllOf} {
		for _, p := range list {
			walk(p, visit)
		}
	}
}

const defsPrefix = "#/$defs/"

// used returns the definitions that s points to, and those that they need.
func used(s *jsonschema.Schema, defs map[string]*jsonschema.Schema) map[string]*jsonschema.Schema {
	found := make(map[string]*jsonschema.Schema)
	var visit func(*jsonschema.Schema)
	visit = func(s *jsonschema.Schema) {
		if len(s.Ref) <= len(defsPrefix) {
			return
		}
		name := s.Ref[len(defsPrefix):]
		if _, ok := found[name]; !ok {
			found[name] = defs[name]
			walk(defs[name], visit)
		}
	}
	walk(s, visit)
	return found
}
