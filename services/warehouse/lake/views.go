package lake

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// ViewsFile is the name of the generated views under the root.
const ViewsFile = "views.sql"

// emptyPartition holds a file without rows per table. It gives the views
// their columns before the first row comes, and new columns before the first
// row that has them. No row is ever from that day.
const emptyPartition = "date=1970-01-01"

const viewsHead = `-- Views over the files of a Spoke lake, for DuckDB 1.4 and later.
-- Generated when the lake is opened; changes are lost.
--
-- <entity>        the latest version of each record that is not deleted; "order" needs its quotes
-- <entity>_log    every observed version
-- outcomes        what came of each write
-- events          every event
`

// Views returns SQL that makes a view per table, and per entity one of its
// current state, over the files under root. It can be run again at any time.
func Views(tables []*row.Table, root string) string {
	var b strings.Builder
	b.WriteString(viewsHead)
	for _, t := range tables {
		b.WriteString(tableView(t, root))
		if t.Entity != "" {
			b.WriteString(currentView(t, root))
		}
	}
	return b.String()
}

// tableView shows every row once. A row can stand in WAREHOUSE twice when
// its publisher was down for longer than the stream recognises repeats; both
// have the same id.
func tableView(t *row.Table, root string) string {
	return fmt.Sprintf(`
CREATE OR REPLACE VIEW %s AS
SELECT
    "date",
%s
FROM %s
QUALIFY row_number() OVER (PARTITION BY "date", %s) = 1;
`, quote(t.Name), columns(t), scan(t, root), quote(row.ColumnRowID))
}

// currentView shows the latest version of each record. A stream that was made
// anew starts its sequences, and its records their versions, from 1 again;
// hence the epoch comes first.
func currentView(t *row.Table, root string) string {
	return fmt.Sprintf(`
CREATE OR REPLACE VIEW %s AS
SELECT
%s
FROM (
    FROM %s
    QUALIFY row_number() OVER (PARTITION BY %s, %s ORDER BY %s DESC, %s DESC, %s DESC) = 1
)
WHERE NOT %s;
`, quote(string(t.Entity)), columns(t), scan(t, root),
		quote(row.ColumnTenant), quote(row.ColumnID),
		quote(row.ColumnEpoch), quote(row.ColumnVersion), quote(row.ColumnSeq), quote(row.ColumnDeleted))
}

func columns(t *row.Table) string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = "    " + quote(c.Name)
	}
	return strings.Join(names, ",\n")
}

func scan(t *row.Table, root string) string {
	glob := globbed(filepath.ToSlash(root)) + "/" + t.Name + "/date=*/*.parquet"
	return "read_parquet('" + strings.ReplaceAll(glob, "'", "''") + "', hive_partitioning = true, union_by_name = true)"
}

// globbed takes the special meaning from the characters of a path in a glob
// of DuckDB.
func globbed(path string) string {
	return strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(path)
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// describe writes what readers need beside the rows: the empty files and the
// views.
func (l *Lake) describe() error {
	for _, t := range l.tables {
		if err := l.describeTable(l.schemas[t.Name]); err != nil {
			return err
		}
	}
	return l.disk.replace(filepath.Join(l.root, ViewsFile), []byte(Views(l.tables, l.root)))
}

// describeTable writes the empty file of a table. Its name changes with the
// columns, so it is written once per schema; older ones do no harm.
func (l *Lake) describeTable(s schema) error {
	sum := sha256.Sum256([]byte(s.parquet.String()))
	dir := filepath.Join(l.root, s.table.Name, emptyPartition)
	path := filepath.Join(dir, "schema-"+hex.EncodeToString(sum[:4])+".parquet")
	if found, err := exists(path); err != nil || found {
		return err
	}
	if err := l.disk.mkdir(dir); err != nil {
		return err
	}
	temp := filepath.Join(l.root, dirStaging, s.table.Name+tempSuffix)
	err := l.disk.create(temp, func(out io.Writer) error { return parquet.NewWriter(out, s.parquet).Close() })
	if err != nil {
		return err
	}
	if err := l.disk.rename(temp, path); err != nil {
		return err
	}
	return l.disk.syncDir(dir)
}
