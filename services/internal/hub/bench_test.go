package hub_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// BenchmarkMerge merges and routes what goes round for one change at the hub of a
// company of twelve fields: the change, the outcome of the write, and what is read
// of it.
func BenchmarkMerge(b *testing.B) {
	p, flows := policy(b, nil), customers(b)
	fields := func(i int) events.Fields {
		f := events.Fields{}
		for _, name := range []string{
			"name", "phone", "street", "city", "state", "zip", "country", "email", "domain", "taxId", "currency", "custom.tier",
		} {
			f.Set(name, name)
		}
		f.Set("name", fmt.Sprint("Acme ", i))
		return f
	}
	rec := company()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		at := t0.Add(time.Duration(i) * time.Minute)
		change := events.Change{
			Connection: "hubspot", Entity: events.EntityCompany, Object: "company", ID: "9", Op: events.OpChanged,
			At: at, Read: at.Add(time.Second), Snapshot: true, Fields: fields(i),
		}
		rec, _ = hub.Merge(rec, []hub.Fact{{ID: fmt.Sprint("h", i), Change: &change}}, p)
		rec, _, _ = hub.Route(rec, flows)
		rec, _ = hub.Merge(rec, []hub.Fact{{ID: fmt.Sprint("w", i), Outcome: &events.Outcome{
			Connection: "netsuite", Entity: events.EntityCompany, Object: "company", ID: "9", Record: rec.Key, State: events.StateDone,
			Hash: rec.Wanted["netsuite/company"].Hash, Sequence: uint64(i + 1), Read: at.Add(2 * time.Second), At: at.Add(3 * time.Second), Seen: fields(i),
		}}}, p)
		rec, _, _ = hub.Route(rec, flows)
		read := change
		read.Connection, read.At, read.Read = "netsuite", at.Add(3*time.Second), at.Add(30*time.Second)
		rec, _ = hub.Merge(rec, []hub.Fact{{ID: fmt.Sprint("r", i), Change: &read}}, p)
		rec, _, _ = hub.Route(rec, flows)
	}
	text, _ := rec.MarshalJSON()
	b.ReportMetric(float64(len(text)), "B/record")
}
