// Package reconcile reads a vendor's objects back and tells where they differ
// from what Spoke holds. It changes nothing.
package reconcile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/hub"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

// What is different.
const (
	Missing = "missing" // the vendor does not have the object (any more)
	Field   = "field"   // a field has another value there
	Pending = "pending" // the document is not written yet, held, or set apart
)

// Difference is one difference between a record's object at a connection and
// what should stand there.
type Difference struct {
	Record events.Key `json:"record"`
	Object string     `json:"object"`
	ID     string     `json:"id,omitempty"`
	What   string     `json:"what"`
	// Field is canonical. Want is what Spoke holds, Have what the vendor does.
	Field string          `json:"field,omitempty"`
	Want  json.RawMessage `json:"want,omitempty"`
	Have  json.RawMessage `json:"have,omitempty"`
	// State of a Pending document.
	State string `json:"state,omitempty"`
}

// Config says what is compared.
type Config struct {
	Tenant     string
	Connection string
	Kind       connector.Kind
	Reader     connector.Reader
	Flows      *mapping.Set
	// Entity narrows it to the records of one entity; empty is all of them.
	Entity events.Entity
}

// Result sums a run up.
type Result struct {
	Compared    int `json:"compared"`   // objects that were read
	Unreadable  int `json:"unreadable"` // objects of types that can't be read by id
	Differences int `json:"differences"`
}

// item is one object to compare.
type item struct {
	rec  events.Record
	key  string // DocKey
	flow *mapping.Flow
}

// Run compares every object that stands for a record at the connection and
// that a flow writes. It reads in the vendor's batches, holds no more than one
// of each object type in memory, and calls tell for each difference.
func Run(ctx context.Context, b *bus.Bus, c Config, tell func(Difference) error) (Result, error) {
	r := &runner{Config: c, bus: b, tell: tell, waiting: map[string][]item{}}
	filter := "record." + events.Token(c.Tenant) + "."
	if c.Entity != "" {
		filter += events.Token(string(c.Entity)) + "."
	}
	for m, err := range b.Scan(ctx, events.StreamHub, filter+">") {
		var rec events.Record
		if err == nil {
			err = json.Unmarshal(m.Data, &rec)
		}
		if err == nil {
			err = r.record(ctx, rec)
		}
		if err != nil {
			return r.result, fmt.Errorf("reconcile: %s: %w", m.Subject, err)
		}
	}
	for _, object := range slices.Sorted(maps.Keys(r.waiting)) {
		if err := r.flush(ctx, object); err != nil {
			return r.result, err
		}
	}
	return r.result, nil
}

type runner struct {
	Config
	bus     *bus.Bus
	tell    func(Difference) error
	waiting map[string][]item
	result  Result
}

func (r *runner) differ(d Difference) error {
	r.result.Differences++
	return r.tell(d)
}

// record takes the record's objects at the connection into the next batches.
func (r *runner) record(ctx context.Context, rec events.Record) error {
	if rec.Merged != nil || rec.Deleted != nil {
		return nil
	}
	for _, f := range r.Flows.For(rec.Key.Entity) {
		if f.Connection != r.Connection {
			continue
		}
		key := f.DocKey()
		want, wanted := rec.Wanted[key]
		doc := rec.Docs[key]
		if !wanted {
			continue
		}
		if doc.ID == "" || doc.Told != want.Hash {
			state := string(doc.State)
			if doc.State == "" || doc.State == events.StateSeen || doc.State == events.StateDone {
				state = "to be written"
			}
			if err := r.differ(Difference{Record: rec.Key, Object: f.Object.Name, ID: doc.ID, What: Pending, State: state}); err != nil {
				return err
			}
			continue
		}
		if r.Reader == nil || !f.Object.Can.Has(connector.Read) {
			r.result.Unreadable++
			continue
		}
		object := f.Object.Name
		r.waiting[object] = append(r.waiting[object], item{rec: rec, key: key, flow: f})
		if len(r.waiting[object]) >= r.Reader.BatchSize() {
			if err := r.flush(ctx, object); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush reads one batch and compares it.
func (r *runner) flush(ctx context.Context, object string) error {
	items := r.waiting[object]
	r.waiting[object] = nil
	if len(items) == 0 {
		return nil
	}
	ids := make([]string, len(items))
	for i, it := range items {
		ids[i] = it.rec.Docs[it.key].ID
	}
	changes, err := r.Reader.Read(ctx, object, ids)
	if err != nil {
		return fmt.Errorf("reconcile: read %s: %w", object, err)
	}
	found := make(map[string]events.Change, len(changes))
	for _, c := range changes {
		if c.Object == object {
			found[c.ID] = c
		}
	}
	find, err := r.resolver(ctx, items, changes)
	if err != nil {
		return err
	}
	for _, it := range items {
		r.result.Compared++
		c, ok := found[it.rec.Docs[it.key].ID]
		if !ok || c.Op != events.OpChanged {
			if err := r.differ(Difference{Record: it.rec.Key, Object: object, ID: it.rec.Docs[it.key].ID, What: Missing}); err != nil {
				return err
			}
			continue
		}
		if err := r.compare(it, c, find); err != nil {
			return err
		}
	}
	return nil
}

// compare tells the fields that differ. What an object of the record's own kind
// should hold is the record's value, where a flow is made of it; a vendor may
// write that in its own way, which is what it was last seen to hold. Of an
// object of another kind only that is known.
func (r *runner) compare(it item, c events.Change, find hub.Resolver) error {
	doc := it.rec.Docs[it.key]
	own := it.flow.From == it.flow.Object.Entity
	known := events.Change{Connection: c.Connection, Entity: c.Entity, Fields: events.Fields{}}
	for name := range c.Fields {
		seen, ok := doc.Seen[name]
		holds := ok && (same(c.Fields[name], seen.Value) || hub.Holds(doc.Entity, name, seen, c.Fields[name]))
		switch {
		case own && it.flow.Reads(name) && (!holds || changedSince(it.rec, name, seen)):
			known.Fields[name] = it.rec.Fields[name].Value
		case ok && !holds:
			known.Fields[name] = seen.Value
		}
	}
	known, c = hub.Resolve(known, find), hub.Resolve(c, find)
	for _, name := range slices.Sorted(maps.Keys(known.Fields)) {
		want, have := known.Fields[name], c.Fields[name]
		if events.IsNull(want) || alike(c.Entity.Fields()[name].Kind, want, have) { // what Spoke has no word on is the vendor's
			continue
		}
		d := Difference{Record: it.rec.Key, Object: c.Object, ID: c.ID, What: Field, Field: name, Want: want, Have: have}
		if err := r.differ(d); err != nil {
			return err
		}
	}
	return nil
}

// resolver finds the records behind the links of a batch.
func (r *runner) resolver(ctx context.Context, items []item, changes []events.Change) (hub.Resolver, error) {
	bySubject := map[string]events.External{}
	visit := func(l events.Link) {
		if !l.Resolved() {
			x := l.External()
			if x.Connection == "" {
				x.Connection = r.Connection
			}
			bySubject[events.AliasSubject(r.Tenant, x)] = x
		}
	}
	for _, c := range changes {
		hub.EachLink(c.Entity, c.Fields, visit)
	}
	for _, it := range items {
		doc := it.rec.Docs[it.key]
		seen := make(events.Fields, len(doc.Seen))
		for name, s := range doc.Seen {
			seen[name] = s.Value
		}
		hub.EachLink(doc.Entity, seen, visit)
	}
	stored, err := r.bus.Last(ctx, events.StreamHub, slices.Collect(maps.Keys(bySubject)))
	if err != nil {
		return hub.Resolver{}, err
	}
	known := make(map[events.External]events.Key, len(stored))
	for subject, m := range stored {
		var k events.Key
		if err := json.Unmarshal(m.Data, &k); err != nil {
			return hub.Resolver{}, fmt.Errorf("reconcile: alias %s: %w", subject, err)
		}
		known[bySubject[subject]] = k
	}
	return hub.Resolver{Find: func(x events.External) (events.Key, bool) {
		if k, ok := known[x]; ok {
			return k, true
		}
		if o, ok := r.Kind.Object(x.Object); ok && r.Kind.Hub && x.Connection == r.Connection {
			return events.Key{Entity: o.Entity, ID: x.ID}, true
		}
		return events.Key{}, false
	}}, nil
}

// alike compares values of a kind. Links are to the same record, whatever else
// is known of them.
func alike(kind events.Kind, a, b json.RawMessage) bool {
	if same(a, b) {
		return true
	}
	return kind != "" && bytes.Equal(bare(kind, a), bare(kind, b))
}

// bare leaves only the record in each link.
func bare(kind events.Kind, v json.RawMessage) []byte {
	strip := func(l *events.Link) {
		if l.Resolved() {
			*l = events.Link{Record: l.Record}
		}
	}
	var out any
	switch kind {
	case events.KindLink:
		var l events.Link
		if json.Unmarshal(v, &l) != nil {
			return v
		}
		strip(&l)
		out = l
	case events.KindLines:
		var lines []events.Line
		if json.Unmarshal(v, &lines) != nil {
			return v
		}
		for i := range lines {
			strip(&lines[i].Product)
		}
		out = lines
	case events.KindApplied:
		var applied []events.Applied
		if json.Unmarshal(v, &applied) != nil {
			return v
		}
		for i := range applied {
			strip(&applied[i].Invoice)
		}
		out = applied
	default:
		return v
	}
	b, err := json.Marshal(out)
	if err != nil {
		return v
	}
	return b
}

// changedSince reports whether the record's value is newer than what the system
// was last seen to hold.
func changedSince(rec events.Record, name string, seen events.Seen) bool {
	return rec.Fields[name].At.After(seen.At)
}

func same(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) || events.IsNull(a) && events.IsNull(b) {
		return true
	}
	var x, y events.Money
	if json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && x.Currency != "" {
		return x.Equal(y)
	}
	var s, t string
	return json.Unmarshal(a, &s) == nil && json.Unmarshal(b, &t) == nil && strings.TrimSpace(s) == strings.TrimSpace(t)
}
