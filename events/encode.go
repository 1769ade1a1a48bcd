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
	b = appendText(b, r.Tenant)
	b = append(b, `,"key":`...)
	b = appendText(b, keyText(r.Key))
	b = append(b, `,"fields":`...)
	b = r.appendFields(b)
	for _, part := range []struct {
		name  string
		value any
		omit  bool
	}{
		{"docs", r.Docs, len(r.Docs) == 0},
		{"wanted", r.Wanted, len(r.Wanted) == 0},
		{"needed", r.Needed, len(r.Needed) == 0},
		{"deleted", r.Deleted, r.Deleted == nil},
		{"merged", r.Merged, r.Merged == nil},
		{"unions", r.Unions, len(r.Unions) == 0},
		{"absorbed", r.Absorbed, len(r.Absorbed) == 0},
		{"erased", r.Erased, len(r.Erased) == 0},
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
		b = appendText(b, name)
		b = append(b, `:{"value":`...)
		b = appendRaw(b, f.Value)
		b = append(b, `,"source":`...)
		b = appendText(b, f.Source)
		b = append(b, `,"at":`...)
		b = appendTime(b, f.At)
		b = append(b, `,"event":`...)
		b = appendText(b, f.Event)
		b = appendOthers(b, f.Others)
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendOthers(b []byte, others []Candidate) []byte {
	if len(others) == 0 {
		return b
	}
	b = append(b, `,"others":[`...)
	for i, o := range others {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"source":`...)
		b = appendText(b, o.Source)
		b = append(b, `,"value":`...)
		b = appendRaw(b, o.Value)
		b = append(b, `,"at":`...)
		b = appendTime(b, o.At)
		b = append(b, `,"event":`...)
		b = appendText(b, o.Event)
		b = append(b, '}')
	}
	return append(b, ']')
}

// MarshalJSON writes the change; see Record.MarshalJSON.
func (c Change) MarshalJSON() ([]byte, error) {
	size := 256
	for name, v := range c.Fields {
		size += len(name) + len(v) + 4
	}
	b := make([]byte, 0, size)
	b = append(b, `{"connection":`...)
	b = appendText(b, c.Connection)
	b = appendOptional(b, "entity", string(c.Entity), true)
	b = appendOptional(b, "object", c.Object, true)
	b = appendOptional(b, "id", c.ID, true)
	b = appendOptional(b, "record", keyText(c.Record), false)
	b = appendFlag(b, "marked", c.Marked)
	b = appendOptional(b, "op", string(c.Op), true)
	b = appendOptional(b, "into", c.Into, false)
	b = append(b, `,"at":`...)
	b = appendTime(b, c.At)
	if !c.Read.IsZero() {
		b = appendTime(append(b, `,"read":`...), c.Read)
	}
	b = appendFlag(b, "signal", c.Signal)
	if len(c.Properties) > 0 {
		b = append(b, `,"properties":[`...)
		for i, p := range c.Properties {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, p)
		}
		b = append(b, ']')
	}
	b = appendFlag(b, "snapshot", c.Snapshot)
	if len(c.Fields) > 0 {
		b = append(b, `,"fields":{`...)
		for i, name := range slices.Sorted(maps.Keys(c.Fields)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, name)
			b = append(b, ':')
			b = appendRaw(b, c.Fields[name])
		}
		b = append(b, '}')
	}
	b = appendOptional(b, "number", c.Number, false)
	b = appendOptional(b, "url", c.URL, false)
	return append(b, '}'), nil
}

// MarshalJSON writes the structured form; see Record.MarshalJSON.
func (e Event) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 384+len(e.Data))
	b = append(b, `{"specversion":"`+SpecVersion+`"`...)
	b = appendOptional(b, "id", e.ID, true)
	b = appendOptional(b, "source", e.Source, true)
	b = appendOptional(b, "type", e.Type, true)
	b = appendOptional(b, "subject", e.Subject, false)
	if !e.Time.IsZero() {
		b = append(b, `,"time":`...)
		b = appendTime(b, e.Time.UTC())
	}
	b = append(b, `,"datacontenttype":"application/json"`...)
	b = appendOptional(b, "dataschema", e.DataSchema, false)
	b = appendOptional(b, "partitionkey", e.PartitionKey, false)
	b = appendOptional(b, "traceparent", e.TraceParent, false)
	b = appendOptional(b, "tracestate", e.TraceState, false)
	if len(e.Data) > 0 {
		b = append(b, `,"data":`...)
		b = append(b, e.Data...)
	}
	return append(b, '}'), nil
}

// appendOptional writes a member with a string; an empty one only when always.
func appendOptional(b []byte, name, value string, always bool) []byte {
	if value == "" && !always {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return appendText(b, value)
}

// appendFlag writes a member that is true, or nothing.
func appendFlag(b []byte, name string, value bool) []byte {
	if !value {
		return b
	}
	return append(append(append(b, `,"`...), name...), `":true`...)
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

func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}
