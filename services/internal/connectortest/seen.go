package connectortest

import (
	"testing"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// checkSeen holds what a write reports of an object to what is read of it
// afterwards: a difference would be taken for an edit by a person, and sent to
// every other system.
func checkSeen(t testing.TB, e *env) {
	for _, d := range e.Docs {
		e.mustShow(t, d, e.mustApply(t, e.document(t, d)))
		if d.Change != nil {
			e.mustShow(t, d, e.mustApply(t, e.changed(t, d, true)))
		}
	}
}

// mustShow reads the object and compares it with what its write reported.
func (e *env) mustShow(t testing.TB, d Doc, r connector.Result) {
	t.Helper()
	o, _ := e.kind.Object(d.Object)
	if e.con.Reader == nil || !o.Can.Has(connector.Read) || len(r.Seen)+len(r.Sent) == 0 {
		return
	}
	e.mustBeCanonical(t, d.Object, r.Sent)
	changes, err := e.con.Reader.Read(t.Context(), d.Object, []string{r.ID})
	if err != nil {
		t.Fatalf("read %s %s: %v", d.Object, r.ID, err)
	}
	for _, c := range changes {
		if c.Object != d.Object || c.ID != r.ID {
			continue
		}
		for name, read := range c.Fields {
			if v, ok := r.Seen[name]; ok {
				e.mustHold(t, d, name, events.Seen{Value: v}, read)
			} else if v, ok := r.Sent[name]; ok {
				e.mustHold(t, d, name, events.Seen{Value: v, Sent: true}, read)
			}
		}
	}
}

func (e *env) mustHold(t testing.TB, d Doc, name string, reported events.Seen, read []byte) {
	t.Helper()
	if !hub.Holds(d.Entity, name, reported, read) {
		t.Errorf("%s of %s: the write reported %s as %s, and it is read as %s", d.Object, d.Record, name, reported.Value, read)
	}
}
