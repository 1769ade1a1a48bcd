package hub

import (
	"maps"
	"slices"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

// demanded reports whether an object that is only written on demand is wanted
// at the flow's connection: a document there refers to it, or it is there.
func demanded(r *events.Record, f *mapping.Flow) bool {
	key := f.DocKey()
	_, before := r.Wanted[key]
	return before || r.Docs[key].ID != "" || slices.Contains(r.Needed, key)
}

// account returns the connection that a routed flow writes a record to, or ""
// for none. The first one that was chosen stays: an object is never moved, for
// the other account would get a second one. When the rule's answer is another
// by now, that is an error beside the first connection.
func account(r *events.Record, f *mapping.Flow, applies bool) (string, error) {
	first := chosen(r, f)
	if !applies {
		return first, nil
	}
	answer, err := f.Route(r)
	switch {
	case first == "" && err != nil: // told once, and not by each connection
		return "", only(f, f.To[0], err)
	case first == "":
		unmark(r, f)
		return answer, nil
	case err != nil:
		return first, only(f, first, err)
	case answer != first:
		return first, only(f, first, fault.New(fault.Rejected, "flow "+f.Name,
			"route: the answer is %s by now, but %s of %s is at %s: it stays there", answer, f.Object.Name, r.Key, first).
			WithField("route").WithCode(mapping.RouteCode).
			WithHint("take back what changed the answer; or delete the object at "+first+", then it is made at "+answer))
	}
	unmark(r, f)
	return first, nil
}

// only returns an error for the flow to one connection.
func only(f *mapping.Flow, connection string, err error) error {
	if f.Connection != connection {
		return nil
	}
	return err
}

// chosen returns the connection that was told of the object, or else the one
// that has it. What was told may be on its way there, whatever is known of it;
// only an object that is gone leaves the choice open.
func chosen(r *events.Record, f *mapping.Flow) string {
	there := func(told bool) func(string) bool {
		return func(connection string) bool {
			key := f.DocKeyAt(connection)
			_, wanted := r.Wanted[key]
			doc := r.Docs[key]
			return doc.Gone == nil && (told && wanted || !told && doc.ID != "")
		}
	}
	for _, told := range []bool{true, false} {
		if i := slices.IndexFunc(f.To, there(told)); i >= 0 {
			return f.To[i]
		}
	}
	return ""
}

// unmark takes back what was noted of an earlier answer of the rule.
func unmark(r *events.Record, f *mapping.Flow) {
	for _, connection := range f.To {
		key := f.DocKeyAt(connection)
		doc, ok := r.Docs[key]
		if !ok || doc.Error == nil || doc.Error.Code != mapping.RouteCode {
			continue
		}
		r.Docs = maps.Clone(r.Docs) // they may be those of the version before
		doc.Error, doc.State = nil, events.StateSeen
		if doc.Told != "" {
			doc.State = events.StateDone
		}
		r.Docs[key] = doc
		if doc.ID == "" && doc.Sequence == 0 {
			delete(r.Docs, key)
		}
	}
}
