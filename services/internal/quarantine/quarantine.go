// Package quarantine lets people mend what could not be done: list it, look at
// it, try it again, edit it, or drop it. What is tried again goes the way that
// it came: a desired document to its sink, an event to transform.
package quarantine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/audit"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

// Entry is one message of QUARANTINE.
type Entry struct {
	// ID is its sequence, which people name it by. An entry that is set apart
	// anew gets a new one.
	ID uint64 `json:"id"`
	events.Quarantined
}

// Filter selects entries. Zero members select everything; the others must all
// hold.
type Filter struct {
	IDs        []uint64
	Connection string
	Kind       string // a fault kind: rejected
	Entity     events.Entity
	Record     events.Key
	// Since and Until bound the time at which it was set apart.
	Since, Until time.Time
	// Text is looked for in the message, hint, field, code and record,
	// whatever its case.
	Text string
}

// Empty reports whether the filter selects everything.
func (f Filter) Empty() bool {
	return len(f.IDs) == 0 && f.Connection == "" && f.Kind == "" && f.Entity == "" && f.Record.IsZero() &&
		f.Since.IsZero() && f.Until.IsZero() && f.Text == ""
}

// Match reports whether an entry is selected.
func (f Filter) Match(e Entry) bool {
	p := e.Problem
	switch {
	case len(f.IDs) > 0 && !slices.Contains(f.IDs, e.ID),
		f.Connection != "" && f.Connection != e.Connection,
		f.Kind != "" && !strings.EqualFold(f.Kind, p.Kind),
		f.Entity != "" && f.Entity != e.Entity,
		!f.Record.IsZero() && f.Record != e.Record,
		!f.Since.IsZero() && e.At.Before(f.Since),
		!f.Until.IsZero() && !e.At.Before(f.Until):
		return false
	}
	if f.Text == "" {
		return true
	}
	text := strings.ToLower(strings.Join([]string{p.Message, p.Hint, p.Field, p.Code, e.Record.String()}, "\n"))
	return strings.Contains(text, strings.ToLower(f.Text))
}

// String is the filter as the audit log tells it.
func (f Filter) String() string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+"="+value)
		}
	}
	if len(f.IDs) > 0 {
		add("ids", strings.Trim(fmt.Sprint(f.IDs), "[]"))
	}
	add("connection", f.Connection)
	add("kind", f.Kind)
	add("entity", string(f.Entity))
	if !f.Record.IsZero() {
		add("record", f.Record.String())
	}
	for name, t := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !t.IsZero() {
			add(name, t.UTC().Format(time.RFC3339))
		}
	}
	add("text", f.Text)
	slices.Sort(parts)
	return cmp.Or(strings.Join(parts, " "), "everything")
}

// ErrGone means that an entry is no longer in quarantine: somebody else has
// dealt with it, or it was set apart anew under another id.
var ErrGone = errors.New("it is no longer in quarantine")

// Store is the quarantine of one installation.
type Store struct {
	bus   *bus.Bus
	audit *audit.Log
}

// New returns the store. Every action on it is noted in the log.
func New(b *bus.Bus, log *audit.Log) *Store { return &Store{bus: b, audit: log} }

// Each returns the selected entries in the order in which they were set apart.
func (s *Store) Each(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for m, err := range s.bus.Scan(ctx, events.StreamQuarantine, "quarantine.>") {
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if e := entry(m); f.Match(e) && !yield(e, nil) {
				return
			}
		}
	}
}

// Get returns one entry, or ErrGone.
func (s *Store) Get(ctx context.Context, id uint64) (Entry, error) {
	m, ok, err := s.bus.At(ctx, events.StreamQuarantine, id)
	if err != nil {
		return Entry{}, err
	}
	if !ok {
		return Entry{}, fmt.Errorf("quarantine %d: %w", id, ErrGone)
	}
	return entry(m), nil
}

// entry reads a message. One that can't be read is an entry too: it must not
// keep people from the others.
func entry(m bus.Stored) Entry {
	e := Entry{ID: m.Seq}
	if err := json.Unmarshal(m.Data, &e.Quarantined); err != nil {
		e.Quarantined = events.Quarantined{
			Stream: events.StreamQuarantine, Subject: m.Subject, Sequence: m.Seq, At: m.Time, Original: events.Original(m.Data),
			Problem: events.Problem{Kind: "malformed", Message: "the entry itself can't be read", Hint: "drop it"},
		}
	}
	return e
}

// Drop removes an entry for good. The document or event is not tried again,
// until its record changes.
func (s *Store) Drop(ctx context.Context, e Entry) error {
	if err := s.note(ctx, "quarantine.drop", e, events.Action{}); err != nil {
		return err
	}
	return s.bus.Delete(ctx, events.StreamQuarantine, e.ID)
}

// note writes an action on an entry into the audit log.
func (s *Store) note(ctx context.Context, verb string, e Entry, a events.Action) error {
	a.Verb, a.Connection = verb, e.Connection
	if a.Record.IsZero() {
		a.Record = e.Record
	}
	a.Target = fmt.Sprintf("quarantine/%d %s", e.ID, e.Subject)
	return s.audit.Note(ctx, a)
}
