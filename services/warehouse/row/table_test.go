package row_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var trailing = regexp.MustCompile(` +\n`)

// The golden file is what a data team builds on: a column may be added, but
// none may go, change its type, or become required.
func TestTablesGolden(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, table := range row.Tables() {
		fmt.Fprintf(&b, "%s: %s\n", table.Name, table.Doc)
		for _, c := range table.Columns {
			need := "null"
			if c.Required {
				need = "required"
			}
			fmt.Fprintf(&b, "  %-22s %-9s %-8s  %s\n", c.Name, c.Type, need, c.Doc)
		}
	}
	got := trailing.ReplaceAllString(b.String(), "\n")
	path := filepath.Join("testdata", "tables.golden")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), got))
}

func TestEveryCanonicalFieldHasANullableColumn(t *testing.T) {
	t.Parallel()
	for _, e := range events.Entities() {
		table, ok := row.Lookup(row.LogTable(e))
		require.True(t, ok)
		require.Equal(t, e, table.Entity)
		for name, f := range e.Fields() {
			column := row.Name(name)
			if f.Kind == events.KindCustom {
				column = "_custom"
			}
			i, ok := table.Column(column)
			require.True(t, ok, "%s.%s", e, name)
			require.False(t, table.Columns[i].Required, "%s.%s", e, name)
		}
	}
}

func TestColumnNames(t *testing.T) {
	t.Parallel()
	for _, table := range row.Tables() {
		seen := map[string]bool{}
		for _, c := range table.Columns {
			require.False(t, seen[c.Name], "%s.%s stands twice", table.Name, c.Name)
			seen[c.Name] = true
			require.Regexp(t, `^[a-z_][a-z0-9_]*$`, c.Name)
		}
		require.False(t, seen["date"], "%s: date is the name of the partition", table.Name)
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"name": "name", "closeDate": "close_date", "taxId": "tax_id", "interval": "interval_", "order": "order_",
	} {
		require.Equal(t, want, row.Name(field))
	}
}

func TestLookupUnknown(t *testing.T) {
	t.Parallel()
	_, ok := row.Lookup("unheard_log")
	require.False(t, ok)
}
