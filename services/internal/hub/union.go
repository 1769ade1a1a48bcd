package hub

import (
	"maps"
	"slices"

	"github.com/spoke-sync/spoke/events"
)

// unite notes that a source made one object of two, or that it took that back.
func (m *merger) unite(f Fact) {
	c := f.Change
	u := events.Union{Source: c.Connection, At: c.At, Event: f.ID}
	switch c.Op {
	case events.OpMerged:
		u.Into = f.Into
	case events.OpRestored:
	case events.OpChanged, events.OpDeleted, events.OpErased, events.OpWritten, events.OpRoute:
		return
	}
	if last, known := m.rec.Unions[c.Connection]; known && !later(u.At, u.Event, last.At, last.Event) {
		return
	}
	if m.rec.Unions == nil {
		m.rec.Unions = map[string]events.Union{}
	}
	m.rec.Unions[c.Connection] = u
	m.dirty = true
}

// lastUnion is the latest word on whether a record is a part of another one.
// Where the hub has the object, a spoke that merges two of its own objects has
// no say in it.
func lastUnion(r *events.Record, hub string) (latest events.Union, ok bool) {
	hubHas := false
	for _, doc := range r.Docs {
		hubHas = hubHas || doc.Connection == hub && doc.Entity == r.Key.Entity
	}
	for source, u := range r.Unions {
		if hubHas && source != hub && source != Internal {
			continue
		}
		if !ok || newerUnion(u, latest) {
			latest, ok = u, true
		}
	}
	return latest, ok && latest.Into != r.Key
}

func newerUnion(a, b events.Union) bool {
	if !a.At.Equal(b.At) || a.Event != b.Event {
		return later(a.At, a.Event, b.At, b.Event)
	}
	return a.Source > b.Source
}

// merged derives whether the record is a part of another one. Contradictory
// events may close a circle; its oldest word is then void, which every record
// of the circle sees in the same way.
func (m *merger) merged() *events.Union {
	if len(m.rec.Unions) == 0 {
		return nil
	}
	u, ok := lastUnion(&m.rec, m.policy.Hub)
	if !ok || u.Into.IsZero() {
		return nil
	}
	oldest, seen := u, map[events.Key]bool{}
	mine := true
	for k := u.Into; k != m.rec.Key; {
		next, known := m.rec.Absorbed[k.String()]
		if !known || next.Into.IsZero() || seen[k] {
			return &u // no circle, or one that this record only leads to
		}
		seen[k] = true
		if newerUnion(oldest, next.Union) {
			oldest, mine = next.Union, false
		}
		k = next.Into
	}
	if mine {
		return nil
	}
	return &u
}

// inherit takes over what a record that became a part of this one leaves: what
// other systems said of it, and the objects that stand for it there. The
// source that merged the two has merged its own fields itself.
func (m *merger) inherit(from events.Record) {
	u, _ := lastUnion(&from, m.policy.Hub)
	m.absorb(from.Key.String(), events.Absorbed{Union: u, Version: from.Version, Docs: estate(from)})
	for key, a := range from.Absorbed {
		if key != m.rec.Key.String() {
			m.absorb(key, a)
		}
	}
	m.touch(from.UpdatedAt)
	if from.Merged == nil || from.Merged.Into != m.rec.Key {
		return
	}
	for _, key := range from.Needed {
		m.need(key)
	}
	for name, f := range from.Fields {
		for _, c := range candidates(f) {
			if c.Source != m.policy.Hub && c.Source != from.Merged.Source {
				m.register(name, c)
			}
		}
	}
}

func (m *merger) absorb(key string, a events.Absorbed) {
	if last, known := m.rec.Absorbed[key]; known && last.Version >= a.Version {
		return
	}
	if m.rec.Absorbed == nil {
		m.rec.Absorbed = map[string]events.Absorbed{}
	}
	m.rec.Absorbed[key] = a
	m.dirty = true
}

// estate returns a record's own objects, without what only concerns its own
// writes.
func estate(r events.Record) map[string]events.Doc {
	docs := make(map[string]events.Doc, len(r.Docs))
	for key, d := range r.Docs {
		if d.ID == "" || !d.Adopted.IsZero() {
			continue
		}
		docs[key] = events.Doc{
			Connection: d.Connection, Object: d.Object, Entity: d.Entity, ID: d.ID, Number: d.Number, URL: d.URL,
			State: events.StateSeen, Seen: d.Seen, At: d.At, Event: d.Event, Gone: d.Gone,
		}
	}
	return docs
}

// disown takes adopted objects away, so that facts meet what the record has of
// its own.
func (m *merger) disown() {
	if len(m.rec.Absorbed) == 0 {
		return
	}
	for key, d := range m.rec.Docs {
		if d.Adopted.IsZero() {
			continue
		}
		if d.State == events.StateSeen && d.Event == "" {
			delete(m.rec.Docs, key)
			continue
		}
		d.ID, d.Number, d.URL, d.Seen, d.Adopted = "", "", "", nil, events.Key{}
		m.rec.Docs[key] = d
	}
}

// adopt gives the record the objects of what it absorbed, where it has none of
// its own: a second one must not be made for what is one company now.
func (m *merger) adopt() {
	if len(m.rec.Absorbed) == 0 {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(m.rec.Absorbed)) {
		a := m.rec.Absorbed[key]
		if !m.leadsHere(a) {
			continue
		}
		from, err := events.ParseKey(key)
		if err != nil {
			continue // no key of ours
		}
		for docKey, left := range a.Docs {
			own, known := m.rec.Docs[docKey]
			if left.Gone != nil || left.Connection == m.policy.Hub || known && (own.ID != "" || own.Event != "") {
				continue
			}
			if left.Connection == a.Source && left.Entity == m.rec.Key.Entity {
				continue // the very object that its own system merged away
			}
			if !known {
				own = events.Doc{Connection: left.Connection, Object: left.Object, Entity: left.Entity, State: events.StateSeen, At: left.At}
			}
			own.ID, own.Number, own.URL, own.Seen, own.Adopted = left.ID, left.Number, left.URL, left.Seen, from
			m.rec.Docs[docKey] = own
		}
	}
}

// leadsHere reports whether a merged record ends in this one.
func (m *merger) leadsHere(a events.Absorbed) bool {
	for range len(m.rec.Absorbed) + 1 {
		if a.Into == m.rec.Key {
			return true
		}
		next, known := m.rec.Absorbed[a.Into.String()]
		if !known || a.Into.IsZero() {
			return false
		}
		a = next
	}
	return false
}
