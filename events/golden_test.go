package events_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew")

// examples has every field of the stored forms set. What stands on the
// streams today must be read by tomorrow's Spoke: a golden file is only ever
// added to.
func examples(t *testing.T) map[string]any {
	sealed := desired()
	sealed.KnownID = "1042"
	require.NoError(t, sealed.Seal())

	event := events.NewChange("stripe", "evt_1", change())
	event.TraceParent, event.TraceState = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=b"

	signal := change()
	signal.Signal, signal.Properties, signal.Snapshot, signal.Fields = true, []string{"amount"}, false, nil

	merged := change()
	merged.Op, merged.Into, merged.Snapshot, merged.Fields = events.OpMerged, "78", false, nil

	problem := &events.Problem{Kind: "rejected", Message: "netsuite: create sales order: period is closed", Field: "tranDate", Hint: "open it", Code: "PERIOD_CLOSED"}
	outcome := events.Outcome{
		Connection: "netsuite", Entity: events.EntityOrder, Object: "salesOrder", Record: events.Key{Entity: events.EntityDeal, ID: "77"},
		State: events.StateDone, Effect: events.EffectCreated, ID: "1042", Number: "SO-1042", URL: "https://ns.example/1042",
		Hash: sealed.Hash, Sequence: 9, At: noon, Read: noon.Add(-time.Second), Attempts: 2, Seen: events.Fields{"number": json.RawMessage(`"SO-1042"`)},
		Sent: events.Fields{"placedOn": json.RawMessage(`"2026-11-23"`)}, Error: problem,
	}
	mark := &events.Mark{Source: "hubspot", At: noon, Event: "e2"}
	union := events.Union{Into: events.Key{Entity: events.EntityDeal, ID: "78"}, Source: "hubspot", At: noon, Event: "e3"}
	doc := events.Doc{
		Connection: "netsuite", Object: "salesOrder", Entity: events.EntityOrder, ID: "1042", Number: "SO-1042",
		URL: "https://ns.example/1042", State: events.StateDone, Told: sealed.Hash, ToldAt: 10, Sequence: 9, Effect: events.EffectCreated,
		Error: problem, Seen: map[string]events.Seen{"number": {
			Value: json.RawMessage(`"SO-1042"`), At: noon, Event: "w1", Sent: true, Over: "3y4", Unheard: &events.Unheard{At: noon, Read: noon.Add(time.Second)},
		}},
		At: noon, Event: "w1", Gone: mark, Adopted: events.Key{Entity: events.EntityDeal, ID: "79"},
	}
	return map[string]any{
		"event": event, "outcome_event": events.NewOutcome("netsuite", "w1", outcome), "change": change(), "signal": signal, "merged": merged,
		"outcome": outcome, "desired": sealed,
		"record": events.Record{
			Tenant: "main", Key: events.Key{Entity: events.EntityDeal, ID: "77"}, Version: 3, UpdatedAt: noon, Deleted: mark,
			Merged: &union, Unions: map[string]events.Union{"hubspot": union}, Erased: []events.Mark{*mark},
			Absorbed: map[string]events.Absorbed{"deal/79": {Union: union, Version: 2, Docs: map[string]events.Doc{"netsuite/salesOrder": doc}}},
			Fields: map[string]events.Field{"name": {
				Value: json.RawMessage(`"Renewal"`), Source: "hubspot", At: noon, Event: "e1",
				Others: []events.Candidate{{Source: "netsuite", Value: json.RawMessage(`"Renewed"`), At: noon, Event: "e0"}},
			}},
			Docs:   map[string]events.Doc{"netsuite/salesOrder": doc},
			Wanted: map[string]events.Want{"netsuite/salesOrder": {Hash: sealed.Hash, Flow: "netsuite-sales-order", Named: "1043", Drifts: 4, DriftAt: noon, Contested: true, Said: []events.Said{{Hash: sealed.Hash, Fields: map[string]string{"name": "1x2"}, Since: noon, Until: noon, Shown: true}}}},
			Needed: []string{"netsuite/customer"},
		},
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, v := range examples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := json.MarshalIndent(v, "", "  ")
			require.NoError(t, err)
			path := filepath.Join("testdata", name+".golden")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(path, append(got, '\n'), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err, "run go test ./events -update and review what it wrote")
			require.Empty(t, cmp.Diff(string(want), string(got)+"\n"))

			back := reflect.New(reflect.TypeOf(v))
			require.NoError(t, json.Unmarshal(want, back.Interface()))
			again, err := json.MarshalIndent(back.Interface(), "", "  ")
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(string(got), string(again)), "reading loses something")
		})
	}
}

// An example with an unset field would let that field change unseen.
func TestGoldenExamplesAreFull(t *testing.T) {
	t.Parallel()
	// A signal is no snapshot and brings no fields, and the other way round;
	// only a merger names another object.
	partly := map[string]bool{"Change.Signal": true, "Change.Properties": true, "Change.Into": true}
	var check func(path string, v reflect.Value)
	check = func(path string, v reflect.Value) {
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() == reflect.Map {
			for it := v.MapRange(); it.Next(); {
				check(path, it.Value())
			}
		}
		if v.Kind() != reflect.Struct || v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			name := v.Type().Name() + "." + v.Type().Field(i).Name
			require.True(t, partly[name] || !v.Field(i).IsZero(), "%s: %s is not set", path, name)
			check(path, v.Field(i))
		}
	}
	all := examples(t)
	for _, name := range []string{"event", "change", "outcome", "desired", "record"} {
		check(name, reflect.ValueOf(all[name]))
	}
}
