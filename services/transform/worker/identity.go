package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// native reports whether the ids of a speaker name records by themselves: the
// hub's do, as they are, unless an alias says otherwise (an object of the hub
// that Spoke made for a record which began elsewhere); an upstream's do, with
// its name in front.
func (w *Worker) native(x events.External) (events.Key, bool) {
	if x.Connection == hub.Internal {
		return events.Key{Entity: events.Entity(x.Object), ID: x.ID}, true
	}
	kind, connected := w.Kinds[x.Connection]
	if !connected {
		return events.Key{Entity: events.Entity(x.Object), ID: x.Connection + "-" + x.ID}, events.Entity(x.Object).Known()
	}
	if !kind.Hub {
		return events.Key{}, false
	}
	o, ok := kind.Object(x.Object)
	return events.Key{Entity: o.Entity, ID: x.ID}, ok
}

// identify finds the golden record of every fact: by the hub's own id, by the
// key that the vendor's object carries, by what is known of the vendor's id,
// by fields that name it, or else a new record named after the vendor's object.
// A fact of an unmarked
// object that nobody knows gets none.
func (w *Worker) identify(ctx context.Context, facts []fact) error {
	unknown := map[events.External]bool{}
	var keyed []events.Change
	for i := range facts {
		c := facts[i].Change
		if c == nil {
			if o := facts[i].Outcome; o != nil {
				facts[i].key = o.Record
			}
			continue
		}
		w.wants(c.External(), unknown)
		if c.Op == events.OpMerged {
			w.wants(survivorOf(*c).External(), unknown)
		}
		if k, ok := w.native(c.External()); ok && !c.Record.IsZero() && c.Record != k {
			keyed = append(keyed, *c)
		}
		hub.EachLink(c.Entity, c.Fields, func(l events.Link) {
			if !l.Resolved() {
				x := l.External()
				if x.Connection == "" {
					x.Connection = c.Connection
				}
				w.wants(x, unknown)
			}
		})
	}
	if err := w.loadAliases(ctx, unknown); err != nil {
		return err
	}
	natives, err := w.standing(ctx, keyed)
	if err != nil {
		return err
	}
	find := hub.Resolver{Find: w.find}
	for i := range facts {
		if c := facts[i].Change; c != nil {
			facts[i].key = w.recordOf(*c, natives)
			if c.Op == events.OpMerged {
				facts[i].Into = w.recordOf(survivorOf(*c), natives)
			}
			resolved := hub.Resolve(*c, find)
			facts[i].Change = &resolved
		}
	}
	if err := w.strangers(ctx, facts); err != nil {
		return err
	}
	return w.followLinks(ctx, facts)
}

// known leaves out the facts that belong to no record; see
// connector.Object.Unmarked.
func (w *Worker) known(facts []fact) []fact {
	return slices.DeleteFunc(facts, func(f fact) bool {
		if !f.key.IsZero() {
			return false
		}
		w.Meter.passed()
		f.unit.committed(1)
		return true
	})
}

// wants notes an external whose record has to be looked up. An upstream's
// objects are not: the record of their name is a part of the one that they stand
// for, if they stand for another one.
func (w *Worker) wants(x events.External, unknown map[events.External]bool) {
	_, connected := w.Kinds[x.Connection]
	if _, ok := w.native(x); (ok && !connected) || w.alias.Contains(x) {
		return
	}
	unknown[x] = true
}

// standing tells for which objects of the hub that carry another record's key
// a record of their own id stands. The hub copies properties where it makes
// one object of two, the key with them, so that such a record counts more.
func (w *Worker) standing(ctx context.Context, keyed []events.Change) (map[events.Key]bool, error) {
	bySubject := map[string]events.Key{}
	for _, c := range keyed {
		if _, known := w.alias.Get(c.External()); !known {
			k, _ := w.native(c.External())
			bySubject[events.RecordSubject(w.Tenant, k)] = k
		}
	}
	if len(bySubject) == 0 {
		return nil, nil
	}
	found, err := w.Bus.Last(ctx, events.StreamHub, slices.Collect(maps.Keys(bySubject)))
	natives := make(map[events.Key]bool, len(found))
	for s := range found {
		natives[bySubject[s]] = true
	}
	return natives, err
}

func (w *Worker) loadAliases(ctx context.Context, unknown map[events.External]bool) error {
	if len(unknown) == 0 {
		return nil
	}
	bySubject := make(map[string]events.External, len(unknown))
	subjects := make([]string, 0, len(unknown))
	for x := range unknown {
		s := events.AliasSubject(w.Tenant, x)
		bySubject[s] = x
		subjects = append(subjects, s)
	}
	found, err := w.Bus.Last(ctx, events.StreamHub, subjects)
	if err != nil {
		return err
	}
	for s, m := range found {
		var k events.Key
		if err := json.Unmarshal(m.Data, &k); err != nil {
			return fmt.Errorf("transform: alias %s: %w", s, err)
		}
		w.alias.Add(bySubject[s], k)
	}
	return nil
}

// find is hub.Resolver.Find: what is known of a vendor's object.
func (w *Worker) find(x events.External) (events.Key, bool) {
	if k, ok := w.alias.Get(x); ok {
		return k, true
	}
	return w.native(x)
}

// recordOf names the record of a change. natives are the records of hub ids
// that stand in HUB; see standing.
func (w *Worker) recordOf(c events.Change, natives map[events.Key]bool) events.Key {
	x := c.External()
	k, ok := w.native(x)
	if ok {
		if known, found := w.alias.Get(x); found {
			return known
		}
		if c.Record.IsZero() || natives[k] {
			return k
		}
	}
	if !c.Record.IsZero() {
		return c.Record
	}
	if k, ok := w.alias.Get(x); ok {
		return k
	}
	if o, _ := w.Kinds[c.Connection].Object(c.Object); o.Unmarked || c.Marked {
		return events.Key{}
	}
	return events.Key{Entity: c.Entity, ID: c.Connection + "-" + c.ID}
}
