package row_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

var deal77 = events.Key{Entity: events.EntityDeal, ID: "77"}

func TestFromRecord(t *testing.T) {
	t.Parallel()
	rec := record(deal77, 3, map[string]string{
		"name": `"Ten <pumps>"`, "amount": `{"amount":"1200.50","currency":"EUR"}`, "won": `true`, "lost": `false`,
		"closeDate": `"2026-11-23"`, "company": `{"record":"company/12","connection":"hubspot","object":"company","id":"12"}`,
		"contact": `{"connection":"hubspot","object":"contact","id":"9"}`, "pipeline": `null`,
		"lines": `[{"name":"Pump","quantity":"10"}]`, "custom.region": `"north"`, "custom.gone": `null`,
	})
	raw := marshal(t, rec)
	r, err := row.FromRecord(recordOrigin(deal77, 42), raw)
	require.NoError(t, err)
	require.Equal(t, "deal_log", r.Table.Name)
	want := map[string]string{
		"_tenant": `"acme"`, "_row_id": `"HUB:1793520000123456789:42:deal_log"`, "_epoch": `"2026-11-01T08:00:00.123456Z"`,
		"_seq": `42`, "_synced_at": `"2026-11-23T10:30:00.987654Z"`, "_schema_version": `1`,
		"_id": `"77"`, "_key": `"deal/77"`, "_version": `3`, "_event_time": `"2026-11-23T10:29:58Z"`,
		"_deleted": `false`, "_op": `"u"`, "_problems": `null`, "_custom": `{"region":"north"}`,
		"name": `"Ten \u003cpumps\u003e"`, "amount": `"1200.50"`, "amount_currency": `"EUR"`, "won": `true`, "lost": `false`,
		"close_date": `"2026-11-23T00:00:00Z"`, "company": `"company/12"`, "contact": `null`,
		"pipeline": `null`, "stage": `null`, "lines": `[{"name":"Pump","quantity":"10"}]`,
		"_raw": string(raw),
	}
	got := map[string]string{}
	for _, c := range r.Table.Columns {
		got[c.Name] = text(t, r, c.Name)
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			want[name] = "null" // a canonical field that was added since
		}
	}
	require.Empty(t, cmp.Diff(want, got))
	require.Equal(t, "2026-11-23", r.Synced().Format("2006-01-02"))
}

func TestFromRecordOp(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		version uint64
		deleted bool
		op      string
	}{
		"first":           {1, false, `"c"`},
		"later":           {2, false, `"u"`},
		"deleted":         {5, true, `"d"`},
		"born as deleted": {1, true, `"d"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := record(deal77, tc.version, nil)
			if tc.deleted {
				rec.Deleted = &events.Mark{Source: "hubspot", At: told, Event: "e9"}
			}
			r, err := row.FromRecord(recordOrigin(deal77, 1), marshal(t, rec))
			require.NoError(t, err)
			require.Equal(t, tc.op, text(t, r, "_op"))
			require.Equal(t, tc.deleted, r.Value(row.ColumnDeleted))
		})
	}
}

func TestValuesThatDoNotFitAreNamedAndKept(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ field, value, column, problem string }{
		"too fine":         {"amount", `{"amount":"0.0000000001","currency":"EUR"}`, "amount", "does not fit DECIMAL(38,9)"},
		"too large":        {"amount", `{"amount":"100000000000000000000000000000","currency":"EUR"}`, "amount", "does not fit DECIMAL(38,9)"},
		"no money":         {"amount", `"12"`, "amount", "no amount of money"},
		"no date":          {"closeDate", `"2026-02-30"`, "close_date", "no date"},
		"a time as a date": {"closeDate", `"2026-02-03T00:00:00Z"`, "close_date", "no date"},
		"no boolean":       {"won", `"yes"`, "won", "no boolean"},
		"no text":          {"name", `12`, "name", "no text"},
		"no link":          {"company", `"12"`, "company", "no link"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := marshal(t, record(deal77, 1, map[string]string{tc.field: tc.value, "stage": `"won"`}))
			r, err := row.FromRecord(recordOrigin(deal77, 1), raw)
			require.NoError(t, err)
			require.Nil(t, r.Value(tc.column))
			require.Equal(t, "won", r.Value("stage"))
			require.JSONEq(t, `[{"column":"`+tc.column+`","problem":"`+tc.problem+`"}]`, text(t, r, "_problems"))
			require.JSONEq(t, string(raw), text(t, r, "_raw"))
		})
	}
}

func TestFromRecordMalformed(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty":          ``,
		"no object":      `7`,
		"no key":         `{"tenant":"acme","version":1}`,
		"no tenant":      `{"key":"deal/77","version":1}`,
		"no version":     `{"tenant":"acme","key":"deal/77"}`,
		"unknown entity": `{"tenant":"acme","key":"secretthing/77","version":1}`,
		"broken":         `{"tenant":"acme","key":"deal/77","version":1,"fields":{"name":{"value":secretthing}}}`,
		"bad time":       `{"tenant":"acme","key":"deal/77","version":1,"updatedAt":"secretthing"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := row.FromRecord(recordOrigin(deal77, 5), []byte(body))
			require.True(t, fault.Is(err, fault.Malformed), "%v", err)
			require.ErrorContains(t, err, "HUB:1793520000123456789:5: ")
			require.NotContains(t, err.Error(), "secretthing")
		})
	}
}

func TestOversizedRowLosesRawOnly(t *testing.T) {
	t.Parallel()
	rec := record(deal77, 1, map[string]string{"name": `"` + strings.Repeat("x", 600_000) + `"`, "won": `"yes"`})
	o := recordOrigin(deal77, 1)
	r, err := row.FromRecord(o, marshal(t, rec))
	require.NoError(t, err)
	env, err := r.Envelope(o)
	require.NoError(t, err)
	require.LessOrEqual(t, len(env.Event.Data), row.MaxBytes)
	back, err := row.Parse(marshal(t, env.Event))
	require.NoError(t, err)
	require.Nil(t, back.Value("_raw"))
	require.Len(t, back.Value("name"), 600_000)
	require.JSONEq(t, `[{"column":"won","problem":"no boolean"},{"column":"_raw","problem":"too large for a message"}]`,
		text(t, back, "_problems"))
	require.NotNil(t, r.Value("_raw"), "the row itself is left as it was")
}

func TestRowThatIsTooLargeWithoutRawIsRejected(t *testing.T) {
	t.Parallel()
	rec := record(deal77, 1, map[string]string{"name": `"` + strings.Repeat("x", row.MaxBytes) + `"`})
	o := recordOrigin(deal77, 1)
	r, err := row.FromRecord(o, marshal(t, rec))
	require.NoError(t, err)
	_, err = r.Envelope(o)
	require.True(t, fault.Is(err, fault.Rejected), "%v", err)
}

func TestRawKeepsEveryDigit(t *testing.T) {
	t.Parallel()
	rec := record(deal77, 1, map[string]string{"custom.ratio": `12345678901234567890.10`})
	r, err := row.FromRecord(recordOrigin(deal77, 1), marshal(t, rec))
	require.NoError(t, err)
	custom, _ := r.Value("_custom").(json.RawMessage)
	require.Contains(t, string(custom), `:12345678901234567890.10}`)
}
