package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// A record that was merged leaves what it has to its survivor, and whoever
// links to it must link to the survivor. Both happen after its tombstone is
// committed; a bequest note in the same batch keeps that from being forgotten.
// It is removed once all of it is committed.
//
// A record that links to another one is noted beside it (link.…), in the batch
// in which the link came. Whoever adds a link looks up after its commit whether
// the other one was merged; whoever merges looks for links after its commit:
// one of the two sees the other.

// maxHops bounds how many mergers are followed in a row.
const maxHops = 16

// hand is a part of handing a merged record over.
type hand struct {
	*bequest
	// link is the sequence of the link note that led here; 0 for the survivor.
	link uint64
}

// bequest is one note, and how many changes must be committed before it goes.
type bequest struct {
	seq  uint64
	left atomic.Int64
}

// survivorOf names the object that another one was merged into.
func survivorOf(c events.Change) events.Change {
	return events.Change{Connection: c.Connection, Entity: c.Entity, Object: c.Object, ID: c.Into}
}

// into returns the record that a record is a part of, or the zero Key.
func into(r events.Record) events.Key {
	if r.Merged == nil {
		return events.Key{}
	}
	return r.Merged.Into
}

// moves reports whether the change makes the record a part of another one than
// before.
func (c *change) moves() bool { return c.dirty && into(c.after) != into(c.before.rec) }

// heirs are the records that must learn of a change to a merged record: its
// survivor, and the one that was it before.
func (c *change) heirs() []events.Key {
	if !c.dirty {
		return nil
	}
	var heirs []events.Key
	for _, k := range []events.Key{into(c.after), into(c.before.rec)} {
		if !k.IsZero() && !slices.Contains(heirs, k) {
			heirs = append(heirs, k)
		}
	}
	return heirs
}

// addUnion makes the messages that say where a merged record went, what has
// yet to be handed over, and which records this one links to from now on.
func (c *change) addUnion(w *Worker, key []byte) error {
	if c.moves() {
		to, err := json.Marshal(into(c.after))
		if err != nil {
			return err
		}
		c.msgs = append(c.msgs, bus.Message{Subject: events.MovedSubject(w.Tenant, c.key), Data: to})
	}
	if heirs := c.heirs(); len(heirs) > 0 {
		b, err := json.Marshal(heirs)
		if err != nil {
			return err
		}
		c.msgs = append(c.msgs, bus.Message{Subject: events.BequestSubject(w.Tenant, c.key), Data: b})
	}
	links := linksOf(c.after)
	if len(links) == 0 {
		return nil
	}
	before := linksOf(c.before.rec)
	for _, k := range links {
		if slices.Contains(before, k) {
			continue
		}
		c.links = append(c.links, k)
		c.msgs = append(c.msgs, bus.Message{Subject: events.LinkSubject(w.Tenant, k, c.key), Data: key})
	}
	return nil
}

// linksOf returns the records that a record links to and follows.
func linksOf(rec events.Record) []events.Key {
	var links []events.Key
	if !hub.Links(rec.Key.Entity) {
		return nil
	}
	hub.EachMovable(rec.Key.Entity, fieldsOf(rec), func(k events.Key) {
		if !slices.Contains(links, k) {
			links = append(links, k)
		}
	})
	return links
}

// survivor is hub.Resolver.Survivor: as far as is known here.
func (w *Worker) survivor(k events.Key) events.Key {
	for range maxHops {
		next, ok := w.moved.Get(k)
		if !ok || next.IsZero() {
			return k
		}
		k = next
	}
	return k
}

// followLinks lets the links of facts name the survivors of merged records.
func (w *Worker) followLinks(ctx context.Context, facts []fact) error {
	ask := map[events.Key]bool{}
	for _, f := range facts {
		if f.Change != nil {
			hub.EachMovable(f.Change.Entity, f.Change.Fields, func(k events.Key) { ask[k] = true })
		}
	}
	if len(ask) == 0 {
		return nil
	}
	if err := w.loadMoved(ctx, ask, false); err != nil {
		return err
	}
	for i := range facts {
		if c := facts[i].Change; c != nil {
			resolved := hub.Resolve(*c, hub.Resolver{Find: w.find, Survivor: w.survivor})
			facts[i].Change = &resolved
		}
	}
	return nil
}

// loadMoved looks up where records went. Unless fresh, what is known here is
// not looked up again.
func (w *Worker) loadMoved(ctx context.Context, ask map[events.Key]bool, fresh bool) error {
	for range maxHops {
		bySubject := map[string]events.Key{}
		for k := range ask {
			if fresh || !w.moved.Contains(k) {
				bySubject[events.MovedSubject(w.Tenant, k)] = k
			}
		}
		if len(bySubject) == 0 {
			return nil
		}
		subjects := make([]string, 0, len(bySubject))
		for s, k := range bySubject {
			subjects = append(subjects, s)
			w.moved.Add(k, events.Key{})
		}
		found, err := w.Bus.Last(ctx, events.StreamHub, subjects)
		if err != nil {
			return err
		}
		ask, fresh = map[events.Key]bool{}, false
		for s, m := range found {
			var to events.Key
			if err := json.Unmarshal(m.Data, &to); err != nil {
				return fmt.Errorf("transform: %s: %w", s, err)
			}
			w.moved.Add(bySubject[s], to)
			if !to.IsZero() {
				ask[to] = true
			}
		}
	}
	return nil
}

// followUnions finds what follows from mergers: for the survivors, and for
// those who link to merged records.
func (w *Worker) followUnions(ctx context.Context, done []*change, next relinks) {
	fresh := map[events.Key]bool{}
	for _, c := range done {
		if heirs := c.heirs(); len(heirs) > 0 {
			if err := w.bequeath(ctx, c.after, heirs, next); err != nil {
				w.Log.Warn("transform: hand over", "record", c.key.String(), "error", err) // the sweep will do it
			}
		}
		for _, k := range c.links {
			fresh[k] = true
		}
	}
	if len(fresh) == 0 {
		return
	}
	if err := w.loadMoved(ctx, fresh, true); err != nil {
		w.Log.Warn("transform: links", "error", err)
	}
	for _, c := range done {
		if slices.ContainsFunc(c.links, func(k events.Key) bool { return w.survivor(k) != k }) {
			next.of(c.key).relink = true
		}
	}
}

// bequeath adds the changes by which a merged record is handed over.
func (w *Worker) bequeath(ctx context.Context, rec events.Record, heirs []events.Key, next relinks) error {
	m, noted, err := w.Bus.LastOne(ctx, events.StreamHub, events.BequestSubject(w.Tenant, rec.Key))
	if err != nil || !noted {
		return err
	}
	b := &bequest{seq: m.Seq}
	parts := map[events.Key]uint64{}
	if rec.Merged != nil {
		for l, err := range w.Bus.Scan(ctx, events.StreamHub, events.LinkFilter(w.Tenant, rec.Key)) {
			if err != nil {
				return err
			}
			var k events.Key
			if err := json.Unmarshal(l.Data, &k); err != nil {
				return fmt.Errorf("transform: %s: %w", l.Subject, err)
			}
			parts[k] = l.Seq
		}
	}
	b.left.Store(int64(len(parts) + len(heirs)))
	for k, link := range parts {
		c := next.of(k)
		c.relink = true
		c.hands = append(c.hands, hand{b, link})
	}
	for _, k := range heirs {
		c := next.of(k)
		c.know(hub.Fact{ID: "bequest:" + rec.Key.String(), Bequest: &rec})
		c.hands = append(c.hands, hand{b, 0})
	}
	return nil
}

// know adds a fact of Spoke's own, which no message brought.
func (c *change) know(f hub.Fact) {
	u := &unit{}
	u.left.Store(1)
	c.facts = append(c.facts, fact{Fact: f, unit: u, key: c.key})
}

// handedOver removes a bequest note after its last part. A record that did not
// change may have been read from a replica that is behind, which only a
// version behind the link note rules out.
func (w *Worker) handedOver(ctx context.Context, c *change) {
	for _, h := range c.hands {
		if !c.dirty && c.before.seq < h.link {
			continue
		}
		if h.left.Add(-1) > 0 {
			continue
		}
		if err := w.Bus.Delete(ctx, events.StreamHub, h.seq); err != nil {
			w.Log.Warn("transform: bequest", "error", err)
		}
	}
}

// sweepBequests hands over what a crash, or a read that was behind, has left.
func (w *Worker) sweepBequests(ctx context.Context) error {
	for m, err := range w.Bus.Scan(ctx, events.StreamHub, "bequest."+events.Token(w.Tenant)+".>") {
		if err != nil {
			return err
		}
		if err := w.sweepBequest(ctx, m); err != nil {
			w.Log.Warn("transform: bequest", "subject", m.Subject, "error", err)
		}
	}
	return nil
}

func (w *Worker) sweepBequest(ctx context.Context, m bus.Stored) error {
	var heirs []events.Key
	if err := json.Unmarshal(m.Data, &heirs); err != nil {
		return err
	}
	t, err := events.SubjectTokens(m.Subject)
	if err != nil || len(t) != 4 {
		return fmt.Errorf("no bequest subject: %w", err)
	}
	k := events.Key{Entity: events.Entity(t[2]), ID: t[3]}
	stored, ok, err := w.Bus.LastOne(ctx, events.StreamHub, events.RecordSubject(w.Tenant, k))
	if err != nil || !ok {
		return err
	}
	var rec events.Record
	if err := json.Unmarshal(stored.Data, &rec); err != nil {
		return err
	}
	if err := w.loadMoved(ctx, map[events.Key]bool{k: true}, true); err != nil {
		return err
	}
	next := relinks{}
	if err := w.bequeath(ctx, rec, heirs, next); err != nil {
		return err
	}
	changes := make([]*change, 0, len(next))
	for _, c := range next {
		changes = append(changes, c)
	}
	w.handOver(changes)
	return nil
}

// forget removes what quarantine holds of a person who is to be forgotten.
// What is set apart of a record is no part of it, so that is done before the
// erasure is committed; a crash in between does it again.
func (w *Worker) forget(ctx context.Context, c *change) error {
	if len(c.after.Erased) == 0 || slices.Equal(c.after.Erased, c.before.rec.Erased) {
		return nil
	}
	for m, err := range w.Bus.Scan(ctx, events.StreamQuarantine, "quarantine.>") {
		if err != nil {
			return fault.New(fault.Transient, "transform", "quarantine: %w", err)
		}
		var q events.Quarantined
		if json.Unmarshal(m.Data, &q) != nil || q.Record != c.key {
			continue
		}
		if err := w.Bus.Delete(ctx, events.StreamQuarantine, m.Seq); err != nil {
			return fault.New(fault.Transient, "transform", "quarantine: %w", err)
		}
	}
	return nil
}
