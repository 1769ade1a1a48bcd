package bus_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/embed"
)

// onceRig is a bus with the whole topology.
func onceRig(t *testing.T) *bus.Bus {
	t.Helper()
	srv, err := embed.Start(embed.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(srv.Stop)
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: srv, Name: "test", Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	require.NoError(t, b.Provision(t.Context(), bus.NewTopology(bus.TopologyOptions{Tenant: "t", Replicas: 1})))
	return b
}

// rows makes messages with the ids first..last.
func rows(first, last int) []bus.Message {
	var out []bus.Message
	for i := first; i <= last; i++ {
		out = append(out, bus.Message{Subject: "warehouse.t.x", Data: fmt.Append(nil, i), ID: fmt.Sprint("id-", i)})
	}
	return out
}

func held(t *testing.T, b *bus.Bus) []string {
	t.Helper()
	var out []string
	for next := uint64(1); ; {
		msgs, err := b.Read(t.Context(), events.StreamWarehouse, "warehouse.t.>", next, 400, 1<<20)
		require.NoError(t, err)
		if len(msgs) == 0 {
			return out
		}
		for _, m := range msgs {
			out = append(out, string(m.Data))
		}
		next = msgs[len(msgs)-1].Seq + 1
	}
}

func numbers(last int) []string {
	var out []string
	for i := 1; i <= last; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func TestOnceStoresEachIDOnce(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		want  int
		calls [][]bus.Message
	}{
		{"one", 1, [][]bus.Message{rows(1, 1), rows(1, 1)}},
		{"the same batch", 50, [][]bus.Message{rows(1, 50), rows(1, 50)}},
		{"the front was stored", 50, [][]bus.Message{rows(1, 20), rows(1, 50)}},
		{"the middle was stored", 50, [][]bus.Message{rows(1, 10), rows(5, 50), rows(30, 30)}},
		{"after single ones", 50, [][]bus.Message{rows(1, 1), rows(2, 2), rows(1, 50)}},
		{"an id twice in one call", 50, [][]bus.Message{append(rows(1, 10), rows(5, 50)...)}},
		{"a message twice in a row", 50, [][]bus.Message{append(rows(1, 1), rows(1, 50)...)}},
		{"more than one batch holds", 2100, [][]bus.Message{rows(1, 2100), rows(1, 2100)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := onceRig(t)
			for _, msgs := range tc.calls {
				require.NoError(t, b.Once(t.Context(), msgs))
			}
			require.Equal(t, numbers(tc.want), held(t, b), "in order, each once")
		})
	}
}

func TestOnceSplitsLargeBatches(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	var msgs []bus.Message
	for i := range 20 {
		msgs = append(msgs, bus.Message{Subject: "warehouse.t.x", Data: make([]byte, 900_000), ID: fmt.Sprint(i)})
	}
	require.NoError(t, b.Once(t.Context(), msgs))
	require.NoError(t, b.Once(t.Context(), msgs))
	id, err := b.Identify(t.Context(), events.StreamWarehouse)
	require.NoError(t, err)
	require.EqualValues(t, 20, id.Last)
}

func TestOnceNeedsIDs(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	require.Error(t, b.Once(t.Context(), append(rows(1, 1), bus.Message{Subject: "warehouse.t.x"})))
	m := rows(1, 1)
	m[0].Expect = bus.Seq(0)
	require.Error(t, b.Once(t.Context(), m))
	require.Empty(t, held(t, b))
}

func TestRead(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	msgs := rows(1, 30)
	for i := range msgs {
		if i%3 == 0 {
			msgs[i].Subject = "warehouse.other.x"
		}
	}
	require.NoError(t, b.Once(t.Context(), msgs))
	got, err := b.Read(t.Context(), events.StreamWarehouse, "warehouse.t.>", 10, 4, 1<<20)
	require.NoError(t, err)
	var seqs []uint64
	for _, m := range got {
		seqs = append(seqs, m.Seq)
	}
	require.Equal(t, []uint64{11, 12, 14, 15}, seqs)

	got, err = b.Read(t.Context(), events.StreamWarehouse, "warehouse.t.>", 31, 4, 1<<20)
	require.NoError(t, err)
	require.Empty(t, got)

	_, err = b.Read(t.Context(), "NONE", ">", 1, 4, 1<<20)
	require.Error(t, err)
}

func TestReadStopsAtItsBytes(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	var msgs []bus.Message
	for i := range 10 {
		msgs = append(msgs, bus.Message{Subject: "warehouse.t.x", Data: make([]byte, 100_000), ID: fmt.Sprint(i)})
	}
	require.NoError(t, b.Once(t.Context(), msgs))
	got, err := b.Read(t.Context(), events.StreamWarehouse, "warehouse.t.>", 1, 10, 250_000)
	require.NoError(t, err)
	require.NotEmpty(t, got)
	require.Less(t, len(got), 5)
}

func TestIdentify(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	before, err := b.Identify(t.Context(), events.StreamWarehouse)
	require.NoError(t, err)
	require.Equal(t, events.StreamWarehouse, before.Name)
	require.Zero(t, before.Last)
	require.NoError(t, b.Once(t.Context(), rows(1, 3)))
	after, err := b.Identify(t.Context(), events.StreamWarehouse)
	require.NoError(t, err)
	require.Equal(t, before.Created, after.Created)
	require.EqualValues(t, 3, after.Last)

	require.NoError(t, b.JetStream().DeleteStream(t.Context(), events.StreamWarehouse))
	_, err = b.Identify(t.Context(), events.StreamWarehouse)
	require.Error(t, err)
	require.NoError(t, b.Provision(t.Context(), bus.NewTopology(bus.TopologyOptions{Tenant: "t", Replicas: 1})))
	anew, err := b.Identify(t.Context(), events.StreamWarehouse)
	require.NoError(t, err)
	require.NotEqual(t, before.Created, anew.Created)
}
