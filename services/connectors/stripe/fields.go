package stripe

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// fields are a document's fields, or those of one of its nested objects.
type fields struct {
	op     string // for errors
	path   string // of the object within the document, with a dot at the end
	values map[string]any
}

func fieldsOf(doc connector.Document, op string) fields { return fields{op: op, values: doc.Fields} }

// refuse says that a field can't be used.
func (f fields) refuse(name, format string, args ...any) *fault.Error {
	return fault.New(fault.Rejected, f.op, format, args...).WithField(f.path + name)
}

// text returns a field as text. A null one is "", which clears it at Stripe;
// ok is false when the document does not speak of it.
func (f fields) text(name string) (text string, ok bool, err error) {
	v, ok := f.values[name]
	if !ok {
		return "", false, nil
	}
	switch x := v.(type) {
	case nil:
		return "", true, nil
	case string:
		return x, true, nil
	case bool:
		return strconv.FormatBool(x), true, nil
	case json.Number:
		return x.String(), true, nil
	case int:
		return strconv.Itoa(x), true, nil
	case int64:
		return strconv.FormatInt(x, 10), true, nil
	}
	if m, ok := asMoney(v); ok {
		return m.String(), true, nil
	}
	return "", false, f.refuse(name, "want a text, not a %T", v)
}

// decimal returns a field as a number.
func (f fields) decimal(name string) (d events.Decimal, ok bool, err error) {
	text, ok, err := f.text(name)
	if err != nil || !ok || text == "" {
		return events.Decimal{}, false, err
	}
	if d, err = events.ParseDecimal(text); err != nil {
		return events.Decimal{}, false, f.refuse(name, "%w", err)
	}
	return d, true, nil
}

// money returns a field as an amount.
func (f fields) money(name string) (m events.Money, ok bool, err error) {
	v, ok := f.values[name]
	if !ok || v == nil {
		return events.Money{}, false, nil
	}
	if m, ok = asMoney(v); !ok {
		return events.Money{}, false, f.refuse(name, "want an amount with an ISO 4217 currency")
	}
	return m, true, nil
}

func asMoney(v any) (events.Money, bool) {
	switch x := v.(type) {
	case events.Money:
		return x, true
	case map[string]any:
		currency, _ := x["currency"].(string)
		amount, ok := x["amount"].(string)
		if n, number := x["amount"].(json.Number); number {
			amount, ok = n.String(), true
		}
		m, err := events.NewMoney(amount, currency)
		return m, ok && err == nil
	}
	return events.Money{}, false
}

// object returns a nested object.
func (f fields) object(name string) (fields, bool) {
	m, ok := f.values[name].(map[string]any)
	return fields{op: f.op, path: f.path + name + ".", values: m}, ok
}

// list returns the elements of a list.
func (f fields) list(name string) ([]fields, error) {
	raw, ok := f.values[name].([]any)
	if !ok && f.values[name] != nil {
		return nil, f.refuse(name, "want a list")
	}
	out := make([]fields, len(raw))
	for i, v := range raw {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, f.refuse(name, "element %d is no object", i)
		}
		out[i] = fields{op: f.op, path: f.path + name + "[" + strconv.Itoa(i) + "].", values: m}
	}
	return out, nil
}

// copyText puts the named text fields into a form.
func (f fields) copyText(form url.Values, param func(name string) string, names ...string) error {
	for _, name := range names {
		text, ok, err := f.text(name)
		if err != nil {
			return err
		}
		if ok {
			form.Set(param(name), text)
		}
	}
	return nil
}

// same is a parameter with the field's own name.
func same(name string) string { return name }

func metadata(name string) string { return "metadata[" + name + "]" }

// addMetadata marks the object as Spoke's, and adds the metadata that flows
// set.
func addMetadata(form url.Values, doc connector.Document, f fields) error {
	form.Set(metadata(metaRecord), doc.Record.String())
	form.Set(metadata(metaKey), doc.Key)
	for name := range f.values {
		if !isMetadata(name) {
			continue
		}
		text, _, err := f.text(name)
		if err != nil {
			return err
		}
		form.Set(metadata(strings.TrimPrefix(name, metaPrefix)), text)
	}
	return nil
}

// withoutEmpty drops the parameters that clear a field: there is nothing to
// clear in a new object, and some creates refuse empty text.
func withoutEmpty(form url.Values) url.Values {
	out := make(url.Values, len(form))
	for name, values := range form {
		if values[0] != "" {
			out[name] = values
		}
	}
	return out
}

// holds reports whether an object as Stripe answered it already has every
// value of the form.
func holds(raw json.RawMessage, form url.Values) bool {
	var object map[string]any
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	if dec.Decode(&object) != nil {
		return false
	}
	for param, values := range form {
		var v any = object
		for key := range strings.SplitSeq(strings.ReplaceAll(param, "]", ""), "[") {
			m, _ := v.(map[string]any)
			v = m[key]
		}
		text, _, err := fields{values: map[string]any{param: v}}.text(param)
		if err != nil || text != values[0] {
			return false
		}
	}
	return true
}

// required returns a text that a document must have.
func (f fields) required(name string) (string, error) {
	text, _, err := f.text(name)
	if err == nil && text == "" {
		err = f.refuse(name, "is missing").WithHint("fill in the value at its source, or map another one")
	}
	return text, err
}

// whole returns a whole number from 0 to most, or other when the document does
// not speak of it.
func (f fields) whole(name string, other, most int) (int, error) {
	d, ok, err := f.decimal(name)
	if err != nil || !ok {
		return other, err
	}
	n, err := d.Int64()
	if err != nil || n < 0 || n > int64(most) {
		return 0, f.refuse(name, "want a whole number from 0 to %d", most)
	}
	return int(n), nil
}
