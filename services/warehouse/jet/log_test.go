package jet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/warehouse/jet"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// publish puts n rows onto WAREHOUSE.
func (r *rig) publish(first, n int) {
	r.t.Helper()
	require.NoError(r.t, jet.NewPublisher(r.bus).Publish(r.t.Context(), envelopes(r.t, first, n)))
}

func envelopes(t *testing.T, first, n int) []row.Envelope {
	t.Helper()
	var rows []row.Envelope
	for i := range n {
		rec := events.Record{Tenant: tenant, Key: deal(first + i), Version: 1, UpdatedAt: time.Unix(0, 0)}
		raw, err := json.Marshal(rec)
		require.NoError(t, err)
		o := row.Origin{Stream: row.Stream{Name: "HUB"}, Seq: uint64(first + i), Time: time.Unix(0, 0)}
		one, err := row.FromRecord(o, raw)
		require.NoError(t, err)
		e, err := one.Envelope(o)
		require.NoError(t, err)
		rows = append(rows, e)
	}
	return rows
}

// read fetches what is there.
func read(t *testing.T, l *jet.Log, limit int) []uint64 {
	t.Helper()
	b, err := l.Fetch(t.Context(), limit, 0)
	require.NoError(t, err)
	var seqs []uint64
	for _, m := range b.Messages {
		seqs = append(seqs, m.Seq)
	}
	return seqs
}

func TestLogReadsFromAnyPosition(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.publish(1, 10)
	l := jet.NewLog(r.bus, tenant, nil)
	s, err := l.Stream(t.Context())
	require.NoError(t, err)
	require.Equal(t, row.Stream{Name: "WAREHOUSE", Created: r.stream("WAREHOUSE").Created}, s)

	require.NoError(t, l.Seek(t.Context(), 0))
	require.Equal(t, []uint64{1, 2, 3, 4}, read(t, l, 4))
	require.Equal(t, []uint64{5, 6, 7, 8}, read(t, l, 4))
	require.Equal(t, []uint64{9, 10}, read(t, l, 4))
	require.Empty(t, read(t, l, 4))
	require.NoError(t, l.Seek(t.Context(), 7))
	require.Equal(t, []uint64{8, 9, 10}, read(t, l, 100))

	for after, want := range []uint64{1, 2, 3} {
		seq, found, err := l.After(t.Context(), uint64(after))
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, want, seq)
	}
	_, found, err := l.After(t.Context(), 10)
	require.NoError(t, err)
	require.False(t, found)
	require.ErrorContains(t, l.Seek(t.Context(), 11), "backup")
}

func TestLogWaitsForRows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	l := jet.NewLog(r.bus, tenant, nil)
	_, err := l.Stream(t.Context())
	require.NoError(t, err)
	rows, published := envelopes(t, 1, 1), make(chan error, 1)
	go func() { published <- jet.NewPublisher(r.bus).Publish(context.Background(), rows) }()
	b, err := l.Fetch(t.Context(), 10, patience)
	require.NoError(t, err)
	require.NoError(t, <-published)
	require.Len(t, b.Messages, 1)

	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	b, err = l.Fetch(ctx, 10, time.Hour)
	require.NoError(t, err)
	require.Empty(t, b.Messages)
}

func TestLogLeavesOtherTenantsAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.publish(1, 2)
	for i := range 3 {
		_, err := r.bus.Publish(t.Context(), bus.Message{Subject: events.WarehouseSubject("other", "deal_log"), Data: fmt.Append(nil, i)})
		require.NoError(t, err)
	}
	r.publish(3, 1)
	l := jet.NewLog(r.bus, tenant, nil)
	_, err := l.Stream(t.Context())
	require.NoError(t, err)
	require.Equal(t, []uint64{1, 2, 6}, read(t, l, 10))
	seq, found, err := l.After(t.Context(), 2)
	require.NoError(t, err)
	require.True(t, found)
	require.EqualValues(t, 6, seq)
}

func TestLogOfARecreatedStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.publish(1, 5)
	l := jet.NewLog(r.bus, tenant, nil)
	before, err := l.Stream(t.Context())
	require.NoError(t, err)
	require.NoError(t, l.Seek(t.Context(), 0))
	require.Len(t, read(t, l, 10), 5)
	require.NoError(t, r.bus.JetStream().DeleteStream(t.Context(), events.StreamWarehouse))
	r.provision()
	r.publish(1, 2)
	// It is shorter than what was read, and must not look idle.
	_, err = l.Fetch(t.Context(), 10, 0)
	require.ErrorContains(t, err, "is now")
	now, err := l.Stream(t.Context())
	require.NoError(t, err)
	require.False(t, before.Equal(now))
	require.NoError(t, l.Seek(t.Context(), 0))
	require.Equal(t, []uint64{1, 2}, read(t, l, 10))
}
