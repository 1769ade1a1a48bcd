package connectortest

import (
	"net/http"
	"sync"
	"testing"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// addMeanwhile adds the checks of what others do at the vendor meanwhile.
func addMeanwhile(add adder, probe *env) {
	if probe.Touch == nil {
		return // kind/members says whether it may be absent
	}
	if probe.con.Target != nil {
		add("meanwhile/changed behind our back", checkBehind)
	}
	if probe.con.Webhooks != nil && probe.con.Reader != nil {
		add("meanwhile/from webhook to object", checkRoundTrip)
	}
}

// checkBehind changes each object at the vendor between the connector's look
// at it and its write. The write goes through, or is a Conflict that applying
// anew resolves; a second object is never made.
func checkBehind(t testing.TB, e *env) {
	e.createAll(t)
	touched := 0
	for _, d := range e.Docs {
		if d.Change == nil {
			continue
		}
		doc := e.changed(t, d, true)
		ours := true
		var once sync.Once
		e.wire.before(func(r *http.Request) {
			if r.Method != http.MethodGet {
				once.Do(func() { ours = !e.Touch(t, d.Object, doc.ExternalID) })
			}
		})
		r := e.apply(t.Context(), t, doc)
		e.wire.before(nil)
		if ours {
			continue // nobody else changes one, or the write needed no call
		}
		touched++
		before := e.Sandbox.Counts()
		if r.Err != nil {
			e.mustFault(t, r.Err, fault.Conflict)
			doc.Reapply = true
			r = e.mustApply(t, doc)
		}
		if r.ID != doc.ExternalID {
			t.Errorf("%s of %s was %s, and is %s after it was changed behind our back", d.Object, d.Record, doc.ExternalID, r.ID)
		}
		e.expectNothing(t, before)
	}
	if touched == 0 {
		t.Errorf("no document's object is one that the fixture's Touch changes")
	}
}

// checkRoundTrip changes each object at the vendor, hears of it by the webhook
// that the vendor signs, and reads what it announces.
func checkRoundTrip(t testing.TB, e *env) {
	e.createAll(t)
	e.Heard(t) // what came before
	trips := 0
	for _, d := range e.Docs {
		o, _ := e.kind.Object(d.Object)
		id := e.ids[ref(d)]
		if !o.Can.Has(connector.Webhook|connector.Read) || !e.Touch(t, d.Object, id) {
			continue
		}
		trips++
		if !e.announced(t, d.Object, id) {
			t.Errorf("%s %s was changed at the vendor, and no webhook tells", d.Object, id)
		}
		changes, err := e.con.Reader.Read(t.Context(), d.Object, []string{id})
		if err != nil {
			t.Fatalf("read %s %s: %v", d.Object, id, err)
		}
		found := false
		for _, c := range changes {
			found = found || c.Object == d.Object && c.ID == id && c.Op == events.OpChanged && c.Snapshot
		}
		if !found {
			t.Errorf("%s %s was announced, but reading it gives no snapshot", d.Object, id)
		}
	}
	if trips == 0 {
		t.Errorf("no document's object is one that the fixture's Touch changes and webhooks tell of")
	}
}

// announced reports whether the deliveries since the last time tell of an
// object.
func (e *env) announced(t testing.TB, object, id string) bool {
	t.Helper()
	found := false
	for _, d := range e.Heard(t) {
		if err := e.con.Webhooks.Verify(d); err != nil {
			t.Fatalf("a delivery of the sandbox is not verified: %v", err)
		}
		list, err := e.con.Webhooks.Decode(d)
		if err != nil {
			t.Fatalf("a delivery of the sandbox is not decoded: %v", err)
		}
		for _, event := range list {
			c, err := event.Change()
			if err != nil {
				t.Fatalf("a delivery of the sandbox: %v", err)
			}
			found = found || c.Object == object && c.ID == id
		}
	}
	return found
}
