package connectortest

import (
	"context"
	"testing"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

func addReader(add adder) {
	add("reader/existing", checkReadExisting)
	add("reader/missing", checkReadMissing)
	add("reader/unknown object", checkReadUnknown)
	add("reader/faults", checkReadFaults)
}

func checkReadExisting(t testing.TB, e *env) {
	if e.con.Reader.BatchSize() < 1 {
		t.Fatalf("BatchSize is %d", e.con.Reader.BatchSize())
	}
	for _, r := range e.Reads {
		before := e.Sandbox.Counts()
		if r.Owner != "" {
			e.mustReadOwner(t, r)
			continue
		}
		c := e.mustRead(t, r, r.ID)
		if c.Op != events.OpChanged || !c.Snapshot || c.Signal || len(c.Fields) == 0 {
			t.Errorf("%s %s: op %s, snapshot %t, signal %t, %d fields: want a snapshot with fields",
				r.Object, r.ID, c.Op, c.Snapshot, c.Signal, len(c.Fields))
		}
		if e.grew(before.Effects) {
			t.Errorf("reading %s changed something", r.Object)
		}
	}
}

func checkReadMissing(t testing.TB, e *env) {
	for _, r := range e.Reads {
		if r.Owner != "" {
			if changes, err := e.con.Reader.Read(t.Context(), r.Object, []string{r.Missing}); err != nil || len(changes) != 0 {
				t.Errorf("read %s %s: %d changes, error %v: want none", r.Object, r.Missing, len(changes), err)
			}
			continue
		}
		if c := e.mustRead(t, r, r.Missing); c.Op != events.OpDeleted || len(c.Fields) > 0 {
			t.Errorf("%s %s: op %s, %d fields: want deleted", r.Object, r.Missing, c.Op, len(c.Fields))
		}
	}
}

// mustReadOwner reads what an object is a part of.
func (e *env) mustReadOwner(t testing.TB, r Read) {
	t.Helper()
	changes, err := e.con.Reader.Read(t.Context(), r.Object, []string{r.ID})
	if err != nil {
		t.Fatalf("read %s %s: %v", r.Object, r.ID, err)
	}
	for _, c := range changes {
		e.mustBeChange(t, c)
		if c.Object == r.Owner {
			return
		}
	}
	t.Errorf("read %s %s: no change of an object %s, of which it is a part", r.Object, r.ID, r.Owner)
}

// mustRead reads the existing and the missing object together where they fit
// and returns the change of the one with the id.
func (e *env) mustRead(t testing.TB, r Read, id string) events.Change {
	t.Helper()
	ids := []string{id}
	if e.con.Reader.BatchSize() > 1 {
		ids = []string{r.ID, r.Missing}
	}
	changes, err := e.con.Reader.Read(t.Context(), r.Object, ids)
	if err != nil {
		t.Fatalf("read %s %s: %v", r.Object, id, err)
	}
	var found []events.Change
	for _, c := range changes {
		e.mustBeChange(t, c)
		if c.Object == r.Object && c.ID == id {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		t.Fatalf("read %s %s: %d changes are about it, want 1", r.Object, id, len(found))
	}
	return found[0]
}

func checkReadUnknown(t testing.TB, e *env) {
	_, err := e.con.Reader.Read(t.Context(), "noSuchObject", []string{e.Reads[0].ID})
	e.mustFault(t, err, fault.Rejected, fault.Internal)
	changes, err := e.con.Reader.Read(t.Context(), e.Reads[0].Object, nil)
	if err != nil || len(changes) != 0 {
		t.Errorf("reading no ids answers %d changes, error %v", len(changes), err)
	}
}

func checkReadFaults(t testing.TB, e *env) {
	read := func(ctx context.Context) error {
		_, err := e.con.Reader.Read(ctx, e.Reads[0].Object, []string{e.Reads[0].ID})
		return err
	}
	for _, c := range refusals {
		e.Sandbox.Inject(c.fault)
		e.mustFault(t, read(t.Context()), c.kinds...)
		e.Sandbox.ClearFaults()
	}
	e.Sandbox.Inject(sandbox.Fault{Kind: sandbox.FaultExpire})
	e.mustFault(t, read(t.Context()), fault.Unauthorized)
	e.Sandbox.ClearFaults()
	if err := read(t.Context()); err != nil {
		t.Fatalf("read after the faults are over: %v", err)
	}
	for _, c := range garbled {
		e.wire.answer(c.status, c.contentType, c.body)
		e.mustFault(t, read(t.Context()), c.kinds...)
	}
	e.wire.restore()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e.mustFault(t, read(ctx))
}
