package row_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

func TestEnvelope(t *testing.T) {
	t.Parallel()
	o := recordOrigin(deal77, 42)
	o.TraceParent, o.TraceState = trace, "v=1"
	r, err := row.FromRecord(o, marshal(t, record(deal77, 1, map[string]string{"name": `"Pumps"`})))
	require.NoError(t, err)
	env, err := r.Envelope(o)
	require.NoError(t, err)
	data := env.Event.Data
	env.Event.Data = nil
	require.Empty(t, cmp.Diff(row.Envelope{
		Subject: "warehouse.acme.deal_log", ID: "HUB:1793520000123456789:42:deal_log",
		Event: events.Event{
			ID: "HUB:1793520000123456789:42:deal_log", Source: "/streams/HUB", Type: "com.spoke.deal_log.row.v1",
			Subject: "deal/77", PartitionKey: "deal/77", Time: r.Synced(), TraceParent: trace, TraceState: "v=1",
		},
	}, env))
	require.Contains(t, string(data), `"_seq":42,`)
	require.NotContains(t, string(data), `"pipeline":null`)
}

// value draws the JSON of a canonical field, mostly of the right kind.
func value(t *rapid.T, f events.FieldType) string {
	texts := rapid.String()
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	if rapid.IntRange(0, 9).Draw(t, "wrong") == 0 {
		return rapid.SampledFrom([]string{`null`, `"x"`, `7`, `[]`, `{}`, `true`}).Draw(t, "other kind")
	}
	amount := fmt.Sprintf("%d.%0*d", rapid.Int64().Draw(t, "whole"), rapid.IntRange(1, 12).Draw(t, "places"), rapid.IntRange(0, 99).Draw(t, "cents"))
	switch f.Kind {
	case events.KindBool:
		return fmt.Sprint(rapid.Bool().Draw(t, "bool"))
	case events.KindDecimal:
		return quoted(amount)
	case events.KindMoney:
		return `{"amount":` + quoted(amount) + `,"currency":"EUR"}`
	case events.KindLink:
		return `{"record":` + quoted("company/"+rapid.StringMatching(`[a-zA-Z0-9 "<é]{1,9}`).Draw(t, "id")) + `}`
	case events.KindLines:
		return `[{"name":` + quoted(texts.Draw(t, "line")) + `}]`
	default:
		if f.Format == events.FormatDate {
			return quoted(rapid.StringMatching(`20[0-9]{2}-[01][0-9]-[0-3][0-9]`).Draw(t, "date"))
		}
		return quoted(texts.Draw(t, "text"))
	}
}

// canonicalJSON makes JSON columns comparable: encoding a message may escape
// a character another way.
func canonicalJSON(t require.TestingT, r row.Row) []any {
	out := make([]any, len(r.Values))
	for i, v := range r.Values {
		out[i] = v
		if b, ok := v.(json.RawMessage); ok {
			dec := json.NewDecoder(strings.NewReader(string(b)))
			dec.UseNumber()
			var x any
			require.NoError(t, dec.Decode(&x))
			out[i] = x
		}
		if d, ok := v.(events.Decimal); ok {
			out[i] = d.String()
		}
	}
	return out
}

// A row survives its journey, and the same message makes the same row.
func TestRecordsMakeStableRows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		entity := rapid.SampledFrom(events.Entities()).Draw(t, "entity")
		key := events.Key{Entity: entity, ID: rapid.StringMatching(`[a-zA-Z0-9 ./é"-]{1,20}`).Draw(t, "id")}
		fields := map[string]string{}
		for name, f := range entity.Fields() {
			if f.Kind == events.KindCustom {
				fields["custom."+rapid.String().Draw(t, "custom")] = `"x"`
			} else if rapid.Bool().Draw(t, name) {
				fields[name] = value(t, f)
			}
		}
		raw, err := json.Marshal(record(key, rapid.Uint64Range(1, 1<<40).Draw(t, "version"), fields))
		require.NoError(t, err)
		o := recordOrigin(key, rapid.Uint64Range(1, 1<<50).Draw(t, "seq"))

		rows, err := row.FromMessage(o, raw)
		require.NoError(t, err)
		require.Len(t, rows, 1)
		env, err := rows[0].Envelope(o)
		require.NoError(t, err)
		wire, err := json.Marshal(env.Event)
		require.NoError(t, err)
		back, err := row.Parse(wire)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(canonicalJSON(t, rows[0]), canonicalJSON(t, back)))

		again, err := row.FromMessage(o, raw)
		require.NoError(t, err)
		env2, err := again[0].Envelope(o)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(env, env2))
	})
}

func TestParseLeavesNewerColumnsOut(t *testing.T) {
	t.Parallel()
	o := recordOrigin(deal77, 1)
	r, err := row.FromRecord(o, marshal(t, record(deal77, 1, nil)))
	require.NoError(t, err)
	env, err := r.Envelope(o)
	require.NoError(t, err)
	env.Event.Data = json.RawMessage(strings.Replace(string(env.Event.Data), `{`, `{"of_tomorrow":1,`, 1))
	back, err := row.Parse(marshal(t, env.Event))
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(canonicalJSON(t, r), canonicalJSON(t, back)))
}

func TestParseMalformed(t *testing.T) {
	t.Parallel()
	head := `{"specversion":"1.0","id":"1","source":"/x","type":`
	for name, body := range map[string]string{
		"empty":          ``,
		"no event":       `{}`,
		"no row":         head + `"com.hubspot.deal.changed.v1","data":{}}`,
		"unknown table":  head + `"com.spoke.unheard_log.row.v1","data":{}}`,
		"no data":        head + `"com.spoke.deal_log.row.v1"}`,
		"missing column": head + `"com.spoke.deal_log.row.v1","data":{"_tenant":"acme"}}`,
		"wrong type":     head + `"com.spoke.deal_log.row.v1","data":{"_tenant":{"secretthing":1}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := row.Parse([]byte(body))
			require.True(t, fault.Is(err, fault.Malformed), "%v", err)
			require.NotContains(t, err.Error(), "secretthing")
		})
	}
}

func TestUnscaled(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0": "0", "1.5": "1500000000", "-1.5": "-1500000000", "0.000000001": "1", "-0.5": "-500000000", "1e3": "1000000000000",
		"12.300000000000":                          "12300000000",
		"99999999999999999999999999999.999999999":  "99999999999999999999999999999999999999",
		"100000000000000000000000000000":           "",
		"-100000000000000000000000000000":          "",
		"0.0000000001":                             "",
		"-99999999999999999999999999999.999999999": "-99999999999999999999999999999999999999",
	} {
		d := events.MustDecimal(in)
		n, ok := row.Unscaled(d)
		require.Equal(t, want != "", ok, in)
		require.Equal(t, ok, row.Fits(d), in)
		if ok {
			require.Equal(t, want, n.String(), in)
		}
	}
}

func FuzzFromMessage(f *testing.F) {
	f.Add("record.acme.deal.77", marshal(f, record(deal77, 1, map[string]string{"amount": `{"amount":"1","currency":"EUR"}`})))
	out := events.NewOutcome("netsuite", "o1", events.Outcome{Connection: "netsuite", Entity: "order", Object: "salesOrder", Record: deal77, At: told})
	f.Add("events.acme.netsuite.order.written.901", marshal(f, out))
	f.Add("events.acme.x.deal.changed.1", []byte(`{"specversion":"1.0","id":"1","source":"/x","type":"t","data":[1.50]}`))
	f.Fuzz(func(t *testing.T, subject string, data []byte) {
		o := row.Origin{Stream: hub, Seq: 1, Time: heard, Subject: subject}
		rows, err := row.FromMessage(o, data)
		if err != nil {
			require.True(t, fault.Is(err, fault.Malformed))
			return
		}
		for _, r := range rows {
			env, err := r.Envelope(o)
			if err != nil {
				continue
			}
			back, err := row.Parse(marshal(t, env.Event))
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(canonicalJSON(t, r), canonicalJSON(t, back)))
		}
	})
}

func FuzzParse(f *testing.F) {
	o := recordOrigin(deal77, 1)
	r, err := row.FromRecord(o, marshal(f, record(deal77, 1, nil)))
	require.NoError(f, err)
	env, err := r.Envelope(o)
	require.NoError(f, err)
	f.Add(marshal(f, env.Event))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := row.Parse(data)
		if err != nil {
			require.True(t, fault.Is(err, fault.Malformed))
			return
		}
		for i, c := range r.Table.Columns {
			require.False(t, c.Required && r.Values[i] == nil)
		}
	})
}
