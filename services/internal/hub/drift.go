package hub

import (
	"slices"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

// Drift is what a system was just seen to hold against the record's own
// values.
type Drift struct {
	At     time.Time
	Fields []string
}

// DriftIn compares what the facts say with what the record holds after them.
// A system drifts when it changes, in an object that it was told of, a field
// whose value it has no say in: another one owns it, the first word on it
// stands, it is a union, or the system is only written to. The result is by
// DocKey.
func DriftIn(before, after events.Record, facts []Fact) map[string]Drift {
	var found map[string]Drift
	if !written(after) {
		return nil
	}
	for _, f := range facts {
		c := f.Change
		if c == nil || c.Entity != after.Key.Entity || len(c.Fields) == 0 {
			continue
		}
		key := c.External().DocKey()
		doc := after.Docs[key]
		if doc.Told == "" || doc.Event != f.ID || doc.ID != c.ID { // it was not written, or more is known of it
			continue
		}
		d := Drift{At: c.At}
		for name, v := range c.Fields {
			s := sight{Seen: events.Seen{Value: v, At: c.Observed(), Event: f.ID}, changed: c.At, read: c.Read}
			if !equalJSON(after.Fields[name].Value, v) && drifted(before.Docs[key], doc, after.Wanted[key].Said, name, c.Snapshot, s) {
				d.Fields = append(d.Fields, name)
			}
		}
		if len(d.Fields) == 0 {
			continue
		}
		if found == nil {
			found = map[string]Drift{}
		}
		slices.Sort(d.Fields)
		found[key] = d
	}
	return found
}

// written reports whether any system was told of the record.
func written(r events.Record) bool {
	for _, doc := range r.Docs {
		if doc.Told != "" {
			return true
		}
	}
	return false
}

// drifted reports whether a sight is a value that is not the one before, and
// not what a document of ours told. The first sight of all of an object that
// was written is no drift: vendors write things in their own way.
func drifted(before, after events.Doc, said []events.Said, name string, snapshot bool, s sight) bool {
	f := fieldOf(after.Entity, name)
	last, seen := before.Seen[name]
	if now := after.Seen[name]; snapshot && (!seen || now.Event != s.Event || holds(f, last, now.Value)) {
		return false
	}
	return judge(f, said, true, last, false, s) == word
}

// A system that changes a value back each time it is written would otherwise
// be written to for ever.
const (
	// driftTries is how often in a row a document is written back at once.
	driftTries = 3
	// driftWait is the pause after that; it doubles each time.
	driftWait = time.Hour
	// driftPeace is how long a system must leave the value alone to be trusted
	// again, and the longest pause.
	driftPeace = 24 * time.Hour
)

// Reassert publishes the documents of systems that drift again, with the
// reason drift, where a flow is made of the field and writing it again helps. It does so less and less
// often where a system insists on its own value, and then returns the document
// key in contested, once.
func Reassert(r events.Record, flows []*mapping.Flow, drift map[string]Drift) (events.Record, []events.Desired, []string) {
	var wanted []events.Desired
	var contested []string
	if len(drift) == 0 {
		return r, nil, nil
	}
	for _, f := range flows {
		d, ok := drift[f.DocKey()]
		if !ok || !slices.ContainsFunc(d.Fields, f.Keeps) {
			continue
		}
		want := r.Wanted[f.DocKey()]
		if want.Hash != r.Docs[f.DocKey()].Told { // a newer document is on its way
			continue
		}
		doc, _, err := route(&r, f)
		if err != nil || doc.Hash != want.Hash || doc.Op != events.DesiredUpsert {
			continue
		}
		next, again := insist(want, d.At)
		if next.Contested && !want.Contested {
			contested = append(contested, f.DocKey())
		}
		if next.Drifts == want.Drifts && next.Contested == want.Contested && next.DriftAt.Equal(want.DriftAt) {
			continue
		}
		if r.Wanted[f.DocKey()] = next; again {
			doc.Reason = reasonDrift
			wanted = append(wanted, doc)
		}
	}
	return r, wanted, contested
}

const reasonDrift = "drift"

// insist decides whether a document is written back now, and counts that.
func insist(w events.Want, at time.Time) (next events.Want, again bool) {
	if at.Sub(w.DriftAt) > driftPeace {
		w.Drifts, w.Contested = 0, false
	}
	if w.Drifts >= driftTries {
		w.Contested = true
		wait := min(driftWait<<min(w.Drifts-driftTries, 5), driftPeace)
		if at.Sub(w.DriftAt) < wait {
			return w, false
		}
	}
	w.Drifts++
	w.DriftAt = at
	return w, true
}
