package quarantine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/match"
)

// Outcome says what came of an action on an entry.
type Outcome string

// The outcomes of Retry and Edit.
const (
	// Retried: it is on its way again. What comes of it shows in the record;
	// if it fails again it is set apart again.
	Retried Outcome = "retried"
	// Superseded: a newer version of the document has taken its place, and is
	// tried by itself. The entry is removed.
	Superseded Outcome = "superseded"
)

// Retry sends an entry the way that it came. It is safe to repeat and safe
// beside another who does the same: the document is published under
// compare-and-set, and an event merges once. The entry is removed after what
// it stands for is on its way, so that a crash between the two leaves it.
func (s *Store) Retry(ctx context.Context, e Entry) (Outcome, error) {
	if err := s.note(ctx, "quarantine.retry", e, events.Action{}); err != nil {
		return "", err
	}
	return s.send(ctx, e, nil)
}

// Edit is Retry with another content: the whole desired document, or the data
// of the event. Content that breaks its schema is refused, and nothing changes.
// The next change of the record at its source replaces an edited document.
func (s *Store) Edit(ctx context.Context, e Entry, content json.RawMessage) (Outcome, error) {
	if err := check(e, content); err != nil {
		return "", fmt.Errorf("quarantine %d: %w", e.ID, err)
	}
	if err := s.note(ctx, "quarantine.edit", e, events.Action{Before: digest(e.Original), After: digest(content)}); err != nil {
		return "", err
	}
	return s.send(ctx, e, content)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// send publishes again what an entry stands for, with another content unless
// that is nil, and removes the entry.
func (s *Store) send(ctx context.Context, e Entry, content json.RawMessage) (Outcome, error) {
	out, err := s.publish(ctx, e, content)
	if err != nil {
		return "", fmt.Errorf("quarantine %d: %w", e.ID, err)
	}
	return out, s.bus.Delete(ctx, events.StreamQuarantine, e.ID)
}

func (s *Store) publish(ctx context.Context, e Entry, content json.RawMessage) (Outcome, error) {
	switch {
	case isDesired(e):
		return s.document(ctx, e, content)
	case isFlow(e):
		return s.route(ctx, e)
	case e.Stream == events.StreamEvents:
		return Retried, s.event(ctx, e, content)
	}
	return "", fmt.Errorf("it came from %s of %s, which can't be tried again from here: drop it once its cause is mended", e.Subject, e.Stream)
}

// isDesired reports whether a sink gave up on a document.
func isDesired(e Entry) bool { return strings.HasPrefix(e.Subject, "desired.") }

// isFlow reports whether transform could not evaluate a flow for a record.
func isFlow(e Entry) bool {
	return e.Service == "transform" && strings.HasPrefix(e.Subject, "record.")
}

// document publishes a desired document again, if it is still the one that is
// wanted.
func (s *Store) document(ctx context.Context, e Entry, content json.RawMessage) (Outcome, error) {
	m, ok, err := s.bus.LastOne(ctx, events.StreamHub, e.Subject)
	if err != nil {
		return "", err
	}
	if !ok || m.Seq != e.Sequence {
		return Superseded, nil
	}
	data := m.Data
	if content != nil {
		if data, err = resealed(content); err != nil {
			return "", err
		}
	}
	_, err = s.bus.Publish(ctx, bus.Message{Subject: m.Subject, Data: data, Header: bus.OwnHeader(m.Header), Expect: bus.Seq(m.Seq)})
	if errors.Is(err, bus.ErrStale) {
		return Superseded, nil
	}
	return Retried, err
}

// resealed gives an edited document the hash of its new content.
func resealed(content json.RawMessage) ([]byte, error) {
	var d events.Desired
	if err := json.Unmarshal(content, &d); err != nil {
		return nil, err
	}
	if err := d.Seal(); err != nil {
		return nil, err
	}
	return json.Marshal(d)
}

// route asks transform to evaluate the record's flows again.
func (s *Store) route(ctx context.Context, e Entry) (Outcome, error) {
	tenant, err := tenantOf(e)
	if err != nil {
		return "", err
	}
	m, err := bus.EncodeRoute(ctx, tenant, events.Route{Record: e.Record, Reason: "retry"})
	if err != nil {
		return "", err
	}
	_, err = s.bus.Publish(ctx, m)
	return Retried, err
}

// event publishes an event again as it stands in EVENTS, with other data if it
// was edited. A decision may be long in coming, and an object that was read
// because another one links to it never had an event: an ambiguous match is
// published from its entry if it is not there.
func (s *Store) event(ctx context.Context, e Entry, content json.RawMessage) error {
	var m bus.Stored
	var ok bool
	var err error
	if e.Sequence > 0 {
		if m, ok, err = s.bus.At(ctx, events.StreamEvents, e.Sequence); err != nil {
			return err
		}
	}
	if !ok || m.Subject != e.Subject {
		if e.Problem.Code == match.Code {
			return s.anew(ctx, e, content)
		}
		return fmt.Errorf("the event no longer stands in %s (it is kept for 30 days): change the object at %s, or read it anew with a backfill", e.Stream, e.Connection)
	}
	data := m.Data
	if content != nil {
		if data, err = edited(m, content); err != nil {
			return err
		}
	}
	_, err = s.bus.Publish(ctx, bus.Message{Subject: m.Subject, Data: data, Header: bus.OwnHeader(m.Header)})
	return err
}

// anew publishes an event that holds what the entry does.
func (s *Store) anew(ctx context.Context, e Entry, content json.RawMessage) error {
	if content == nil {
		content = e.Original
	}
	var c events.Change
	if err := json.Unmarshal(content, &c); err != nil {
		return err
	}
	m, err := bus.EncodeEvent(ctx, e.Subject, events.NewChange(c.Connection, e.Event, c))
	if err != nil {
		return err
	}
	_, err = s.bus.Publish(ctx, m)
	return err
}

// edited puts other data into a stored event. An event that can't be read as it
// stands is made anew from the heading that its message repeats.
func edited(m bus.Stored, content json.RawMessage) ([]byte, error) {
	ev, err := bus.DecodeEvent(m)
	if err != nil {
		if ev, err = bus.HeadingOf(m); err != nil {
			return nil, err
		}
		var c events.Change
		if err := json.Unmarshal(content, &c); err == nil {
			ev.Time = c.At
		}
	}
	ev.Data = content
	return ev.MarshalJSON()
}
