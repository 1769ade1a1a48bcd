package hub

import (
	"slices"
	"time"

	"github.com/spoke-sync/spoke/events"
)

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
	if len(m.rec.Erased) > 0 {
		number, url = "", ""
	}
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
// hub has the object, else when it is gone everywhere. Systems that are only
// written to have no say in it.
func (m *merger) deleted() *events.Mark {
	var latest *events.Mark
	everywhere := true
	for _, doc := range m.rec.Docs {
		if doc.Entity != m.rec.Key.Entity || !m.policy.Speaks(doc.Connection, doc.Entity) {
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
	a := answer{
		id: id, key: key, at: o.Observed(), made: o.Effect == events.EffectCreated,
		latest: o.State == events.StateDone && o.Sequence >= doc.ToldAt && o.Hash == m.rec.Wanted[key].Hash,
	}
	if o.State == events.StateDone && o.Sequence > doc.ToldAt {
		doc.Told, doc.ToldAt = o.Hash, o.Sequence
		m.dirty = true
	}
	if o.State == events.StateDone {
		m.identify(&doc, id, o.At, o.ID, o.Number, o.URL)
		m.mark(&doc, id, o.At, o.Effect == events.EffectDeleted)
		m.told(key, o.Hash, o.At, len(o.Seen) > 0 && !o.Read.IsZero())
	} else {
		// What was not written says nothing of the object as it is: a deletion
		// that comes to light later must not look outdated.
		m.complete(&doc, o.ID, o.Number, o.URL)
	}
	m.answered(&doc, a, o)
	m.rec.Docs[key] = doc
	m.touch(o.At)
}

// need notes that documents of a connection refer to an object there. That is
// never taken back.
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
