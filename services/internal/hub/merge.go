package hub

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// Fact is one event that concerns a record, decoded. Exactly one of Change
// and Outcome is set.
type Fact struct {
	ID      string
	Change  *events.Change
	Outcome *events.Outcome
}

// At is when the event says that it happened.
func (f Fact) At() time.Time {
	if f.Change != nil {
		return f.Change.At
	}
	return f.Outcome.At
}

// Merge folds facts into a record and returns the new record; the given one
// is not changed. Each field is a last-writer-wins register under a total
// order, so merging is commutative, associative and idempotent over changes
// that carry their own times. A snapshot is first reduced to what differs
// from the last observation of the same system: a write of ours that touches
// an object must not make its old values look new.
//
// changed is false when every fact was known already.
func Merge(r events.Record, facts []Fact, p Policy) (merged events.Record, changed bool) {
	m := merger{rec: clone(r), policy: p}
	for _, f := range facts {
		switch {
		case f.Change != nil:
			m.change(f.ID, *f.Change)
		case f.Outcome != nil:
			m.outcome(f.ID, *f.Outcome)
		}
	}
	if !m.dirty {
		return r, false
	}
	m.rec.Deleted = m.deleted()
	m.rec.Version++
	return m.rec, true
}

// clone copies the maps that Merge writes to.
func clone(r events.Record) events.Record {
	r.Fields = maps.Clone(r.Fields)
	r.Docs = maps.Clone(r.Docs)
	r.Wanted = maps.Clone(r.Wanted)
	if r.Fields == nil {
		r.Fields = map[string]events.Field{}
	}
	if r.Docs == nil {
		r.Docs = map[string]events.Doc{}
	}
	if r.Wanted == nil {
		r.Wanted = map[string]events.Want{}
	}
	return r
}

type merger struct {
	rec    events.Record
	policy Policy
	dirty  bool
}

func (m *merger) change(id string, c events.Change) {
	key := c.External().DocKey()
	doc, known := m.rec.Docs[key]
	if !known {
		doc = events.Doc{Connection: c.Connection, Object: c.Object, Entity: c.Entity, State: events.StateSeen}
		m.dirty = true
	}
	m.identify(&doc, id, c.At, c.ID, c.Number, c.URL)
	m.mark(&doc, id, c.At, c.Op == events.OpDeleted)
	own := c.Entity == m.rec.Key.Entity
	if own && !c.Snapshot {
		// Such a change speaks for itself: what is in the fields need not be
		// remembered a second time.
		m.rec.Docs[key] = doc
		for name, value := range c.Fields {
			m.register(name, events.Field{Value: value, Source: c.Connection, At: c.At, Event: id})
		}
		m.touch(c.At)
		return
	}
	doc.Seen = maps.Clone(doc.Seen)
	if doc.Seen == nil {
		doc.Seen = make(map[string]events.Seen, len(c.Fields))
	}
	// What is written to the hub is mostly written to objects that people made.
	ours := !c.Record.IsZero() || (doc.Told != "" && c.Connection != m.policy.Hub)
	for name, value := range c.Fields {
		_, seen := doc.Seen[name]
		fresh := m.see(doc.Seen, name, events.Seen{Value: value, At: c.At, Event: id})
		if !seen && (ours || events.IsNull(value)) {
			// The first sight of an object that we wrote is our own word come
			// back, as the vendor writes it; and that a system has nothing to
			// say of a field clears nobody else's value.
			continue
		}
		if fresh && own {
			m.register(name, events.Field{Value: value, Source: c.Connection, At: c.At, Event: id})
		}
	}
	m.rec.Docs[key] = doc
	m.touch(c.At)
}

// see keeps the latest observation of a field. It reports whether the value
// counts as a change: when it is neither older than nor equal to what was seen
// last.
func (m *merger) see(seen map[string]events.Seen, name string, s events.Seen) bool {
	last, known := seen[name]
	newer := !known || later(s.At, s.Event, last.At, last.Event)
	if newer {
		seen[name] = s
		m.dirty = true
	}
	return newer && (!known || !equalJSON(last.Value, s.Value))
}

// register sets a field when the candidate beats what stands there.
func (m *merger) register(name string, candidate events.Field) {
	current, ok := m.rec.Fields[name]
	if ok && !beats(candidate, current, m.policy.Owner(m.rec.Key.Entity, name)) {
		return
	}
	m.rec.Fields[name] = candidate
	m.dirty = true
}

// beats is a strict total order on values of one field: the owner's word
// first, then the later time, then source, event and value, so that every
// order of arrival ends in the same winner.
func beats(a, b events.Field, owner string) bool {
	if owner != "" && (a.Source == owner) != (b.Source == owner) {
		return a.Source == owner
	}
	if !a.At.Equal(b.At) {
		return a.At.After(b.At)
	}
	if a.Source != b.Source {
		return a.Source > b.Source
	}
	if a.Event != b.Event {
		return a.Event > b.Event
	}
	return bytes.Compare(a.Value, b.Value) > 0
}

// later orders observations of one system.
func later(at time.Time, event string, thanAt time.Time, thanEvent string) bool {
	if !at.Equal(thanAt) {
		return at.After(thanAt)
	}
	return event > thanEvent
}

// identify takes over the id and the human-readable names from the latest
// event that knows them.
func (m *merger) identify(doc *events.Doc, event string, at time.Time, id, number, url string) {
	if doc.Event != "" && !later(at, event, doc.At, doc.Event) {
		m.complete(doc, id, number, url) // it may know what no later one knew
		return
	}
	doc.At, doc.Event = at, event
	m.dirty = true
	for _, p := range []struct {
		to *string
		v  string
	}{{&doc.ID, id}, {&doc.Number, number}, {&doc.URL, url}} {
		if p.v != "" {
			*p.to = p.v
		}
	}
}

// complete fills in what is not known of an object.
func (m *merger) complete(doc *events.Doc, id, number, url string) {
	for _, p := range []struct {
		to *string
		v  string
	}{{&doc.ID, id}, {&doc.Number, number}, {&doc.URL, url}} {
		if *p.to == "" && p.v != "" {
			*p.to = p.v
			m.dirty = true
		}
	}
}

// mark notes that an object is gone, unless it was seen alive later. identify
// has run, so doc.At is the latest that is known of the object.
func (m *merger) mark(doc *events.Doc, event string, at time.Time, gone bool) {
	if doc.Event != event { // something later is known
		return
	}
	switch {
	case gone && (doc.Gone == nil || doc.Gone.Event != event):
		doc.Gone = &events.Mark{Source: doc.Connection, At: at, Event: event}
	case !gone && doc.Gone != nil:
		doc.Gone = nil
	default:
		return
	}
	m.dirty = true
}

// deleted derives whether the record is deleted: by the hub's word where the
// hub has the object, else when it is gone everywhere.
func (m *merger) deleted() *events.Mark {
	var latest *events.Mark
	everywhere := true
	for _, doc := range m.rec.Docs {
		if doc.Entity != m.rec.Key.Entity {
			continue
		}
		if doc.Connection == m.policy.Hub {
			return doc.Gone
		}
		if doc.Gone == nil {
			everywhere = false // but the hub's object may be yet to come
			continue
		}
		if latest == nil || later(doc.Gone.At, doc.Gone.Event, latest.At, latest.Event) {
			latest = doc.Gone
		}
	}
	if !everywhere {
		return nil
	}
	return latest
}

func (m *merger) outcome(id string, o events.Outcome) {
	key := o.External().DocKey()
	if o.State == events.StateNeeded {
		m.need(key)
		return
	}
	doc, known := m.rec.Docs[key]
	if !known {
		doc = events.Doc{Connection: o.Connection, Object: o.Object, Entity: o.Entity}
	}
	if o.Sequence > doc.Sequence || (o.Sequence == doc.Sequence && rank(o.State) > rank(doc.State)) {
		doc.Sequence, doc.State, doc.Effect, doc.Error = o.Sequence, o.State, o.Effect, o.Error
		m.dirty = true
	}
	if o.State == events.StateDone && o.Sequence > doc.ToldAt {
		doc.Told, doc.ToldAt = o.Hash, o.Sequence
		m.dirty = true
	}
	if o.State == events.StateDone {
		m.identify(&doc, id, o.At, o.ID, o.Number, o.URL)
		m.mark(&doc, id, o.At, o.Effect == events.EffectDeleted)
	} else {
		// What was not written says nothing of the object as it is: a deletion
		// that comes to light later must not look outdated.
		m.complete(&doc, o.ID, o.Number, o.URL)
	}
	doc.Seen = maps.Clone(doc.Seen)
	if doc.Seen == nil {
		doc.Seen = make(map[string]events.Seen, len(o.Seen))
	}
	for name, value := range o.Seen {
		m.see(doc.Seen, name, events.Seen{Value: value, At: o.At, Event: id})
	}
	m.rec.Docs[key] = doc
	m.touch(o.At)
}

// need notes that documents of a connection refer to an object there. That is
// never taken back: whoever was invoiced once stays a customer.
func (m *merger) need(key string) {
	at, known := slices.BinarySearch(m.rec.Needed, key)
	if known {
		return
	}
	m.rec.Needed = slices.Insert(slices.Clone(m.rec.Needed), at, key)
	m.dirty = true
}

// rank orders the states that one document passes through: what was held or
// set apart may still be done.
func rank(s events.State) int {
	switch s {
	case events.StateHeld:
		return 1
	case events.StateQuarantined:
		return 2
	case events.StateDone:
		return 3
	case events.StateSeen, events.StateNeeded:
	}
	return 0
}

func (m *merger) touch(at time.Time) {
	if at.After(m.rec.UpdatedAt) {
		m.rec.UpdatedAt = at.UTC()
	}
}

// equalJSON compares canonical JSON, which has one form per value but for
// the digits of decimals.
func equalJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) || (events.IsNull(a) && events.IsNull(b)) {
		return true
	}
	var x, y events.Money
	if json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && x.Currency != "" {
		return x.Equal(y)
	}
	return false
}
