package connectortest

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

func addTarget(add adder) {
	add("target/check", checkCheck)
	add("target/create", checkCreate)
	add("target/repeat", checkRepeat)
	add("target/update", checkUpdate)
	add("target/seen", checkSeen)
	add("target/find", checkFind)
	add("target/batch", checkBatch)
	add("target/unknown object", checkUnknownObject)
	add("target/missing reference", checkMissingReference)
	add("target/void and delete", checkVoidDelete)
	add("target/cancelled", checkCancelled)
	add("target/concurrent", checkConcurrent)
}

func checkCheck(t testing.TB, e *env) {
	before := e.Sandbox.Counts()
	if err := e.con.Target.Check(t.Context()); err != nil {
		t.Fatalf("Check: %v", err)
	}
	after := e.Sandbox.Counts()
	if after.TotalCalls() == before.TotalCalls() {
		t.Errorf("Check did not reach the vendor")
	}
	for what := range after.Effects {
		if after.Total(what) != before.Total(what) {
			t.Errorf("Check had the effect %q", what)
		}
	}
}

// createAll applies every document and returns what was applied.
func (e *env) createAll(t testing.TB) []connector.Document {
	t.Helper()
	var docs []connector.Document
	for _, d := range e.Docs {
		doc := e.document(t, d)
		e.mustApply(t, doc)
		docs = append(docs, doc)
	}
	return docs
}

func checkCreate(t testing.TB, e *env) {
	for _, d := range e.Docs {
		created := e.createdCount(d)
		calls := e.Sandbox.Counts().Calls[d.CreateOp]
		r := e.mustApply(t, e.document(t, d))
		want, effect := 1, events.EffectCreated
		if d.Created == "" {
			want, effect = 0, events.EffectUnchanged
		}
		if got := e.createdCount(d) - created; got != want {
			t.Errorf("%s of %s: %q happened %d times, want %d", d.Object, d.Record, d.Created, got, want)
		}
		if r.Effect != effect {
			t.Errorf("%s of %s: effect %q, want %q", d.Object, d.Record, r.Effect, effect)
		}
		if d.CreateOp != "" && e.Sandbox.Counts().Calls[d.CreateOp] == calls {
			t.Errorf("%s of %s was made without the call %q", d.Object, d.Record, d.CreateOp)
		}
	}
}

func checkRepeat(t testing.TB, e *env) {
	docs := e.createAll(t)
	for _, doc := range docs {
		id := e.ids[events.Ref{Object: doc.Object, Record: doc.Record}]
		for _, known := range []string{"", id} {
			before := e.Sandbox.Counts()
			doc.ExternalID = known
			if r := e.mustApply(t, doc); r.ID != id {
				t.Errorf("%s of %s: repeated with ExternalID %q it became %s, was %s", doc.Object, doc.Record, known, r.ID, id)
			}
			e.expectNothing(t, before)
		}
	}
}

func checkUpdate(t testing.TB, e *env) {
	docs := e.createAll(t)
	for i, d := range e.Docs {
		if d.Change == nil {
			continue
		}
		before := e.Sandbox.Counts()
		r := e.mustApply(t, e.changed(t, d, true))
		if r.Effect != events.EffectUpdated {
			t.Errorf("%s of %s: effect %q, want updated", d.Object, d.Record, r.Effect)
		}
		e.expectNothing(t, before)
		if !e.grew(before.Effects) {
			t.Errorf("%s of %s: the update had no effect at the sandbox", d.Object, d.Record)
		}
		// And back, as one who corrects a mistake does.
		docs[i].ExternalID = r.ID
		e.mustApply(t, docs[i])
		e.expectNothing(t, before)
	}
}

// grew reports whether any effect was counted since before.
func (e *env) grew(before map[string]map[string]int) bool {
	for what, keys := range e.Sandbox.Counts().Effects {
		for key, n := range keys {
			if n > before[what][key] {
				return true
			}
		}
	}
	return false
}

func checkFind(t testing.TB, e *env) {
	for _, d := range e.Docs {
		doc := e.document(t, d)
		if d.Created != "" {
			r, found, err := e.con.Target.Find(t.Context(), doc)
			if err != nil || found {
				t.Fatalf("%s of %s is found (%t, id %q) before it exists, error %v", d.Object, d.Record, found, r.ID, err)
			}
		}
		made := e.mustApply(t, doc)
		before := e.Sandbox.Counts()
		r, found, err := e.con.Target.Find(t.Context(), doc)
		if err != nil || !found || r.ID != made.ID {
			t.Fatalf("%s of %s: found %t, id %q, error %v: want id %s", d.Object, d.Record, found, r.ID, err, made.ID)
		}
		e.mustBeCanonical(t, d.Object, r.Seen)
		if e.grew(before.Effects) {
			t.Errorf("Find of %s changed something", d.Object)
		}
	}
}

func checkBatch(t testing.TB, e *env) {
	size := e.con.Target.BatchSize()
	if size < 1 {
		t.Fatalf("BatchSize is %d", size)
	}
	if r := e.con.Target.Apply(t.Context(), nil); len(r) != 0 {
		t.Errorf("Apply of nothing answered %d results", len(r))
	}
	for start := 0; start < len(e.Docs); {
		end := start + 1
		for end < len(e.Docs) && end-start < size && e.Docs[end].Object == e.Docs[start].Object {
			end++
		}
		e.applyBatch(t, e.Docs[start:end])
		start = end
	}
}

// applyBatch applies documents of one type at once. Each result must belong
// to its document, which Find tells.
func (e *env) applyBatch(t testing.TB, group []Doc) {
	t.Helper()
	docs := make([]connector.Document, len(group))
	for i, d := range group {
		docs[i] = e.document(t, d)
	}
	results := e.con.Target.Apply(t.Context(), docs)
	if len(results) != len(docs) {
		t.Fatalf("Apply of %d documents of %s answered %d results", len(docs), docs[0].Object, len(results))
	}
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("apply %s of %s: %v", docs[i].Object, docs[i].Record, r.Err)
		}
		found, ok, err := e.con.Target.Find(t.Context(), docs[i])
		if err != nil || !ok || found.ID != r.ID {
			t.Errorf("result %d for %s has id %s, but Find says %q (%t, %v)", i, docs[i].Record, r.ID, found.ID, ok, err)
		}
		e.ids[ref(group[i])] = r.ID
	}
}

func checkUnknownObject(t testing.TB, e *env) {
	doc := e.document(t, e.Docs[0])
	doc.Object = "noSuchObject"
	before := e.creations()
	e.mustFault(t, e.apply(t.Context(), t, doc).Err, fault.Rejected)
	_, found, err := e.con.Target.Find(t.Context(), doc)
	if found {
		t.Errorf("an object of an unknown type is found")
	}
	e.mustFault(t, err, fault.Rejected)
	doc = e.document(t, e.Docs[0])
	doc.Op = "explode"
	e.mustFault(t, e.apply(t.Context(), t, doc).Err, fault.Rejected, fault.Internal)
	if e.creations() != before {
		t.Errorf("a document that can't be understood created something")
	}
}

// checkMissingReference lets each reference of each document point to an
// object that is not there. The vendor refuses, or the connector before it.
// What it may have begun is what the right document goes on with.
func checkMissingReference(t testing.TB, e *env) {
	for _, d := range e.Docs {
		before := e.createdCount(d)
		for _, r := range d.Refs() {
			id := e.ids[r]
			e.ids[r] = missing(id)
			doc := e.document(t, d)
			e.ids[r] = id
			if d.Created == "" || slices.Contains(d.Unchecked, r.Object) {
				continue
			}
			err := e.apply(t.Context(), t, doc).Err
			if err == nil {
				t.Fatalf("%s of %s was applied although its %s %s does not exist", d.Object, d.Record, r.Object, missing(id))
			}
			e.mustFault(t, err, fault.Missing, fault.Rejected)
		}
		e.mustApply(t, e.document(t, d))
		if n := e.createdCount(d) - before; d.Created != "" && n != 1 {
			t.Errorf("%s of %s: %q happened %d times after missing references, want 1", d.Object, d.Record, d.Created, n)
		}
	}
}

// missing is an id of the same form that no object has.
func missing(id string) string { return id + "94711" }

// checkVoidDelete tries both on what never existed and on what exists, the
// last made first, twice each.
func checkVoidDelete(t testing.TB, e *env) {
	for _, op := range []events.DesiredOp{events.DesiredVoid, events.DesiredDelete} {
		doc := e.document(t, e.Docs[0])
		doc.Op = op
		before := e.creations()
		if err := e.apply(t.Context(), t, doc).Err; err != nil {
			e.mustFault(t, err, fault.Rejected, fault.Missing)
		}
		if e.creations() != before {
			t.Errorf("%s of an absent object created one", op)
		}
	}
	docs := e.createAll(t)
	before := e.creations()
	for i := len(docs) - 1; i >= 0; i-- {
		for _, op := range []events.DesiredOp{events.DesiredVoid, events.DesiredDelete} {
			doc := docs[i]
			doc.Op, doc.IdempotencyKey = op, doc.IdempotencyKey+string(op[0])
			doc.ExternalID = e.ids[ref(e.Docs[i])]
			for range 2 {
				r := e.apply(t.Context(), t, doc)
				if r.Err != nil {
					e.mustFault(t, r.Err, fault.Rejected)
					continue
				}
				switch r.Effect {
				case events.EffectVoided, events.EffectDeleted, events.EffectUnchanged:
				default:
					t.Errorf("%s of %s: effect %q", op, doc.Object, r.Effect)
				}
			}
		}
	}
	if e.creations() != before {
		t.Errorf("void or delete created something")
	}
}

func checkCancelled(t testing.TB, e *env) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := e.creations()
	doc := e.document(t, e.Docs[0])
	e.mustFault(t, e.apply(ctx, t, doc).Err)
	_, found, err := e.con.Target.Find(ctx, doc)
	if found {
		t.Errorf("Find answers although its context has ended")
	}
	e.mustFault(t, err)
	e.mustFault(t, e.con.Target.Check(ctx))
	if n := e.creations() - before; n != 0 {
		t.Errorf("%d objects were created although the context had ended", n)
	}
	e.mustApply(t, doc) // and nothing is stuck afterwards
}

// checkConcurrent is for the race detector: one connector serves many calls.
func checkConcurrent(t testing.TB, e *env) {
	doc := e.document(t, e.Docs[0])
	errs := make(chan error, 2*concurrent)
	var wg sync.WaitGroup
	for range concurrent {
		wg.Go(func() { errs <- e.con.Target.Check(t.Context()) })
		wg.Go(func() {
			_, _, err := e.con.Target.Find(t.Context(), doc)
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			e.mustFault(t, err, fault.Throttled)
		}
	}
}

const concurrent = 4
