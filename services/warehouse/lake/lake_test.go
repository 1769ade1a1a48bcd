package lake_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/warehouse/lake"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

func TestCommit(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "a", "lake")
	l := mustOpen(t, root)
	require.Zero(t, l.Position())
	require.NoError(t, l.Append(entries(t, 1, 7)...))
	require.Zero(t, l.Position(), "nothing is durable before a commit")
	rows, last := l.Pending()
	require.Equal(t, 6, rows)
	require.EqualValues(t, 7, last)
	require.Empty(t, dataFiles(t, root))

	c, err := l.Commit()
	require.NoError(t, err)
	require.EqualValues(t, 7, l.Position())
	tag := "-" + lake.Tag(warehouse) + ".parquet"
	file := func(table, date, span string, first, last uint64, rows int) lake.File {
		return lake.File{Path: table + "/date=" + date + "/" + span + tag, Table: table, Date: date, First: first, Last: last, Rows: rows}
	}
	require.Empty(t, cmp.Diff(lake.Commit{
		Format: 1, Stream: lake.Stream{Name: "WAREHOUSE", Created: warehouse.Created}, First: 1, Last: 7, Rows: 6,
		Files: []lake.File{
			file("company_log", "2026-11-23", "00000000000000000002-00000000000000000004", 2, 4, 2),
			file("company_log", "2026-11-24", "00000000000000000006-00000000000000000006", 6, 6, 1),
			file("deal_log", "2026-11-23", "00000000000000000001-00000000000000000007", 1, 7, 2),
			file("deal_log", "2026-11-24", "00000000000000000003-00000000000000000003", 3, 3, 1),
		},
	}, c))
	require.Equal(t, wantRows(7), ids(t, root))
	require.NoError(t, l.Close())
	require.EqualValues(t, 7, mustOpen(t, root).Position())
}

func TestEveryTypeInParquet(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	l := mustOpen(t, root)
	r := aRow(t, events.EntityDeal, "77", 3, monday.Add(1234567*time.Nanosecond), map[string]string{
		"name": `"é"`, "amount": `{"amount":"-1.5","currency":"EUR"}`, "won": `true`, "closeDate": `"2026-11-24"`,
		"lines": `[{"name":"x"}]`,
	})
	require.NoError(t, l.Append(lake.Entry{Seq: 1, Row: &r}))
	_, err := l.Commit()
	require.NoError(t, err)
	rows := contents(t, dataFiles(t, root)[0])
	require.Len(t, rows, 1)
	got := rows[0]
	require.Equal(t, "é", got["name"])
	require.Equal(t, "true", got["won"])
	require.Equal(t, "3", got["_seq"])
	require.Equal(t, "EUR", got["amount_currency"])
	require.JSONEq(t, `[{"name":"x"}]`, got["lines"])
	require.NotContains(t, got, "stage")
	// -1.5 is -1,500,000,000 billionths, in 16 bytes of two's complement.
	require.Equal(t, "ffffffffffffffffffffffffa697d100", hex.EncodeToString([]byte(got["amount"])))
	require.Equal(t, "20781", got["close_date"], "days since 1970")
	require.Equal(t, "1795428000001234", got["_synced_at"], "microseconds since 1970, finer parts cut")
}

func TestAppendDropsWhatItHas(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	l := mustOpen(t, root)
	require.NoError(t, l.Append(entries(t, 1, 4)...))
	require.NoError(t, l.Append(entries(t, 2, 6)...)) // not committed yet
	_, err := l.Commit()
	require.NoError(t, err)
	require.NoError(t, l.Append(entries(t, 1, 6)...)) // committed
	c, err := l.Commit()
	require.NoError(t, err)
	require.Zero(t, c.Last, "nothing new, no commit")
	require.NoError(t, l.Append(entries(t, 5, 8)...))
	_, err = l.Commit()
	require.NoError(t, err)
	require.Equal(t, wantRows(8), ids(t, root))
}

func TestMessagesWithoutRowsMoveThePosition(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	l := mustOpen(t, root)
	require.NoError(t, l.Append(lake.Entry{Seq: 5}))
	c, err := l.Commit()
	require.NoError(t, err)
	require.Empty(t, c.Files)
	require.NoError(t, l.Close())
	require.EqualValues(t, 5, mustOpen(t, root).Position())
}

func TestARecreatedStreamStartsAtOneAgain(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	l := mustOpen(t, root)
	require.NoError(t, l.Append(entries(t, 1, 4)...))
	_, err := l.Commit()
	require.NoError(t, err)
	require.NoError(t, l.Close())

	anew := row.Stream{Name: warehouse.Name, Created: warehouse.Created.Add(time.Hour)}
	l, err = lake.Open(root, anew)
	require.NoError(t, err)
	require.Zero(t, l.Position())
	require.NoError(t, l.Append(entries(t, 1, 4)...))
	_, err = l.Commit()
	require.NoError(t, err)
	require.NoError(t, l.Close())
	// Both streams' rows are there: the second message 1 is another message.
	require.Len(t, ids(t, root), 2*len(wantRows(4)))
	require.EqualValues(t, 4, mustOpen(t, root).Position())
}

func TestOneWriterPerRoot(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	l := mustOpen(t, root)
	_, err := lake.Open(root, warehouse)
	require.ErrorIs(t, err, lake.ErrLocked)
	require.ErrorContains(t, err, "stop it, or give this loader a root of its own")
	require.NoError(t, l.Close())
	mustOpen(t, root)
}

func TestOldCommitRecordsAreDropped(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	l := mustOpen(t, root)
	for seq := uint64(1); seq <= 5; seq++ {
		require.NoError(t, l.Append(entries(t, seq, seq)...))
		_, err := l.Commit()
		require.NoError(t, err)
	}
	records, err := filepath.Glob(filepath.Join(root, ".lake", "commits", "*", "*"))
	require.NoError(t, err)
	require.Len(t, records, 1)
	require.Equal(t, "00000000000000000005.done.json", filepath.Base(records[0]))
}

func TestFilesBeyondThePositionAreRefused(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	l := mustOpen(t, root)
	require.NoError(t, l.Append(entries(t, 1, 4)...))
	_, err := l.Commit()
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NoError(t, os.RemoveAll(filepath.Join(root, ".lake")))
	_, err = lake.Open(root, warehouse)
	require.ErrorContains(t, err, "restore both from one backup")
}

func TestLostFileOfAnUnfinishedCommitIsTold(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	record := filepath.Join(root, ".lake", "commits", "WAREHOUSE-1793520001000000005", "00000000000000000002.pending.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(record), 0o750))
	golden, err := os.ReadFile(filepath.Join("testdata", "commit.json"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(record, golden, 0o600))
	_, err = lake.Open(root, warehouse)
	require.ErrorContains(t, err, "deal_log/date=2026-11-23/00000000000000000001-00000000000000000002-aabbccdd.parquet of an unfinished commit is gone")
}

// A record that was written by an earlier version must load for ever.
func TestGoldenCommitRecord(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	record := filepath.Join(root, ".lake", "commits", "WAREHOUSE-1793520001000000005", "00000000000000000002.done.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(record), 0o750))
	golden, err := os.ReadFile(filepath.Join("testdata", "commit.json"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(record, golden, 0o600))
	require.EqualValues(t, 2, mustOpen(t, root).Position())
}

func TestDamagedCommitRecord(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ record, message string }{
		"no JSON":      {`{"for`, "commit record"},
		"later format": {`{"format":2}`, "format 2, this version reads 1"},
		"escape":       {`{"format":1,"files":[{"path":"../../x"}]}`, "outside the lake"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			path := filepath.Join(root, ".lake", "commits", "WAREHOUSE-1793520001000000005", "00000000000000000002.pending.json")
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
			require.NoError(t, os.WriteFile(path, []byte(tc.record), 0o600))
			_, err := lake.Open(root, warehouse)
			require.ErrorContains(t, err, tc.message)
		})
	}
}

func TestClosedLakeRefuses(t *testing.T) {
	t.Parallel()
	l := mustOpen(t, t.TempDir())
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.Append(entries(t, 1, 1)...), lake.ErrBroken)
	_, err := l.Commit()
	require.ErrorIs(t, err, lake.ErrBroken)
}
