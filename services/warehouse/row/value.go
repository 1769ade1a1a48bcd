package row

import (
	"encoding/json"
	"math/big"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// A Decimal column is DECIMAL(38,9): room for any amount of money, and for
// unit prices that are finer than the minor unit.
const (
	Precision = 38
	Scale     = 9
)

// setField stores a canonical value in its column and says what is wrong with
// one that does not fit.
func (r Row) setField(f field, value json.RawMessage) (problem string) {
	switch f.Kind {
	case events.KindMoney:
		return r.setMoney(f, value)
	case events.KindLink:
		var link events.Link
		if json.Unmarshal(value, &link) != nil {
			return "no link"
		}
		if link.Resolved() {
			r.Values[f.column] = link.Record.String()
		}
		return ""
	case events.KindLines, events.KindApplied:
		r.Values[f.column] = value
		return ""
	default:
		v, problem := read(r.Table.Columns[f.column].Type, value)
		r.Values[f.column] = v
		return problem
	}
}

func (r Row) setMoney(f field, value json.RawMessage) (problem string) {
	var m events.Money
	if json.Unmarshal(value, &m) != nil {
		return "no amount of money"
	}
	if m.Currency != "" {
		r.Values[f.second] = m.Currency
	}
	if !Fits(m.Amount) {
		return problemDecimal
	}
	r.Values[f.column] = m.Amount
	return ""
}

const problemDecimal = "does not fit DECIMAL(38,9)"

// read decodes the JSON form of a value; v is nil when there is a problem.
func read(t Type, b json.RawMessage) (v any, problem string) {
	switch t {
	case Text:
		return decode[string](b, "no text")
	case Bool:
		return decode[bool](b, "no boolean")
	case Int:
		return decode[int64](b, "no whole number")
	case Decimal:
		d, problem := decode[events.Decimal](b, "no decimal number")
		if n, ok := d.(events.Decimal); ok && !Fits(n) {
			return nil, problemDecimal
		}
		return d, problem
	case Date:
		return readDate(b)
	case Timestamp:
		at, problem := decode[time.Time](b, "no time")
		if x, ok := at.(time.Time); ok {
			return micros(x), ""
		}
		return nil, problem
	case JSON:
		return b, ""
	default:
		return nil, "unknown column type"
	}
}

func decode[T any](b json.RawMessage, problem string) (any, string) {
	var v T
	if json.Unmarshal(b, &v) != nil {
		return nil, problem
	}
	return v, ""
}

func readDate(b json.RawMessage) (any, string) {
	var s string
	if json.Unmarshal(b, &s) != nil {
		return nil, "no date"
	}
	day, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return nil, "no date"
	}
	return day, ""
}

// write returns the JSON form of a value.
func write(t Type, v any) ([]byte, error) {
	if day, ok := v.(time.Time); ok && t == Date {
		return json.Marshal(day.Format(time.DateOnly))
	}
	return json.Marshal(v)
}

// limit is the first whole number that DECIMAL(38,9) can't hold unscaled.
func limit() *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(Precision), nil) }

// Fits reports whether d is exact in a Decimal column. Nothing is rounded.
func Fits(d events.Decimal) bool {
	_, ok := Unscaled(d)
	return ok
}

// Unscaled returns d times 10^Scale as a whole number. ok is false when d has
// finer decimals or more digits than the column holds.
func Unscaled(d events.Decimal) (n *big.Int, ok bool) {
	whole, frac, _ := strings.Cut(d.Reduced().String(), ".")
	if len(frac) > Scale {
		return nil, false
	}
	n, ok = new(big.Int).SetString(whole+frac+strings.Repeat("0", Scale-len(frac)), 10)
	if !ok || n.CmpAbs(limit()) >= 0 {
		return nil, false
	}
	return n, true
}
