package events_test

import (
	"encoding/json"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spoke-sync/spoke/events"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.UTC)

func change() events.Change {
	return events.Change{
		Connection: "stripe", Entity: events.EntityInvoice, Object: "invoice", ID: "in_1",
		Record: events.Key{Entity: events.EntityDeal, ID: "77"}, Op: events.OpChanged, At: noon, Read: noon.Add(time.Second), Snapshot: true, Marked: true,
		Fields: events.Fields{"status": json.RawMessage(`"paid"`), "total": json.RawMessage(`{"amount":"12.30","currency":"EUR"}`)},
		Number: "F-1", URL: "https://pay.example/in_1",
	}
}

// What Spoke writes is a valid CloudEvent to the reference implementation,
// attribute by attribute.
func TestEventIsCloudEvent(t *testing.T) {
	t.Parallel()
	e := events.NewChange("stripe", "evt_1", change())
	e.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	b, err := json.Marshal(e)
	require.NoError(t, err)

	var sdk cloudevents.Event
	require.NoError(t, json.Unmarshal(b, &sdk))
	require.NoError(t, sdk.Validate())
	require.Equal(t, "evt_1", sdk.ID())
	require.Equal(t, "/connections/stripe", sdk.Source())
	require.Equal(t, "com.stripe.invoice.changed.v1", sdk.Type())
	require.Equal(t, "invoice/in_1", sdk.Subject())
	require.Equal(t, events.SchemaBase+"change.v1.json", sdk.DataSchema())
	require.Equal(t, "application/json", sdk.DataContentType())
	require.True(t, sdk.Time().Equal(noon))
	require.Equal(t, map[string]any{"partitionkey": "stripe/invoice/in_1", "traceparent": e.TraceParent}, sdk.Extensions())
	var c events.Change
	require.NoError(t, sdk.DataAs(&c))
	require.Empty(t, cmp.Diff(change(), c))
}

// What the reference implementation writes is read without a loss.
func TestReadsForeignCloudEvents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ -~äß€]{1,20}x`)
		sdk := cloudevents.New()
		sdk.SetID(text.Draw(t, "id"))
		sdk.SetSource("/upstreams/" + rapid.StringMatching(`[a-z]{1,9}`).Draw(t, "source"))
		sdk.SetType("com.shop.order.changed.v1")
		sdk.SetSubject(text.Draw(t, "subject"))
		sdk.SetTime(time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "time"), 0).In(time.FixedZone("", 3600)))
		sdk.SetExtension("tracestate", text.Draw(t, "state"))
		sdk.SetExtension("color", "blue")
		require.NoError(t, sdk.SetData("application/json", map[string]string{"name": text.Draw(t, "name")}))
		require.NoError(t, sdk.Validate())
		b, err := json.Marshal(sdk)
		require.NoError(t, err)

		var e events.Event
		require.NoError(t, json.Unmarshal(b, &e))
		require.Empty(t, cmp.Diff(events.Event{
			ID: sdk.ID(), Source: sdk.Source(), Type: sdk.Type(), Subject: sdk.Subject(), Time: sdk.Time().UTC(),
			TraceState: sdk.Extensions()["tracestate"].(string), Data: sdk.Data(),
		}, e))

		again, err := json.Marshal(e)
		require.NoError(t, err)
		var back events.Event
		require.NoError(t, json.Unmarshal(again, &back))
		require.JSONEq(t, string(e.Data), string(back.Data))
		e.Data, back.Data = nil, nil
		require.Empty(t, cmp.Diff(e, back))
	})
}

func TestEventRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`[]`: "cloudevent: json: cannot unmarshal array into Go value of type events.wire",
		`{"specversion":"0.3","id":"1","source":"/a","type":"b"}`: `cloudevent: specversion "0.3": want "1.0"`,
		`{"id":"1","source":"/a","type":"b"}`:                     `cloudevent: specversion "": want "1.0"`,
		`{"specversion":"1.0","source":"/a","type":"b"}`:          "cloudevent: id, source and type are required",
	} {
		var e events.Event
		require.EqualError(t, json.Unmarshal([]byte(in), &e), want)
	}
}

func TestTypeName(t *testing.T) {
	t.Parallel()
	for _, op := range []events.Op{events.OpChanged, events.OpDeleted, events.OpRestored, events.OpWritten} {
		for _, entity := range events.Entities() {
			for _, system := range []string{"stripe", "example.shop"} {
				s, e, o, ok := events.ParseType(events.TypeName(system, entity, op))
				require.True(t, ok)
				require.Equal(t, system, s)
				require.Equal(t, entity, e)
				require.Equal(t, op, o)
			}
		}
	}
	for _, in := range []string{"", "com.a.b.v1", "org.shop.order.changed.v1", "com.shop.order.changed.v2", "com.shop.order.changed"} {
		_, _, _, ok := events.ParseType(in)
		require.False(t, ok, in)
	}
}

func TestNewOutcome(t *testing.T) {
	t.Parallel()
	o := events.Outcome{
		Connection: "netsuite", Entity: events.EntityOrder, Object: "salesOrder", Record: events.Key{Entity: events.EntityDeal, ID: "77"},
		State: events.StateDone, Effect: events.EffectCreated, ID: "1042", Hash: "h", Sequence: 9, At: noon,
	}
	e := events.NewOutcome("netsuite", "w1", o)
	require.True(t, e.IsOutcome())
	require.Equal(t, "com.netsuite.order.written.v1", e.Type)
	require.Equal(t, "salesOrder/deal/77", e.Subject)
	got, err := e.Outcome()
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(o, got))
	require.Equal(t, events.External{Connection: "netsuite", Object: "salesOrder", ID: "1042"}, got.External())

	e = events.NewChange("stripe", "evt_1", change())
	require.False(t, e.IsOutcome())
	c, err := e.Change()
	require.NoError(t, err)
	require.Equal(t, events.External{Connection: "stripe", Object: "invoice", ID: "in_1"}, c.External())
	require.Equal(t, "stripe/invoice", c.External().DocKey())

	e.Data = []byte(`[]`)
	_, err = e.Change()
	require.ErrorContains(t, err, "event evt_1: data is no change")
	_, err = e.Outcome()
	require.ErrorContains(t, err, "event evt_1: data is no outcome")
}

func TestFieldsSet(t *testing.T) {
	t.Parallel()
	f := events.Fields{}
	eur, err := events.NewMoney("0.00", "EUR")
	require.NoError(t, err)
	f.Set("text", "x")
	f.Set("empty", "")
	f.Set("money", eur)
	f.Set("noMoney", events.Money{})
	f.Set("zero", events.Decimal{})
	f.Set("link", events.Link{})
	f.Set("no", false)
	f.SetCustom("vip", true)
	require.Equal(t, map[string]string{
		"text": `"x"`, "empty": "null", "money": `{"amount":"0.00","currency":"EUR"}`, "noMoney": "null",
		"zero": `"0"`, "link": "null", "no": "false", "custom.vip": "true",
	}, asText(f))
	require.Equal(t, "x", f.Text("text"))
	require.Empty(t, f.Text("money"))
	require.Empty(t, f.Text("absent"))
	require.True(t, f.Money("money").Equal(eur))
	require.True(t, f.Money("text").IsZero())
	require.True(t, events.IsNull(f["absent"]) && events.IsNull(f["empty"]) && !events.IsNull(f["no"]))
	require.Panics(t, func() { f.Set("bad", make(chan int)) })
}

func FuzzEvent(f *testing.F) {
	for _, seed := range []string{
		`{"specversion":"1.0","id":"1","source":"/a","type":"b","time":"2026-01-01T00:00:00+01:00","data":{"a":1}}`,
		`{"specversion":"1.0","id":"1","source":"/a","type":"b","time":"0000-01-01T00:00:00+23:00"}`,
		`{"specversion":"1.0","id":"","source":"/a","type":"b"}`, `{`, `null`, `{"specversion":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var e events.Event
		if json.Unmarshal(raw, &e) != nil || e.Time.Year() < 0 || e.Time.Year() > 9999 {
			return
		}
		b, err := json.Marshal(e)
		require.NoError(t, err)
		var back events.Event
		require.NoError(t, json.Unmarshal(b, &back))
		require.True(t, e.Time.Equal(back.Time))
		if len(e.Data) > 0 {
			require.JSONEq(t, string(e.Data), string(back.Data))
		}
		e.Data, back.Data, e.Time, back.Time = nil, nil, time.Time{}, time.Time{}
		require.Empty(t, cmp.Diff(e, back))
	})
}
