package bus_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

func recordOf(id string) string {
	return events.RecordSubject("t", events.Key{Entity: events.EntityDeal, ID: id})
}

// fill stores n records, each in two versions, in batches.
func fill(t *testing.T, b *bus.Bus, n int) {
	t.Helper()
	for version := range 2 {
		for from := 0; from < n; from += bus.MaxBatch {
			var msgs []bus.Message
			for i := from; i < min(from+bus.MaxBatch, n); i++ {
				msgs = append(msgs, bus.Message{Subject: recordOf(fmt.Sprint(i)), Data: fmt.Appendf(nil, "%d v%d", i, version)})
			}
			_, err := b.Batch(t.Context(), msgs)
			require.NoError(t, err)
		}
	}
}

// TestLastReadsAnyNumber of subjects, in as many requests as it takes.
func TestLastReadsAnyNumber(t *testing.T) {
	t.Parallel()
	const n = 1300
	b := onceRig(t)
	fill(t, b, n)
	subjects := []string{recordOf("none")}
	for i := range n {
		subjects = append(subjects, recordOf(fmt.Sprint(i)))
	}
	found, err := b.Last(t.Context(), events.StreamHub, subjects)
	require.NoError(t, err)
	require.Len(t, found, n)
	require.Equal(t, "1299 v1", string(found[recordOf("1299")].Data), "the latest")
	found, err = b.Last(t.Context(), events.StreamHub, nil)
	require.NoError(t, err)
	require.Empty(t, found)
	_, ok, err := b.LastOne(t.Context(), events.StreamHub, recordOf("none"))
	require.NoError(t, err)
	require.False(t, ok)
}

// TestNewestAsksTheLeader, and tells what is not there from what can't be read.
func TestNewestAsksTheLeader(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	fill(t, b, 2)
	m, ok, err := b.Newest(t.Context(), events.StreamHub, recordOf("1"))
	require.NoError(t, err)
	require.True(t, ok)
	last, _, err := b.LastOne(t.Context(), events.StreamHub, recordOf("1"))
	require.NoError(t, err)
	require.Equal(t, "1 v1", string(m.Data))
	require.Equal(t, last.Seq, m.Seq)
	require.Equal(t, last.Subject, m.Subject)
	require.True(t, last.Time.Equal(m.Time))
	_, ok, err = b.Newest(t.Context(), events.StreamHub, recordOf("none"))
	require.NoError(t, err)
	require.False(t, ok)
	_, _, err = b.Newest(t.Context(), "NONE", recordOf("1"))
	require.ErrorContains(t, err, "stream not found")
}

func TestScan(t *testing.T) {
	t.Parallel()
	const n = 1300
	b := onceRig(t)
	fill(t, b, n)
	_, err := b.Publish(t.Context(), bus.Message{Subject: "desired.t.erp.order.deal.1", Data: []byte("other")})
	require.NoError(t, err)
	var last uint64
	seen := map[string]string{}
	for m, err := range b.Scan(t.Context(), events.StreamHub, "record.t.>") {
		require.NoError(t, err)
		require.Greater(t, m.Seq, last)
		last = m.Seq
		seen[m.Subject] = string(m.Data)
	}
	require.Len(t, seen, n)
	require.Equal(t, "7 v1", seen[recordOf("7")])
	// A caller may stop, and may change the table as it goes.
	count := 0
	for m, err := range b.Scan(t.Context(), events.StreamHub, "record.t.>") {
		require.NoError(t, err)
		require.NoError(t, b.Delete(t.Context(), events.StreamHub, m.Seq))
		if count++; count == 10 {
			break
		}
	}
	count = 0
	for _, err := range b.Scan(t.Context(), events.StreamHub, "record.t.>") {
		require.NoError(t, err)
		count++
	}
	require.Equal(t, n-10, count)
	for range b.Scan(t.Context(), events.StreamHub, "waiting.>") {
		require.Fail(t, "nothing waits")
	}
}

// TestReadsEndWithTheirContext, with an error instead of half an answer.
func TestReadsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	fill(t, b, 10)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Last(ctx, events.StreamHub, []string{recordOf("1")})
	require.Error(t, err)
	var failed error
	for _, err := range b.Scan(ctx, events.StreamHub, "record.>") {
		failed = err
	}
	require.Error(t, failed)
}

func TestDelete(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	first, err := b.Publish(t.Context(), bus.Message{Subject: recordOf("1"), Data: []byte("a")})
	require.NoError(t, err)
	second, err := b.Publish(t.Context(), bus.Message{Subject: recordOf("1"), Data: []byte("b")})
	require.NoError(t, err)
	require.NoError(t, b.Delete(t.Context(), events.StreamHub, first), "it was replaced, which is no error")
	m, ok, err := b.LastOne(t.Context(), events.StreamHub, recordOf("1"))
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, second, m.Seq, "the newer one stays")
	require.NoError(t, b.Delete(t.Context(), events.StreamHub, second))
	require.NoError(t, b.Delete(t.Context(), events.StreamHub, second), "twice is no error")
	_, ok, err = b.LastOne(t.Context(), events.StreamHub, recordOf("1"))
	require.NoError(t, err)
	require.False(t, ok)
	require.Error(t, b.Delete(t.Context(), events.StreamEvents, 1), "the log can't be deleted from")
	require.Error(t, b.Delete(t.Context(), "NOWHERE", 1))
	// After a delete the subject counts as empty for compare-and-set.
	_, err = b.Publish(t.Context(), bus.Message{Subject: recordOf("1"), Data: []byte("c"), Expect: bus.Seq(0)})
	require.NoError(t, err)
}

func TestPull(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	p, err := b.Puller(t.Context(), events.StreamEvents, bus.DurableTransform)
	require.NoError(t, err)
	none, err := p.Pull(t.Context(), 10, 0)
	require.NoError(t, err)
	require.Empty(t, none)
	for i := range 5 {
		_, err := b.Publish(t.Context(), event(fmt.Sprint(i), fmt.Sprint(i)))
		require.NoError(t, err)
	}
	got, err := p.Pull(t.Context(), 3, limit)
	require.NoError(t, err)
	require.Len(t, got, 3, "no more than asked for")
	require.Equal(t, "0", string(got[0].Data))
	require.EqualValues(t, 1, got[0].Deliveries)
	require.WithinDuration(t, time.Now(), got[0].Time, time.Minute)
	require.NoError(t, got[0].Ack())
	require.NoError(t, got[1].Settle(t.Context()))
	require.NoError(t, got[2].Working())
	require.NoError(t, got[2].Again(0))
	require.NoError(t, b.Flush())
	rest := map[string]uint64{}
	for len(rest) < 3 {
		got, err := p.Pull(t.Context(), 10, limit)
		require.NoError(t, err)
		for _, m := range got {
			rest[string(m.Data)] = m.Deliveries
			require.NoError(t, m.Settle(t.Context()))
		}
	}
	require.Equal(t, map[string]uint64{"2": 2, "3": 1, "4": 1}, rest)
	waiting, unacked, err := p.Pending(t.Context())
	require.NoError(t, err)
	require.Zero(t, waiting)
	require.Zero(t, unacked)
}

// TestPendingKnowsWhatWasJustStored, before the server has told the consumer.
func TestPendingKnowsWhatWasJustStored(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	p, err := b.Puller(t.Context(), events.StreamEvents, bus.DurableTransform)
	require.NoError(t, err)
	for n := range 200 {
		_, err := b.Publish(t.Context(), bus.Message{Subject: "events.t.shop.company.changed." + strconv.Itoa(n%7), Data: []byte("x")})
		require.NoError(t, err)
		waiting, unacked, err := p.Pending(t.Context())
		require.NoError(t, err)
		require.Equal(t, []any{uint64(1), 0}, []any{waiting, unacked}, "message %d", n)
		got, err := p.Pull(t.Context(), 1, limit)
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.NoError(t, got[0].Settle(t.Context()))
		waiting, unacked, err = p.Pending(t.Context())
		require.NoError(t, err)
		require.Equal(t, []any{uint64(0), 0}, []any{waiting, unacked}, "message %d", n)
	}
}

// TestPullWaits for the first message, and ends with its context.
func TestPullWaits(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	p, err := b.Puller(t.Context(), events.StreamEvents, bus.DurableTransform)
	require.NoError(t, err)
	came := make(chan string, 1)
	go func() {
		got, err := p.Pull(t.Context(), 10, limit)
		if err != nil || len(got) != 1 {
			came <- fmt.Sprint(len(got), err)
			return
		}
		came <- string(got[0].Data)
	}()
	require.Eventually(t, func() bool {
		c, err := b.JetStream().Consumer(t.Context(), events.StreamEvents, bus.DurableTransform)
		return err == nil && c.CachedInfo().NumWaiting > 0
	}, limit, tick)
	_, err = b.Publish(t.Context(), event("1", "a"))
	require.NoError(t, err)
	require.Equal(t, "a", <-came)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := p.Pull(ctx, 10, time.Hour)
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestPullerNeverCreates(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	_, err := b.Puller(t.Context(), events.StreamEvents, "nobody")
	require.Error(t, err)
}

// TestProvisionAgain changes nothing that is there: a durable that were made
// anew would deliver everything once more.
func TestProvisionAgain(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	p, err := b.Puller(t.Context(), events.StreamEvents, bus.DurableTransform)
	require.NoError(t, err)
	_, err = b.Publish(t.Context(), event("1", "a"))
	require.NoError(t, err)
	got, err := p.Pull(t.Context(), 10, limit)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.NoError(t, got[0].Settle(t.Context()))
	require.NoError(t, b.Provision(t.Context(), bus.NewTopology(bus.TopologyOptions{Tenant: "t", Replicas: 1, Connections: []string{"erp"}})))
	none, err := p.Pull(t.Context(), 10, 0)
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = b.Puller(t.Context(), events.StreamHub, bus.SinkDurable("erp"))
	require.NoError(t, err)
	_, err = b.JetStream().KeyValue(t.Context(), bus.LedgerBucket("erp"))
	require.NoError(t, err)
}
