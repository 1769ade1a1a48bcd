package quickbooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// body is an object in QuickBooks's own JSON, numbers digit by digit. Intuit
// adds fields without notice, so whatever is not known is carried along.
type body map[string]any

// parseBody decodes one JSON object and nothing after it.
func parseBody(b []byte) (body, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v body
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if v == nil {
		return nil, errors.New("null is no object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one JSON value")
	}
	return v, nil
}

// text returns a string, or "" when it is absent.
func (b body) text(name string) string {
	s, _ := b[name].(string)
	return s
}

// inside returns the object in a field; an absent one is empty.
func (b body) inside(name string) body {
	switch m := b[name].(type) {
	case map[string]any:
		return m
	case body:
		return m
	}
	return nil
}

// ref returns the id in a reference field.
func (b body) ref(name string) string { return b.inside(name).text("value") }

// decimal returns a number; ok is false when it is absent or no number.
func (b body) decimal(name string) (d events.Decimal, ok bool) {
	n, isNumber := b[name].(json.Number)
	if !isNumber {
		return events.Decimal{}, false
	}
	d, err := events.ParseDecimal(n.String())
	return d, err == nil
}

// list returns the objects of a list field.
func (b body) list(name string) []body {
	l, _ := b[name].([]any)
	out := make([]body, 0, len(l))
	for _, e := range l {
		switch m := e.(type) {
		case map[string]any:
			out = append(out, m)
		case body:
			out = append(out, m)
		}
	}
	return out
}

// currency is the object's own or else the company's.
func (b body) currency(home string) string {
	if c := b.ref("CurrencyRef"); c != "" {
		return c
	}
	return home
}

// money returns an amount; ok is false when it is absent.
func (b body) money(name, home string) (events.Money, bool) {
	d, ok := b.decimal(name)
	if !ok {
		return events.Money{}, false
	}
	m, err := events.NewMoney(d.String(), b.currency(home))
	return m, err == nil
}

// updated is when the object changed last; zero when it does not say.
func (b body) updated() time.Time {
	t, _ := parseTime(b.inside("MetaData").text("LastUpdatedTime"))
	return t
}

// put sets a text unless it is empty.
func (b body) put(name, text string) {
	if text != "" {
		b[name] = text
	}
}

// putIn sets a text within an object unless it is empty.
func (b body) putIn(outer, name, text string) {
	if text == "" {
		return
	}
	in := b.inside(outer)
	if in == nil {
		in = body{}
		b[outer] = in
	}
	in[name] = text
}

// number is a decimal as JSON.
func number(d events.Decimal) json.Number { return json.Number(d.String()) }

// reference is a reference to an id.
func reference(id string) body { return body{"value": id} }

// parseTime reads the forms that Intuit uses: an offset with or without a
// colon or Z, with or without fractions. The result is in UTC.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// holds reports whether have already says what want says. Objects may hold
// more; of references only the id counts; numbers are equal by value.
func holds(have, want any) bool {
	switch w := want.(type) {
	case body:
		return holdsObject(have, w)
	case map[string]any:
		return holdsObject(have, w)
	case []any:
		h, ok := have.([]any)
		if !ok || len(h) != len(w) {
			return false
		}
		for i := range w {
			if !holds(h[i], w[i]) {
				return false
			}
		}
		return true
	case json.Number:
		h, ok := have.(json.Number)
		return ok && sameNumber(h, w)
	case string:
		h, _ := have.(string)
		return strings.TrimSpace(h) == strings.TrimSpace(w)
	default:
		return have == want
	}
}

func holdsObject(have any, want body) bool {
	h := body{"": have}.inside("")
	if id, ok := want["value"]; ok {
		return h.text("value") == id
	}
	for name, w := range want {
		if name == "Country" && sameCountry(h.text(name), body{"": w}.text("")) {
			continue // QuickBooks rewrites countries to codes; that is no difference
		}
		if !holds(h[name], w) {
			return false
		}
	}
	return true
}

func sameNumber(a, b json.Number) bool {
	x, errX := events.ParseDecimal(a.String())
	y, errY := events.ParseDecimal(b.String())
	return errX == nil && errY == nil && x.Cmp(y) == 0
}
