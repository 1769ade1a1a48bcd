package quarantine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/match"
)

// Decision is what a person says of an object that may stand for several
// records.
type Decision struct {
	match.Decision
	// Waiting are the entries of the object's events, in the order in which they
	// were set apart.
	Waiting []Entry
}

// None reports whether the object is a record of its own.
func (d Decision) None() bool { return d.Record == d.Own }

// Ambiguous reports whether an entry waits for a decision; see Settle.
func Ambiguous(e Entry) bool { return e.Problem.Code == match.Code && len(e.Choices) > 0 }

// Decide checks a decision on an entry and returns what Settle would do: that
// the object stands for a record, which must be one of the entry's choices or
// the one that a choice became a part of; or for none of them, if the record is
// the zero Key. It changes nothing.
func (s *Store) Decide(ctx context.Context, e Entry, record events.Key) (Decision, error) {
	d, err := s.decide(ctx, e, record)
	if err != nil {
		return Decision{}, fmt.Errorf("quarantine %d: %w", e.ID, err)
	}
	return d, nil
}

func (s *Store) decide(ctx context.Context, e Entry, record events.Key) (Decision, error) {
	x, ok := objectOf(e)
	switch {
	case e.Problem.Code != match.Code:
		return Decision{}, errors.New("it does not wait for a decision between records: mend its cause, and retry it")
	case !ok || len(e.Choices) == 0:
		return Decision{}, errors.New("it names no records to decide between, as an older Spoke set it apart: retry it, and settle what is set apart anew")
	}
	d := Decision{Decision: match.Decision{Object: x, Own: e.Own, Record: e.Own, At: time.Now()}}
	if gone, err := s.gone(ctx, e, x); err != nil || gone {
		return Decision{}, cmp.Or(err, fmt.Errorf("%s %s was deleted at %s meanwhile: drop it", x.Object, x.ID, x.Connection))
	}
	if !record.IsZero() {
		rec, err := s.chosen(ctx, e, x, record)
		if err != nil {
			return Decision{}, err
		}
		d.Record = rec.Key
	}
	for other, err := range s.Each(ctx, Filter{Connection: e.Connection, Entity: e.Entity}) {
		if err != nil {
			return Decision{}, err
		}
		if o, ok := objectOf(other); ok && o == x {
			d.Waiting = append(d.Waiting, other)
		}
	}
	return d, nil
}

// objectOf returns the object of an ambiguous match.
func objectOf(e Entry) (events.External, bool) {
	var c events.Change
	if e.Problem.Code != match.Code || json.Unmarshal(e.Original, &c) != nil {
		return events.External{}, false
	}
	return c.External(), true
}

// chosen returns the record that a choice stands for by now.
func (s *Store) chosen(ctx context.Context, e Entry, x events.External, k events.Key) (events.Record, error) {
	isChoice := slices.ContainsFunc(e.Choices, func(c events.Choice) bool { return c.Record == k })
	for i := 0; !isChoice && i < len(e.Choices); i++ {
		rec, err := s.survivor(ctx, e, e.Choices[i].Record)
		if err != nil {
			return events.Record{}, err
		}
		isChoice = rec.Key == k
	}
	if !isChoice {
		names := make([]string, len(e.Choices))
		for i, c := range e.Choices {
			names[i] = c.Record.String()
		}
		return events.Record{}, fmt.Errorf("%s is none of the records that it may be: choose %s, or --none", k, strings.Join(names, " or "))
	}
	rec, err := s.survivor(ctx, e, k)
	switch {
	case err != nil:
		return events.Record{}, err
	case rec.Deleted != nil:
		return events.Record{}, fmt.Errorf("%s was deleted at %s: choose another one, or --none", rec.Key, rec.Deleted.Source)
	case !match.Room(rec, x):
		return events.Record{}, fmt.Errorf("%s has %s %s of %s by now, and two objects of one system are never one: choose another one, or --none",
			rec.Key, x.Object, rec.Docs[x.DocKey()].ID, x.Connection)
	}
	return rec, nil
}

// maxHops bounds how many mergers are followed in a row.
const maxHops = 16

// gone reports whether an object is known to be deleted: its deletion was of no
// two records, and made one of its own.
func (s *Store) gone(ctx context.Context, e Entry, x events.External) (bool, error) {
	own, ok, err := s.record(ctx, e, e.Own)
	if err != nil || !ok {
		return false, err
	}
	doc := own.Docs[x.DocKey()]
	return doc.ID == x.ID && doc.Gone != nil, nil
}

// survivor returns the record that a record is by now.
func (s *Store) survivor(ctx context.Context, e Entry, k events.Key) (events.Record, error) {
	for range maxHops {
		rec, ok, err := s.record(ctx, e, k)
		if err != nil {
			return events.Record{}, err
		}
		if !ok {
			return events.Record{}, fmt.Errorf("there is no record %s", k)
		}
		if rec.Merged == nil {
			return rec, nil
		}
		k = rec.Merged.Into
	}
	return events.Record{}, fmt.Errorf("%s: too many records in a row were merged", k)
}

// record returns a record as it is. ok is false when there is none.
func (s *Store) record(ctx context.Context, e Entry, k events.Key) (rec events.Record, ok bool, err error) {
	tenant, err := tenantOf(e)
	if err != nil {
		return rec, false, err
	}
	m, ok, err := s.bus.LastOne(ctx, events.StreamHub, events.RecordSubject(tenant, k))
	if err != nil || !ok {
		return rec, false, err
	}
	if err := json.Unmarshal(m.Data, &rec); err != nil {
		return rec, false, fmt.Errorf("record %s can't be read: %w", k, err)
	}
	return rec, true, nil
}

// tenantOf reads the tenant from where the original of an entry stands.
func tenantOf(e Entry) (string, error) {
	t, err := events.SubjectTokens(e.Subject)
	if err != nil {
		return "", err
	}
	if len(t) < 2 {
		return "", fmt.Errorf("subject %q names no tenant", e.Subject)
	}
	return t[1], nil
}

// Settle carries a decision out: it is written for good, and then every event
// of the object that waits for it is retried. It is safe to repeat.
func (s *Store) Settle(ctx context.Context, e Entry, d Decision) (Outcome, error) {
	tenant, err := tenantOf(e)
	if err != nil {
		return "", fmt.Errorf("quarantine %d: %w", e.ID, err)
	}
	a := events.Action{Record: d.Record}
	if d.None() {
		a.Note = "none of the choices"
	}
	if err := s.note(ctx, "quarantine.settle", e, a); err != nil {
		return "", err
	}
	err = match.Settle(ctx, s.bus, tenant, d.Decision)
	if errors.Is(err, bus.ErrStale) {
		err = fmt.Errorf("somebody else decides at this moment; look at it once more: %w", err)
	}
	if err != nil {
		return "", fmt.Errorf("quarantine %d: %w", e.ID, err)
	}
	for _, w := range d.Waiting {
		if _, err := s.send(ctx, w, nil); err != nil {
			return "", err
		}
	}
	return Retried, nil
}
