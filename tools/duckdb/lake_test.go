package duckdb_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/warehouse/lake"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

var (
	hub       = row.Stream{Name: "HUB", Created: time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)}
	log       = row.Stream{Name: "EVENTS", Created: time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)}
	warehouse = row.Stream{Name: "WAREHOUSE", Created: time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)}
	monday    = time.Date(2026, 11, 23, 10, 0, 0, 123456000, time.UTC)
)

// bundle is a lake that is being filled and a DuckDB that reads it.
type bundle struct {
	t    *testing.T
	root string
	lake *lake.Lake
	seq  uint64
	db   *sql.DB
}

func newBundle(t *testing.T) *bundle {
	t.Helper()
	root := filepath.Join(t.TempDir(), "it's [a] lake")
	l, err := lake.Open(root, warehouse)
	require.NoError(t, err)
	db, err := sql.Open("duckdb", "")
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		require.NoError(t, db.Close())
		require.NoError(t, l.Close())
	})
	b := &bundle{t: t, root: root, lake: l, db: db}
	b.exec("SET TimeZone = 'UTC'")
	views, err := os.ReadFile(filepath.Join(root, lake.ViewsFile))
	require.NoError(t, err)
	b.exec(string(views))
	return b
}

func (b *bundle) exec(query string) {
	b.t.Helper()
	_, err := b.db.ExecContext(b.t.Context(), query)
	require.NoError(b.t, err)
}

// rows returns a result as text, columns joined by "|", NULL as "-".
func (b *bundle) rows(query string) []string {
	b.t.Helper()
	found, err := b.db.QueryContext(b.t.Context(), query)
	require.NoError(b.t, err, query)
	defer func() { require.NoError(b.t, found.Close()) }()
	names, err := found.Columns()
	require.NoError(b.t, err)
	out := []string{}
	for found.Next() {
		cells := make([]any, len(names))
		for i := range cells {
			cells[i] = new(sql.NullString)
		}
		require.NoError(b.t, found.Scan(cells...))
		text := make([]string, len(cells))
		for i, c := range cells {
			text[i] = "-"
			if s := c.(*sql.NullString); s.Valid {
				text[i] = s.String
			}
		}
		out = append(out, strings.Join(text, "|"))
	}
	require.NoError(b.t, found.Err())
	return out
}

// add appends the rows of a message and commits them.
func (b *bundle) add(o row.Origin, body any) {
	b.t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(b.t, err)
	rows, err := row.FromMessage(o, raw)
	require.NoError(b.t, err)
	for _, r := range rows {
		b.seq++
		require.NoError(b.t, b.lake.Append(lake.Entry{Seq: b.seq, Row: &r}))
	}
	_, err = b.lake.Commit()
	require.NoError(b.t, err)
}

func (b *bundle) record(s row.Stream, seq uint64, at time.Time, id string, version uint64, deleted bool, fields map[string]string) {
	b.t.Helper()
	rec := events.Record{
		Tenant: "acme", Key: events.Key{Entity: events.EntityDeal, ID: id}, Version: version, UpdatedAt: at,
		Fields: map[string]events.Field{},
	}
	for name, v := range fields {
		rec.Fields[name] = events.Field{Value: json.RawMessage(v), Source: "hubspot", At: at, Event: "e"}
	}
	if deleted {
		rec.Deleted = &events.Mark{Source: "hubspot", At: at, Event: "e"}
	}
	b.add(row.Origin{Stream: s, Seq: seq, Time: at, Subject: events.RecordSubject("acme", rec.Key)}, rec)
}

func TestEmptyLake(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for _, table := range row.Tables() {
		require.Equal(t, []string{"0"}, b.rows(`SELECT count(*) FROM `+table.Name))
		if table.Entity != "" {
			require.Equal(t, []string{"0"}, b.rows(`SELECT count(*) FROM "`+string(table.Entity)+`"`))
		}
	}
}

// Every column can be named without quotes and has the type that was meant.
func TestColumnTypes(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	types := map[row.Type]string{
		row.Text: "VARCHAR", row.Bool: "BOOLEAN", row.Int: "BIGINT", row.Decimal: "DECIMAL(38,9)", row.Date: "DATE",
		row.Timestamp: "TIMESTAMP WITH TIME ZONE", row.JSON: "JSON",
	}
	for _, table := range row.Tables() {
		want := []string{"date|DATE"}
		for _, c := range table.Columns {
			want = append(want, c.Name+"|"+types[c.Type])
			b.rows(`SELECT ` + c.Name + ` FROM ` + table.Name)
		}
		got := b.rows(`SELECT column_name, column_type FROM (DESCRIBE ` + table.Name + `)`)
		require.Empty(t, cmp.Diff(want, got))
	}
}

func TestCurrentState(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	next := monday.AddDate(0, 0, 1)
	b.record(hub, 10, monday, "1", 1, false, map[string]string{"name": `"Pumps"`, "amount": `{"amount":"12.30","currency":"EUR"}`})
	b.record(hub, 11, monday, "2", 1, false, map[string]string{"name": `"Valves"`})
	b.record(hub, 14, next, "1", 3, false, map[string]string{
		"name": `"Ten pumps"`, "amount": `{"amount":"-99999999999999999999999999999.999999999","currency":"JPY"}`, "won": `true`,
		"closeDate": `"2026-11-24"`, "company": `{"record":"company/12"}`, "lines": `[{"quantity":"2"}]`, "custom.region": `"north"`,
	})
	b.record(hub, 13, next, "1", 2, false, map[string]string{"name": `"late to come"`})
	b.record(hub, 15, next, "2", 2, true, map[string]string{"name": `"Valves"`})

	require.Empty(t, cmp.Diff(
		[]string{"1|Ten pumps|-99999999999999999999999999999.999999999|JPY|true|2026-11-24|company/12|2|north|3|2026-11-24 10:00:00.123456+00"},
		b.rows(`SELECT _id, name, amount::VARCHAR, amount_currency, won, close_date::VARCHAR, company, lines->0->>'quantity',
			_custom->>'region', _version, _synced_at::VARCHAR FROM deal`),
	))
	require.Equal(t, []string{"1|c|2026-11-23", "1|u|2026-11-24", "1|u|2026-11-24", "2|c|2026-11-23", "2|d|2026-11-24"},
		b.rows(`SELECT _id, _op, date::VARCHAR FROM deal_log ORDER BY _id, _version`))
	require.Equal(t, []string{"12.300000000"}, b.rows(`SELECT sum(amount)::VARCHAR FROM deal_log WHERE date = '2026-11-23'`))
	require.Equal(t, []string{"Pumps"}, b.rows(`SELECT _raw->'fields'->'name'->>'value' FROM deal_log WHERE _version = 1 AND _id = '1'`))
}

// The row that a publisher repeats is shown once, and a HUB that was made
// anew outranks the one before although its versions start at 1.
func TestRepeatsAndARecreatedHub(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for range 2 {
		b.record(hub, 10, monday, "1", 7, false, map[string]string{"name": `"old"`})
	}
	require.Equal(t, []string{"1"}, b.rows(`SELECT count(*) FROM deal_log`))
	anew := row.Stream{Name: "HUB", Created: hub.Created.AddDate(0, 0, 30)}
	b.record(anew, 1, monday.AddDate(0, 0, 20), "1", 1, false, map[string]string{"name": `"new"`})
	require.Equal(t, []string{"new|1"}, b.rows(`SELECT name, _version FROM deal`))
	require.Equal(t, []string{"2"}, b.rows(`SELECT count(*) FROM deal_log`))
}

func TestOutcomesAndEvents(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	e := events.NewOutcome("netsuite", "out-1", events.Outcome{
		Connection: "netsuite", Entity: events.EntityOrder, Object: "salesOrder", Record: events.Key{Entity: events.EntityDeal, ID: "77"},
		State: events.StateDone, Effect: events.EffectCreated, ID: "901", Number: "SO-1042", Hash: "h", Sequence: 12, At: monday, Attempts: 2,
	})
	e.TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	o := row.Origin{Stream: log, Seq: 5, Time: monday, Subject: events.EventSubject("acme", "netsuite", events.EntityOrder, events.OpWritten, "901")}
	for range 2 {
		b.add(o, e)
	}
	require.Equal(t, []string{"netsuite|salesOrder|deal/77|done|created|901|SO-1042|2|-|4bf92f3577b34da6a3ce929d0e0e4736"},
		b.rows(`SELECT connection, object, record, state, effect, external_id, number, attempts, error_kind, trace_id FROM outcomes`))
	require.Equal(t, []string{"out-1|written|SO-1042"}, b.rows(`SELECT id, op, data->>'number' FROM events`))
}

// Files that were written before a canonical field existed stay readable
// beside newer ones.
func TestFilesOfAnOlderSchema(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.record(hub, 10, monday, "1", 1, false, map[string]string{"name": `"Pumps"`, "stage": `"won"`})
	type older struct {
		Tenant  string    `parquet:"_tenant"`
		RowID   string    `parquet:"_row_id"`
		Epoch   time.Time `parquet:"_epoch,timestamp(microsecond)"`
		Seq     int64     `parquet:"_seq"`
		Synced  time.Time `parquet:"_synced_at,timestamp(microsecond)"`
		ID      string    `parquet:"_id"`
		Version int64     `parquet:"_version"`
		Deleted bool      `parquet:"_deleted"`
		Name    *string   `parquet:"name,optional"`
	}
	dir := filepath.Join(b.root, "deal_log", "date=2025-01-01")
	require.NoError(t, os.MkdirAll(dir, 0o750))
	name := "Old deal"
	require.NoError(t, parquet.WriteFile(filepath.Join(dir, "1-1-older.parquet"), []older{
		{Tenant: "acme", RowID: "r", Epoch: hub.Created, Seq: 1, Synced: monday, ID: "9", Version: 1, Name: &name},
	}))
	require.Equal(t, []string{"1|Pumps|won", "9|Old deal|-"}, b.rows(`SELECT _id, name, stage FROM deal ORDER BY _id`))
}

// What other tools do: read the files of one day by themselves.
func TestPlainFiles(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.record(hub, 10, monday, "1", 1, false, map[string]string{"amount": `{"amount":"0.000000001","currency":"EUR"}`})
	glob := strings.NewReplacer("[", "[[]", "'", "''").Replace(b.root) + "/deal_log/date=2026-11-23/*.parquet"
	require.Equal(t, []string{"0.000000001"}, b.rows(fmt.Sprintf(`SELECT amount::VARCHAR FROM read_parquet('%s')`, glob)))
}
