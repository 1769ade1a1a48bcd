// Package replay makes Spoke go once more over what it knows: over events that
// it has heard, which merges to nothing where nothing was missed, or over golden
// records, whose documents are then asserted anew at a connection.
package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/audit"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

// Selection says what to go over. Zero members select everything.
type Selection struct {
	// Since and Until bound the time at which an event was stored; they mean
	// nothing for records.
	Since, Until time.Time
	// From is the connection or upstream that said it; means nothing for
	// records.
	From   string
	Entity events.Entity
	Record events.Key
}

// Empty reports whether everything is selected.
func (s Selection) Empty() bool { return s == Selection{} }

// String is the selection as the audit log tells it.
func (s Selection) String() string {
	var parts []string
	for _, p := range [][2]string{{"from", s.From}, {"entity", string(s.Entity)}, {"record", strings.Trim(s.Record.String(), "/")}} {
		if p[1] != "" {
			parts = append(parts, p[0]+"="+p[1])
		}
	}
	for name, t := range map[string]time.Time{"since": s.Since, "until": s.Until} {
		if !t.IsZero() {
			parts = append(parts, name+"="+t.UTC().Format(time.RFC3339))
		}
	}
	slices.Sort(parts)
	return cmp.Or(strings.Join(parts, " "), "everything")
}

// Replayer goes over one installation.
type Replayer struct {
	bus    *bus.Bus
	audit  *audit.Log
	tenant string
}

// New returns a Replayer. Everything that changes something is noted in the
// log first.
func New(b *bus.Bus, log *audit.Log, tenant string) *Replayer {
	return &Replayer{bus: b, audit: log, tenant: tenant}
}

// Options of a run.
type Options struct {
	// Dry only counts.
	Dry bool
	// Progress is told the number so far after each batch; may be nil.
	Progress func(n int)
}

const (
	// page is how many messages are read and published at a time.
	page      = 500
	pageBytes = 4 << 20
)

// Events publishes the selected events again, in their order. Their ids are the
// same, so that merging them changes nothing that was merged before; the
// warehouse leaves them out. Events that come while it runs are not gone over.
// It returns how many there were.
func (r *Replayer) Events(ctx context.Context, s Selection, o Options) (int, error) {
	filters, err := r.filters(ctx, s)
	if err != nil {
		return 0, err
	}
	if !o.Dry {
		if err := r.audit.Note(ctx, events.Action{Verb: "replay", Record: s.Record, Target: s.String()}); err != nil {
			return 0, err
		}
	}
	n := 0
	for _, f := range filters {
		some, err := r.each(ctx, f, s, func(msgs []bus.Message) error {
			n += len(msgs)
			if o.Dry {
				return nil
			}
			_, err := r.bus.Batch(ctx, msgs)
			if err == nil && o.Progress != nil {
				o.Progress(n)
			}
			return err
		})
		if err != nil {
			return n, fmt.Errorf("replay: after %d events: %w", n-some, err)
		}
	}
	return n, nil
}

// each hands the selected messages of one filter over in batches.
func (r *Replayer) each(ctx context.Context, filter string, s Selection, take func([]bus.Message) error) (last int, err error) {
	id, err := r.bus.Identify(ctx, events.StreamEvents)
	if err != nil {
		return 0, err
	}
	next, err := r.bus.Since(ctx, events.StreamEvents, filter, s.Since)
	if err != nil {
		return 0, err
	}
	for next > 0 && next <= id.Last {
		stored, err := r.bus.Read(ctx, events.StreamEvents, filter, next, page, pageBytes)
		if err != nil {
			return 0, err
		}
		msgs := make([]bus.Message, 0, len(stored))
		next = 0
		for _, m := range stored {
			if m.Seq > id.Last || !s.Until.IsZero() && !m.Time.Before(s.Until) {
				next = 0
				break
			}
			next = m.Seq + 1
			if !bus.IsReplay(m) && !bus.IsRoute(m) {
				msgs = append(msgs, bus.ReplayOf(m))
			}
		}
		if len(msgs) > 0 {
			if err := take(msgs); err != nil {
				return len(msgs), err
			}
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return 0, nil
}

// filters are the subjects of the selected events.
func (r *Replayer) filters(ctx context.Context, s Selection) ([]string, error) {
	some := func(name string) string {
		if name == "" {
			return "*"
		}
		return events.Token(name)
	}
	if s.Record.IsZero() {
		return []string{strings.Join([]string{"events", events.Token(r.tenant), some(s.From), some(string(s.Entity)), "*", "*"}, ".")}, nil
	}
	rec, ok, err := r.record(ctx, s.Record)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("there is no record %s", s.Record)
	}
	// What each system said of its object, and what the sinks told of it.
	all := []string{strings.Join([]string{"events", events.Token(r.tenant), some(s.From), "*", string(events.OpWritten), events.Token(s.Record.String())}, ".")}
	for _, key := range slices.Sorted(maps.Keys(rec.Docs)) {
		d := rec.Docs[key]
		if d.ID == "" || s.From != "" && s.From != d.Connection {
			continue
		}
		all = append(all, strings.Join([]string{
			"events", events.Token(r.tenant), events.Token(d.Connection), events.Token(string(d.Entity)), "*", events.Token(d.ID),
		}, "."))
	}
	return all, nil
}

func (r *Replayer) record(ctx context.Context, k events.Key) (rec events.Record, ok bool, err error) {
	m, ok, err := r.bus.LastOne(ctx, events.StreamHub, events.RecordSubject(r.tenant, k))
	if err != nil || !ok {
		return rec, false, err
	}
	if err := json.Unmarshal(m.Data, &rec); err != nil {
		return rec, false, fmt.Errorf("record %s: %w", k, err)
	}
	return rec, true, nil
}
