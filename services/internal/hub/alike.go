package hub

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/country"
)

// holds reports whether a value is the one that was seen before. What was sent
// and not seen since may be written in another way.
func holds(f events.FieldType, was events.Seen, v json.RawMessage) bool {
	return same(f, was.Value, v) || was.Sent && alike(f, was.Value, v)
}

// Holds reports whether a system that was seen to hold, or was sent, the value
// of a field holds the same with another value. Connectors are tested by it.
func Holds(e events.Entity, name string, was events.Seen, v json.RawMessage) bool {
	return holds(fieldOf(e, name), was, v)
}

func fieldOf(e events.Entity, name string) events.FieldType {
	if f, ok := e.Fields()[name]; ok {
		return f
	}
	return events.FieldType{Name: name} // a custom field
}

// same reports whether two values are equal. Links are, when they name the same
// object, whether or not its record is known yet.
func same(f events.FieldType, a, b json.RawMessage) bool {
	if equalJSON(a, b) {
		return true
	}
	switch f.Kind { //nolint:exhaustive // only these hold links
	case events.KindLink, events.KindLines, events.KindApplied:
		return bytes.Equal(unresolved(f, a), unresolved(f, b))
	}
	return false
}

// unresolved is a value whose links name objects only.
func unresolved(f events.FieldType, raw json.RawMessage) json.RawMessage {
	links, value := linksIn(f, raw)
	for _, l := range links {
		if l.ID != "" {
			l.Record = events.Key{}
		}
	}
	b, err := json.Marshal(value)
	if err != nil || len(links) == 0 {
		return raw
	}
	return b
}

// alike reports whether a system may write, for a value that it was sent, the
// one that is seen: by the looser form of both, or because it keeps only the
// beginning of a long text.
func alike(f events.FieldType, sent, seen json.RawMessage) bool {
	a, b := form(f, sent), form(f, seen)
	if f.Kind == events.KindMoney {
		// What has more digits than its currency was not rounded by the system.
		return a == b && rounded(seen)
	}
	if a == b {
		return true
	}
	const least = 30 // bytes; no system cuts shorter than that what people take for an edit
	return text(f) && len(b) >= least && strings.HasPrefix(a, b)
}

// rounded reports whether money has no more digits than its currency.
func rounded(v json.RawMessage) bool {
	var m events.Money
	return json.Unmarshal(v, &m) != nil || m.Equal(m.Rounded())
}

// text reports whether a field holds any text. That of a custom field is not
// known.
func text(f events.FieldType) bool {
	return f.Kind == "" || f.Kind == events.KindString && f.Format == ""
}

// form is the looser form of a value: what systems make of it is left out,
// such as case, spaces, separators and needless digits.
func form(f events.FieldType, v json.RawMessage) string {
	if events.IsNull(v) {
		return ""
	}
	switch f.Kind { //nolint:exhaustive // the others have one form
	case events.KindMoney:
		var m events.Money
		if json.Unmarshal(v, &m) == nil {
			m = m.Rounded()
			return m.Currency + " " + m.Amount.Reduced().String()
		}
	case events.KindDecimal:
		var d events.Decimal
		if json.Unmarshal(v, &d) == nil {
			return d.Reduced().String()
		}
	case events.KindTime:
		var t time.Time
		if json.Unmarshal(v, &t) == nil {
			return t.UTC().Format(time.DateTime)
		}
	case events.KindLink:
		var l events.Link
		if json.Unmarshal(v, &l) == nil && l.Resolved() {
			return l.Record.String()
		}
	case events.KindString, "":
		var s string
		if json.Unmarshal(v, &s) == nil {
			return folded(f.Name, s)
		}
	}
	return string(v)
}

// folded is a text in its looser form.
func folded(name, s string) string {
	s = strings.ToLower(strings.Join(strings.Fields(s), " "))
	switch name {
	case "country":
		if code := country.Code(s); code != "" {
			return code
		}
	case "state":
		if code := country.State(s); code != "" {
			return code
		}
	case "phone":
		if d := strings.Map(digit, s); d != "" {
			return d
		}
	case "domain":
		_, after, ok := strings.Cut(s, "://")
		if ok {
			s = after
		}
		return strings.TrimSuffix(strings.TrimPrefix(s, "www."), "/")
	}
	return s
}

func digit(r rune) rune {
	if r < '0' || r > '9' {
		return -1
	}
	return r
}
