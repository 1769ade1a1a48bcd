package lake_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/warehouse/lake"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), got))
}

func TestViewsGolden(t *testing.T) {
	t.Parallel()
	golden(t, "views.golden.sql", lake.Views(row.Tables(), "/srv/lake"))
}

func TestSchemaGolden(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, table := range row.Tables() {
		b.WriteString(lake.SchemaText(table) + "\n")
	}
	golden(t, "schema.golden", b.String())
}

func TestViewsOfAnOddRoot(t *testing.T) {
	t.Parallel()
	sql := lake.Views(row.Tables()[:1], "/it's/a[b]*?")
	require.Contains(t, sql, "read_parquet('/it''s/a[[]b][*][?]/company_log/date=*/*.parquet'")
}

func TestOpenWritesTheViews(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	mustOpen(t, root)
	sql, err := os.ReadFile(filepath.Join(root, lake.ViewsFile))
	require.NoError(t, err)
	require.Equal(t, lake.Views(row.Tables(), root), string(sql))
	for _, table := range row.Tables() {
		empty, err := filepath.Glob(filepath.Join(root, table.Name, "date=1970-01-01", "schema-*.parquet"))
		require.NoError(t, err)
		require.Len(t, empty, 1)
		require.Empty(t, contents(t, empty[0]))
	}
}
