package hub

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/spoke-sync/spoke/events"
)

// Resolver knows the golden records.
type Resolver struct {
	// Find returns the record behind a vendor's object.
	Find func(events.External) (events.Key, bool)
	// Survivor returns the record that a merged one is a part of, or the record
	// itself. Nil means that no record was merged.
	Survivor func(events.Key) events.Key
}

// EachLink calls visit for every link among the fields of an entity, those in
// lists included.
func EachLink(e events.Entity, fields events.Fields, visit func(events.Link)) {
	for _, f := range linking(e) {
		links, _ := linksIn(f, fields[f.Name])
		for _, l := range links {
			visit(*l.Link)
		}
	}
}

// EachMovable calls visit for every record that the fields of an entity link
// to and that is followed to its survivor when it is merged.
func EachMovable(e events.Entity, fields events.Fields, visit func(events.Key)) {
	for _, f := range linking(e) {
		links, _ := linksIn(f, fields[f.Name])
		for _, l := range links {
			if l.movable() {
				visit(l.Record)
			}
		}
	}
}

// linkFields are the fields with links of each entity, in order; those of
// custom objects stand under the empty name.
var linkFields = sync.OnceValue(func() map[events.Entity][]events.FieldType {
	all := map[events.Entity][]events.FieldType{"": linksAmong(events.Entity("x_any").Fields())}
	for _, e := range events.Entities() {
		all[e] = linksAmong(e.Fields())
	}
	return all
})

func linksAmong(fields map[string]events.FieldType) (linking []events.FieldType) {
	for _, f := range fields {
		switch f.Kind { //nolint:exhaustive // only these hold links
		case events.KindLink, events.KindLines, events.KindApplied:
			linking = append(linking, f)
		}
	}
	slices.SortFunc(linking, func(a, b events.FieldType) int { return strings.Compare(a.Name, b.Name) })
	return linking
}

// linking returns the fields of an entity that hold links.
func linking(e events.Entity) []events.FieldType {
	if fields, ok := linkFields()[e]; ok || !e.Custom() {
		return fields
	}
	return linkFields()[""]
}

// Links reports whether an entity has fields with links.
func Links(e events.Entity) bool { return len(linking(e)) > 0 }

// named is a link and the name of the field that it stands in.
type named struct {
	*events.Link
	field string
}

// movable reports whether the link follows its record to a survivor. A field
// has the name of what it links to. A link to an invoice that was made for a
// deal names the deal as its record; that invoice stays the deal's own.
func (l named) movable() bool { return l.Resolved() && string(l.Record.Entity) == l.field }

// linksIn decodes a value of a kind that holds links, and returns those that
// name something. Encoding the value again tells of what was changed in them.
func linksIn(f events.FieldType, raw json.RawMessage) (links []named, value any) {
	if events.IsNull(raw) {
		return nil, nil
	}
	add := func(l *events.Link, field string) {
		if !l.IsZero() {
			links = append(links, named{l, field})
		}
	}
	switch f.Kind { //nolint:exhaustive // only these hold links
	case events.KindLink:
		var l events.Link
		if json.Unmarshal(raw, &l) == nil {
			add(&l, f.Name)
		}
		return links, &l
	case events.KindLines:
		var lines []events.Line
		if json.Unmarshal(raw, &lines) == nil {
			for i := range lines {
				add(&lines[i].Product, "product")
			}
		}
		return links, lines
	case events.KindApplied:
		var applied []events.Applied
		if json.Unmarshal(raw, &applied) == nil {
			for i := range applied {
				add(&applied[i].Invoice, "invoice")
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
	for _, f := range linking(c.Entity) {
		v, changed := resolveValue(f, c.Fields[f.Name], c.Connection, find)
		if !changed {
			continue
		}
		if fields == nil {
			fields = maps.Clone(c.Fields)
		}
		fields[f.Name] = v
	}
	if fields != nil {
		c.Fields = fields
	}
	return c
}

// Relink fills in records behind the links of a golden record that were not
// known when the links came, and follows those that were merged since.
func Relink(r events.Record, find Resolver) (events.Record, bool) {
	changed := false
	for _, f := range linking(r.Key.Entity) {
		field := r.Fields[f.Name]
		v, did := resolveValue(f, field.Value, field.Source, find)
		if !did {
			continue
		}
		if !changed {
			r.Fields = maps.Clone(r.Fields)
			r.Version++
		}
		changed = true
		field.Value = v
		r.Fields[f.Name] = field
	}
	return r, changed
}

func resolveValue(f events.FieldType, raw json.RawMessage, connection string, find Resolver) (json.RawMessage, bool) {
	links, value := linksIn(f, raw)
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

func resolveLink(l named, connection string, find Resolver) bool {
	changed := false
	if !l.Resolved() {
		if changed = l.Connection == ""; changed {
			l.Connection = connection
		}
		if k, ok := find.Find(l.External()); ok {
			l.Record = k
			changed = true
		}
	}
	if find.Survivor == nil || !l.movable() {
		return changed
	}
	k := find.Survivor(l.Record)
	changed = changed || k != l.Record
	l.Record = k
	return changed
}
