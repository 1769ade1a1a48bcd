package mapping

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"github.com/goccy/go-yaml/ast"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// File is one flow file.
type File struct {
	Name string
	Text []byte
	// Connections are where flows without `to:` go: those that brought the
	// file as one of their default mappings.
	Connections []string
	// Routes choose among Connections where there are several: a mapping of
	// entities to rules. A flow from an entity without one is on demand.
	Routes Routes
}

// Compile type-checks every flow of the files against the targets. It returns
// all problems at once, as Diagnostics.
func Compile(files []File, targets []Target) (*Set, error) {
	c, err := newCompiler(targets)
	if err != nil {
		return nil, err
	}
	set := &Set{flows: map[events.Entity][]*Flow{}}
	for _, f := range files {
		c.file(f, set)
	}
	c.circles(set)
	if len(c.problems) == 0 {
		c.checkDemand(set)
	}
	if err := c.problems.orNil(); err != nil {
		return nil, err
	}
	return set, nil
}

type compiler struct {
	targets  map[string]Target
	kinds    kindNames
	types    *typeSystem
	envs     map[events.Entity]*cel.Env
	src      *source
	problems Diagnostics
	names    map[string]string // flow name → file
	writes   map[string]string // entity + target → flow name
	reads    *reads            // of the flow that is being compiled
	from     events.Entity
	demanded []demanded
}

func newCompiler(targets []Target) (*compiler, error) {
	sys := System{Connections: map[string][]Object{}}
	byName := make(map[string]Target, len(targets))
	for _, t := range targets {
		byName[t.Name] = t
	}
	kinds := kindNames{}
	for _, t := range targets {
		var objects []Object
		for _, o := range t.Kind.Objects {
			objects = append(objects, Object{o.Name, o.Entity})
		}
		sys.Connections[t.Name] = objects
		if _, taken := byName[t.Kind.Name]; !taken {
			kinds[t.Kind.Name] = append(kinds[t.Kind.Name], t.Name)
			sys.Connections[t.Kind.Name] = objects
		}
	}
	ts, err := newTypeSystem(sys)
	if err != nil {
		return nil, fmt.Errorf("mapping: %w", err)
	}
	c := &compiler{
		targets: byName, kinds: kinds, types: ts, envs: map[events.Entity]*cel.Env{},
		names: map[string]string{}, writes: map[string]string{},
	}
	return c, nil
}

// env returns the CEL environment of flows from an entity.
func (c *compiler) env(e events.Entity) (*cel.Env, error) {
	if env, ok := c.envs[e]; ok {
		return env, nil
	}
	env, err := environment(c.types, e)
	if err != nil {
		return nil, fmt.Errorf("mapping: %w", err)
	}
	c.envs[e] = env
	return env, nil
}

func (c *compiler) file(f File, set *Set) {
	c.src = newSource(f.Name, f.Text)
	docs, problems := c.src.documents(f.Text)
	c.problems = append(c.problems, problems...)
	for _, entries := range docs {
		for _, flow := range c.flow(f, entries) {
			set.flows[flow.From] = append(set.flows[flow.From], flow)
		}
	}
}

func (c *compiler) fail(n ast.Node, format string, args ...any) {
	c.problems = append(c.problems, c.src.atNode(n, fmt.Sprintf(format, args...)))
}

var flowKeys = []string{"flow", "from", "when", "to", "route", "on_demand", "object", "create", "on_leave", "fields"}

// flow compiles one document: a Flow for each connection that it names. It
// returns nothing when there were problems.
func (c *compiler) flow(file File, entries []entry) []*Flow {
	before := len(c.problems)
	byKey := map[string]entry{}
	for _, e := range entries {
		if !slices.Contains(flowKeys, e.key) {
			c.fail(e.node, "unknown key %q%s", e.key, closest(e.key, slices.Clone(flowKeys)))
			continue
		}
		byKey[e.key] = e
	}
	first := entries[0].node
	f := &Flow{File: file.Name, Default: len(file.Connections) > 0, To: file.Connections, OnLeave: LeaveKeep, kinds: c.kinds}
	c.header(f, byKey, first)
	if len(c.problems) > before {
		return nil
	}
	env, err := c.env(f.From)
	if err != nil {
		c.fail(first, "%s", err)
		return nil
	}
	if w, ok := byKey["when"]; ok {
		f.when = c.condition(env, w)
	}
	c.choice(env, f, file, byKey, first)
	if _, ok := byKey["fields"]; !ok {
		c.fail(first, "flow %s has no fields", f.Name)
		return nil
	}
	c.name(f, first)
	all := make([]*Flow, 0, len(f.To))
	for _, connection := range f.To {
		one := *f
		one.Connection = connection
		if one.Object, _ = c.targets[connection].Kind.Object(f.Object.Name); len(all) == 0 || !c.alike(all[0], &one) {
			c.reads, c.from = newReads(), f.From
			one.fields = c.fields(env, &one, one.Object.Fields, one.Object.Open, byKey["fields"])
			one.reads, c.reads = *c.reads, nil
		} else {
			one.fields, one.reads = all[0].fields, all[0].reads
		}
		c.claim(&one, first)
		all = append(all, &one)
	}
	if len(c.problems) > before {
		return nil
	}
	return all
}

// alike reports whether two connections are of a kind that has the same fields
// at both, so that problems are told once.
func (c *compiler) alike(a, b *Flow) bool {
	x, y := c.targets[a.Connection].Kind, c.targets[b.Connection].Kind
	return x.Name == y.Name && x.For == nil && y.For == nil
}

// header reads everything but the expressions.
func (c *compiler) header(f *Flow, byKey map[string]entry, first ast.Node) {
	f.Name = c.word(byKey, "flow", first)
	f.From = events.Entity(c.word(byKey, "from", first))
	if f.From != "" && !f.From.Known() {
		names := make([]string, 0, 9)
		for _, e := range events.Entities() {
			names = append(names, string(e))
		}
		c.fail(byKey["from"].value, "%q is no entity: one of %s%s", f.From, strings.Join(names, ", "), closest(string(f.From), names))
	}
	if to, ok := byKey["to"]; ok {
		f.To = c.words(to)
	}
	if len(f.To) == 0 {
		c.fail(first, "flow %s: to: names no connection", f.Name)
		return
	}
	for _, name := range f.To {
		t, ok := c.targets[name]
		if !ok {
			c.fail(byKey["to"].value, "no connection is named %q%s", name, closest(name, slices.Collect(maps.Keys(c.targets))))
			return
		}
		f.Existing = t.Kind.Hub
		c.object(f, t, byKey, first)
	}
	if e, ok := byKey["create"]; ok {
		c.create(f, c.targets[f.To[0]], e)
	}
	if e, ok := byKey["on_leave"]; ok {
		f.OnLeave = Leave(c.word(byKey, "on_leave", first))
		if f.OnLeave != LeaveKeep && f.OnLeave != LeaveVoid && f.OnLeave != LeaveDelete {
			c.fail(e.value, "on_leave is %q: one of keep, void, delete", f.OnLeave)
		}
	}
}

func (c *compiler) object(f *Flow, t Target, byKey map[string]entry, first ast.Node) {
	name := c.word(byKey, "object", first)
	if name == "" {
		return
	}
	var writable []string
	for _, o := range t.Kind.Objects {
		if o.Writable() {
			writable = append(writable, o.Name)
		}
	}
	o, ok := t.Kind.Object(name)
	if !ok || !o.Writable() {
		c.fail(byKey["object"].value, "%s has no object %q to write: one of %s%s",
			t.Kind.Title, name, strings.Join(writable, ", "), closest(name, writable))
		return
	}
	f.Object = o
}

// create reads whether a flow to the hub makes objects for records that began
// elsewhere. Everywhere else flows always do.
func (c *compiler) create(f *Flow, t Target, e entry) {
	text, _, _, _ := scalar(e.value)
	switch {
	case text != "true" && text != "false":
		c.fail(e.value, "create is %q: want true or false", text)
	case !t.Kind.Hub:
		c.fail(e.node, "create: is for flows to the hub; a flow to %s always creates what is not there", t.Kind.Title)
	case text == "true" && f.Object.Name != "" && !f.Object.Can.Has(connector.Create):
		c.fail(e.value, "create: Spoke makes no %s at %s", f.Object.Name, t.Kind.Title)
	default:
		f.Existing = text == "false"
	}
}

// word reads a required plain text.
func (c *compiler) word(byKey map[string]entry, key string, first ast.Node) string {
	e, ok := byKey[key]
	if !ok {
		c.fail(first, "%s: is missing", key)
		return ""
	}
	text, _, _, ok := scalar(e.value)
	if !ok || text == "" {
		c.fail(e.node, "%s: want a text", key)
		return ""
	}
	return text
}

// name refuses two flows of one name.
func (c *compiler) name(f *Flow, first ast.Node) {
	if other, ok := c.names[f.Name]; ok {
		c.fail(first, "a flow named %s stands in %s already", f.Name, other)
	}
	c.names[f.Name] = f.File
	f.Place = c.src.atNode(first, "")
}

// claim refuses two flows that write the same object of one record: they
// would overwrite each other for ever.
func (c *compiler) claim(f *Flow, first ast.Node) {
	key := string(f.From) + " " + f.DocKey()
	if other, ok := c.writes[key]; ok {
		c.fail(first, "flows %s and %s both write %s of one %s: keep one of them", other, f.Name, f.DocKey(), f.From)
	}
	c.writes[key] = f.Name
}

// fields compiles a mapping of field names to expressions.
func (c *compiler) fields(env *cel.Env, f *Flow, known []connector.Field, open func(string) bool, e entry) []field {
	entries, ok := mapping(e.value)
	if !ok {
		c.fail(e.node, "fields: want a mapping of field names to expressions")
		return nil
	}
	var out []field
	set := map[string]bool{}
	for _, e := range entries {
		if set[e.key] {
			c.fail(e.node, "field %q is set twice", e.key)
		}
		set[e.key] = true
		typ, ok := fieldByName(known, e.key)
		if !ok && open != nil && open(e.key) {
			typ, ok = connector.Field{Name: e.key}, true
		}
		if !ok {
			c.fail(e.node, "%s of %s has no field %q%s", f.Object.Name, f.Connection, e.key, closest(e.key, fieldNames(known)))
			continue
		}
		outer := c.reads.once
		c.reads.once = outer || typ.Once
		if fd, ok := c.field(env, f, typ, e); ok {
			out = append(out, fd)
		}
		c.reads.once = outer
	}
	for _, k := range known {
		if k.Required && !set[k.Name] {
			c.fail(e.node, "required field %q of %s is not mapped", k.Name, f.Object.Name)
		}
	}
	return out
}

func fieldByName(fields []connector.Field, name string) (connector.Field, bool) {
	i := slices.IndexFunc(fields, func(f connector.Field) bool { return f.Name == name })
	if i < 0 {
		return connector.Field{}, false
	}
	return fields[i], true
}

func fieldNames(fields []connector.Field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// field compiles one field: a scalar is an expression, a mapping is a nested
// object, a list (each:), or an expression that needs a connection (with:).
func (c *compiler) field(env *cel.Env, f *Flow, typ connector.Field, e entry) (field, bool) {
	if text, line, column, ok := scalar(e.value); ok {
		return c.expression(env, typ, e, text, line, column)
	}
	entries, ok := mapping(e.value)
	if !ok {
		c.fail(e.node, "field %q: want an expression or a mapping", e.key)
		return field{}, false
	}
	byKey := map[string]entry{}
	for _, sub := range entries {
		byKey[sub.key] = sub
	}
	if with, ok := byKey["with"]; ok {
		return c.conditional(env, typ, e, with, byKey)
	}
	switch typ.Type { //nolint:exhaustive // the others take one expression
	case connector.FieldList:
		return c.list(env, f, typ, e, byKey)
	case connector.FieldObject:
		return field{name: typ.Name, typ: typ, fields: c.fields(env, f, typ.Fields, nil, e)}, true
	}
	c.fail(e.node, "field %q is a %s: want one expression", e.key, typ.Type)
	return field{}, false
}

// conditional leaves a field out where the named connection, or one of that
// kind, does not exist.
func (c *compiler) conditional(env *cel.Env, typ connector.Field, e, with entry, byKey map[string]entry) (field, bool) {
	name, _, _, ok := scalar(with.value)
	value, has := byKey["value"]
	if !ok || !has || len(byKey) != 2 {
		c.fail(e.node, "field %q: with: takes a connection and goes with value: only", e.key)
		return field{}, false
	}
	if _, configured := c.targets[name]; !configured && len(c.kinds[name]) == 0 {
		return field{}, false
	}
	text, line, column, ok := scalar(value.value)
	if !ok {
		c.fail(value.node, "value: want an expression")
		return field{}, false
	}
	return c.expression(env, typ, e, text, line, column)
}

var loopName = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]{0,30}$`)

func (c *compiler) list(env *cel.Env, f *Flow, typ connector.Field, e entry, byKey map[string]entry) (field, bool) {
	each, okEach := byKey["each"]
	inner, okFields := byKey["fields"]
	if !okEach || !okFields {
		c.fail(e.node, "field %q is a list: want each:, as: and fields:", e.key)
		return field{}, false
	}
	loop := "line"
	if as, ok := byKey["as"]; ok {
		loop, _, _, _ = scalar(as.value)
	}
	if !loopName.MatchString(loop) {
		c.fail(e.node, "as: want a short name such as line")
		return field{}, false
	}
	text, line, column, ok := scalar(each.value)
	if !ok {
		c.fail(each.node, "each: want an expression that is a list")
		return field{}, false
	}
	prog, out := c.program(env, text, line, column)
	if prog == nil {
		return field{}, false
	}
	if out.Kind() != cel.ListKind {
		c.problems = append(c.problems, c.src.at(line, column, fmt.Sprintf("each: want a list, this is a %s", describe(out))))
		return field{}, false
	}
	itemEnv, err := env.Extend(cel.Variable(loop, out.Parameters()[0]))
	if err != nil {
		c.fail(e.node, "as: %v", err)
		return field{}, false
	}
	return field{name: typ.Name, typ: typ, each: prog, loop: loop, fields: c.fields(itemEnv, f, typ.Fields, nil, inner)}, true
}
