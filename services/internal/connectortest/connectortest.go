// Package connectortest is the suite that every connector passes against its
// vendor's sandbox before its own tests count. It checks the contract of
// package connector from outside: one effect per document whatever happens to
// the answers, a kind for each way to fail, no secrets in errors, webhooks
// that only verify when genuine. It knows nothing of any vendor.
package connectortest

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
	"github.com/spoke-sync/spoke/services/internal/spec"
)

// The names that the suite configures.
const (
	// Connection is the name of the connection under test. It is none of a
	// vendor's, so that a connector which takes its kind for it is caught.
	Connection = "suite"
	// Tenant is the tenant of every document and event.
	Tenant = "acme"
)

// Case is one connector together with its sandbox.
type Case struct {
	Kind connector.Kind
	// Start makes a sandbox of its own for one check and ends it with
	// t.Cleanup. Checks run in parallel.
	Start func(t testing.TB) Fixture
	// Spec is the vendor's description, such as spec.NetSuite: every request of
	// the connector and every answer of the sandbox is compared with it. Nil
	// is for a vendor that has none.
	Spec spec.Source
}

// Fixture is what one check works on.
type Fixture struct {
	// Settings are decoded settings that point to the sandbox, of the type
	// that Kind.Settings returns.
	Settings any
	Sandbox  *sandbox.Server
	// Docs are documents for objects that do not exist yet, in an order in
	// which each may refer to those before it. They are required when the
	// connector has a Target.
	Docs []Doc
	// Deliveries are genuine webhooks, signed as the vendor does. They are
	// required when the connector has Webhooks; their Received is the time of
	// signing.
	Deliveries []connector.Delivery
	// Signature is the header that holds the webhooks' signature.
	Signature string
	// MaxAge is how old a delivery may be; 0 when the vendor signs no time.
	MaxAge time.Duration
	// Reads are required when the connector has a Reader.
	Reads []Read
	// Touch changes an object at the vendor as a person does, in a field that no
	// document sets, and reports whether a person can. It is required with a
	// Target that updates, and with Webhooks.
	Touch func(t testing.TB, object, id string) bool
	// Heard returns the deliveries that the sandbox has made since it was last
	// called; all of them for what was changed before the call. It is required
	// with Webhooks.
	Heard func(t testing.TB) []connector.Delivery
	// Scans are required when the connector has a Scanner: one for each feed of
	// the kind.
	Scans []Scan
}

// Doc is a document of the suite. A reference to the object of an earlier
// document is an events.Ref to its Object and Record; the suite resolves it
// as the sink runtime does. Tenant, Connection, Op, Hash, IdempotencyKey and
// First are filled in when empty.
type Doc struct {
	connector.Document
	// Created is the sandbox's effect that creates the object, such as
	// "salesOrder created". It is empty for an object that the connector only
	// looks up.
	Created string
	// CreateOp is the sandbox's name of the call that has this effect. Faults
	// are injected there. It is required with Created.
	CreateOp string
	// Change are Fields for an update; nil when the vendor allows none.
	Change map[string]any
	// Unchecked are the types of references that the vendor takes as they come,
	// without looking the objects up.
	Unchecked []string
	// Endable, where it is set, does at the vendor what must have happened
	// before the object with the id can be deleted or voided.
	Endable func(t testing.TB, id string)
}

// Read is one object that the Reader can read.
type Read struct {
	Object string
	// ID exists in the sandbox, Missing does not but has the right form.
	ID      string
	Missing string
	// Owner is set for an object that is only a part of others: reading it
	// yields the objects of this type that have it, and nothing when it is
	// missing.
	Owner string
}

// Scan is one feed that the Scanner can read. What its functions do is done as
// by a person or another program at the vendor.
type Scan struct {
	Feed string
	// Page is how many changes the connector asks for, or takes, at a time; no
	// page may have more.
	Page int
	// Seed makes n more objects that the feed yields, of any of its types, and
	// returns their types and ids. The suite asks for more than fit on two pages.
	Seed func(t testing.TB, n int) []events.External
	// Change changes an object. It is required for a feed that polls.
	Change func(t testing.TB, x events.External)
	// Delete deletes an object. It is nil when the feed does not tell of
	// deletions.
	Delete func(t testing.TB, x events.External)
}

// Check is one check of the suite.
type Check struct {
	Name string
	Run  func(t testing.TB)
}

// Run runs the whole suite. A part is left out only when the connector has no
// such member.
func Run(t *testing.T, c Case) {
	t.Helper()
	for _, check := range Checks(t, c) {
		t.Run(check.Name, func(t *testing.T) {
			t.Parallel()
			check.Run(t)
		})
	}
}

// Checks returns the checks that apply to the connector. It starts one
// sandbox to see what the connector has.
func Checks(t testing.TB, c Case) []Check {
	t.Helper()
	book, absent := describe(t, c)
	probe := open(t, c, nil)
	var all []Check
	add := func(name string, run func(t testing.TB, e *env)) {
		all = append(all, Check{Name: name, Run: func(t testing.TB) {
			t.Helper()
			e := open(t, c, book)
			defer e.wire.judge(t) // also when the check has ended early
			run(t, e)
		}})
	}
	if c.Spec != nil {
		all = append(all, Check{Name: "spec/present", Run: func(t testing.TB) {
			if absent != nil {
				t.Skip(absent)
			}
		}})
	}
	addKind(add)
	addAbilities(add, probe)
	addHostile(add)
	addMeanwhile(add, probe)
	if probe.con.Target != nil {
		addTarget(add)
		addFaults(add)
	}
	if probe.con.Webhooks != nil {
		addWebhooks(add)
	}
	if probe.con.Reader != nil {
		addReader(add)
	}
	if probe.con.Scanner != nil {
		addScanner(add, probe)
	}
	return all
}

// env is an opened connector with its fixture.
type env struct {
	Fixture
	kind connector.Kind
	con  connector.Connector
	wire *wire
	deps connector.Deps
	// ids are the vendor's ids of what was applied, for references.
	ids map[events.Ref]string
}

// describe opens the vendor's description. Where it is not on this machine,
// the error says so.
func describe(t testing.TB, c Case) (book *spec.Book, absent error) {
	t.Helper()
	if c.Spec == nil {
		return nil, nil
	}
	book, err := c.Spec(t)
	if err != nil && !errors.Is(err, spec.ErrAbsent) {
		t.Fatalf("the vendor's description: %v", err)
	}
	return book, err
}

// open starts a fixture and opens the connector on it.
func open(t testing.TB, c Case, book *spec.Book) *env {
	t.Helper()
	e := &env{Fixture: c.Start(t), kind: c.Kind, wire: newWire(book), ids: map[events.Ref]string{}}
	if c.Kind.For != nil {
		e.kind = c.Kind.For(e.Settings)
	}
	t.Cleanup(e.wire.close)
	e.deps = connector.Deps{
		Connection: Connection, Tenant: Tenant, Log: slog.New(slog.DiscardHandler),
		HTTP: e.wire.client(), Now: time.Now,
	}
	con, err := c.Kind.Open(e.Settings, e.deps)
	if err != nil {
		t.Fatalf("Open refuses the fixture's settings: %v", err)
	}
	e.con = con
	return e
}
