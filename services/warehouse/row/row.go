package row

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// Stream identifies a stream for good. A stream that is deleted and made
// again has the same name and starts at sequence 1, so the name alone would
// mistake new messages for old ones.
type Stream struct {
	Name    string
	Created time.Time
}

// ID returns "name:created", created in nanoseconds since 1970.
func (s Stream) ID() string { return fmt.Sprintf("%s:%d", s.Name, s.Created.UnixNano()) }

// Equal reports whether both are the same stream, whatever the time zone that
// Created is written in.
func (s Stream) Equal(o Stream) bool { return s.Name == o.Name && s.Created.Equal(o.Created) }

// Origin is the place of a message in its stream.
type Origin struct {
	Stream  Stream
	Seq     uint64
	Time    time.Time // when the stream stored it
	Subject string
	// TraceParent and TraceState are the W3C context that the message came
	// with, if any.
	TraceParent string
	TraceState  string
}

// String returns "stream:created:seq".
func (o Origin) String() string { return fmt.Sprintf("%s:%d", o.Stream.ID(), o.Seq) }

// RowID returns the id of the row that the message makes in a table.
func (o Origin) RowID(table string) string { return o.String() + ":" + table }

// Row is one row of a table.
type Row struct {
	Table *Table
	// Values has one value per column of Table, in that order, of the Go type
	// that the column's Type names, or nil.
	Values []any
}

// Value returns the value of a column, or nil.
func (r Row) Value(column string) any {
	if i, ok := r.Table.Column(column); ok {
		return r.Values[i]
	}
	return nil
}

// text returns a text value, or "".
func (r Row) text(column string) string {
	s, _ := r.Value(column).(string)
	return s
}

// Synced returns when the source stream stored what the row tells.
func (r Row) Synced() time.Time {
	t, _ := r.Value(ColumnSynced).(time.Time)
	return t
}

// set stores a value. The empty string is no value in a column that may be
// null. A column that the table lacks is a bug.
func (r Row) set(column string, v any) {
	i, ok := r.Table.Column(column)
	if !ok {
		panic("row: table " + r.Table.Name + " has no column " + column)
	}
	switch x := v.(type) {
	case string:
		if x == "" && !r.Table.Columns[i].Required {
			return
		}
	case time.Time:
		if x.IsZero() && !r.Table.Columns[i].Required {
			return
		}
		v = micros(x)
	case json.RawMessage:
		if events.IsNull(x) {
			return
		}
	}
	r.Values[i] = v
}

// micros cuts a time to what the column keeps.
func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// start returns a row with its origin filled in.
func start(t *Table, tenant string, o Origin) Row {
	r := Row{Table: t, Values: make([]any, len(t.Columns))}
	r.set(ColumnTenant, tenant)
	r.set(ColumnRowID, o.RowID(t.Name))
	r.set(ColumnEpoch, o.Stream.Created)
	r.set(ColumnSeq, int64(o.Seq))
	r.set(ColumnSynced, o.Time)
	r.set("_schema_version", int64(SchemaVersion))
	return r
}

// FromMessage turns a message of HUB or EVENTS into rows. A message that is
// no concern of the warehouse (a desired document, an alias) makes none. The
// kind of every error is Malformed; it holds no values.
func FromMessage(o Origin, data []byte) ([]Row, error) {
	switch kind, _, _ := strings.Cut(o.Subject, "."); kind {
	case "record":
		r, err := FromRecord(o, data)
		if err != nil {
			return nil, err
		}
		return []Row{r}, nil
	case "events":
		return FromEvent(o, data)
	default:
		return nil, nil
	}
}

// malformed wraps the reason why a message makes no row.
func malformed(o Origin, err error) error {
	return fault.New(fault.Malformed, "warehouse: message "+o.String(), "%w", err)
}
