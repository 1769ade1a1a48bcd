package hub

import (
	"bytes"
	"encoding/json"
	"maps"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// Fact is one event that concerns a record, decoded. Exactly one of Change,
// Outcome and Bequest is set.
type Fact struct {
	ID      string
	Change  *events.Change
	Outcome *events.Outcome
	// Bequest is a record that became a part of this one, as it stands now.
	Bequest *events.Record
	// Into is the record behind Change.Into.
	Into events.Key
}

// At is when the event says that it happened.
func (f Fact) At() time.Time {
	switch {
	case f.Change != nil:
		return f.Change.At
	case f.Outcome != nil:
		return f.Outcome.At
	default:
		return f.Bequest.UpdatedAt
	}
}

// Internal is the speaker of what Spoke itself, or an operator, says about
// records: the ids of its objects are those of the records.
const Internal = "spoke"

// Merge folds facts into a record and returns the new record; the given one
// is not changed. What each source says of a field is a last-writer-wins
// register, and the winner among the sources follows from the policy; deletion,
// merging and erasure are values with a time. So merging is commutative,
// associative and idempotent over changes that carry their own times. A
// snapshot is first reduced to what differs from the last observation of the
// same system: a write of ours that touches an object must not make its old
// values look new.
//
// changed is false when every fact was known already.
func Merge(r events.Record, facts []Fact, p Policy) (merged events.Record, changed bool) {
	m := merger{rec: clone(r), policy: p}
	m.disown()
	for _, f := range facts {
		switch {
		case f.Change != nil:
			m.change(f)
		case f.Outcome != nil:
			m.outcome(f.ID, *f.Outcome)
		case f.Bequest != nil:
			m.inherit(*f.Bequest)
		}
	}
	if !m.dirty {
		return r, false
	}
	m.scrub()
	m.rec.Merged = m.merged()
	m.adopt()
	m.rec.Deleted = m.deleted()
	m.rec.Version++
	return m.rec, true
}

// clone copies the maps that Merge writes to.
func clone(r events.Record) events.Record {
	r.Fields = maps.Clone(r.Fields)
	r.Docs = maps.Clone(r.Docs)
	r.Wanted = maps.Clone(r.Wanted)
	r.Unions = maps.Clone(r.Unions)
	r.Absorbed = maps.Clone(r.Absorbed)
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

func (m *merger) change(f Fact) {
	id, c := f.ID, *f.Change
	m.touch(c.At)
	own := c.Entity == m.rec.Key.Entity
	if c.Connection == Internal {
		m.unite(f)
		return
	}
	key := c.External().DocKey()
	doc, found := m.rec.Docs[key]
	if !found {
		doc = events.Doc{Connection: c.Connection, Object: c.Object, Entity: c.Entity, State: events.StateSeen}
		m.dirty = true
	}
	m.identify(&doc, id, c.At, c.ID, c.Number, c.URL)
	m.mark(&doc, id, c.At, c.Op == events.OpDeleted || c.Op == events.OpErased)
	speaks := own && m.policy.Speaks(c.Connection, c.Entity)
	if speaks {
		m.unite(f)
		m.erase(f)
	}
	if speaks && !c.Snapshot {
		// Such a change speaks for itself: what is in the fields need not be
		// remembered a second time.
		m.rec.Docs[key] = doc
		for name, value := range c.Fields {
			m.register(name, events.Candidate{Value: value, Source: c.Connection, At: c.At, Event: id})
		}
		return
	}
	doc.Seen = maps.Clone(doc.Seen)
	if doc.Seen == nil {
		doc.Seen = make(map[string]events.Seen, len(c.Fields))
	}
	// What is written to the hub is mostly written to objects that people made.
	ours := !c.Record.IsZero() || (doc.Told != "" && c.Connection != m.policy.Hub)
	awaited := speaks && m.awaited(key, doc)
	for name, value := range c.Fields {
		s := sight{Seen: events.Seen{Value: value, At: c.Observed(), Event: id}, changed: c.At, read: c.Read}
		before, seen := doc.Seen[name]
		v := m.judge(doc, key, name, before, seen, s)
		if v == word && !seen && (ours || events.IsNull(value)) {
			// The first sight of an object that we wrote may be our own word come
			// back, as the vendor writes it, while the outcome that tells is not
			// known; and that a system has nothing to say of a field clears nobody
			// else's value.
			v = known
		}
		if v != word && awaited {
			s.Unheard = &events.Unheard{At: s.changed, Read: s.read}
		}
		if v != stale && m.see(doc, name, s.Seen) && v == word && speaks {
			m.register(name, events.Candidate{Value: value, Source: c.Connection, At: c.At, Event: id})
		}
	}
	m.rec.Docs[key] = doc
}

func (m *merger) judge(doc events.Doc, key, name string, before events.Seen, seen bool, s sight) verdict {
	return judge(fieldOf(doc.Entity, name), m.rec.Wanted[key].Said, doc.Connection != m.policy.Hub, before, seen, s)
}

// awaited reports whether a document was published whose outcome is not known.
func (m *merger) awaited(key string, doc events.Doc) bool {
	w, ok := m.rec.Wanted[key]
	return ok && w.Hash != doc.Told
}

// see keeps the latest observation of a field. It reports whether that is the
// one given, and new.
func (m *merger) see(doc events.Doc, name string, s events.Seen) bool {
	if !m.admits(doc.Connection, s.At) {
		return false
	}
	last, known := doc.Seen[name]
	if known && !later(s.At, s.Event, last.At, last.Event) {
		return false
	}
	if known && s.Event == last.Event && equalJSON(last.Value, s.Value) {
		return false // the same word, read once more
	}
	doc.Seen[name] = s
	m.dirty = true
	return true
}

// later orders observations of one system.
func later(at time.Time, event string, thanAt time.Time, thanEvent string) bool {
	if !at.Equal(thanAt) {
		return at.After(thanAt)
	}
	return event > thanEvent
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
