package lake_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/warehouse/lake"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

var (
	hub       = row.Stream{Name: "HUB", Created: time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)}
	warehouse = row.Stream{Name: "WAREHOUSE", Created: time.Date(2026, 11, 1, 8, 0, 1, 5, time.UTC)}
	monday    = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
)

// aRow makes a row of an entity's log; seq is its sequence in HUB.
func aRow(t require.TestingT, entity events.Entity, id string, seq uint64, at time.Time, fields map[string]string) row.Row {
	rec := events.Record{
		Tenant: "acme", Key: events.Key{Entity: entity, ID: id}, Version: seq, UpdatedAt: at,
		Fields: map[string]events.Field{},
	}
	for name, v := range fields {
		rec.Fields[name] = events.Field{Value: json.RawMessage(v), Source: "hubspot", At: at, Event: "e"}
	}
	raw, err := json.Marshal(rec)
	require.NoError(t, err)
	o := row.Origin{Stream: hub, Seq: seq, Time: at, Subject: events.RecordSubject("acme", rec.Key)}
	r, err := row.FromRecord(o, raw)
	require.NoError(t, err)
	return r
}

// entries makes messages first..last of WAREHOUSE, spread over two tables and
// two days. Each fifth makes no row.
func entries(t require.TestingT, first, last uint64) []lake.Entry {
	var out []lake.Entry
	for seq := first; seq <= last; seq++ {
		e := lake.Entry{Seq: seq}
		if hasRow(seq) {
			entity, at := events.EntityDeal, monday
			if seq%2 == 0 {
				entity = events.EntityCompany
			}
			if seq%3 == 0 {
				at = at.AddDate(0, 0, 1)
			}
			r := aRow(t, entity, fmt.Sprint(seq), seq, at, map[string]string{"name": fmt.Sprintf("%q", fmt.Sprint("n", seq))})
			e.Row = &r
		}
		out = append(out, e)
	}
	return out
}

func hasRow(seq uint64) bool { return seq%5 != 0 }

// wantRows is what the lake must hold after entries 1..last.
func wantRows(last uint64) []string {
	out := []string{}
	for seq := uint64(1); seq <= last; seq++ {
		if hasRow(seq) {
			out = append(out, fmt.Sprint(seq))
		}
	}
	slices.Sort(out)
	return out
}

// dataFiles lists what a reader sees, without the empty schema files.
func dataFiles(t require.TestingT, root string) []string {
	all, err := filepath.Glob(filepath.Join(root, "*", "date=*", "*.parquet"))
	require.NoError(t, err)
	return slices.DeleteFunc(all, func(p string) bool { return strings.HasPrefix(filepath.Base(p), "schema-") })
}

// ids returns the _id of every row in the lake, sorted.
func ids(t require.TestingT, root string) []string {
	out := []string{}
	for _, path := range dataFiles(t, root) {
		out = append(out, column(t, path, "_id")...)
	}
	slices.Sort(out)
	return out
}

// column reads one column of a file.
func column(t require.TestingT, path, name string) []string {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	leaf, ok := f.Schema().Lookup(name)
	require.True(t, ok)
	var out []string
	for _, group := range f.RowGroups() {
		pages := group.ColumnChunks()[leaf.ColumnIndex].Pages()
		for {
			page, err := pages.ReadPage()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			values := make([]parquet.Value, page.NumValues())
			_, err = page.Values().ReadValues(values)
			require.True(t, err == nil || errors.Is(err, io.EOF), "%v", err)
			for _, v := range values {
				out = append(out, v.String())
			}
		}
		require.NoError(t, pages.Close())
	}
	return out
}

// contents reads a file with each value as text; nulls are left out.
func contents(t require.TestingT, path string) []map[string]string {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	r := parquet.NewReader(f)
	columns := r.Schema().Columns()
	var out []map[string]string
	buffer := make([]parquet.Row, 64)
	for {
		n, err := r.ReadRows(buffer)
		for _, cells := range buffer[:n] {
			m := map[string]string{}
			for _, v := range cells {
				if !v.IsNull() {
					m[columns[v.Column()][0]] = v.String()
				}
			}
			out = append(out, m)
		}
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
	}
}

func mustOpen(t testing.TB, root string) *lake.Lake {
	t.Helper()
	l, err := lake.Open(root, warehouse)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}
