package spec

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// definitions are the named shapes of one JSON Schema file.
type definitions struct {
	name  string
	names map[string]bool

	mu       sync.Mutex // the compiler is for one at a time
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

// loadDefinitions reads a JSON Schema file. amend, which may be nil, changes
// the decoded document before it is compiled.
func loadDefinitions(file string, amend func(defs map[string]any)) (*definitions, error) {
	text, err := os.ReadFile(file) //nolint:gosec // a test's own file
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	root, _ := doc.(map[string]any)
	defs, ok := root["$defs"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("read %s: it has no $defs", file)
	}
	delete(root, "$id") // so that the file's name is its address
	if amend != nil {
		amend(defs)
	}
	d := &definitions{
		name: "https://spec.example/schema.json", names: map[string]bool{},
		compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{},
	}
	d.compiler.AssertFormat()
	for name := range defs {
		d.names[name] = true
	}
	if err := d.compiler.AddResource(d.name, root); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return d, nil
}

// check compares a JSON text with a named shape.
func (d *definitions) check(in func(string, ...any) string, shape string, text []byte) []string {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return []string{in("no JSON: %v", err)}
	}
	return d.checkValue(in, shape, value)
}

func (d *definitions) checkValue(in func(string, ...any) string, shape string, value any) []string {
	schema, err := d.compile(shape)
	if err != nil {
		return []string{in("the description of %s: %v", shape, err)}
	}
	err = schema.Validate(value)
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return nil
	}
	var all []string
	for _, leaf := range leaves(invalid) {
		all = append(all, in("%s: /%s: %s", shape, strings.Join(leaf.InstanceLocation, "/"),
			leaf.ErrorKind.LocalizedString(message.NewPrinter(language.English))))
	}
	return all
}

func (d *definitions) compile(shape string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.compiled[shape]; s != nil {
		return s, nil
	}
	s, err := d.compiler.Compile(d.name + "#/$defs/" + shape)
	if err == nil {
		d.compiled[shape] = s
	}
	return s, err
}

func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var all []*jsonschema.ValidationError
	for _, c := range e.Causes {
		all = append(all, leaves(c)...)
	}
	return all
}
