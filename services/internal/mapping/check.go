package mapping

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/spoke-sync/spoke/services/internal/connector"
)

// accepted lists the CEL types that each field type takes.
var accepted = map[connector.FieldType][]*cel.Type{
	connector.FieldString:  {cel.StringType},
	connector.FieldBool:    {cel.BoolType},
	connector.FieldInt:     {cel.IntType},
	connector.FieldDecimal: {decimalType, cel.IntType},
	connector.FieldMoney:   {moneyType},
	connector.FieldDate:    {cel.StringType},
	connector.FieldRef:     {refType},
	// A field that the connector does not know, such as a custom one.
	"": {cel.StringType, cel.BoolType, cel.IntType, decimalType, moneyType},
}

// condition compiles when:.
func (c *compiler) condition(env *cel.Env, e entry) cel.Program {
	text, line, column, ok := scalar(e.value)
	if !ok {
		c.fail(e.node, "when: want an expression")
		return nil
	}
	prog, out := c.program(env, text, line, column)
	if prog != nil && out.Kind() != cel.BoolKind && out.Kind() != cel.DynKind {
		c.problems = append(c.problems, c.src.at(line, column, fmt.Sprintf("when: want true or false, this is a %s", describe(out))))
	}
	return prog
}

// expression compiles the value of a field and checks its type.
func (c *compiler) expression(env *cel.Env, typ connector.Field, e entry, text string, line, column int) (field, bool) {
	if typ.Type == connector.FieldList || typ.Type == connector.FieldObject {
		c.fail(e.node, "field %q is a %s: want a mapping", e.key, typ.Type)
		return field{}, false
	}
	prog, out := c.program(env, text, line, column)
	if prog == nil {
		return field{}, false
	}
	if !accepts(typ.Type, out) {
		c.problems = append(c.problems, c.src.at(line, column,
			fmt.Sprintf("field %q wants %s, this is a %s%s", e.key, wanted(typ.Type), describe(out), remedy(typ, out))))
		return field{}, false
	}
	return field{name: typ.Name, typ: typ, value: prog}, true
}

func accepts(t connector.FieldType, out *cel.Type) bool {
	if out.Kind() == cel.DynKind {
		return t != connector.FieldRef // decided when it is evaluated
	}
	if out.Kind() == cel.OpaqueKind && out.TypeName() == "optional_type" {
		return accepts(t, out.Parameters()[0])
	}
	return slices.ContainsFunc(accepted[t], func(a *cel.Type) bool { return a.IsExactType(out) })
}

func wanted(t connector.FieldType) string {
	names := make([]string, 0, 2)
	for _, a := range accepted[t] {
		names = append(names, describe(a))
	}
	return strings.Join(names, " or ")
}

// remedy suggests the usual fix.
func remedy(f connector.Field, out *cel.Type) string {
	switch {
	case f.Type == connector.FieldRef && out.IsExactType(linkType):
		return ": write ref(…) around it"
	case f.Type == connector.FieldDecimal && out.IsExactType(moneyType):
		return ": add .amount"
	case f.Type == connector.FieldMoney && out.IsExactType(decimalType):
		return ": write money(…, \"EUR\") around it"
	case f.Type == connector.FieldString && out.IsExactType(decimalType):
		return ": write string(…) around it"
	}
	return ""
}

// program compiles one expression; its problems point into the file.
func (c *compiler) program(env *cel.Env, text string, line, column int) (cel.Program, *cel.Type) {
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			c.problems = append(c.problems, c.src.within(line, column, e.Location, c.explain(text, e.Message)))
		}
		return nil, nil
	}
	if c.reads != nil {
		c.reads.collect(ast.NativeRep().Expr(), c.from)
	}
	prog, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		c.problems = append(c.problems, c.src.at(line, column, err.Error()))
		return nil, nil
	}
	return prog, ast.OutputType()
}

// explain adds a suggestion to CEL's message about an unknown field.
func (c *compiler) explain(text, message string) string {
	name, ok := strings.CutPrefix(message, "undefined field '")
	if !ok {
		return message
	}
	name = strings.TrimSuffix(name, "'")
	var known []string
	for typ, fields := range c.types.objects {
		if strings.Contains(text, typ[strings.LastIndexByte(typ, ':')+1:]+".") {
			for f := range fields {
				known = append(known, f)
			}
		}
	}
	return message + closest(name, slices.Compact(slices.Sorted(slices.Values(known))))
}
