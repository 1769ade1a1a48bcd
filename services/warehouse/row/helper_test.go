package row_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

var (
	hub   = row.Stream{Name: "HUB", Created: time.Date(2026, 11, 1, 8, 0, 0, 123456789, time.UTC)}
	heard = time.Date(2026, 11, 23, 10, 30, 0, 987654321, time.UTC)
	told  = time.Date(2026, 11, 23, 10, 29, 58, 0, time.UTC)
)

func recordOrigin(k events.Key, seq uint64) row.Origin {
	return row.Origin{Stream: hub, Seq: seq, Time: heard, Subject: events.RecordSubject("acme", k)}
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}

// record makes a golden record from the JSON of its fields.
func record(k events.Key, version uint64, fields map[string]string) events.Record {
	r := events.Record{Tenant: "acme", Key: k, Version: version, UpdatedAt: told, Fields: map[string]events.Field{}}
	for name, value := range fields {
		r.Fields[name] = events.Field{Value: json.RawMessage(value), Source: "hubspot", At: told, Event: "e1"}
	}
	return r
}

// text is a column as JSON, to compare values of any type.
func text(t testing.TB, r row.Row, column string) string {
	t.Helper()
	_, ok := r.Table.Column(column)
	require.True(t, ok, "no column %s", column)
	return string(marshal(t, r.Value(column)))
}
