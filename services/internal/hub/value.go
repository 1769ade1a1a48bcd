package hub

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"

	"github.com/spoke-sync/spoke/events"
)

// register takes what a source says of a field, and chooses the winner anew.
func (m *merger) register(name string, c events.Candidate) {
	if !m.admits(c.Source, c.At) {
		return
	}
	rule := m.policy.Rule(m.rec.Key.Entity, name)
	if rule.Kind == Union {
		c.Value = setOf(c.Value)
	}
	current, known := m.rec.Fields[name]
	if !known || current.Source == c.Source && len(current.Others) == 0 {
		if known && !rule.supersedes(c, own(current)) {
			return
		}
		m.rec.Fields[name] = events.Field{Value: c.Value, Source: c.Source, At: c.At, Event: c.Event}
		m.dirty = true
		return
	}
	all := candidates(current)
	i := slices.IndexFunc(all, func(o events.Candidate) bool { return o.Source == c.Source })
	switch {
	case i < 0:
		all = append(all, c)
	case rule.supersedes(c, all[i]):
		all[i] = c
	default:
		return
	}
	m.rec.Fields[name] = rule.choose(all)
	m.dirty = true
}

func own(f events.Field) events.Candidate {
	return events.Candidate{Source: f.Source, Value: f.Value, At: f.At, Event: f.Event}
}

// candidates returns what each source says of a field, in a new slice.
func candidates(f events.Field) []events.Candidate {
	all := slices.Clone(f.Others)
	if !slices.ContainsFunc(all, func(o events.Candidate) bool { return o.Source == f.Source }) {
		all = append(all, own(f))
	}
	return all
}

// supersedes reports whether a takes the place of b, both of one source.
func (r Rule) supersedes(a, b events.Candidate) bool {
	if r.Kind == First {
		return earlier(a, b)
	}
	return newer(a, b)
}

// choose returns the field that follows from what every source says. The
// result does not depend on the order of the candidates.
func (r Rule) choose(all []events.Candidate) events.Field {
	slices.SortFunc(all, func(a, b events.Candidate) int { return cmp.Compare(a.Source, b.Source) })
	top := 0
	for i := range all[1:] {
		if r.beats(all[i+1], all[top]) {
			top = i + 1
		}
	}
	w := all[top]
	f := events.Field{Value: w.Value, Source: w.Source, At: w.At, Event: w.Event}
	if r.Kind == Union && len(all) > 1 {
		f.Value, f.Others = unionOf(all), all
		return f
	}
	f.Others = slices.Delete(all, top, top+1)
	if len(f.Others) == 0 {
		f.Others = nil
	}
	return f
}

// beats is a strict total order on what different sources say of one field,
// so that every order of arrival ends in the same winner.
func (r Rule) beats(a, b events.Candidate) bool {
	switch {
	case r.Kind == Owner && (a.Source == r.Owner) != (b.Source == r.Owner):
		return a.Source == r.Owner
	case r.Kind == First:
		return earlier(a, b)
	default:
		return newer(a, b)
	}
}

// newer orders by time, then source, event and value.
func newer(a, b events.Candidate) bool {
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

// earlier orders the other way round, but for values that are empty: the
// first word is the first that says something.
func earlier(a, b events.Candidate) bool {
	if x, y := events.IsNull(a.Value), events.IsNull(b.Value); x != y {
		return y
	}
	return newer(b, a)
}

// setOf writes a value as a set: a sorted list without repeats, null for an
// empty one. What is no list is a set of one.
func setOf(v json.RawMessage) json.RawMessage {
	return encodeSet(elements(v))
}

// unionOf is the set of what any source has.
func unionOf(all []events.Candidate) json.RawMessage {
	var items []json.RawMessage
	for _, c := range all {
		items = append(items, elements(c.Value)...)
	}
	return encodeSet(items)
}

func elements(v json.RawMessage) []json.RawMessage {
	if events.IsNull(v) {
		return nil
	}
	var items []json.RawMessage
	if json.Unmarshal(v, &items) != nil {
		return []json.RawMessage{v}
	}
	return slices.DeleteFunc(items, func(i json.RawMessage) bool { return events.IsNull(i) })
}

func encodeSet(items []json.RawMessage) json.RawMessage {
	if len(items) == 0 {
		return json.RawMessage("null")
	}
	slices.SortFunc(items, func(a, b json.RawMessage) int { return bytes.Compare(a, b) })
	items = slices.CompactFunc(items, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
	out := []byte{'['}
	for i, item := range items {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, item...)
	}
	return append(out, ']')
}
