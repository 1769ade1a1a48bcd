package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// Applies reports whether the flow's condition holds for a record. A
// condition that needs an absent value does not hold.
func (f *Flow) Applies(r *events.Record) (bool, error) {
	if f.when == nil {
		return true, nil
	}
	v, ok, err := eval(f.when, f.view(r))
	if err != nil {
		return false, fault.New(fault.Rejected, "flow "+f.Name, "when: %w", err).WithHint("mend the flow in " + f.File)
	}
	return ok && v == types.True, nil
}

// Fields evaluates the flow's fields. An absent value leaves its field out;
// an absent required one is an error of the kind Rejected.
func (f *Flow) Fields(r *events.Record) (map[string]any, error) {
	return f.eval(f.fields, f.view(r), "")
}

func (f *Flow) view(r *events.Record) view { return view{rec: r, self: f.DocKey(), kinds: f.kinds} }

// RouteCode marks the problem of a record for which no connection can be
// chosen, or another one than before.
const RouteCode = "route"

// Route returns which of the flow's connections a record belongs to. An answer
// that is none of them is an error of the kind Rejected.
func (f *Flow) Route(r *events.Record) (string, error) {
	refuse := func(format string, args ...any) *fault.Error {
		return fault.New(fault.Rejected, "flow "+f.Name, format, args...).WithField("route").WithCode(RouteCode)
	}
	v, ok, err := eval(f.route, f.view(r))
	switch {
	case err != nil:
		return "", refuse("route: %w", err).WithHint("mend the flow in " + f.File)
	case !ok:
		return "", refuse("route: a value that it needs is absent from %s", r.Key).
			WithHint("fill in the value at its source, or let the rule have an answer without it")
	}
	answer, _ := v.Value().(string)
	if !slices.Contains(f.To, answer) {
		if !connectionName.MatchString(answer) {
			answer = "(not shown)" // it may be a value of the record
		}
		return "", refuse("route: the answer %s is none of %s", answer, strings.Join(f.To, ", ")).
			WithHint("let the rule answer one of them for " + r.Key.String() + ", or add the connection to to:")
	}
	return answer, nil
}

func (f *Flow) eval(fields []field, v view, path string) (map[string]any, error) {
	out := make(map[string]any, len(fields))
	for _, fd := range fields {
		at := path + fd.name
		value, ok, err := f.evalField(fd, v, at)
		if err != nil {
			return nil, err
		}
		if ok {
			out[fd.name] = value
			continue
		}
		if fd.typ.Required {
			return nil, fault.New(fault.Rejected, "flow "+f.Name, "%s has no value for a required field", v.rec.Key).
				WithField(at).WithHint("fill in the value at its source, or give the field another expression in " + f.File)
		}
	}
	return out, nil
}

func (f *Flow) evalField(fd field, v view, at string) (any, bool, error) {
	switch {
	case fd.each != nil:
		return f.evalList(fd, v, at)
	case fd.value == nil:
		nested, err := f.eval(fd.fields, v, at+".")
		return nested, len(nested) > 0, err
	}
	val, ok, err := eval(fd.value, v)
	if err != nil {
		return nil, false, f.wrong(at, err)
	}
	if !ok {
		return nil, false, nil
	}
	native, err := toField(fd.typ, val)
	if err != nil {
		return nil, false, f.wrong(at, err)
	}
	return native, true, nil
}

func (f *Flow) wrong(at string, err error) error {
	return fault.New(fault.Rejected, "flow "+f.Name, "%w", err).WithField(at).WithHint("mend the flow in " + f.File)
}

func (f *Flow) evalList(fd field, v view, at string) (any, bool, error) {
	val, ok, err := eval(fd.each, v)
	if err != nil || !ok {
		if err != nil {
			err = f.wrong(at, err)
		}
		return nil, false, err
	}
	items, ok := val.(interface {
		Get(ref.Val) ref.Val
		Size() ref.Val
	})
	if !ok {
		return nil, false, f.wrong(at, fmt.Errorf("want a list"))
	}
	n, _ := items.Size().(types.Int)
	list := make([]any, 0, n)
	for i := range n {
		inner := v
		inner.loop, inner.item = fd.loop, items.Get(i)
		m, err := f.eval(fd.fields, inner, fmt.Sprintf("%s[%d].", at, i))
		if err != nil {
			return nil, false, err
		}
		list = append(list, m)
	}
	return list, len(list) > 0, nil
}

// eval runs a program. ok is false when it met an absent value.
func eval(p cel.Program, v view) (val ref.Val, ok bool, err error) {
	val, _, err = p.Eval(v)
	if err != nil {
		if isAbsent(err) {
			return nil, false, nil
		}
		return nil, false, err
	}
	if o, optional := val.(*types.Optional); optional {
		if !o.HasValue() {
			return nil, false, nil
		}
		val = o.GetValue()
	}
	if val == types.NullValue {
		return nil, false, nil
	}
	return val, true, nil
}

// isAbsent recognises our own marker, and CEL's for a key that a custom map
// does not have.
func isAbsent(err error) bool {
	return errors.Is(err, errAbsent) || strings.Contains(err.Error(), errAbsent.Error()) ||
		strings.Contains(err.Error(), "no such key")
}

// toField makes the document's form of a value.
func toField(f connector.Field, v ref.Val) (any, error) {
	switch x := v.(type) {
	case types.String:
		if f.Type == connector.FieldInt || f.Type == connector.FieldDecimal {
			d, err := events.ParseDecimal(string(x))
			return json.Number(d.String()), err
		}
		return string(x), nil
	case types.Bool:
		return bool(x), nil
	case types.Int:
		return json.Number(fmt.Sprint(int64(x))), nil
	case types.Double:
		d, err := events.ParseDecimal(fmt.Sprint(float64(x)))
		return json.Number(d.String()), err
	case decimal:
		return json.Number(x.Reduced().String()), nil
	case reference:
		return events.Ref{Object: f.Ref, Record: x.key}, nil
	case object:
		if m, ok := x.data.(money); ok {
			return map[string]any{"amount": m.Amount.Reduced().String(), "currency": m.Currency}, nil
		}
	}
	return nil, fmt.Errorf("a %s can't be written to a field", v.Type().TypeName())
}
