package hub

import (
	"maps"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

// Failure is a flow that could not be evaluated for a record, or whose rule
// chooses another connection than the one that has the object.
type Failure struct {
	Flow *mapping.Flow
	Err  error
}

// Route derives the documents that differ from what was wanted last, and
// notes them in the returned record's Wanted. A flow that fails leaves what
// was wanted as it is, and does not hinder the others. A request in again
// publishes the documents of its connection although they are the same.
//
// What was wanted for a record that is a part of another one is withdrawn: its
// objects at other systems stay, and are the survivor's where that has none.
// So is what was wanted for a person who was erased, since the documents hold
// what must be forgotten.
func Route(r events.Record, flows []*mapping.Flow, again ...events.Route) (routed events.Record, wanted []events.Desired, failed []Failure) {
	if len(r.Docs) == 0 && len(r.Fields) == 0 { // no system has said anything of it yet
		return r, nil, nil
	}
	r = cloneWanted(r)
	for _, f := range flows {
		d, emit, err := route(&r, f)
		if err != nil {
			failed = append(failed, Failure{Flow: f, Err: err})
		}
		if d.Hash == "" { // nothing is wanted
			continue
		}
		for _, a := range again {
			if a.Connection == f.Connection {
				emit, d.Reason = true, a.Reason
			}
		}
		if emit {
			w := want(&r, d)
			w.Said = say(&r, f, d.Hash, r.Wanted[f.DocKey()].Said)
			r.Wanted[f.DocKey()] = w
			wanted = append(wanted, d)
		}
	}
	for _, d := range orphans(&r, flows) {
		r.Wanted[events.DocKey(d.Connection, d.Object)] = want(&r, d)
		wanted = append(wanted, d)
	}
	return r, wanted, failed
}

// orphans withdraws what flows that are no more had wanted of a record that is
// a tombstone.
func orphans(r *events.Record, flows []*mapping.Flow) (withdrawn []events.Desired) {
	if r.Merged == nil && !forgotten(r) {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(r.Wanted)) {
		if slices.ContainsFunc(flows, func(f *mapping.Flow) bool { return f.DocKey() == key }) {
			continue
		}
		connection, object, _ := strings.Cut(key, "/")
		d := events.Desired{
			Tenant: r.Tenant, Connection: connection, Object: object, Entity: r.Docs[key].Entity, Record: r.Key,
			Flow: r.Wanted[key].Flow, KnownID: r.Docs[key].ID,
		}
		d.Op, d.Reason = leaving(r, mapping.LeaveKeep)
		if d.Seal() == nil && d.Hash != r.Wanted[key].Hash {
			withdrawn = append(withdrawn, d)
		}
	}
	return withdrawn
}

func want(r *events.Record, d events.Desired) events.Want {
	w := events.Want{Hash: d.Hash, Flow: d.Flow}
	if doc := r.Docs[events.DocKey(d.Connection, d.Object)]; doc.Told == "" {
		w.Named = doc.ID
	}
	return w
}

func cloneWanted(r events.Record) events.Record {
	w := make(map[string]events.Want, len(r.Wanted)+1)
	for k, v := range r.Wanted {
		w[k] = v
	}
	r.Wanted = w
	return r
}

// route evaluates one flow to one connection. An error beside a document is
// that of the rule that chooses the connection.
func route(r *events.Record, f *mapping.Flow) (d events.Desired, emit bool, err error) {
	doc := r.Docs[f.DocKey()]
	if f.Existing && doc.ID == "" || f.OnDemand && !demanded(r, f) {
		return d, false, nil
	}
	last, before := r.Wanted[f.DocKey()]
	applies := false
	if r.Deleted == nil && r.Merged == nil {
		if applies, err = f.Applies(r); err != nil {
			return d, false, err
		}
	}
	if f.Routed() {
		connection, problem := account(r, f, applies)
		if connection != f.Connection {
			return d, false, problem
		}
		err = problem
	}
	d = events.Desired{
		Tenant: r.Tenant, Connection: f.Connection, Object: f.Object.Name, Entity: f.Object.Entity,
		Record: r.Key, Flow: f.Name, Op: events.DesiredUpsert, KnownID: doc.ID, Reason: "changed",
	}
	if !applies {
		if d.Op, d.Reason = leaving(r, f.OnLeave); !before || d.Op == "" {
			return events.Desired{}, false, err
		}
	} else {
		fields, problem := f.Fields(r)
		if problem != nil {
			return d, false, problem
		}
		d.Fields = fields
	}
	if d.Op == events.DesiredUpsert && len(d.Fields) == 0 {
		return d, false, err
	}
	if err := d.Seal(); err != nil {
		return d, false, err
	}
	// An object that was linked or adopted must be named before the document is
	// written, or a second one would be made; and one that was given back must
	// not be written.
	renamed := doc.Told == "" && doc.ID != last.Named
	return d, !before || d.Hash != last.Hash || renamed, err
}

// leaving says what is wanted of an object whose flow does not apply any more;
// "" means that it is left as it is.
func leaving(r *events.Record, l mapping.Leave) (op events.DesiredOp, reason string) {
	switch {
	case r.Merged != nil:
		return events.DesiredNone, "merged"
	case l == mapping.LeaveVoid:
		return events.DesiredVoid, "left"
	case l == mapping.LeaveDelete:
		return events.DesiredDelete, "left"
	case forgotten(r):
		return events.DesiredNone, "erased"
	default:
		return "", ""
	}
}
