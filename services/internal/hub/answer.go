package hub

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// answer is what an outcome tells of the fields that were written.
type answer struct {
	id, key string
	at      time.Time // when the call began
	// made is set when the write made the object, latest when no newer document was
	// published.
	made, latest bool
}

// answered takes over what an outcome shows of the object, and decides on what
// was seen before it was known what is our own word.
func (m *merger) answered(doc *events.Doc, a answer, o events.Outcome) {
	doc.Seen = maps.Clone(doc.Seen)
	if doc.Seen == nil {
		doc.Seen = make(map[string]events.Seen, len(o.Seen)+len(o.Sent))
	}
	for name, value := range o.Sent {
		if _, shown := o.Seen[name]; !shown {
			m.show(*doc, a, name, events.Seen{Value: value, At: a.at, Event: a.id, Sent: true})
		}
	}
	for name, value := range o.Seen {
		if !m.foreign(*doc, a, name, value) {
			m.show(*doc, a, name, events.Seen{Value: value, At: a.at, Event: a.id})
		}
	}
	if !a.latest {
		return
	}
	for name, s := range doc.Seen {
		if s.Unheard != nil {
			s.Unheard = nil
			doc.Seen[name] = s
			m.dirty = true
		}
	}
}

// foreign reports whether an answer shows a change that is none of our write's
// doing: of a field that was seen before the call, that no document told, and that
// no system works out of others. It is left to the next read, which knows when the
// object was changed; taken over here, it would be known by then, and no word.
func (m *merger) foreign(doc events.Doc, a answer, name string, value json.RawMessage) bool {
	said := m.rec.Wanted[a.key].Said
	last, seen := doc.Seen[name]
	if !seen || !later(a.at, a.id, last.At, last.Event) {
		return false
	}
	if doc.Entity != m.rec.Key.Entity || len(said) == 0 || latest(said, name) != "" {
		return false
	}
	f := fieldOf(doc.Entity, name)
	switch f.Kind { //nolint:exhaustive // the others are worked out: totals, lines, what is paid
	case "", events.KindString, events.KindLink, events.KindBool:
		return name != "number" && name != "status" && !holds(f, last, value)
	}
	return false
}

// show notes one field as the system held it after our write. What was seen
// later of it, and taken for our word that comes back, is looked at once more.
func (m *merger) show(doc events.Doc, a answer, name string, now events.Seen) {
	last, known := doc.Seen[name]
	newer := !known || later(now.At, now.Event, last.At, last.Event)
	if !newer && (last.Unheard == nil || !a.latest) {
		return
	}
	now.Over = digest(nil)
	instead := now
	if known {
		instead.Over = digest(last.Value)
	}
	if newer {
		m.see(doc, name, instead)
		return
	}
	s := sight{Seen: last, changed: last.Unheard.At, read: last.Unheard.Read}
	said := m.rec.Wanted[a.key].Said
	i := lastDone(said)
	v := m.judge(doc, a.key, name, now, true, s)
	switch {
	case !m.admits(doc.Connection, last.At):
	case v == stale, v == word && !a.made && i >= 0 && !s.after(said[i]):
		// It may have been read before the write took effect.
		doc.Seen[name] = instead
		m.dirty = true
	case v == word && doc.Entity == m.rec.Key.Entity && m.policy.Speaks(doc.Connection, doc.Entity):
		m.register(name, events.Candidate{Value: last.Value, Source: doc.Connection, At: s.changed, Event: last.Event})
	}
}
