package quickbooks

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// fields reads a document's fields by type. The first field that has another
// type is kept as the error, which the caller asks for at the end.
type fields struct {
	values map[string]any
	path   string // of the list element, with a dot
	err    **fault.Error
	op     string
	// record is what the document stands for; exists whether its object is known
	// to be there.
	record events.Key
	exists bool
}

func newFields(op string, doc connector.Document) fields {
	return fields{
		values: doc.Fields, op: Name + ": " + op, err: new(*fault.Error), record: doc.Record, exists: doc.ExternalID != "",
	}
}

// failure returns the first problem, or nil.
func (f fields) failure() error {
	if *f.err == nil {
		return nil
	}
	return *f.err
}

func (f fields) fail(name, format string, args ...any) {
	if *f.err == nil {
		*f.err = fault.New(fault.Malformed, f.op, format, args...).WithField(f.path + name).
			WithHint("map the field in the flow, or mend its source")
	}
}

// reject is fail for what no other form of the field would mend.
func (f fields) reject(name, hint, format string, args ...any) {
	if *f.err == nil {
		*f.err = fault.New(fault.Rejected, f.op, format, args...).WithField(f.path + name).WithHint(hint)
	}
}

// text returns a string field; "" when it is absent or null.
func (f fields) text(name string) string {
	switch v := f.values[name].(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		f.fail(name, "want a text, got %T", v)
		return ""
	}
}

// required is text that must not be empty.
func (f fields) required(name string) string {
	s := f.text(name)
	if s == "" {
		f.fail(name, "the field is required")
	}
	return s
}

// short is text of at most n characters.
func (f fields) short(name string, n int) string {
	s := f.text(name)
	if len([]rune(s)) > n {
		f.fail(name, "%d characters are too many: at most %d", len([]rune(s)), n)
	}
	return s
}

// date returns a day, "2026-11-23".
func (f fields) date(name string) string {
	s := f.text(name)
	if s == "" {
		return ""
	}
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		f.fail(name, "want a day such as 2026-11-23")
	}
	return s
}

// flag returns a bool field; ok is false when it is absent.
func (f fields) flag(name string) (value, ok bool) {
	switch v := f.values[name].(type) {
	case nil:
		return false, false
	case bool:
		return v, true
	default:
		f.fail(name, "want true or false, got %T", v)
		return false, false
	}
}

// decimal returns a number; ok is false when it is absent.
func (f fields) decimal(name string) (d events.Decimal, ok bool) {
	v := f.values[name]
	if v == nil {
		return events.Decimal{}, false
	}
	d, err := toDecimal(v)
	if err != nil {
		f.fail(name, "%w", err)
		return events.Decimal{}, false
	}
	return d, true
}

// money returns an amount; ok is false when it is absent. A bare number is an
// amount whose currency the document tells elsewhere.
func (f fields) money(name string) (m events.Money, ok bool) {
	v, isObject := f.values[name].(map[string]any)
	if !isObject {
		d, ok := f.decimal(name)
		return events.Money{Amount: d}, ok
	}
	d, err := toDecimal(v["amount"])
	if err != nil {
		f.fail(name, "%w", err)
		return events.Money{}, false
	}
	currency, _ := v["currency"].(string)
	if _, known := events.MinorUnits(currency); !known {
		f.fail(name, "the currency is no ISO 4217 code")
		return events.Money{}, false
	}
	return events.Money{Amount: d, Currency: currency}, true
}

// list returns the elements of a list field; none when it is absent.
func (f fields) list(name string) (elements []fields) {
	v := f.values[name]
	if v == nil {
		return nil
	}
	l, isList := v.([]any)
	if !isList {
		f.fail(name, "want a list, got %T", v)
		return nil
	}
	for i, e := range l {
		at := name + "[" + strconv.Itoa(i) + "]"
		m, isObject := e.(map[string]any)
		if !isObject {
			f.fail(at, "want an object, got %T", e)
			return nil
		}
		elements = append(elements, fields{values: m, path: f.path + at + ".", err: f.err, op: f.op, record: f.record, exists: f.exists})
	}
	return elements
}

func toDecimal(v any) (events.Decimal, error) {
	switch x := v.(type) {
	case json.Number:
		return events.ParseDecimal(x.String())
	case string:
		return events.ParseDecimal(x)
	case events.Decimal:
		return x, nil
	default:
		return events.Decimal{}, fmt.Errorf("want a number, got %T", v)
	}
}
