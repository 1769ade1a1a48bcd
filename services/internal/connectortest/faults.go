package connectortest

import (
	"testing"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

func addFaults(add adder) {
	add("faults/lost answer, found", func(t testing.TB, e *env) { checkLost(t, e, true) })
	add("faults/lost answer, changed meanwhile", checkLostAndChanged)
	add("faults/lost answer, repeated", func(t testing.TB, e *env) { checkLost(t, e, false) })
	for _, c := range refusals {
		add("faults/"+c.name, func(t testing.TB, e *env) { checkRefusal(t, e, c) })
	}
	add("faults/expired once", checkExpiredOnce)
	add("faults/expired for good", checkExpired)
	add("faults/unreachable", checkUnreachable)
	for _, c := range garbled {
		add("faults/"+c.name, func(t testing.TB, e *env) { checkGarbled(t, e, c) })
	}
}

// checkLost loses the answer to each create, which did take effect. What
// follows must not make a second one: neither after a look-up, as the runtime
// does for Ambiguous, nor by repeating, as it does for Transient.
func checkLost(t testing.TB, e *env, find bool) {
	for _, d := range e.Docs {
		doc := e.document(t, d)
		if d.Created == "" {
			e.mustApply(t, doc)
			continue
		}
		before := e.createdCount(d)
		e.Sandbox.Inject(sandbox.Fault{Op: d.CreateOp, Kind: sandbox.FaultLost, Count: 1})
		r := e.apply(t.Context(), t, doc)
		e.mustFault(t, r.Err, fault.Ambiguous, fault.Transient)
		e.Sandbox.ClearFaults()
		if n := e.createdCount(d) - before; n != 1 {
			t.Fatalf("the lost call %s had the effect %q %d times, want 1", d.CreateOp, d.Created, n)
		}
		if find {
			doc.ExternalID = e.mustFind(t, doc)
		}
		e.mustApply(t, doc)
		if n := e.createdCount(d) - before; n != 1 {
			t.Errorf("after a lost answer %q happened %d times, want 1", d.Created, n)
		}
	}
}

// checkLostAndChanged loses the answer to each create, and then wants another
// content: what the first try made must be found although it says something
// else.
func checkLostAndChanged(t testing.TB, e *env) {
	for _, d := range e.Docs {
		doc := e.document(t, d)
		if d.Created == "" || d.Change == nil {
			e.mustApply(t, doc)
			continue
		}
		before := e.createdCount(d)
		e.Sandbox.Inject(sandbox.Fault{Op: d.CreateOp, Kind: sandbox.FaultLost, Count: 1})
		e.mustFault(t, e.apply(t.Context(), t, doc).Err, fault.Ambiguous, fault.Transient)
		e.Sandbox.ClearFaults()
		other := e.changed(t, d, false)
		other.Open = doc.First
		other.ExternalID = e.mustFind(t, other)
		e.mustApply(t, other)
		if n := e.createdCount(d) - before; n != 1 {
			t.Errorf("after a lost answer and a change %q happened %d times, want 1", d.Created, n)
		}
	}
}

func (e *env) mustFind(t testing.TB, doc connector.Document) string {
	t.Helper()
	r, found, err := e.con.Target.Find(t.Context(), doc)
	if err != nil || !found || r.ID == "" {
		t.Fatalf("find %s of %s: found %t, id %q, error %v", doc.Object, doc.Record, found, r.ID, err)
	}
	return r.ID
}

// refusal is a fault before anything happens, and the kinds it may have.
type refusal struct {
	name  string
	fault sandbox.Fault
	kinds []fault.Kind
}

var refusals = []refusal{
	{"throttled", sandbox.Fault{Kind: sandbox.FaultThrottle}, []fault.Kind{fault.Throttled}},
	{
		"server error",
		sandbox.Fault{Kind: sandbox.FaultError, Status: 500},
		[]fault.Kind{fault.Transient, fault.Ambiguous},
	},
	{"service unavailable", sandbox.Fault{Kind: sandbox.FaultError, Status: 503}, []fault.Kind{fault.Unavailable}},
	{"connection cut", sandbox.Fault{Kind: sandbox.FaultDown}, lostKinds},
}

// lostKinds are the kinds of a call whose answer did not arrive.
var lostKinds = []fault.Kind{fault.Transient, fault.Ambiguous, fault.Unavailable}

func checkRefusal(t testing.TB, e *env, c refusal) {
	for _, d := range e.Docs {
		doc := e.document(t, d)
		if d.CreateOp != "" {
			before := e.createdCount(d)
			f := c.fault
			f.Op = d.CreateOp
			e.Sandbox.Inject(f)
			e.mustFault(t, e.apply(t.Context(), t, doc).Err, c.kinds...)
			e.Sandbox.ClearFaults()
			if n := e.createdCount(d) - before; n != 0 {
				t.Errorf("%q happened %d times although the call was refused", d.Created, n)
			}
		}
		e.mustApply(t, doc)
	}
	doc := e.document(t, e.Docs[0])
	e.Sandbox.Inject(c.fault)
	_, found, err := e.con.Target.Find(t.Context(), doc)
	if found {
		t.Errorf("Find answers although the vendor refused")
	}
	e.mustFault(t, err, c.kinds...)
	e.mustFault(t, e.con.Target.Check(t.Context()), c.kinds...)
}

// checkExpiredOnce lets the vendor refuse the credentials of one call. Where
// they can be renewed nobody notices; else it is Unauthorized.
func checkExpiredOnce(t testing.TB, e *env) {
	for _, d := range e.Docs {
		doc := e.document(t, d)
		if d.CreateOp == "" {
			e.mustApply(t, doc)
			continue
		}
		before := e.createdCount(d)
		e.Sandbox.Inject(sandbox.Fault{Op: d.CreateOp, Kind: sandbox.FaultExpire, Count: 1})
		if r := e.apply(t.Context(), t, doc); r.Err != nil {
			e.mustFault(t, r.Err, fault.Unauthorized)
		}
		e.Sandbox.ClearFaults()
		e.mustApply(t, doc)
		if n := e.createdCount(d) - before; n != 1 {
			t.Errorf("%q happened %d times around an expired token, want 1", d.Created, n)
		}
	}
}

func checkExpired(t testing.TB, e *env) {
	doc := e.document(t, e.Docs[0])
	e.Sandbox.Inject(sandbox.Fault{Kind: sandbox.FaultExpire})
	e.mustFault(t, e.apply(t.Context(), t, doc).Err, fault.Unauthorized)
	_, _, err := e.con.Target.Find(t.Context(), doc)
	e.mustFault(t, err, fault.Unauthorized)
	e.mustFault(t, e.con.Target.Check(t.Context()), fault.Unauthorized)
	e.Sandbox.ClearFaults()
	e.mustApply(t, doc) // new credentials end it, without a restart
}

func checkUnreachable(t testing.TB, e *env) {
	doc := e.document(t, e.Docs[0])
	e.wire.cut()
	e.mustFault(t, e.apply(t.Context(), t, doc).Err, fault.Unavailable)
	_, _, err := e.con.Target.Find(t.Context(), doc)
	e.mustFault(t, err, fault.Unavailable)
	e.mustFault(t, e.con.Target.Check(t.Context()), fault.Unavailable)
	e.wire.restore()
	e.mustApply(t, doc)
}

// garble is an answer that is not the vendor's, as proxies give.
type garble struct {
	name        string
	status      int
	contentType string
	body        string
	kinds       []fault.Kind
}

const page = "<!DOCTYPE html><html><body><h1>Not what you expected</h1></body></html>"

var (
	brokenKinds = []fault.Kind{fault.Transient, fault.Ambiguous, fault.Unavailable, fault.Internal}
	garbled     = []garble{
		{"bad gateway page", 502, "text/html", page, lostKinds},
		{"page instead of an answer", 200, "text/html", page, brokenKinds},
		{"answer breaks off", 200, "application/json", `{"id":"1`, brokenKinds},
		{"empty answer", 200, "application/json", "", brokenKinds},
		{"null answer", 200, "application/json", "null", brokenKinds},
		// Nobody's error body, with the status of a success.
		{"error with status 200", 200, "application/json", `{"error":{"message":"no"},"message":"no","status":"error"}`, brokenKinds},
		// A proxy that does not know the path says nothing about the object.
		{"page that says not found", 404, "text/html", page, nil},
	}
)

func checkGarbled(t testing.TB, e *env, c garble) {
	// Credentials are got first, so that it hits the call itself.
	if err := e.con.Target.Check(t.Context()); err != nil {
		t.Fatalf("Check: %v", err)
	}
	doc := e.document(t, e.Docs[0])
	e.wire.answer(c.status, c.contentType, c.body)
	e.mustFault(t, e.apply(t.Context(), t, doc).Err, c.kinds...)
	_, found, err := e.con.Target.Find(t.Context(), doc)
	if found {
		t.Errorf("Find reads an object out of %q", c.body)
	}
	e.mustFault(t, err, c.kinds...)
	e.wire.restore()
	e.mustApply(t, doc)
}
