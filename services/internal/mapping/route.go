package mapping

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"github.com/goccy/go-yaml/ast"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// Routes are rules that choose a connection, by entity, as they are written in
// another file than the flows: a YAML mapping. The zero Routes has none.
type Routes struct {
	File string
	Text []byte
	Node ast.Node
}

// connectionName is what a connection may be called.
var connectionName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,30}$`)

// rule returns the rule for an entity, with the source that it stands in.
func (r Routes) rule(from events.Entity) (entry, *source, bool) {
	if r.Node == nil {
		return entry{}, nil, false
	}
	entries, _ := mapping(r.Node)
	i := slices.IndexFunc(entries, func(e entry) bool { return e.key == string(from) })
	if i < 0 {
		return entry{}, nil, false
	}
	return entries[i], newSource(r.File, r.Text), true
}

// words reads a text or a list of texts without repeats.
func (c *compiler) words(e entry) []string {
	nodes := []ast.Node{e.value}
	if list, ok := e.value.(*ast.SequenceNode); ok {
		nodes = list.Values
	}
	var words []string
	for _, n := range nodes {
		text, _, _, ok := scalar(n)
		switch {
		case !ok || text == "":
			c.fail(n, "%s: want a connection, or a list of them", e.key)
		case slices.Contains(words, text):
			c.fail(n, "%s: names %s twice", e.key, text)
		default:
			words = append(words, text)
		}
	}
	return words
}

// choice reads how one of several connections is chosen.
func (c *compiler) choice(env *cel.Env, f *Flow, file File, byKey map[string]entry, first ast.Node) {
	if e, ok := byKey["on_demand"]; ok {
		f.OnDemand = c.yes(e)
		if f.OnDemand && f.Existing {
			c.fail(e.node, "on_demand: the hub's objects are there before anything refers to them")
		}
	}
	rule, ok := byKey["route"]
	src := c.src
	if !ok && len(f.To) > 1 && byKey["to"].node == nil && !f.OnDemand {
		if rule, src, ok = file.Routes.rule(f.From); !ok {
			f.OnDemand = true
		}
	}
	switch {
	case ok && f.OnDemand:
		c.fail(rule.node, "route: and on_demand: exclude each other: what is on demand goes wherever it is referred to")
	case ok && len(f.To) == 1:
		c.fail(rule.node, "route: chooses one of several connections, and to: names one")
	case ok:
		f.route = c.route(env, f, src, rule)
	case len(f.To) > 1 && !f.OnDemand:
		c.fail(first, "flow %s goes to %s: write a route: that says which, or on_demand: true for what goes wherever it is referred to",
			f.Name, strings.Join(f.To, ", "))
	}
	if f.OnDemand {
		remedy := "choose its connection with route:"
		if byKey["to"].node == nil {
			remedy = fmt.Sprintf("say where it belongs with routing.%s.%s", c.targets[f.To[0]].Kind.Name, f.From)
		}
		c.demanded = append(c.demanded, demanded{flow: f, src: c.src, node: first, remedy: remedy})
	}
}

func (c *compiler) yes(e entry) bool {
	b, ok := e.value.(*ast.BoolNode)
	if !ok {
		c.fail(e.value, "%s: want true or false", e.key)
		return false
	}
	return b.Value
}

// route compiles a rule that chooses a connection. A name that it spells out
// must be one of the flow's, or "" for none.
func (c *compiler) route(env *cel.Env, f *Flow, src *source, e entry) cel.Program {
	here := c.src
	c.src = src
	defer func() { c.src = here }()
	text, line, column, ok := scalar(e.value)
	if !ok {
		c.fail(e.node, "%s: want an expression", e.key)
		return nil
	}
	prog, out := c.program(env, text, line, column)
	if prog == nil {
		return nil
	}
	if out.Kind() != cel.StringKind && out.Kind() != cel.DynKind {
		c.problems = append(c.problems, c.src.at(line, column,
			fmt.Sprintf("route: want the name of a connection, this is a %s", describe(out))))
		return nil
	}
	parsed, issues := env.Compile(text)
	if issues.Err() != nil {
		return prog // told above
	}
	tree := parsed.NativeRep()
	for _, lit := range answers(tree.Expr()) {
		name, _ := lit.AsLiteral().Value().(string)
		if name == "" || slices.Contains(f.To, name) {
			continue // "" says that there is none, which is told when it comes to it
		}
		c.problems = append(c.problems, c.src.within(line, column, tree.SourceInfo().GetStartLocation(lit.ID()),
			fmt.Sprintf("route: %q is none of %s%s", name, strings.Join(f.To, ", "), closest(name, slices.Clone(f.To)))))
	}
	return prog
}

// answers returns the texts that an expression may come out as, as far as they
// are spelled out.
func answers(e celast.Expr) []celast.Expr {
	switch e.Kind() { //nolint:exhaustive // the others are computed
	case celast.LiteralKind:
		if _, text := e.AsLiteral().(types.String); text {
			return []celast.Expr{e}
		}
	case celast.CallKind:
		if call := e.AsCall(); call.FunctionName() == operators.Conditional {
			return append(answers(call.Args()[1]), answers(call.Args()[2])...)
		}
	}
	return nil
}

// demanded is a flow that is on demand, and where it stands.
type demanded struct {
	flow   *Flow
	src    *source
	node   ast.Node
	remedy string
}

// checkDemand refuses what is on demand and never demanded.
func (c *compiler) checkDemand(set *Set) {
	for _, d := range c.demanded {
		for _, connection := range d.flow.To {
			if set.refers(connection, d.flow.Object.Name) {
				continue
			}
			c.src = d.src
			c.fail(d.node, "flow %s is on demand, and no flow to %s has a field that refers to a %s: nothing would ever be written; %s",
				d.flow.Name, connection, d.flow.Object.Name, d.remedy)
			break
		}
	}
}

// refers reports whether a flow to a connection has a reference to an object
// type.
func (s *Set) refers(connection, object string) bool {
	return slices.ContainsFunc(s.All(), func(f *Flow) bool {
		return f.Connection == connection && refers(f.fields, object)
	})
}

func refers(fields []field, object string) bool {
	return slices.ContainsFunc(fields, func(f field) bool {
		return f.typ.Type == connector.FieldRef && f.typ.Ref == object || refers(f.fields, object)
	})
}
