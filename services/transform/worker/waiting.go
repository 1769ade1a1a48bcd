package worker

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// note is a message in HUB by which a record waits for a vendor's object. It
// stands behind the version of the record that waits, in the same batch.
type note struct {
	x   events.External
	seq uint64
}

// sweepEvery is how often every note is looked at: a crash, a lost answer or a
// read that was behind may have kept one from being seen.
const sweepEvery = time.Minute

// waitsOf returns the vendor objects that a record links to without knowing
// the records behind them.
func waitsOf(rec events.Record) []events.External {
	var waits []events.External
	if !hub.Links(rec.Key.Entity) {
		return nil
	}
	hub.EachLink(rec.Key.Entity, fieldsOf(rec), func(l events.Link) {
		if !l.Resolved() && l.Connection != "" && !slices.Contains(waits, l.External()) {
			waits = append(waits, l.External())
		}
	})
	return waits
}

func fieldsOf(rec events.Record) events.Fields {
	fields := make(events.Fields, len(rec.Fields))
	for name, f := range rec.Fields {
		fields[name] = f.Value
	}
	return fields
}

// followUp finds the records that can go on, now that changes are committed:
// vendor objects have become known, records were merged; and the waits and
// links that were noted a moment too late.
func (w *Worker) followUp(ctx context.Context, done []*change) []*change {
	next := relinks{}
	w.followWaits(ctx, done, next)
	w.followUnions(ctx, done, next)
	w.followDoubles(ctx, done, next)
	for _, c := range done {
		w.tellContested(ctx, c)
	}
	return slices.Collect(maps.Values(next))
}

func (w *Worker) followWaits(ctx context.Context, done []*change, next relinks) {
	var learnt []events.External
	late := map[events.External]bool{}
	for _, c := range done {
		learnt = append(learnt, c.learnt...)
		for _, x := range c.waits {
			w.wants(x, late)
		}
	}
	if err := w.loadAliases(ctx, late); err != nil {
		w.Log.Warn("transform: aliases", "error", err)
	}
	for _, c := range done {
		for _, x := range c.waits {
			if w.alias.Contains(x) {
				learnt = append(learnt, x)
			}
		}
	}
	for _, x := range learnt {
		for m, err := range w.Bus.Scan(ctx, events.StreamHub, events.WaitingFilter(w.Tenant, x)) {
			if err != nil {
				w.Log.Warn("transform: waiting", "error", err) // the sweep will find it
				break
			}
			w.found(next, x, m)
		}
	}
}

// relinks are changes that follow from what was committed, by record.
type relinks map[events.Key]*change

// of returns the change of a record, a new one if there is none.
func (r relinks) of(k events.Key) *change {
	if r[k] == nil {
		r[k] = &change{key: k}
	}
	return r[k]
}

// found adds the record that a note speaks of.
func (w *Worker) found(into relinks, x events.External, m bus.Stored) {
	var k events.Key
	if err := json.Unmarshal(m.Data, &k); err != nil {
		w.Log.Error("transform: waiting note can't be read", "subject", m.Subject, "error", err)
		return
	}
	c := into.of(k)
	c.notes = append(c.notes, note{x: x, seq: m.Seq})
}

// unnote removes the notes of waits that are over, once that is committed. A
// record that did not change may have been read from a replica that is behind:
// only a version behind the note proves that the wait is over.
func (w *Worker) unnote(ctx context.Context, c *change) {
	if len(c.notes) == 0 {
		return
	}
	open := waitsOf(c.after)
	for _, n := range c.notes {
		if slices.Contains(open, n.x) || !c.dirty && c.before.seq < n.seq {
			continue
		}
		if err := w.Bus.Delete(ctx, events.StreamHub, n.seq); err != nil {
			w.Log.Warn("transform: waiting", "error", err)
		}
	}
}

// sweep releases, now and then, what waits although its object is known.
func (w *Worker) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		if err := w.sweepOnce(ctx); err != nil && ctx.Err() == nil {
			w.Log.Warn("transform: sweep", "error", err)
		}
		if err := w.sweepBequests(ctx); err != nil && ctx.Err() == nil {
			w.Log.Warn("transform: sweep", "error", err)
		}
		select {
		case <-time.After(sweepEvery):
		case <-ctx.Done():
		}
	}
}

// sweepPage bounds the notes that are kept in memory.
const sweepPage = 500

func (w *Worker) sweepOnce(ctx context.Context) error {
	var page []bus.Stored
	for m, err := range w.Bus.Scan(ctx, events.StreamHub, "waiting."+events.Token(w.Tenant)+".>") {
		if err != nil {
			return err
		}
		if page = append(page, m); len(page) == sweepPage {
			if err := w.sweepNotes(ctx, page); err != nil {
				return err
			}
			page = page[:0]
		}
	}
	return w.sweepNotes(ctx, page)
}

func (w *Worker) sweepNotes(ctx context.Context, page []bus.Stored) error {
	waits := make([]events.External, len(page))
	unknown := map[events.External]bool{}
	for i, m := range page {
		t, err := events.SubjectTokens(m.Subject)
		if err != nil || len(t) != 7 {
			w.Log.Error("transform: waiting note can't be read", "subject", m.Subject, "error", err)
			continue
		}
		waits[i] = events.External{Connection: t[2], Object: t[3], ID: t[4]}
		w.wants(waits[i], unknown)
	}
	if err := w.loadAliases(ctx, unknown); err != nil {
		return err
	}
	next := relinks{}
	for i, m := range page {
		if _, known := w.find(waits[i]); known {
			w.found(next, waits[i], m)
		}
	}
	w.handOver(slices.Collect(maps.Values(next)))
	return nil
}
