package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/match"
)

// Objects of different systems that are one thing become one record. An object
// of a vendor that nobody knows is linked to the record that has its email or
// tax number (strangers); a record of the hub or of an upstream, which has a
// name already, and another record that has the same value are merged
// (doubles). The index is written in the batch in which a record gets the
// value, and read once more after it, so that of two records which come at one
// time the later one sees the other.
//
// Two objects of one type at one system are never one thing.

// sign is a value by which records of an entity are matched.
type sign struct {
	entity events.Entity
	match.Token
}

// signsOf returns the signs of a record; a merged or deleted one has none.
func (w *Worker) signsOf(r events.Record) []sign {
	if len(w.Match[r.Key.Entity]) == 0 || r.Merged != nil || r.Deleted != nil {
		return nil
	}
	return w.signs(r.Key.Entity, func(field string) json.RawMessage { return r.Fields[field].Value })
}

func (w *Worker) signs(e events.Entity, value func(string) json.RawMessage) []sign {
	tokens := w.Match.Tokens(e, value)
	signs := make([]sign, len(tokens))
	for i, t := range tokens {
		signs[i] = sign{e, t}
	}
	return signs
}

// addSigns makes the messages that keep the index in step with the record. A
// value that is gone leaves a note without a record.
func (c *change) addSigns(w *Worker, key []byte) {
	now, before := w.signsOf(c.after), w.signsOf(c.before.rec)
	c.signs = nil
	for _, s := range now {
		if slices.Contains(before, s) {
			continue
		}
		c.signs = append(c.signs, s)
		c.msgs = append(c.msgs, bus.Message{Subject: events.MatchSubject(w.Tenant, s.Rule, s.Hash, c.key), Data: key})
	}
	for _, s := range before {
		if !slices.Contains(now, s) {
			c.msgs = append(c.msgs, bus.Message{Subject: events.MatchSubject(w.Tenant, s.Rule, s.Hash, c.key), Data: []byte(`""`)})
		}
	}
}

// index is which records have a sign.
type index map[sign][]events.Key

func (x index) add(s sign, k events.Key) {
	if !slices.Contains(x[s], k) {
		x[s] = append(x[s], k)
	}
}

// signsPerRead keeps an answer within what the server gives at once: several
// records may have one sign.
const signsPerRead = 100

// lookUp reads the index.
func (w *Worker) lookUp(ctx context.Context, signs []sign) (index, error) {
	found := index{}
	for some := range slices.Chunk(signs, signsPerRead) {
		filters := make([]string, len(some))
		for i, s := range some {
			filters[i] = events.MatchFilter(w.Tenant, s.entity, s.Rule, s.Hash)
		}
		msgs, err := w.Bus.Last(ctx, events.StreamHub, filters)
		if err != nil {
			return nil, err
		}
		for subject, m := range msgs {
			t, err := events.SubjectTokens(subject)
			var k events.Key
			if err == nil {
				err = json.Unmarshal(m.Data, &k)
			}
			if err != nil || len(t) != 6 {
				return nil, fmt.Errorf("transform: index %s: %w", subject, err)
			}
			if !k.IsZero() {
				found.add(sign{events.Entity(t[2]), match.Token{Rule: t[3], Hash: t[4]}}, k)
			}
		}
	}
	return found, nil
}

// candidates reads the records that an index names, but for those that are
// known already.
func (w *Worker) candidates(ctx context.Context, found index, known map[events.Key]cached) error {
	var subjects []string
	for _, keys := range found {
		for _, k := range keys {
			if s := events.RecordSubject(w.Tenant, k); !slices.Contains(subjects, s) {
				if _, have := known[k]; !have {
					subjects = append(subjects, s)
				}
			}
		}
	}
	if len(subjects) == 0 {
		return nil
	}
	msgs, err := w.Bus.Last(ctx, events.StreamHub, subjects)
	if err != nil {
		return err
	}
	for _, m := range msgs {
		var rec events.Record
		if json.Unmarshal(m.Data, &rec) == nil { // what can't be read matches nothing
			known[rec.Key] = cached{rec: rec, seq: m.Seq}
		}
	}
	return nil
}

// strangers finds the records of vendors' objects that nobody knows yet. What
// may stand for several is set apart for a person to decide.
func (w *Worker) strangers(ctx context.Context, facts []fact) error {
	signs := map[int][]sign{}
	var all []sign
	for i, f := range facts {
		if c := f.Change; c != nil && w.strange(c) {
			signs[i] = w.signs(c.Entity, func(field string) json.RawMessage { return c.Fields[field] })
			all = append(all, signs[i]...)
		}
	}
	if len(all) == 0 {
		return nil
	}
	found, err := w.lookUp(ctx, all)
	if err != nil || len(found) == 0 {
		return err
	}
	known := map[events.Key]cached{}
	if err := w.candidates(ctx, found, known); err != nil {
		return err
	}
	taken := map[string]string{} // record and object type → id
	for i := range facts {
		if len(signs[i]) == 0 {
			continue
		}
		c := facts[i].Change
		fit, s := firstFit(signs[i], found, func(k events.Key) bool {
			r, ok := known[k]
			id, given := taken[k.String()+" "+c.External().DocKey()]
			return ok && match.Room(r.rec, c.External()) && (!given || id == c.ID)
		})
		switch len(fit) {
		case 0:
		case 1:
			facts[i].key, facts[i].matched = fit[0], true
			taken[fit[0].String()+" "+c.External().DocKey()] = c.ID
		default:
			k, known, err := w.decided(ctx, c.External())
			if err == nil && !known {
				err = w.ambiguous(ctx, facts[i], s, fit)
			}
			if err != nil {
				return err
			}
			facts[i].key = k
		}
	}
	return nil
}

// strange reports whether nothing but its fields tells which record a vendor's
// object belongs to.
func (w *Worker) strange(c *events.Change) bool {
	kind, connected := w.Kinds[c.Connection]
	if !connected || kind.Hub || len(w.Match[c.Entity]) == 0 { // its ids name records by themselves
		return false
	}
	return c.Op == events.OpChanged && c.Record.IsZero() && !c.Marked && !w.alias.Contains(c.External())
}

// firstFit returns the records that the first sign finds which finds any.
func firstFit(signs []sign, found index, fits func(events.Key) bool) (fit []events.Key, by sign) {
	for _, s := range signs {
		for _, k := range found[s] {
			if fits(k) {
				fit = append(fit, k)
			}
		}
		if len(fit) > 0 {
			return fit, s
		}
	}
	return nil, sign{}
}

// decided returns the record that a person has chosen for an object. The leader
// of HUB is asked, since the decision may have been made just now.
func (w *Worker) decided(ctx context.Context, x events.External) (k events.Key, known bool, err error) {
	if k, known = w.alias.Get(x); known {
		return k, true, nil
	}
	m, known, err := w.Bus.Newest(ctx, events.StreamHub, events.AliasSubject(w.Tenant, x))
	if err != nil || !known {
		return events.Key{}, false, err
	}
	if err := json.Unmarshal(m.Data, &k); err != nil {
		return events.Key{}, false, fmt.Errorf("transform: alias %s: %w", m.Subject, err)
	}
	w.alias.Add(x, k)
	return k, true, nil
}

// ambiguous sets a change apart whose object may stand for several records. The
// whole object as it is now takes the place of what was said of it before; a
// change of some fields doesn't.
func (w *Worker) ambiguous(ctx context.Context, f fact, by sign, fit []events.Key) error {
	c, x := f.Change, f.Change.External()
	slices.SortFunc(fit, func(a, b events.Key) int { return strings.Compare(a.ID, b.ID) })
	names, choices := make([]string, len(fit)), make([]events.Choice, len(fit))
	for i, k := range fit {
		names[i], choices[i] = k.String(), events.Choice{Record: k, Field: by.Rule}
	}
	problem := fault.New(fault.Rejected, "transform", "%s %s of %s may be %s: they have the same %s", c.Object, c.ID, c.Connection,
		strings.Join(names, " or "), by.Rule).WithField(by.Rule).WithCode(match.Code).
		WithHint("settle which one it is, or that it is none of them; or mend the value at its source, and retry it")
	data, err := c.MarshalJSON()
	if err != nil {
		return err
	}
	q := events.Quarantined{
		Service: "transform", Connection: c.Connection, Entity: c.Entity, Problem: *fault.Problem(problem), Attempts: 1,
		Stream: events.StreamEvents, Subject: events.EventSubject(w.Tenant, c.Connection, c.Entity, c.Op, c.ID),
		Event: f.ID, Trace: f.span.TraceID().String(), At: time.Now().UTC(),
		Choices: choices, Own: match.OwnRecord(x, c.Entity, w.Kinds[c.Connection].Hub), Original: data,
	}
	if m, ok := f.message(); ok {
		q.Subject, q.Sequence = m.Subject, m.Seq
	}
	id := x.DocKey() + "/" + c.ID
	if !c.Snapshot {
		id += "/" + f.ID
	}
	return w.quarantine(ctx, q, id)
}

// errTaken means that a record got another object of the type since it was
// matched.
var errTaken = errors.New("the record that an object was matched with has another one by now")

// stillFits checks the matches of a change against the record as it is.
func (c *change) stillFits() error {
	for _, f := range c.facts {
		if f.matched && !match.Room(c.before.rec, f.Change.External()) {
			return fault.New(fault.Transient, "transform", "%w", errTaken)
		}
	}
	return nil
}
