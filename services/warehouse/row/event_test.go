package row_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func eventOrigin(connection string, e events.Entity, op events.Op, id string) row.Origin {
	s := row.Stream{Name: "EVENTS", Created: hub.Created}
	return row.Origin{Stream: s, Seq: 7, Time: heard, Subject: events.EventSubject("acme", connection, e, op, id)}
}

func columns(t *testing.T, r row.Row) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, c := range r.Table.Columns {
		if r.Value(c.Name) != nil {
			got[c.Name] = text(t, r, c.Name)
		}
	}
	return got
}

func TestFromChange(t *testing.T) {
	t.Parallel()
	c := events.Change{
		Connection: "hubspot", Entity: events.EntityDeal, Object: "deal", ID: "7 7", Op: events.OpChanged, At: told,
		Fields: events.Fields{"name": json.RawMessage(`"Pumps"`)},
	}
	e := events.NewChange("hubspot", "ev-1", c)
	e.TraceParent = trace
	rows, err := row.FromMessage(eventOrigin("hubspot", events.EntityDeal, events.OpChanged, "7 7"), marshal(t, e))
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.Empty(t, cmp.Diff(map[string]string{
		"_tenant": `"acme"`, "_row_id": `"EVENTS:1793520000123456789:7:events"`, "_epoch": `"2026-11-01T08:00:00.123456Z"`,
		"_seq": `7`, "_synced_at": `"2026-11-23T10:30:00.987654Z"`, "_schema_version": `1`,
		"id": `"ev-1"`, "source": `"/connections/hubspot"`, "type": `"com.hubspot.deal.changed.v1"`,
		"subject": `"deal/7 7"`, "time": `"2026-11-23T10:29:58Z"`, "connection": `"hubspot"`, "entity": `"deal"`,
		"op": `"changed"`, "external_id": `"7 7"`, "data": string(e.Data), "trace_id": `"4bf92f3577b34da6a3ce929d0e0e4736"`,
	}, columns(t, rows[0])))
}

func TestFromOutcome(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		outcome events.Outcome
		want    map[string]string
	}{
		"done": {
			events.Outcome{
				Connection: "netsuite", Entity: events.EntityOrder, Object: "salesOrder", Record: deal77,
				State: events.StateDone, Effect: events.EffectCreated, ID: "901", Number: "SO-1042", URL: "https://n.example/901",
				Hash: "h1", Sequence: 12, At: told, Attempts: 2,
			},
			map[string]string{
				"entity": `"order"`, "state": `"done"`, "effect": `"created"`, "external_id": `"901"`, "number": `"SO-1042"`,
				"url": `"https://n.example/901"`, "attempts": `2`,
			},
		},
		"quarantined": {
			events.Outcome{
				Connection: "netsuite", Object: "salesOrder", Record: deal77, State: events.StateQuarantined,
				Hash: "h1", Sequence: 12, At: told,
				Error: &events.Problem{Kind: "rejected", Message: "closed period", Field: "tranDate", Code: "PERIOD"},
			},
			map[string]string{
				"state": `"quarantined"`, "error_kind": `"rejected"`, "error_message": `"closed period"`,
				"error_field": `"tranDate"`, "error_code": `"PERIOD"`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := events.NewOutcome("netsuite", "out-1", tc.outcome)
			e.TraceParent = trace
			rows, err := row.FromMessage(eventOrigin("netsuite", events.EntityOrder, events.OpWritten, "901"), marshal(t, e))
			require.NoError(t, err)
			require.Len(t, rows, 2)
			require.Equal(t, "events", rows[0].Table.Name)
			require.Equal(t, "outcomes", rows[1].Table.Name)
			want := map[string]string{
				"_tenant": `"acme"`, "_row_id": `"EVENTS:1793520000123456789:7:outcomes"`,
				"_epoch": `"2026-11-01T08:00:00.123456Z"`, "_seq": `7`, "_synced_at": `"2026-11-23T10:30:00.987654Z"`,
				"_schema_version": `1`, "event_id": `"out-1"`, "connection": `"netsuite"`, "object": `"salesOrder"`,
				"record": `"deal/77"`, "document_hash": `"h1"`, "document_seq": `12`,
				"written_at": `"2026-11-23T10:29:58Z"`, "trace_id": `"4bf92f3577b34da6a3ce929d0e0e4736"`,
			}
			for k, v := range tc.want {
				want[k] = v
			}
			require.Empty(t, cmp.Diff(want, columns(t, rows[1])))
		})
	}
}

func TestFromMessageLeavesTheRestOfHubOut(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{
		events.DesiredSubject("acme", "netsuite", "salesOrder", deal77),
		events.AliasSubject("acme", events.External{Connection: "stripe", Object: "invoice", ID: "in_1"}), "",
	} {
		rows, err := row.FromMessage(row.Origin{Stream: hub, Seq: 1, Time: heard, Subject: subject}, []byte(`{}`))
		require.NoError(t, err)
		require.Empty(t, rows)
	}
}

func TestFromEventMalformed(t *testing.T) {
	t.Parallel()
	good := eventOrigin("hubspot", events.EntityDeal, events.OpChanged, "77")
	short := good
	short.Subject = "events.acme.hubspot"
	late := marshal(t, events.Event{ID: "1", Source: "/x", Type: "com.x.deal.changed.v1", Data: json.RawMessage(`{}`)})
	for name, tc := range map[string]struct {
		origin row.Origin
		body   string
	}{
		"empty":               {good, ``},
		"no id":               {good, `{"specversion":"1.0","source":"/x","type":"t"}`},
		"foreign subject":     {short, string(late)},
		"outcome of nonsense": {good, `{"specversion":"1.0","id":"1","source":"/x","type":"com.n.order.written.v1","data":"secretthing"}`},
		"no outcome's record": {good, `{"specversion":"1.0","id":"1","source":"/x","type":"com.n.order.written.v1","data":{"record":"secretthing"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := row.FromMessage(tc.origin, []byte(tc.body))
			require.True(t, fault.Is(err, fault.Malformed), "%v", err)
			require.NotContains(t, err.Error(), "secretthing")
		})
	}
}

func TestTraceOfABrokenTraceParent(t *testing.T) {
	t.Parallel()
	for _, parent := range []string{"", "00", "00-12-34-01", "nonsense"} {
		e := events.Event{ID: "1", Source: "/x", Type: "com.x.deal.changed.v1", TraceParent: parent}
		rows, err := row.FromEvent(eventOrigin("x", events.EntityDeal, events.OpChanged, "1"), marshal(t, e))
		require.NoError(t, err)
		require.Nil(t, rows[0].Value("trace_id"))
	}
}

func TestAYearWithoutJSONFormIsMalformed(t *testing.T) {
	t.Parallel()
	e := `{"specversion":"1.0","id":"1","source":"/x","type":"com.x.deal.changed.v1","time":"9999-12-31T23:59:59-14:00"}`
	o := eventOrigin("x", events.EntityDeal, events.OpChanged, "1")
	rows, err := row.FromEvent(o, []byte(e))
	require.NoError(t, err)
	require.Equal(t, 10000, rows[0].Value("time").(time.Time).Year())
	_, err = rows[0].Envelope(o)
	require.True(t, fault.Is(err, fault.Malformed), "%v", err)
}
