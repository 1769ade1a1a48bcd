package mapping

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"github.com/spoke-sync/spoke/events"
)

// Names of the variables every flow has, besides the record's own entity.
const (
	varRecord = "record"
	varDocs   = "docs"
	varSync   = "sync"
)

// environment returns the CEL environment of flows from one entity.
func environment(ts *typeSystem, from events.Entity) (*cel.Env, error) {
	return cel.NewEnv(
		cel.CustomTypeProvider(ts), cel.CustomTypeAdapter(ts),
		cel.OptionalTypes(), ext.Strings(),
		cel.Variable(string(from), cel.ObjectType(string(from))),
		cel.Variable(varRecord, recordType),
		cel.Variable(varDocs, docsType),
		cel.Variable(varSync, syncType),
		functionRef(), functionMoney(), functionDecimal(), functionString(), functionRound(),
		arithmetic(operators.Add, "add"), arithmetic(operators.Subtract, "subtract"), multiplication(),
		comparison(operators.Less, "less"), comparison(operators.LessEquals, "less_equals"),
		comparison(operators.Greater, "greater"), comparison(operators.GreaterEquals, "greater_equals"),
	)
}

// functionRef is ref(link), the object that stands for the linked record at the
// flow's connection, and ref(record), one that stands for the flow's own record:
// the order that an invoice of the same deal is made from.
func functionRef() cel.EnvOption {
	return cel.Function("ref",
		cel.Overload("ref_link", []*cel.Type{linkType}, refType, cel.UnaryBinding(refer)),
		cel.Overload("ref_record", []*cel.Type{recordType}, refType, cel.UnaryBinding(refer)))
}

func refer(v ref.Val) ref.Val {
	if o, ok := v.(object); ok {
		switch x := o.data.(type) {
		case link:
			return reference{x.Record}
		case recordView:
			return reference(x)
		}
	}
	return types.MaybeNoSuchOverloadErr(v)
}

// functionMoney is money(decimal, "EUR").
func functionMoney() cel.EnvOption {
	return cel.Function("money", cel.Overload("money_decimal_string", []*cel.Type{decimalType, cel.StringType}, moneyType,
		cel.BinaryBinding(func(a, c ref.Val) ref.Val {
			d, ok := asDecimal(a)
			code, text := c.(types.String)
			if !ok || !text {
				return types.MaybeNoSuchOverloadErr(a)
			}
			m, err := events.NewMoney(d.String(), string(code))
			if err != nil {
				return types.WrapErr(err)
			}
			return object{moneyType, money{m}}
		})))
}

// functionDecimal is decimal("12.30") or decimal(3).
func functionDecimal() cel.EnvOption {
	return cel.Function("decimal",
		cel.Overload("decimal_string", []*cel.Type{cel.StringType}, decimalType,
			cel.UnaryBinding(func(v ref.Val) ref.Val {
				s, ok := v.(types.String)
				if !ok {
					return types.MaybeNoSuchOverloadErr(v)
				}
				d, err := events.ParseDecimal(string(s))
				if err != nil {
					return types.WrapErr(err)
				}
				return decimal{d}
			})),
		cel.Overload("decimal_int", []*cel.Type{cel.IntType}, decimalType,
			cel.UnaryBinding(func(v ref.Val) ref.Val {
				d, ok := asDecimal(v)
				if !ok {
					return types.MaybeNoSuchOverloadErr(v)
				}
				return d
			})))
}

// functionString lets string(…) write a decimal, digit by digit.
func functionString() cel.EnvOption {
	return cel.Function("string", cel.Overload("decimal_to_string", []*cel.Type{decimalType}, cel.StringType,
		cel.UnaryBinding(func(v ref.Val) ref.Val { return v.ConvertToType(types.StringType) })))
}

// functionRound is d.round(2), half away from zero.
func functionRound() cel.EnvOption {
	return cel.Function("round", cel.MemberOverload("decimal_round_int", []*cel.Type{decimalType, cel.IntType}, decimalType,
		cel.BinaryBinding(func(v, n ref.Val) ref.Val {
			d, ok := v.(decimal)
			places, whole := n.(types.Int)
			if !ok || !whole || places < 0 || places > 30 {
				return types.NewErr("round: want a number of decimals from 0 to 30")
			}
			return decimal{d.Round(int32(places))}
		})))
}

// arithmetic declares + or - for decimals and money. The values themselves
// know how to do it.
func arithmetic(op, name string) cel.EnvOption {
	return cel.Function(op,
		cel.Overload(name+"_decimal", []*cel.Type{decimalType, decimalType}, decimalType),
		cel.Overload(name+"_decimal_int", []*cel.Type{decimalType, cel.IntType}, decimalType),
		cel.Overload(name+"_money", []*cel.Type{moneyType, moneyType}, moneyType))
}

func multiplication() cel.EnvOption {
	return cel.Function(operators.Multiply,
		cel.Overload("multiply_decimal", []*cel.Type{decimalType, decimalType}, decimalType),
		cel.Overload("multiply_decimal_int", []*cel.Type{decimalType, cel.IntType}, decimalType),
		cel.Overload("multiply_decimal_money", []*cel.Type{decimalType, moneyType}, moneyType),
		cel.Overload("multiply_money_decimal", []*cel.Type{moneyType, decimalType}, moneyType))
}

func comparison(op, name string) cel.EnvOption {
	return cel.Function(op,
		cel.Overload(name+"_decimal", []*cel.Type{decimalType, decimalType}, cel.BoolType),
		cel.Overload(name+"_decimal_int", []*cel.Type{decimalType, cel.IntType}, cel.BoolType))
}
