package hub

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// erase notes that a source was asked to forget the person.
func (m *merger) erase(f Fact) {
	c := f.Change
	if c.Op != events.OpErased {
		return
	}
	mark := events.Mark{Source: c.Connection, At: c.At, Event: f.ID}
	all := slices.Clone(m.rec.Erased)
	i := slices.IndexFunc(all, func(o events.Mark) bool { return o.Source == mark.Source })
	switch {
	case i < 0:
		all = append(all, mark)
	case later(mark.At, mark.Event, all[i].At, all[i].Event):
		all[i] = mark
	default:
		return
	}
	slices.SortFunc(all, func(a, b events.Mark) int { return cmp.Compare(a.Source, b.Source) })
	m.rec.Erased = all
	m.dirty = true
}

// admits reports whether a word still counts after the privacy deletions of
// the person: only what the source that forgot the person, or the hub, says
// of a time after it. What other systems still hold of the person does not
// come back, however late they say it.
func (m *merger) admits(source string, at time.Time) bool {
	for _, e := range m.rec.Erased {
		if !at.After(e.At) || source != e.Source && source != m.policy.Hub {
			return false
		}
	}
	return true
}

// scrub removes what a record with a privacy deletion may no longer hold:
// values, and the names, links and messages of its objects at other systems.
// Ids stay: they say where a person must still be forgotten.
func (m *merger) scrub() {
	if len(m.rec.Erased) == 0 {
		return
	}
	for name, f := range m.rec.Fields {
		left := slices.DeleteFunc(candidates(f), func(c events.Candidate) bool { return !m.admits(c.Source, c.At) })
		if len(left) == 0 {
			delete(m.rec.Fields, name)
			continue
		}
		m.rec.Fields[name] = m.policy.Rule(m.rec.Key.Entity, name).choose(left)
	}
	for key, doc := range m.rec.Docs {
		m.rec.Docs[key] = m.scrubbed(doc)
	}
	for key, a := range m.rec.Absorbed {
		docs := make(map[string]events.Doc, len(a.Docs))
		for k, doc := range a.Docs {
			docs[k] = m.scrubbed(doc)
		}
		a.Docs = docs
		m.rec.Absorbed[key] = a
	}
}

func (m *merger) scrubbed(doc events.Doc) events.Doc {
	doc.Number, doc.URL, doc.Error = "", "", nil
	doc.Seen = maps.Clone(doc.Seen)
	maps.DeleteFunc(doc.Seen, func(_ string, s events.Seen) bool { return !m.admits(doc.Connection, s.At) })
	return doc
}

// forgotten reports whether a record is a tombstone of a person who was
// erased.
func forgotten(r *events.Record) bool { return len(r.Erased) > 0 && r.Deleted != nil }
