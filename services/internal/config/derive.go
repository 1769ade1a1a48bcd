package config

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/hub"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

// File is the absolute path of the configuration file; empty where it is none.
func (c *Config) File() string {
	if _, err := os.Stat(c.file); err != nil {
		return ""
	}
	path, err := filepath.Abs(c.file)
	if err != nil {
		return ""
	}
	return path
}

// ConnectionNames returns the connections in alphabetical order.
func (c *Config) ConnectionNames() []string { return slices.Sorted(maps.Keys(c.Connections)) }

// Kind returns the vendor of a connection, as its settings make it.
func (c *Config) Kind(connection string) connector.Kind { return c.Connections[connection].kind }

// Settings returns a connection's decoded settings.
func (c *Config) Settings(connection string) any { return c.Connections[connection].decoded }

// Kinds returns the vendor of each connection.
func (c *Config) Kinds() map[string]connector.Kind {
	kinds := make(map[string]connector.Kind, len(c.Connections))
	for name := range c.Connections {
		kinds[name] = c.Kind(name)
	}
	return kinds
}

// Hub returns the name of the hub's connection, or "".
func (c *Config) Hub() string {
	for _, name := range c.ConnectionNames() {
		if c.Kind(name).Hub {
			return name
		}
	}
	return ""
}

// MergePolicy returns the checked merge policy.
func (c *Config) MergePolicy() (hub.Policy, error) {
	rules := hub.Rules{}
	for entity, fields := range c.Policy {
		rules[entity] = map[string]string{}
		for field, r := range fields {
			rules[entity][field] = string(r)
		}
	}
	speakers := slices.Concat(c.ConnectionNames(), slices.Collect(maps.Keys(c.Upstreams)))
	p, err := hub.NewPolicy(rules, c.Hub(), speakers)
	return c.mute(p), err
}

// Owners returns the source of truth of each field that has one, by entity and
// field; "default" stands for the fields that are not named.
func (c *Config) Owners() map[events.Entity]map[string]string {
	owners := map[events.Entity]map[string]string{}
	for entity, fields := range c.Policy {
		owners[entity] = map[string]string{}
		for field, r := range fields {
			owners[entity][field] = strings.TrimPrefix(string(r), "owner: ")
		}
	}
	return owners
}

// CompileFlows compiles the default mappings of the connections and the
// configured flow files. The error lists every problem with file, line and
// caret.
func (c *Config) CompileFlows() (*mapping.Set, error) {
	files, err := c.flowFiles()
	if err != nil {
		return nil, err
	}
	var targets []mapping.Target
	for _, name := range c.ConnectionNames() {
		targets = append(targets, mapping.Target{Name: name, Kind: c.Kind(name)})
	}
	set, err := mapping.Compile(files, targets)
	if err != nil {
		return nil, err
	}
	return c.directed(set)
}

func (c *Config) flowFiles() ([]mapping.File, error) {
	files, err := c.defaultFiles()
	if err != nil {
		return nil, err
	}
	for _, pattern := range c.Flows {
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(filepath.Dir(c.file), pattern)
		}
		matches, err := filepath.Glob(pattern)
		if err != nil || len(matches) == 0 {
			return nil, fmt.Errorf("%s: flows: no file matches %s", c.file, pattern)
		}
		for _, m := range matches {
			text, err := os.ReadFile(m) //nolint:gosec // the operator names the files
			if err != nil {
				return nil, fmt.Errorf("flow: %w", err)
			}
			files = append(files, mapping.File{Name: m, Text: text})
		}
	}
	return files, nil
}

// defaultFiles returns the default flows of each kind once, for all of its
// connections that want them.
func (c *Config) defaultFiles() ([]mapping.File, error) {
	byKind := map[string][]string{}
	for _, name := range c.ConnectionNames() {
		if use := c.Connections[name].DefaultFlows; use == nil || *use {
			k := c.Kind(name)
			byKind[k.Name] = append(byKind[k.Name], name)
		}
	}
	var files []mapping.File
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		connections := byKind[kind]
		routes := c.Routing[kind]
		if len(connections) > 1 && routes == nil && c.Kind(connections[0]).Flows != nil {
			return nil, fmt.Errorf("%s: connections %s are of one kind, and its default flows can't tell where a record belongs: "+
				"say it with routing.%s, such as {deal: 'deal.amount.currency == \"EUR\" ? %q : %q'}, or set default_flows: false on all but one of them",
				c.file, strings.Join(connections, ", "), kind, connections[0], connections[1])
		}
		defaults, err := defaultFlows(connections, c.Kind(connections[0]))
		if err != nil {
			return nil, err
		}
		for i := range defaults {
			defaults[i].Routes = mapping.Routes{File: c.file, Text: c.text, Node: routes}
		}
		files = append(files, defaults...)
	}
	return files, nil
}

// validateRouting checks that rules are where they choose something.
func (c *Config) validateRouting(report func(string, ...any)) {
	for _, kind := range slices.Sorted(maps.Keys(c.Routing)) {
		n := 0
		for _, name := range c.ConnectionNames() {
			if c.Connections[name].Kind == kind {
				n++
			}
		}
		if n < 2 {
			report("routing.%s: chooses among connections of the kind %s, and there are %d", kind, kind, n)
		}
		rules, ok := c.Routing[kind].(ast.MapNode)
		if !ok {
			report("routing.%s: want a mapping of entities to rules, such as {deal: …}", kind)
			continue
		}
		for it := rules.MapRange(); it.Next(); {
			if e := events.Entity(it.Key().GetToken().Value); !e.Known() {
				report("routing.%s.%s: no such entity", kind, e)
			}
		}
	}
}

func defaultFlows(connections []string, k connector.Kind) ([]mapping.File, error) {
	if k.Flows == nil {
		return nil, nil
	}
	var names []string
	err := fs.WalkDir(k.Flows, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".yaml") {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("default flows of %s: %w", k.Name, err)
	}
	files := make([]mapping.File, 0, len(names))
	for _, n := range names {
		text, err := fs.ReadFile(k.Flows, n)
		if err != nil {
			return nil, err
		}
		files = append(files, mapping.File{Name: k.Name + "/" + n, Text: text, Connections: connections})
	}
	return files, nil
}
