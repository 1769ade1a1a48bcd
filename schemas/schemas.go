// Package schemas holds the JSON Schemas (2020-12) of what travels on Spoke's
// streams and of the canonical entities. They are derived from package
// events; their identifiers are what the dataschema attribute of an event
// names.
package schemas

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/spoke-sync/spoke/events"
)

//go:generate go run ./generate

// FS holds the files, such as change.v1.json.
//
//go:embed *.v1.json
var FS embed.FS

// ErrUnknown means that there is no schema of the given name.
var ErrUnknown = errors.New("schemas: no such schema")

// compiled holds the compiled schemas by file name, made once when the first
// document is validated.
var compiled = sync.OnceValues(compile)

func compile() (map[string]*jsonschema.Schema, error) {
	names, err := fs.Glob(FS, "*.json")
	if err != nil {
		return nil, fmt.Errorf("schemas: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, name := range names {
		content, err := FS.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("schemas: %w", err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
		if err != nil {
			return nil, fmt.Errorf("schemas: %s: %w", name, err)
		}
		if err := c.AddResource(events.SchemaBase+name, doc); err != nil {
			return nil, fmt.Errorf("schemas: %s: %w", name, err)
		}
	}
	all := make(map[string]*jsonschema.Schema, len(names))
	for _, name := range names {
		if all[name], err = c.Compile(events.SchemaBase + name); err != nil {
			return nil, fmt.Errorf("schemas: %s: %w", name, err)
		}
	}
	return all, nil
}

// Validate checks a document by the schema of a file name ("change.v1.json")
// or a canonical entity or form ("deal", "change"). The error lists every
// violation with its place and may quote values, so it is not for logs;
// ErrUnknown means that there is no such schema.
func Validate(name string, document []byte) error {
	all, err := compiled()
	if err != nil {
		return err
	}
	schema, ok := all[name]
	if !ok {
		schema, ok = all[name+".v1.json"]
	}
	if !ok {
		return fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return fmt.Errorf("schemas: %s: no JSON: %w", name, err)
	}
	if err := schema.Validate(v); err != nil {
		return fmt.Errorf("schemas: %s: %w", name, err)
	}
	return nil
}
