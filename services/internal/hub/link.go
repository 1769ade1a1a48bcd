package hub

import (
	"encoding/json"
	"maps"

	"github.com/spoke-sync/spoke/events"
)

// Resolver returns the golden record behind a vendor's object.
type Resolver func(events.External) (events.Key, bool)

// EachLink calls visit for every link among the fields of an entity, those in
// lists included.
func EachLink(e events.Entity, fields events.Fields, visit func(events.Link)) {
	for name, f := range e.Fields() {
		links, _ := linksIn(f.Kind, fields[name])
		for _, l := range links {
			visit(*l)
		}
	}
}

// linksIn decodes a value of a kind that holds links, and returns those that
// name something. Encoding the value again tells of what was changed in them.
func linksIn(kind events.Kind, raw json.RawMessage) (links []*events.Link, value any) {
	if events.IsNull(raw) {
		return nil, nil
	}
	add := func(l *events.Link) {
		if !l.IsZero() {
			links = append(links, l)
		}
	}
	switch kind { //nolint:exhaustive // only these hold links
	case events.KindLink:
		var l events.Link
		if json.Unmarshal(raw, &l) == nil {
			add(&l)
		}
		return links, &l
	case events.KindLines:
		var lines []events.Line
		if json.Unmarshal(raw, &lines) == nil {
			for i := range lines {
				add(&lines[i].Product)
			}
		}
		return links, lines
	case events.KindApplied:
		var applied []events.Applied
		if json.Unmarshal(raw, &applied) == nil {
			for i := range applied {
				add(&applied[i].Invoice)
			}
		}
		return links, applied
	}
	return nil, nil
}

// Resolve fills in the records behind the links of a change, and the
// connection that each link belongs to. The change is not altered; fields
// without links are shared.
func Resolve(c events.Change, find Resolver) events.Change {
	var fields events.Fields
	for name, f := range c.Entity.Fields() {
		v, changed := resolveValue(f.Kind, c.Fields[name], c.Connection, find)
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
		field := r.Fields[name]
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
	links, value := linksIn(kind, raw)
	changed := false
	for _, l := range links {
		changed = resolveLink(l, connection, find) || changed
	}
	if !changed {
		return raw, false
	}
	b, err := json.Marshal(value)
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
