package connectortest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// document completes a document of the fixture as the sink runtime does.
func (e *env) document(t testing.TB, d Doc) connector.Document {
	t.Helper()
	doc := d.Document
	doc.Tenant, doc.Connection = Tenant, Connection
	if doc.Op == "" {
		doc.Op = events.DesiredUpsert
	}
	if doc.First.IsZero() {
		doc.First = time.Now()
	}
	if err := doc.Seal(); err != nil {
		t.Fatalf("document %s: %v", doc.Record, err)
	}
	if doc.IdempotencyKey == "" {
		doc.IdempotencyKey = doc.Key + "-" + doc.Hash[:12]
	}
	doc.Fields = doc.Resolve(func(r events.Ref) string {
		id, ok := e.ids[r]
		if !ok {
			t.Fatalf("document %s refers to %s of %s, which no earlier document made", doc.Record, r.Object, r.Record)
		}
		return id
	})
	return doc
}

// changed is the document's update. withID tells whether the runtime knows
// the vendor's id.
func (e *env) changed(t testing.TB, d Doc, withID bool) connector.Document {
	t.Helper()
	d.Fields = d.Change
	d.IdempotencyKey = "" // other content, other key
	doc := e.document(t, d)
	if withID {
		doc.ExternalID = e.ids[ref(d)]
	}
	return doc
}

func ref(d Doc) events.Ref { return events.Ref{Object: d.Object, Record: d.Record} }

// apply applies one document and checks the form of the answer.
func (e *env) apply(ctx context.Context, t testing.TB, doc connector.Document) connector.Result {
	t.Helper()
	results := e.con.Target.Apply(ctx, []connector.Document{doc})
	if len(results) != 1 {
		t.Fatalf("Apply of 1 document of %s answered %d results", doc.Object, len(results))
	}
	return results[0]
}

// mustApply applies one document and remembers the id it got.
func (e *env) mustApply(t testing.TB, doc connector.Document) connector.Result {
	t.Helper()
	r := e.apply(t.Context(), t, doc)
	if r.Err != nil {
		t.Fatalf("apply %s of %s: %v", doc.Object, doc.Record, r.Err)
	}
	if r.ID == "" {
		t.Fatalf("apply %s of %s: the result has no ID", doc.Object, doc.Record)
	}
	if doc.ExternalID != "" && r.ID != doc.ExternalID {
		t.Fatalf("apply %s of %s answered id %s for the object %s", doc.Object, doc.Record, r.ID, doc.ExternalID)
	}
	e.mustBeCanonical(t, doc.Object, r.Seen)
	e.ids[events.Ref{Object: doc.Object, Record: doc.Record}] = r.ID
	return r
}

// mustBeCanonical fails for a field name that the object's entity lacks.
func (e *env) mustBeCanonical(t testing.TB, object string, fields events.Fields) {
	t.Helper()
	o, ok := e.kind.Object(object)
	if !ok {
		t.Fatalf("the kind has no object %q", object)
	}
	for name := range fields {
		if _, known := o.Entity.Fields()[name]; !known && !strings.HasPrefix(name, "custom.") {
			t.Errorf("%s: %q is no field of %s", object, name, o.Entity)
		}
	}
}

// expectNothing fails when an effect other than an update was counted since
// before.
func (e *env) expectNothing(t testing.TB, before sandbox.Counts) {
	t.Helper()
	after := e.Sandbox.Counts()
	for what := range after.Effects {
		if strings.HasSuffix(what, " updated") {
			continue // writing what stands there already harms nobody
		}
		if got := after.Total(what) - before.Total(what); got != 0 {
			t.Errorf("effect %q happened %d times, want none", what, got)
		}
	}
}

// creations counts the created effects of all documents.
func (e *env) creations() int {
	n, seen, c := 0, map[string]bool{}, e.Sandbox.Counts()
	for _, d := range e.Docs {
		if d.Created != "" && !seen[d.Created] {
			seen[d.Created] = true
			n += c.Total(d.Created)
		}
	}
	return n
}

// createdCount counts the created effect of one document's object type.
func (e *env) createdCount(d Doc) int {
	if d.Created == "" {
		return 0
	}
	return e.Sandbox.Counts().Total(d.Created)
}
