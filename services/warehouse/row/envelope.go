package row

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// MaxBytes bounds the data of a row in its message. NATS refuses payloads
// over 1 MiB by default, and the envelope and headers need some room.
const MaxBytes = 1_000_000

// Envelope is a row ready to be published on WAREHOUSE.
type Envelope struct {
	Subject string // warehouse.<tenant>.<table>
	// ID is the message id for the stream's duplicate window and the
	// CloudEvents id: <stream>:<created>:<seq>:<table>.
	ID    string
	Event events.Event
}

// Envelope wraps the row into a CloudEvent. A row that is too large loses
// _raw, its largest column and the only one that repeats others; the loss
// stands in _problems. One that is still too large is Rejected.
func (r Row) Envelope(o Origin) (Envelope, error) {
	data, err := json.Marshal(r)
	if err != nil {
		// Only a time beyond the year 9999 has no JSON form.
		return Envelope{}, fault.New(fault.Malformed, "warehouse: row "+r.text(ColumnRowID), "%w", err)
	}
	if len(data) > MaxBytes && r.Value(columnRaw) != nil {
		return r.withoutRaw().Envelope(o)
	}
	if len(data) > MaxBytes {
		return Envelope{}, fault.New(fault.Rejected, "warehouse: row "+r.text(ColumnRowID),
			"%d bytes, a message holds %d", len(data), MaxBytes)
	}
	id, key := r.text(ColumnRowID), r.text("_key")
	if key == "" {
		key = id
	}
	return Envelope{
		Subject: events.WarehouseSubject(r.text(ColumnTenant), r.Table.Name), ID: id,
		Event: events.Event{
			ID: id, Source: "/streams/" + o.Stream.Name, Type: "com.spoke." + r.Table.Name + ".row.v1",
			Subject: key, Time: r.Synced(), PartitionKey: key,
			TraceParent: o.TraceParent, TraceState: o.TraceState, Data: data,
		},
	}, nil
}

func (r Row) withoutRaw() Row {
	slim := Row{Table: r.Table, Values: append([]any(nil), r.Values...)}
	var issues []issue
	if b, ok := r.Value(columnIssues).(json.RawMessage); ok {
		_ = json.Unmarshal(b, &issues) // written by setIssues
	}
	i, _ := r.Table.Column(columnRaw)
	slim.Values[i] = nil
	slim.setIssues(append(issues, issue{Column: columnRaw, Problem: "too large for a message"}))
	return slim
}

// MarshalJSON writes the row as an object by column. Null columns are left
// out, so that a wide table costs no more than what a row holds.
func (r Row) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, c := range r.Table.Columns {
		if r.Values[i] == nil {
			continue
		}
		v, err := write(c.Type, r.Values[i])
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + c.Name + `":`)
		b.Write(v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Parse reads a row out of the CloudEvent that Envelope made. A column that
// this version of Spoke does not know yet is left out; the log tables still
// have it in _raw. The kind of every error is Malformed; it holds no values.
func Parse(data []byte) (Row, error) {
	const name = "warehouse: row message"
	var e events.Event
	if err := json.Unmarshal(data, &e); err != nil {
		return Row{}, fault.New(fault.Malformed, name, "%w", errors.New(reason(err)))
	}
	table, ok := strings.CutPrefix(e.Type, "com.spoke.")
	if ok {
		table, ok = strings.CutSuffix(table, ".row.v1")
	}
	t, known := Lookup(table)
	if !ok || !known {
		return Row{}, fault.New(fault.Malformed, name, "event %s is no row of a known table", e.ID)
	}
	var byName map[string]json.RawMessage
	if err := json.Unmarshal(e.Data, &byName); err != nil {
		return Row{}, fault.New(fault.Malformed, name, "%s: %s", e.ID, reason(err))
	}
	r := Row{Table: t, Values: make([]any, len(t.Columns))}
	for i, c := range t.Columns {
		v := byName[c.Name]
		if events.IsNull(v) {
			if c.Required {
				return Row{}, fault.New(fault.Malformed, name, "%s: column %s has no value", e.ID, c.Name)
			}
			continue
		}
		value, problem := read(c.Type, v)
		if problem != "" {
			return Row{}, fault.New(fault.Malformed, name, "%s: column %s: %s", e.ID, c.Name, problem)
		}
		r.Values[i] = value
	}
	return r, nil
}
