package lake

import (
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// decimalBytes holds 38 digits and a sign.
const decimalBytes = 16

// schema is the Parquet form of a table. Parquet sorts columns by name.
type schema struct {
	table   *row.Table
	parquet *parquet.Schema
	leaf    []int // Parquet column of each table column
}

func newSchema(t *row.Table) schema {
	group := parquet.Group{}
	for _, c := range t.Columns {
		n := node(c.Type)
		if !c.Required {
			n = parquet.Optional(n)
		}
		group[c.Name] = n
	}
	s := schema{table: t, parquet: parquet.NewSchema(t.Name, group), leaf: make([]int, len(t.Columns))}
	for i, path := range s.parquet.Columns() {
		at, _ := t.Column(path[0])
		s.leaf[at] = i
	}
	return s
}

func node(t row.Type) parquet.Node {
	switch t {
	case row.Bool:
		return parquet.Leaf(parquet.BooleanType)
	case row.Int:
		return parquet.Int(64)
	case row.Decimal:
		return parquet.Decimal(row.Scale, row.Precision, parquet.FixedLenByteArrayType(decimalBytes))
	case row.Date:
		return parquet.Date()
	case row.Timestamp:
		return parquet.Timestamp(parquet.Microsecond)
	case row.JSON:
		return parquet.JSON()
	default:
		return parquet.String()
	}
}

// row returns the Parquet form of a row.
func (s schema) row(r row.Row) (parquet.Row, error) {
	out := make(parquet.Row, len(s.leaf))
	for i, c := range s.table.Columns {
		definition := 1
		if c.Required || r.Values[i] == nil {
			definition = 0
		}
		v, err := value(c.Type, r.Values[i])
		if err != nil || c.Required && v.IsNull() {
			return nil, fmt.Errorf("column %s: no value of type %s", c.Name, c.Type)
		}
		out[s.leaf[i]] = v.Level(0, definition, s.leaf[i])
	}
	return out, nil
}

func value(t row.Type, v any) (parquet.Value, error) {
	switch x := v.(type) {
	case nil:
		return parquet.NullValue(), nil
	case string:
		return parquet.ByteArrayValue([]byte(x)), nil
	case json.RawMessage:
		return parquet.ByteArrayValue(x), nil
	case bool:
		return parquet.BooleanValue(x), nil
	case int64:
		return parquet.Int64Value(x), nil
	case events.Decimal:
		return decimal(x)
	case time.Time:
		return instant(t, x), nil
	default:
		return parquet.Value{}, fmt.Errorf("%T is no column value", v)
	}
}

// instant returns a day as days and any other time as microseconds since 1970.
func instant(t row.Type, at time.Time) parquet.Value {
	const day = 24 * 60 * 60
	if t == row.Date {
		return parquet.Int32Value(int32(at.Unix() / day)) // midnight UTC, a whole number of days
	}
	return parquet.Int64Value(at.UnixMicro())
}

// decimal returns the unscaled number in two's complement, high byte first.
func decimal(d events.Decimal) (parquet.Value, error) {
	n, ok := row.Unscaled(d)
	if !ok {
		return parquet.Value{}, fmt.Errorf("a decimal that does not fit")
	}
	if n.Sign() < 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), 8*decimalBytes))
	}
	return parquet.FixedLenByteArrayValue(n.FillBytes(make([]byte, decimalBytes))), nil
}
