package jet_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/warehouse/jet"
)

const patience = 10 * time.Second

func TestSourceTellsTheOrigin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	_, err := r.bus.Publish(t.Context(), bus.Message{
		Subject: events.RecordSubject(tenant, deal(7)), Data: []byte(`{}`),
		Header: map[string][]string{"traceparent": {parent}, "tracestate": {"a=b"}},
	})
	require.NoError(t, err)
	b, err := jet.NewSource(r.bus, events.StreamHub, bus.DurableWarehouse).Fetch(t.Context(), 10, patience)
	require.NoError(t, err)
	require.Len(t, b.Messages, 1)
	m, hub := b.Messages[0], r.stream(events.StreamHub)
	require.Equal(t, events.StreamHub, m.Stream.Name)
	require.True(t, m.Stream.Created.Equal(hub.Created))
	require.EqualValues(t, 1, m.Seq)
	require.WithinRange(t, m.Time, hub.Created, hub.Created.Add(time.Minute))
	require.Equal(t, "record.acme.deal.7", m.Subject)
	require.Equal(t, parent, m.TraceParent)
	require.Equal(t, "a=b", m.TraceState)
	require.Equal(t, []byte(`{}`), m.Data)
}

// neverRedeliver makes the server wait for acks for longer than any test runs.
func (r *rig) neverRedeliver(stream string) {
	r.t.Helper()
	js := r.bus.JetStream()
	c, err := js.Consumer(r.t.Context(), stream, bus.DurableWarehouse)
	require.NoError(r.t, err)
	config := c.CachedInfo().Config
	config.AckWait = time.Hour
	_, err = js.UpdateConsumer(r.t.Context(), stream, config)
	require.NoError(r.t, err)
}

func TestSourceGivesBackWhatWasNotAcked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.neverRedeliver(events.StreamHub)
	r.put(record(t, deal(1), 1, false))
	s := jet.NewSource(r.bus, events.StreamHub, bus.DurableWarehouse)
	for range 3 {
		b, err := s.Fetch(t.Context(), 10, patience)
		require.NoError(t, err)
		require.Len(t, b.Messages, 1)
		require.EqualValues(t, 1, b.Messages[0].Seq)
	}
	r.put(record(t, deal(2), 1, false))
	var seqs []uint64
	for len(seqs) < 2 {
		b, err := s.Fetch(t.Context(), 10, patience)
		require.NoError(t, err)
		require.NoError(t, b.Ack(t.Context()))
		for _, m := range b.Messages {
			seqs = append(seqs, m.Seq)
		}
	}
	require.ElementsMatch(t, []uint64{1, 2}, seqs)
	p, err := r.bus.Puller(t.Context(), events.StreamHub, bus.DurableWarehouse)
	require.NoError(t, err)
	waiting, unacked, err := p.Pending(t.Context())
	require.NoError(t, err)
	require.Zero(t, waiting)
	require.Zero(t, unacked, "the server has the acks once Ack returns")
}

func TestSourceAcksAfterItWasStopped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(record(t, deal(1), 1, false))
	ctx, cancel := context.WithCancel(t.Context())
	b, err := jet.NewSource(r.bus, events.StreamHub, bus.DurableWarehouse).Fetch(ctx, 10, patience)
	require.NoError(t, err)
	cancel()
	require.NoError(t, b.Ack(ctx))
	p, err := r.bus.Puller(t.Context(), events.StreamHub, bus.DurableWarehouse)
	require.NoError(t, err)
	_, unacked, err := p.Pending(t.Context())
	require.NoError(t, err)
	require.Zero(t, unacked)
}

func TestSourceThatIsStopped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := jet.NewSource(r.bus, events.StreamHub, bus.DurableWarehouse)
	go cancel()
	b, err := s.Fetch(ctx, 10, time.Hour)
	require.NoError(t, err)
	require.Empty(t, b.Messages)
}

// Messages of a stream that was made anew must not pass for those of the old.
func TestSourceOfARecreatedStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(record(t, deal(1), 1, false))
	s := jet.NewSource(r.bus, events.StreamHub, bus.DurableWarehouse)
	b, err := s.Fetch(t.Context(), 10, patience)
	require.NoError(t, err)
	require.NoError(t, b.Ack(t.Context()))
	before := b.Messages[0].Stream

	require.NoError(t, r.bus.JetStream().DeleteStream(t.Context(), events.StreamHub))
	r.provision()
	r.put(record(t, deal(1), 1, false))
	_, err = s.Fetch(t.Context(), 10, patience)
	require.ErrorContains(t, err, "is now")
	b, err = s.Fetch(t.Context(), 10, patience)
	require.NoError(t, err)
	require.Len(t, b.Messages, 1)
	require.EqualValues(t, 1, b.Messages[0].Seq)
	require.False(t, before.Equal(b.Messages[0].Stream))
}

func TestSourceWithoutADurable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := jet.NewSource(r.bus, events.StreamHub, "nobody").Fetch(t.Context(), 10, 0)
	require.ErrorContains(t, err, "nobody")
}
