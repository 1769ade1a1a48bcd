package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// alertHeld is the kind of the alert about a document that waits too long.
const alertHeld = "held"

// overdue tells operators, once, of a document that has waited too long. A note
// whose document was replaced or withdrawn is removed.
func (s *Sink) overdue(ctx context.Context, note bus.Stored, h events.Held) error {
	if h.Told || time.Since(h.Since) < s.HeldLimit {
		return nil
	}
	doc, ok, err := s.Bus.LastOne(ctx, events.StreamHub, h.Subject)
	if err != nil {
		return err
	}
	if !ok || doc.Seq != h.Sequence {
		return s.Bus.Delete(ctx, events.StreamHub, note.Seq)
	}
	// The note goes first: of several replicas one tells.
	h.Told = true
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if _, err := s.Bus.Publish(ctx, bus.Message{Subject: note.Subject, Data: b, Expect: bus.Seq(note.Seq)}); err != nil {
		if errors.Is(err, bus.ErrStale) {
			return nil
		}
		return err
	}
	s.alert(ctx, events.Alert{
		Severity: "warning", Kind: alertHeld, Record: h.Record,
		Message: fmt.Sprintf("%s of %s has waited for %s of %s since %s", h.Object, h.Record, h.Needs.Object, h.Needs.Record,
			h.Since.Format(time.RFC3339)),
		Hint: "spoke record " + h.Needs.Record.String() + " tells what keeps it from being written; the document is released by itself then",
	})
	return nil
}

// waiter is a document that waits, or that is waited for.
type waiter struct {
	object string
	record events.Key
}

func (w waiter) String() string { return w.object + " of " + w.record.String() }

// circle refuses a document that waits, over others, for itself: none of them
// could ever be written. Each of them notes what it waits for before it looks,
// so that the last one sees the circle.
func (s *Sink) circle(ctx context.Context, h events.Held) error {
	self := waiter{h.Object, h.Record}
	way := map[waiter]waiter{} // who waits for it
	next := []waiter{{h.Needs.Object, h.Needs.Record}}
	way[next[0]] = self
	for len(next) > 0 {
		w := next[0]
		next = next[1:]
		if w == self {
			return fault.New(fault.Rejected, s.Kind.Name, "%s", describe(way, self)).WithCode("hold_circle").
				WithHint("none of them can be written first: take one of the references out of its flow, or out of the data")
		}
		for m, err := range s.Bus.Scan(ctx, events.StreamHub, events.WaiterFilter(s.Tenant, s.Connection, w.object, w.record)) {
			if err != nil {
				return fault.New(fault.Transient, s.Kind.Name, "%w", err)
			}
			var other events.Held
			if json.Unmarshal(m.Data, &other) != nil {
				continue // the sweep reports it
			}
			doc, ok, err := s.Bus.LastOne(ctx, events.StreamHub, other.Subject)
			if err != nil {
				return fault.New(fault.Transient, s.Kind.Name, "%w", err)
			}
			if !ok || doc.Seq != other.Sequence {
				continue // what is wanted now may wait for nothing
			}
			need := waiter{other.Needs.Object, other.Needs.Record}
			if _, seen := way[need]; !seen || need == self {
				way[need] = w
				next = append(next, need)
			}
		}
	}
	return nil
}

// describe writes the circle from a document back to itself.
func describe(way map[waiter]waiter, self waiter) string {
	names := []string{self.String()}
	for w := way[self]; ; w = way[w] {
		names = append([]string{w.String()}, names...)
		if w == self {
			return strings.Join(names, " waits for ")
		}
	}
}
