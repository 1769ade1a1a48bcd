package row

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/spoke-sync/spoke/events"
)

// customPrefix starts the name of a custom field in a record.
const customPrefix = "custom."

// FromRecord turns a golden record into a row of its entity's log. raw is the
// body of the message on a record subject. A value that does not fit its
// column leaves the column null and is named in _problems.
func FromRecord(o Origin, raw []byte) (Row, error) {
	var rec events.Record
	if err := json.Unmarshal(raw, &rec); err != nil {
		return Row{}, malformed(o, errors.New("no record: "+reason(err)))
	}
	t, ok := Lookup(LogTable(rec.Key.Entity))
	if !ok || rec.Tenant == "" || rec.Version == 0 {
		return Row{}, malformed(o, errors.New("a record needs a tenant, a key and a version"))
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return Row{}, malformed(o, errors.New("no record: "+reason(err)))
	}
	r := start(t, rec.Tenant, o)
	id := rec.Key.ID
	if rec.Key.Entity.Custom() { // whose kinds share a table
		id = rec.Key.String()
	}
	r.set(ColumnID, id)
	r.set("_key", rec.Key.String())
	r.set(ColumnVersion, int64(rec.Version))
	r.set("_event_time", rec.UpdatedAt)
	r.set(ColumnDeleted, rec.Deleted != nil || rec.Merged != nil)
	r.set("_op", op(rec))
	r.set(columnRaw, json.RawMessage(compact.Bytes()))
	r.setFields(rec.Fields)
	return r, nil
}

func op(rec events.Record) string {
	switch {
	case rec.Deleted != nil || rec.Merged != nil:
		return "d"
	case rec.Version == 1:
		return "c"
	default:
		return "u"
	}
}

// setFields fills the typed columns.
func (r Row) setFields(fields map[string]events.Field) {
	var issues []issue
	for _, f := range r.Table.fields {
		if f.Kind == events.KindCustom {
			r.setCustom(f, fields)
			continue
		}
		value := fields[f.Name].Value
		if events.IsNull(value) {
			continue
		}
		if problem := r.setField(f, value); problem != "" {
			issues = append(issues, issue{Column: r.Table.Columns[f.column].Name, Problem: problem})
		}
	}
	r.setIssues(issues)
}

// setCustom gathers the custom fields into one object. A value that is no
// JSON can't be here, since the record was decoded from JSON.
func (r Row) setCustom(f field, fields map[string]events.Field) {
	custom := map[string]json.RawMessage{}
	for name, v := range fields {
		if name, ok := strings.CutPrefix(name, customPrefix); ok && !events.IsNull(v.Value) {
			custom[name] = v.Value
		}
	}
	if len(custom) == 0 {
		return
	}
	if b, err := json.Marshal(custom); err == nil {
		r.Values[f.column] = json.RawMessage(b)
	}
}

// issue is one element of _problems.
type issue struct {
	Column  string `json:"column"`
	Problem string `json:"problem"`
}

func (r Row) setIssues(issues []issue) {
	if len(issues) == 0 {
		return
	}
	if b, err := json.Marshal(issues); err == nil {
		r.set(columnIssues, json.RawMessage(b))
	}
}

// reason is a decoding error without the values that it may quote.
func reason(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return "broken JSON"
	case errors.As(err, &kind):
		return "wrong type in field " + kind.Field
	default:
		return "a value has the wrong form"
	}
}
