package bus_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

// TestRedeliver has a process die with messages that it never acked. Their ack
// time is a minute, which this test does not wait for.
func TestRedeliver(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	topology := bus.NewTopology(bus.TopologyOptions{Tenant: "t", Replicas: 1})
	p, err := b.Puller(t.Context(), events.StreamEvents, bus.DurableTransform)
	require.NoError(t, err)
	for i := range 4 {
		_, err := b.Publish(t.Context(), bus.Message{Subject: fmt.Sprint("events.t.x.deal.changed.", i), Data: fmt.Append(nil, i)})
		require.NoError(t, err)
	}
	had, err := p.Pull(t.Context(), 3, time.Second)
	require.NoError(t, err)
	require.Len(t, had, 3)
	require.NoError(t, had[0].Settle(t.Context()))

	require.NoError(t, b.Redeliver(t.Context(), topology))
	again, err := p.Pull(t.Context(), 10, time.Second)
	require.NoError(t, err)
	var got []string
	for _, m := range again {
		got = append(got, string(m.Data))
		require.NoError(t, m.Settle(t.Context()))
	}
	require.Equal(t, []string{"1", "2", "3"}, got, "what was not acked comes again, and then what is new")

	require.NoError(t, b.Redeliver(t.Context(), topology))
	none, err := p.Pull(t.Context(), 10, 0)
	require.NoError(t, err)
	require.Empty(t, none, "what was acked does not come again")
}
