package hub

import (
	"encoding/json"
	"maps"

	"github.com/spoke-sync/spoke/events"
)

// Resolver returns the golden record behind a vendor's object.
type Resolver func(events.External) (events.Key, bool)

// EachLink calls visit for every link among the fields of an entity, lines
// included.
func EachLink(e events.Entity, fields events.Fields, visit func(events.Link)) {
	for name, f := range e.Fields() {
		raw := fields[name]
		if events.IsNull(raw) {
			continue
		}
		switch f.Kind { //nolint:exhaustive // only these two hold links
		case events.KindLink:
			if l, ok := decodeLink(raw); ok {
				visit(l)
			}
		case events.KindLines:
			var lines []events.Line
			if json.Unmarshal(raw, &lines) == nil {
				for _, l := range lines {
					if !l.Product.IsZero() {
						visit(l.Product)
					}
				}
			}
		}
	}
}

func decodeLink(raw json.RawMessage) (events.Link, bool) {
	var l events.Link
	err := json.Unmarshal(raw, &l)
	return l, err == nil && !l.IsZero()
}

// Resolve fills in the records behind the links of a change, and the
// connection that each link belongs to. The change is not altered; fields
// without links are shared.
func Resolve(c events.Change, find Resolver) events.Change {
	var fields events.Fields
	for name, f := range c.Entity.Fields() {
		raw := c.Fields[name]
		if events.IsNull(raw) || (f.Kind != events.KindLink && f.Kind != events.KindLines) {
			continue
		}
		v, changed := resolveValue(f.Kind, raw, c.Connection, find)
		if !changed {
			continue
		}
		if fields == nil {
			fields = maps.Clone(c.Fields)
		}
		fields[name] = v
	}
	if fields != nil {
		c.Fields = fields
	}
	return c
}

// Relink fills in records behind the links of a golden record that were not
// known when the links came.
func Relink(r events.Record, find Resolver) (events.Record, bool) {
	changed := false
	for name, f := range r.Key.Entity.Fields() {
		if f.Kind != events.KindLink && f.Kind != events.KindLines {
			continue
		}
		field, ok := r.Fields[name]
		if !ok || events.IsNull(field.Value) {
			continue
		}
		v, did := resolveValue(f.Kind, field.Value, field.Source, find)
		if !did {
			continue
		}
		if !changed {
			r.Fields = maps.Clone(r.Fields)
			r.Version++
		}
		changed = true
		field.Value = v
		r.Fields[name] = field
	}
	return r, changed
}

func resolveValue(kind events.Kind, raw json.RawMessage, connection string, find Resolver) (json.RawMessage, bool) {
	var v any
	changed := false
	switch kind { //nolint:exhaustive // only these two hold links
	case events.KindLink:
		l, ok := decodeLink(raw)
		if !ok {
			return raw, false
		}
		changed = resolveLink(&l, connection, find)
		v = l
	case events.KindLines:
		var lines []events.Line
		if json.Unmarshal(raw, &lines) != nil {
			return raw, false
		}
		for i := range lines {
			if !lines[i].Product.IsZero() && resolveLink(&lines[i].Product, connection, find) {
				changed = true
			}
		}
		v = lines
	}
	if !changed {
		return raw, false
	}
	b, err := json.Marshal(v)
	if err != nil {
		return raw, false
	}
	return b, true
}

func resolveLink(l *events.Link, connection string, find Resolver) bool {
	if l.Resolved() {
		return false
	}
	changed := l.Connection == ""
	if changed {
		l.Connection = connection
	}
	if k, ok := find(l.External()); ok {
		l.Record = k
		changed = true
	}
	return changed
}
