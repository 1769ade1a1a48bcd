package lake

import (
	"github.com/parquet-go/parquet-go"

	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// OpenWatched is Open with few tables, no compression (its encoders take
// megabytes each) and a function that is called before each change of the file
// system and may stop it.
func OpenWatched(root string, s row.Stream, before func(op, path, to string) error) (*Lake, error) {
	deals, _ := row.Lookup("deal_log")
	companies, _ := row.Lookup("company_log")
	return open(root, s, &Lake{
		tables: []*row.Table{deals, companies}, codec: &parquet.Uncompressed,
		disk: disk{before: before, idle: true},
	})
}

// Abandon ends a Lake as a killed process does: nothing is tidied, and the
// system releases the lock.
func (l *Lake) Abandon() { _ = l.lock.Close() }

// Tag is the part of a file's name that tells streams apart.
func Tag(s row.Stream) string { return tag(s) }

// SchemaText is the Parquet schema of a table.
func SchemaText(t *row.Table) string { return newSchema(t).parquet.String() }
