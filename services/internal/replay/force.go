package replay

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

// Force asserts the documents of every record that the selected events concern
// at one connection. It returns how many records there were. Events whose
// record is not known are passed over: they were never merged.
func (r *Replayer) Force(ctx context.Context, connection string, s Selection, o Options) (int, error) {
	filters, err := r.filters(ctx, s)
	if err != nil {
		return 0, err
	}
	if !o.Dry {
		a := events.Action{Verb: "replay.force", Connection: connection, Record: s.Record, Target: s.String()}
		if err := r.audit.Note(ctx, a); err != nil {
			return 0, err
		}
	}
	done := map[events.Key]bool{}
	for _, f := range filters {
		_, err := r.each(ctx, f, s, func(msgs []bus.Message) error {
			return r.force(ctx, connection, msgs, done, o)
		})
		if err != nil {
			return len(done), fmt.Errorf("replay: after %d records: %w", len(done), err)
		}
	}
	return len(done), nil
}

// force asks for the records of a page of events that were not asked for yet.
func (r *Replayer) force(ctx context.Context, connection string, msgs []bus.Message, done map[events.Key]bool, o Options) error {
	found, err := r.concerned(ctx, msgs)
	if err != nil {
		return err
	}
	var batch []bus.Message
	for _, k := range found {
		if done[k] {
			continue
		}
		done[k] = true
		m, err := bus.EncodeRoute(ctx, r.tenant, events.Route{Record: k, Connection: connection, Reason: ReasonResync})
		if err != nil {
			return err
		}
		batch = append(batch, m)
	}
	if len(batch) > 0 && !o.Dry {
		if _, err := r.bus.Batch(ctx, batch); err != nil {
			return err
		}
	}
	if o.Progress != nil {
		o.Progress(len(done))
	}
	return nil
}

// concerned returns the records that events concern, as far as there are any.
// A vendor's object is known by its alias; the hub's and an upstream's name
// their records themselves.
func (r *Replayer) concerned(ctx context.Context, msgs []bus.Message) ([]events.Key, error) {
	var keys, guesses []events.Key
	var aliases, records []string
	for _, m := range msgs {
		var e struct {
			Data struct {
				Connection, Object, ID string
				Entity                 events.Entity
				Record                 events.Key
			} `json:"data"`
		}
		if json.Unmarshal(m.Data, &e) != nil {
			continue // it stands in quarantine
		}
		d := e.Data
		if !d.Record.IsZero() {
			keys = append(keys, d.Record)
			continue
		}
		aliases = append(aliases, events.AliasSubject(r.tenant, events.External{Connection: d.Connection, Object: d.Object, ID: d.ID}))
		for _, id := range []string{d.ID, d.Connection + "-" + d.ID} {
			guesses = append(guesses, events.Key{Entity: d.Entity, ID: id})
		}
	}
	for _, g := range guesses {
		records = append(records, events.RecordSubject(r.tenant, g))
	}
	found, err := r.bus.Last(ctx, events.StreamHub, append(aliases, records...))
	if err != nil {
		return nil, err
	}
	for _, a := range aliases {
		var k events.Key
		if m, ok := found[a]; ok && json.Unmarshal(m.Data, &k) == nil {
			keys = append(keys, k)
		}
	}
	for i, g := range guesses {
		if _, ok := found[records[i]]; ok {
			keys = append(keys, g)
		}
	}
	return keys, nil
}
