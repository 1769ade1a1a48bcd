package events

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// The encoders below write what encoding/json would, in one pass: records and
// events are encoded once per event, and the raw values in them are canonical
// JSON already. The golden files of this package hold both to the same bytes.

// MarshalJSON writes the record. Call it directly: json.Marshal would go
// through the result once more.
func (r Record) MarshalJSON() ([]byte, error) {
	size := 256
	for name, f := range r.Fields {
		size += len(name) + len(f.Value) + len(f.Source) + len(f.Event) + 96
	}
	b := make([]byte, 0, size)
	b = append(b, `{"tenant":`...)
	b = appendString(b, r.Tenant)
	b = append(b, `,"key":`...)
	b = appendString(b, keyText(r.Key))
	b = append(b, `,"fields":`...)
	b = r.appendFields(b)
	for _, part := range []struct {
		name  string
		value any
		omit  bool
	}{
		{"docs", r.Docs, len(r.Docs) == 0},
		{"wanted", r.Wanted, len(r.Wanted) == 0},
		{"deleted", r.Deleted, r.Deleted == nil},
	} {
		if part.omit {
			continue
		}
		v, err := json.Marshal(part.value)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, `,"`...), part.name...), `":`...)
		b = append(b, v...)
	}
	b = append(b, `,"version":`...)
	b = strconv.AppendUint(b, r.Version, 10)
	b = append(b, `,"updatedAt":`...)
	b = appendTime(b, r.UpdatedAt)
	return append(b, '}'), nil
}

func (r Record) appendFields(b []byte) []byte {
	if r.Fields == nil {
		return append(b, "null"...)
	}
	b = append(b, '{')
	for i, name := range slices.Sorted(maps.Keys(r.Fields)) {
		if i > 0 {
			b = append(b, ',')
		}
		f := r.Fields[name]
		b = appendString(b, name)
		b = append(b, `:{"value":`...)
		b = appendRaw(b, f.Value)
		b = append(b, `,"source":`...)
		b = appendString(b, f.Source)
		b = append(b, `,"at":`...)
		b = appendTime(b, f.At)
		b = append(b, `,"event":`...)
		b = appendString(b, f.Event)
		b = append(b, '}')
	}
	return append(b, '}')
}

func keyText(k Key) string {
	if k.IsZero() {
		return ""
	}
	return k.String()
}

func appendRaw(b []byte, v json.RawMessage) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	return append(b, v...)
}

// appendString writes a JSON string; what needs escaping goes through
// encoding/json.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			q, err := json.Marshal(s)
			if err != nil { // strings always encode
				return append(b, `""`...)
			}
			return append(b, q...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}
