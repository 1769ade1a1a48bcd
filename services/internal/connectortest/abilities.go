package connectortest

import (
	"slices"
	"testing"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// addAbilities adds the checks that what the kind declares of each object type
// is what the connector does: no less, and no more. Feeds have checks of their
// own.
func addAbilities(add adder, probe *env) {
	if probe.con.Target != nil {
		add("abilities/create", func(t testing.TB, e *env) {
			e.agree(t, "create", connector.Create, e.documented(func(d Doc) bool { return d.Created != "" }))
		})
		add("abilities/update", checkUpdates)
		add("abilities/delete", checkDeletes)
	}
	add("abilities/read", checkReads)
	add("abilities/webhook", checkHears)
}

// agree fails for each object type that is declared otherwise than the fixture
// shows.
func (e *env) agree(t testing.TB, name string, a connector.Ability, shown map[string]bool) {
	t.Helper()
	for _, o := range e.kind.Objects {
		switch declared := o.Can.Has(a); {
		case declared && !shown[o.Name]:
			t.Errorf("%s is declared to have the ability %s, but nothing of the fixture shows it", o.Name, name)
		case !declared && shown[o.Name]:
			t.Errorf("%s is not declared to have the ability %s, but it has", o.Name, name)
		}
	}
}

// checkUpdates: a type that is only looked up shows the ability by its
// documents, since what it is looked up by may change.
func checkUpdates(t testing.TB, e *env) {
	shown := e.documented(func(d Doc) bool { return d.Change != nil || d.Created == "" })
	e.agree(t, "update", connector.Update, shown)
}

// documented are the types of the fixture's documents that meet a condition.
func (e *env) documented(met func(Doc) bool) map[string]bool {
	all := map[string]bool{}
	for _, d := range e.Docs {
		if met(d) {
			all[d.Object] = true
		}
	}
	return all
}

// checkDeletes deletes or voids what was created, the last made first.
func checkDeletes(t testing.TB, e *env) {
	docs := e.createAll(t)
	gone := map[string]bool{}
	for i, doc := range slices.Backward(docs) {
		doc.ExternalID = e.ids[ref(e.Docs[i])]
		if e.Docs[i].Endable != nil {
			e.Docs[i].Endable(t, doc.ExternalID)
		}
		for _, op := range []events.DesiredOp{events.DesiredDelete, events.DesiredVoid} {
			doc.Op, doc.IdempotencyKey = op, docs[i].IdempotencyKey+string(op[0])
			r := e.apply(t.Context(), t, doc)
			if r.Err == nil && (r.Effect == events.EffectDeleted || r.Effect == events.EffectVoided) {
				gone[doc.Object] = true
				break
			}
		}
	}
	e.agree(t, "delete", connector.Delete, gone)
}

// checkReads tries to read each type. What is not declared must be refused,
// not answered with nothing.
func checkReads(t testing.TB, e *env) {
	shown := map[string]bool{}
	for _, r := range e.Reads {
		shown[r.Object] = true
	}
	e.agree(t, "read", connector.Read, shown)
	for _, o := range e.kind.Objects {
		if o.Can.Has(connector.Read) || e.con.Reader == nil {
			continue
		}
		_, err := e.con.Reader.Read(t.Context(), o.Name, []string{"1"})
		if err == nil {
			t.Errorf("%s is declared not to be readable, but Read does not refuse it", o.Name)
			continue
		}
		e.mustFault(t, err, fault.Rejected, fault.Internal)
	}
}

// checkHears decodes every delivery of the fixture.
func checkHears(t testing.TB, e *env) {
	heard := map[string]bool{}
	for i, d := range e.Deliveries {
		list, err := e.con.Webhooks.Decode(d)
		if err != nil {
			t.Fatalf("delivery %d: %v", i, err)
		}
		for _, event := range list {
			c, err := event.Change()
			if err != nil {
				t.Fatalf("delivery %d: %v", i, err)
			}
			heard[c.Object] = true
		}
	}
	e.agree(t, "webhook", connector.Webhook, heard)
}
