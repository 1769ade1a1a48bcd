package mapping

import (
	"encoding/json"
	"fmt"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/spoke-sync/spoke/events"
)

// decimal is events.Decimal in CEL.
type decimal struct{ events.Decimal }

var (
	_ traits.Comparer   = decimal{}
	_ traits.Adder      = decimal{}
	_ traits.Multiplier = decimal{}
	_ traits.Adder      = object{}
)

func (d decimal) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a decimal is no %v", t)
}

func (d decimal) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.StringType:
		return types.String(d.String())
	case types.TypeType:
		return decimalType
	}
	return types.NewErr("a decimal can't become a %s", t.TypeName())
}

func (d decimal) Equal(o ref.Val) ref.Val {
	x, ok := asDecimal(o)
	return types.Bool(ok && d.Cmp(x.Decimal) == 0)
}
func (d decimal) Type() ref.Type { return decimalType }
func (d decimal) Value() any     { return d.Decimal }

func (d decimal) Compare(o ref.Val) ref.Val {
	x, ok := asDecimal(o)
	if !ok {
		return types.MaybeNoSuchOverloadErr(o)
	}
	return types.Int(d.Cmp(x.Decimal))
}

func (d decimal) Add(o ref.Val) ref.Val      { return d.calc(o, events.Decimal.Add) }
func (d decimal) Subtract(o ref.Val) ref.Val { return d.calc(o, events.Decimal.Sub) }

// Multiply takes a decimal, an int, or money, which stays money.
func (d decimal) Multiply(o ref.Val) ref.Val {
	if m, ok := asMoney(o); ok {
		return m.times(d)
	}
	return d.calc(o, events.Decimal.Mul)
}

func (d decimal) calc(o ref.Val, op func(a, b events.Decimal) (events.Decimal, error)) ref.Val {
	x, ok := asDecimal(o)
	if !ok {
		return types.MaybeNoSuchOverloadErr(o)
	}
	r, err := op(d.Decimal, x.Decimal)
	if err != nil {
		return types.WrapErr(err)
	}
	return decimal{r}
}

// asDecimal accepts an int too, so that quantity > 0 works.
func asDecimal(v ref.Val) (decimal, bool) {
	switch x := v.(type) {
	case decimal:
		return x, true
	case types.Int:
		return decimal{events.DecimalFromInt(int64(x))}, true
	}
	return decimal{}, false
}

// object is a CEL object over a Go value with fields.
type object struct {
	typ  ref.Type
	data fielder
}

func (o object) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a %s is no %v", o.typ.TypeName(), t)
}

func (o object) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		if tt, ok := o.typ.(*types.Type); ok {
			return tt
		}
	}
	return types.NewErr("a %s can't become a %s", o.typ.TypeName(), t.TypeName())
}

func (o object) Equal(v ref.Val) ref.Val {
	other, ok := v.(object)
	if !ok {
		return types.False
	}
	if m, ok := o.data.(money); ok {
		n, ok := other.data.(money)
		return types.Bool(ok && m.Equal(n.Money))
	}
	return types.Bool(reflect.DeepEqual(o.data, other.data))
}
func (o object) Type() ref.Type { return o.typ }
func (o object) Value() any     { return o.data }

func (o object) Add(v ref.Val) ref.Val      { return o.calc(v, events.Money.Add) }
func (o object) Subtract(v ref.Val) ref.Val { return o.calc(v, events.Money.Sub) }

func (o object) Multiply(v ref.Val) ref.Val {
	m, ok := asMoney(o)
	d, number := asDecimal(v)
	if !ok || !number {
		return types.MaybeNoSuchOverloadErr(v)
	}
	return m.times(d)
}

func (o object) calc(v ref.Val, op func(a, b events.Money) (events.Money, error)) ref.Val {
	a, ok := asMoney(o)
	b, same := asMoney(v)
	if !ok || !same {
		return types.MaybeNoSuchOverloadErr(v)
	}
	r, err := op(a.Money, b.Money)
	if err != nil {
		return types.WrapErr(err)
	}
	return object{moneyType, money{r}}
}

func asMoney(v ref.Val) (money, bool) {
	o, ok := v.(object)
	if !ok {
		return money{}, false
	}
	m, ok := o.data.(money)
	return m, ok
}

func (m money) times(d decimal) ref.Val {
	r, err := m.Amount.Mul(d.Decimal)
	if err != nil {
		return types.WrapErr(err)
	}
	return object{moneyType, money{events.Money{Amount: r, Currency: m.Currency}}}
}

// money is events.Money as an object.
type money struct{ events.Money }

func (m money) field(name string) (ref.Val, bool) {
	switch name {
	case "amount":
		return decimal{m.Amount}, true
	case "currency":
		return types.String(m.Currency), true
	}
	return nil, false
}

// link is events.Link as an object. Only a resolved link has an id.
type link struct{ events.Link }

func (l link) field(name string) (ref.Val, bool) {
	if !l.Resolved() {
		return nil, false
	}
	switch name {
	case "id":
		return types.String(l.Record.ID), true
	case "entity":
		return types.String(l.Record.Entity), true
	}
	return nil, false
}

// reference is the result of ref(link).
type reference struct{ key events.Key }

func (r reference) ConvertToNative(reflect.Type) (any, error) {
	return nil, fmt.Errorf("a reference has no other form")
}

func (r reference) ConvertToType(ref.Type) ref.Val {
	return types.NewErr("a reference has no other form")
}
func (r reference) Equal(o ref.Val) ref.Val { return types.Bool(o == ref.Val(r)) }
func (r reference) Type() ref.Type          { return refType }
func (r reference) Value() any              { return r.key }

// fromJSON makes the CEL value of a canonical field. ok is false for null and
// for a link that is not resolved yet.
func fromJSON(kind events.Kind, raw json.RawMessage) (v ref.Val, ok bool) {
	if events.IsNull(raw) {
		return nil, false
	}
	switch kind {
	case events.KindBool:
		return types.Bool(string(raw) == "true"), true
	case events.KindDecimal:
		var d events.Decimal
		return decimal{d}.read(raw)
	case events.KindMoney:
		var m events.Money
		if json.Unmarshal(raw, &m) != nil {
			return nil, false
		}
		return object{moneyType, money{m}}, true
	case events.KindLink:
		var l events.Link
		if json.Unmarshal(raw, &l) != nil || !l.Resolved() {
			return nil, false
		}
		return object{linkType, link{l}}, true
	case events.KindLines, events.KindApplied:
		return listFromJSON(kind, raw)
	case events.KindTime:
		var t types.Timestamp
		if json.Unmarshal(raw, &t.Time) != nil {
			return nil, false
		}
		return t, true
	default:
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return nil, false
		}
		return types.String(s), true
	}
}

func (d decimal) read(raw json.RawMessage) (ref.Val, bool) {
	if json.Unmarshal(raw, &d.Decimal) != nil {
		return nil, false
	}
	return d, true
}

func listFromJSON(k events.Kind, raw json.RawMessage) (ref.Val, bool) {
	var items []map[string]json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil, false
	}
	values := make([]ref.Val, len(items))
	for i, item := range items {
		values[i] = object{itemType(k), bag{kinds: k.ItemFields(), raw: item}}
	}
	return types.NewRefValList(types.DefaultTypeAdapter, values), true
}

// bag is a set of canonical JSON fields as an object.
type bag struct {
	kinds map[string]events.FieldType
	raw   map[string]json.RawMessage
}

func (b bag) field(name string) (ref.Val, bool) {
	f, ok := b.kinds[name]
	if !ok {
		return nil, false
	}
	return fromJSON(f.Kind, b.raw[name])
}
