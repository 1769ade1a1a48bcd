package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/spoke-sync/spoke/events"
)

// reads is what the fields of a flow are made of.
type reads struct {
	// fields are canonical fields of the record; "custom." stands for a custom
	// field whose name is computed, and "" for the whole record.
	fields map[string]bool
	// kept are those of them that fields are made of which the connector writes
	// every time; once is set while one is compiled that it only writes at first.
	kept map[string]bool
	once bool
	// docs are what other systems hold, by DocKey, but for the names of the
	// objects, which stay what they are.
	docs map[string]bool
}

// Reads reports whether the flow's fields are made of a canonical field.
func (f *Flow) Reads(field string) bool { return among(f.reads.fields, field) }

// Keeps reports whether writing the document again mends what the connection
// holds of a canonical field: the flow is made of it, and not only in fields that
// are written once.
func (f *Flow) Keeps(field string) bool { return among(f.reads.kept, field) }

func among(read map[string]bool, field string) bool {
	return read[field] || read[""] || strings.HasPrefix(field, customField+".") && read[customField+"."]
}

func newReads() *reads {
	return &reads{fields: map[string]bool{}, kept: map[string]bool{}, docs: map[string]bool{}}
}

// names of an object never change once they are known.
var names = []string{"id", "number", "url", "state"}

// collect adds what an expression of a flow from an entity reads.
func (r *reads) collect(e ast.Expr, from events.Entity) {
	if path, ok := pathOf(e); ok {
		r.add(path, from)
		return
	}
	switch e.Kind() {
	case ast.SelectKind:
		r.collect(e.AsSelect().Operand(), from)
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			r.collect(call.Target(), from)
		}
		for _, arg := range call.Args() {
			r.collect(arg, from)
		}
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			r.collect(item, from)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.collect(entry.AsMapEntry().Key(), from)
			r.collect(entry.AsMapEntry().Value(), from)
		}
	case ast.StructKind:
		for _, f := range e.AsStruct().Fields() {
			r.collect(f.AsStructField().Value(), from)
		}
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		for _, part := range []ast.Expr{c.IterRange(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()} {
			r.collect(part, from)
		}
	case ast.IdentKind, ast.LiteralKind, ast.UnspecifiedExprKind:
	}
}

// pathOf takes apart a chain of names, such as deal.custom.region; a name that
// is computed ends it with "".
func pathOf(e ast.Expr) (path []string, ok bool) {
	switch e.Kind() { //nolint:exhaustive // only these make a chain
	case ast.IdentKind:
		return []string{e.AsIdent()}, true
	case ast.SelectKind:
		path, ok = pathOf(e.AsSelect().Operand())
		return append(path, e.AsSelect().FieldName()), ok
	case ast.CallKind:
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.Index, operators.OptIndex, operators.OptSelect:
			name := ""
			if arg := call.Args()[1]; arg.Kind() == ast.LiteralKind {
				name, _ = arg.AsLiteral().Value().(string)
			}
			path, ok = pathOf(call.Args()[0])
			return append(path, name), ok
		}
	}
	return nil, false
}

func (r *reads) add(path []string, from events.Entity) {
	switch {
	case path[0] == string(from) && len(path) == 1:
		r.field("")
	case path[0] == string(from) && path[1] == customField:
		name := ""
		if len(path) > 2 {
			name = path[2]
		}
		r.field(customField + "." + name)
	case path[0] == string(from):
		r.field(path[1])
	case path[0] == varDocs && len(path) > 3 && !slices.Contains(names, path[3]):
		r.docs[events.DocKey(path[1], path[2])] = true
	}
}

func (r *reads) field(name string) {
	r.fields[name] = true
	if !r.once {
		r.kept[name] = true
	}
}

// circles refuses flows that are made of what each other writes: they would
// overwrite each other for ever.
func (c *compiler) circles(set *Set) {
	for _, e := range slices.Sorted(maps.Keys(set.flows)) {
		for _, f := range set.flows[e] {
			if way := c.wayBack(set.flows[e], f, f, nil); way != nil {
				at := f.Place
				at.Message = fmt.Sprintf("flow %s is made of what it writes itself: %s; each would overwrite the other for ever",
					f.Name, strings.Join(append([]string{f.DocKey()}, way...), " ← "))
				c.problems = append(c.problems, at)
				break // the others of the circle have the same problem
			}
		}
	}
}

// wayBack follows what a flow reads through the flows that write it, and
// returns the way to the target's own document, or nil.
func (c *compiler) wayBack(flows []*Flow, f, target *Flow, way []string) []string {
	for _, other := range flows {
		key := other.DocKey()
		if !c.readsDoc(f, other) || slices.Contains(way, key) {
			continue
		}
		next := append(slices.Clone(way), key)
		if key == target.DocKey() {
			return next
		}
		if found := c.wayBack(flows, other, target, next); found != nil {
			return found
		}
	}
	return nil
}

// readsDoc reports whether a flow reads what another one writes, by the name
// of the connection or by that of its kind.
func (c *compiler) readsDoc(f, other *Flow) bool {
	if f.reads.docs[other.DocKey()] {
		return true
	}
	for kind, connections := range c.kinds {
		if slices.Contains(connections, other.Connection) && f.reads.docs[events.DocKey(kind, other.Object.Name)] {
			return true
		}
	}
	return false
}
