package row

import (
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/spoke-sync/spoke/events"
)

// Type is what a column holds. The Go type of a value is given with each.
type Type string

// The column types.
const (
	Text      Type = "text"      // string
	Bool      Type = "bool"      // bool
	Int       Type = "int"       // int64
	Decimal   Type = "decimal"   // events.Decimal that passes Fits
	Date      Type = "date"      // time.Time at midnight UTC
	Timestamp Type = "timestamp" // time.Time in UTC, to the microsecond
	JSON      Type = "json"      // json.RawMessage, compact
)

// Column describes one column.
type Column struct {
	Name string
	Type Type
	// Required is false for a column that may be null. A column made from a
	// canonical field is never required, so that a field added later leaves
	// older rows valid.
	Required bool
	Doc      string
}

// Table describes one table. Tables are built once and never change.
type Table struct {
	Name    string
	Doc     string
	Columns []Column
	// Entity is the canonical entity of a log table, or "".
	Entity events.Entity

	index  map[string]int
	fields []field
}

// field maps a canonical field to its columns.
type field struct {
	events.FieldType
	column int // of the value
	second int // of a money's currency
}

// Column returns the position of a column.
func (t *Table) Column(name string) (int, bool) {
	i, ok := t.index[name]
	return i, ok
}

// SchemaVersion counts changes in the meaning of existing columns. A column
// that is added does not count.
const SchemaVersion = 1

// Names of the tables that belong to no entity.
const (
	TableOutcomes = "outcomes"
	TableEvents   = "events"
)

// custom stands for all entities of custom objects, whose records share a log.
const custom events.Entity = "custom_object"

// LogTable names the log of an entity: "deal_log". All entities of custom
// objects share one.
func LogTable(e events.Entity) string {
	if e.Custom() {
		e = custom
	}
	return string(e) + "_log"
}

// Tables returns all tables in alphabetical order. They must not be changed.
func Tables() []*Table { return all().list }

// Lookup returns a table by name.
func Lookup(name string) (*Table, bool) {
	t, ok := all().byName[name]
	return t, ok
}

type catalog struct {
	list   []*Table
	byName map[string]*Table
}

var all = sync.OnceValue(func() catalog {
	c := catalog{list: []*Table{outcomesTable(), eventsTable()}, byName: map[string]*Table{}}
	for _, e := range events.Entities() {
		c.list = append(c.list, logTable(e, e.Fields()))
	}
	c.list = append(c.list, logTable(custom, events.Entity("x_any").Fields()))
	slices.SortFunc(c.list, func(a, b *Table) int { return strings.Compare(a.Name, b.Name) })
	for _, t := range c.list {
		t.index = make(map[string]int, len(t.Columns))
		for i, col := range t.Columns {
			t.index[col.Name] = i
		}
		c.byName[t.Name] = t
	}
	return c
})

// logTable derives the columns of an entity's log from its canonical fields.
func logTable(e events.Entity, fields map[string]events.FieldType) *Table {
	t := &Table{
		Name: LogTable(e), Entity: e, Doc: "Every observed version of each " + string(e) + ", append-only",
		Columns: slices.Concat(originColumns(), recordColumns()),
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.addField(fields[name])
	}
	return t
}

func (t *Table) addField(f events.FieldType) {
	name, kind := Name(f.Name), Text
	switch f.Kind {
	case events.KindBool:
		kind = Bool
	case events.KindDecimal, events.KindMoney:
		kind = Decimal
	case events.KindTime:
		kind = Timestamp
	case events.KindLines, events.KindApplied:
		kind = JSON
	case events.KindCustom:
		name, kind = "_custom", JSON
	case events.KindString:
		if f.Format == events.FormatDate {
			kind = Date
		}
	case events.KindLink: // the record's key, as text
	}
	t.fields = append(t.fields, field{FieldType: f, column: len(t.Columns), second: len(t.Columns) + 1})
	t.Columns = append(t.Columns, Column{Name: name, Type: kind, Doc: f.Doc})
	if f.Kind == events.KindMoney {
		t.Columns = append(t.Columns, Column{Name: name + "_currency", Type: Text, Doc: "ISO 4217 code of " + name})
	}
}

// reserved are words that need quoting as a column in DuckDB, PostgreSQL,
// Snowflake or BigQuery, as far as a canonical field may come near them.
const reserved = " all and any array as at between by case cast check column constraint create cross " +
	"current default desc distinct else end exists false for foreign from full grant group hash having " +
	"if in inner insert interval into is join left like limit natural new no not null of offset on or order " +
	"outer over partition primary range references right row rows select set some start table then to true " +
	"union unique update user using values when where window with "

// Name returns the column of a canonical field in snake case: closeDate
// becomes close_date. A reserved word gets an underscore at its end.
func Name(fieldName string) string {
	var b strings.Builder
	for i, r := range fieldName {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	if name := b.String(); !strings.Contains(reserved, " "+name+" ") {
		return name
	}
	return b.String() + "_"
}
