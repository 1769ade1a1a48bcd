package worker

import (
	"context"
	"slices"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// doubles merges records that are one thing: those of changes that have got a
// sign which another record has, too. It comes before anything is committed,
// so that the hub's company takes over the customer that was there before it,
// and no second one is made. It returns the changes that can be committed, with
// those of the other records beside them.
func (w *Worker) doubles(ctx context.Context, changes []*change) []*change {
	var all []sign
	var fresh []*change
	for _, c := range changes {
		if len(c.signs) > 0 {
			fresh = append(fresh, c)
			all = append(all, c.signs...)
		}
	}
	if len(all) == 0 {
		return changes
	}
	found, err := w.lookUp(ctx, all)
	known := map[events.Key]cached{}
	if err == nil {
		err = w.candidates(ctx, found, known)
	}
	if err != nil {
		w.Log.Warn("transform: match", "error", err)
		w.release(changes, giveAgain)
		return nil
	}
	here := map[events.Key]*change{}
	for _, c := range changes {
		here[c.key] = c
		known[c.key] = cached{rec: c.after, seq: c.before.seq}
		for _, s := range c.signs {
			found.add(s, c.key)
		}
	}
	// The hub's records first: they are the ones that stay.
	slices.SortStableFunc(fresh, func(a, b *change) int { return boolOrder(w.ofHub(a.after), w.ofHub(b.after)) })
	fresh = slices.DeleteFunc(fresh, func(c *change) bool {
		other, _, _ := w.double(c.after, c.signs, found, known)
		if c.before.seq > 0 || len(other) == 0 || !w.settled(ctx, c) {
			return false
		}
		known[c.key] = cached{rec: c.after, seq: c.before.seq}
		if c.facts == nil {
			delete(known, c.key)
			changes = slices.DeleteFunc(changes, func(o *change) bool { return o == c })
		}
		return true
	})
	for _, c := range fresh {
		other, by, several := w.double(c.after, c.signs, found, known)
		switch {
		case several && c.before.seq == 0 && w.holdNew(ctx, c, by, other):
			changes = slices.DeleteFunc(changes, func(o *change) bool { return o == c })
		case len(other) != 1 || several:
		default:
			changes = w.unite(ctx, changes, c, here[other[0]], known[other[0]], by)
		}
	}
	return changes
}

// settled does with a new record, which may be one with others, what a person
// has decided. It reports whether there was a decision, or none can be looked
// up. A change that is done with has no facts any more.
func (w *Worker) settled(ctx context.Context, c *change) bool {
	another := false
	for _, f := range c.facts {
		if f.Change == nil || f.Change.Connection == hub.Internal {
			continue
		}
		k, known, err := w.decided(ctx, f.Change.External())
		switch {
		case err != nil:
			w.Log.Warn("transform: match", "record", c.key.String(), "error", err)
			w.release([]*change{c}, giveAgain)
			c.facts = nil
			return true
		case known && k == c.key: // it is a record of its own, and stays that
			c.extra = []hub.Fact{{ID: "apart:" + f.ID, Change: &events.Change{
				Connection: hub.Internal, Entity: c.key.Entity, Object: string(c.key.Entity), ID: c.key.ID,
				Op: events.OpRestored, At: c.after.UpdatedAt,
			}}}
			w.again(ctx, c)
			return true
		}
		another = another || known
	}
	if another { // it stands for another record, which the next delivery finds
		w.release([]*change{c}, 0)
		c.facts = nil
	}
	return another
}

// boolOrder puts true first.
func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

// double returns the records that may be one with r.
func (w *Worker) double(r events.Record, signs []sign, found index, known map[events.Key]cached) (other []events.Key, by sign, several bool) {
	other, by = firstFit(signs, found, func(k events.Key) bool {
		o, ok := known[k]
		return ok && k != r.Key && compatible(r, o.rec)
	})
	return other, by, len(other) > 1
}

// compatible reports whether two records may be one: no system has an object
// of one type for each, and nobody has said that they are two.
func compatible(a, b events.Record) bool {
	for _, r := range []events.Record{a, b} {
		u, said := r.Unions[hub.Internal]
		if r.Merged != nil || r.Deleted != nil || len(r.Erased) > 0 || said && u.Into.IsZero() {
			return false
		}
	}
	for key, doc := range a.Docs {
		o := b.Docs[key]
		if doc.Entity == a.Key.Entity && doc.ID != "" && o.ID != "" && doc.ID != o.ID {
			return false
		}
	}
	return true
}

// ofHub reports whether the hub has the record's object.
func (w *Worker) ofHub(r events.Record) bool {
	for _, doc := range r.Docs {
		if doc.Connection == w.Policy.Hub && doc.Entity == r.Key.Entity && doc.Gone == nil {
			return true
		}
	}
	return false
}

// unite merges the records of c and of another one, which may be a change of
// this round, too. The hub's stays, or else the one that was there before.
func (w *Worker) unite(ctx context.Context, changes []*change, c, other *change, stands cached, by sign) []*change {
	if c.with != nil || len(c.extra) > 0 || other != nil && (other.with != nil || len(other.extra) > 0) {
		return changes // one at a time; what is left is found after the commit
	}
	from, to := c, other
	if w.ofHub(c.after) && !w.ofHub(stands.rec) {
		from, to = other, c
	}
	if from == nil {
		from = &change{key: stands.rec.Key, before: stands, partner: true}
		changes = append(changes, from)
	}
	into := stands.rec.Key
	if to == c {
		into = c.key
	}
	from.extra = []hub.Fact{w.sameAs(from.key, into, c.after, by)}
	if !w.again(ctx, from) || to == nil {
		return changes
	}
	rec := from.after
	to.extra = []hub.Fact{{ID: "bequest:" + rec.Key.String(), Bequest: &rec}}
	to.with = from
	w.again(ctx, to)
	return changes
}

// again derives a change anew; an error shows when it is packed.
func (w *Worker) again(ctx context.Context, c *change) bool {
	c.failed = w.derive(ctx, c)
	return c.failed == nil
}

// sameAs is the fact that a record is a part of another one, because they have
// the same value.
func (w *Worker) sameAs(from, into events.Key, as events.Record, by sign) hub.Fact {
	return hub.Fact{
		ID: "match:" + by.Rule + ":" + from.ID + ":" + into.ID, Into: into,
		Change: &events.Change{
			Connection: hub.Internal, Entity: from.Entity, Object: string(from.Entity), ID: from.ID,
			Op: events.OpMerged, Into: into.ID, At: as.UpdatedAt,
		},
	}
}

// holdNew sets apart what is said of a new record that may be one of several. A
// further customer must not be made for it.
func (w *Worker) holdNew(ctx context.Context, c *change, by sign, fit []events.Key) bool {
	if len(c.facts) == 0 || slices.ContainsFunc(c.facts, func(f fact) bool {
		return f.Change == nil || f.Change.Connection == hub.Internal
	}) {
		return false
	}
	for _, f := range c.facts {
		if err := w.ambiguous(ctx, f, by, fit); err != nil {
			w.Log.Error("transform: quarantine not stored, will try again", "error", err)
			f.unit.again(giveAgain)
			continue
		}
		f.unit.committed(1)
	}
	c.close()
	return true
}

// followDoubles looks once more for records that have the same value, after a
// commit: another lane or replica may have committed one at the same time.
func (w *Worker) followDoubles(ctx context.Context, done []*change, next relinks) {
	var all []sign
	for _, c := range done {
		if c.dirty {
			all = append(all, c.signs...)
		}
	}
	if len(all) == 0 {
		return
	}
	found, err := w.lookUp(ctx, all)
	known := map[events.Key]cached{}
	if err == nil {
		err = w.candidates(ctx, found, known)
	}
	if err != nil {
		w.Log.Warn("transform: match", "error", err)
		return
	}
	for _, c := range done {
		now, stands := known[c.key]
		if !c.dirty || !stands || len(c.signs) == 0 {
			continue
		}
		other, by, several := w.double(now.rec, c.signs, found, known)
		if several || len(other) == 0 {
			continue
		}
		from, into := c.key, other[0]
		if w.ofHub(now.rec) && !w.ofHub(known[other[0]].rec) || w.ofHub(now.rec) == w.ofHub(known[other[0]].rec) && from.ID < into.ID {
			from, into = into, from
		}
		next.of(from).know(w.sameAs(from, into, now.rec, by))
	}
}
