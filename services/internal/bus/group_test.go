package bus_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// How long a condition may take on a busy machine, and how often it is asked.
const (
	limit = 20 * time.Second
	tick  = 5 * time.Millisecond
)

// event makes a message for EVENTS.
func event(id, data string) bus.Message {
	return bus.Message{Subject: events.EventSubject("t", "x", events.EntityDeal, events.OpChanged, id), Data: []byte(data)}
}

// log returns the data of every message on EVENTS, in order.
func log(t *testing.T, b *bus.Bus) []string {
	t.Helper()
	var out []string
	for next := uint64(1); ; {
		msgs, err := b.Read(t.Context(), events.StreamEvents, "events.>", next, 1000, 8<<20)
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

// batches counts the stream's writes: a message in a batch says which.
func batches(t *testing.T, b *bus.Bus) int {
	t.Helper()
	seen := map[string]bool{}
	for m, err := range b.Scan(t.Context(), events.StreamEvents, "events.>") {
		require.NoError(t, err)
		id := m.Header.Get("Nats-Batch-Id")
		if id == "" {
			id = fmt.Sprint("alone ", m.Seq)
		}
		seen[id] = true
	}
	return len(seen)
}

// TestGroupKeepsOrderAndLosesNothing: what one caller publishes in turn stays
// in turn, and what it publishes at once stays together.
func TestGroupKeepsOrderAndLosesNothing(t *testing.T) {
	t.Parallel()
	const callers, each, together = 32, 15, 3
	b := onceRig(t)
	g := bus.NewGroup(b)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				msgs := make([]bus.Message, together)
				for n := range msgs {
					msgs[n] = event(fmt.Sprint(c), fmt.Sprintf("%d %d", c, i*together+n))
				}
				if err := g.Publish(t.Context(), msgs...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	g.Close()
	next := make([]int, callers)
	all := log(t, b)
	require.Len(t, all, callers*each*together)
	for i, text := range all {
		var c, n int
		_, err := fmt.Sscanf(text, "%d %d", &c, &n)
		require.NoError(t, err)
		require.Equal(t, next[c], n, "caller %d", c)
		next[c]++
		if n%together != 0 {
			require.Equal(t, fmt.Sprintf("%d %d", c, n-1), all[i-1], "one call's messages stand together")
		}
	}
	require.Less(t, batches(t, b), callers*each/2, "concurrent callers share a write")
}

// TestGroupRefusesAllOrNone: a message that the stream does not take fails the
// whole call, and nothing of it is stored.
func TestGroupRefusesAllOrNone(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	g := bus.NewGroup(b)
	t.Cleanup(g.Close)
	stray := bus.Message{Subject: "nowhere.t", Data: []byte("stray")}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	require.Error(t, g.Publish(ctx, event("1", "a"), stray))
	require.Empty(t, log(t, b))
	require.NoError(t, g.Publish(t.Context(), event("1", "b")), "the group works on")
	require.Equal(t, []string{"b"}, log(t, b))
}

func TestGroupLimits(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	g := bus.NewGroup(b)
	require.NoError(t, g.Publish(t.Context()))
	many := make([]bus.Message, bus.MaxBatch+1)
	for i := range many {
		many[i] = event("1", fmt.Sprint(i))
	}
	require.ErrorContains(t, g.Publish(t.Context(), many...), "more messages than one batch holds")
	require.NoError(t, g.Publish(t.Context(), many[:bus.MaxBatch]...))
	require.Len(t, log(t, b), bus.MaxBatch)
	require.Equal(t, 1, batches(t, b))
	g.Close()
	require.ErrorIs(t, g.Publish(t.Context(), event("1", "late")), bus.ErrClosed)
	g.Close()
}

// TestGroupRefusesWhatItCantHold: a store that hangs must not fill the memory.
func TestGroupRefusesWhatItCantHold(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	g := bus.NewGroup(b)
	full := make([]bus.Message, bus.MaxBatch)
	for i := range full {
		full[i] = event("1", fmt.Sprint(i))
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel() // nobody waits for the answers
	var busy error
	for range 200 {
		if err := g.Publish(gone, full...); err != nil && err != context.Canceled { //nolint:errorlint // the very value
			busy = err
			break
		}
	}
	require.ErrorIs(t, busy, bus.ErrBusy)
	g.Close()
	n := len(log(t, b))
	require.Positive(t, n)
	require.Zero(t, n%bus.MaxBatch, "what was accepted is stored, call by call")
}

// TestGroupCloseWaits until everything that was accepted is stored.
func TestGroupCloseWaits(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	g := bus.NewGroup(b)
	var accepted sync.WaitGroup
	var mu sync.Mutex
	stored := 0
	for i := range 200 {
		accepted.Go(func() {
			if g.Publish(t.Context(), event(fmt.Sprint(i), "x")) == nil {
				mu.Lock()
				stored++
				mu.Unlock()
			}
		})
	}
	g.Close()
	accepted.Wait()
	require.Len(t, log(t, b), stored, "an answer of nil means stored, and any other one not")
}

func TestPublishErrors(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	record := func(id string, expect uint64) bus.Message {
		return bus.Message{Subject: events.RecordSubject("t", events.Key{Entity: events.EntityDeal, ID: id}), Data: []byte("{}"), Expect: bus.Seq(expect)}
	}
	seq, err := b.Publish(t.Context(), record("1", 0))
	require.NoError(t, err)
	_, err = b.Publish(t.Context(), record("1", 0))
	require.ErrorIs(t, err, bus.ErrStale)
	// One stale expectation refuses the batch as a whole.
	_, err = b.Batch(t.Context(), []bus.Message{record("2", 0), record("1", seq+1), record("3", 0)})
	require.ErrorIs(t, err, bus.ErrStale)
	found, err := b.Last(t.Context(), events.StreamHub, []string{record("1", 0).Subject, record("2", 0).Subject, record("3", 0).Subject})
	require.NoError(t, err)
	require.Len(t, found, 1)
	last, err := b.Batch(t.Context(), []bus.Message{record("2", 0), record("1", seq), record("3", 0)})
	require.NoError(t, err)
	for i, id := range []string{"2", "1", "3"} {
		m, ok, err := b.LastOne(t.Context(), events.StreamHub, record(id, 0).Subject)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, last-2+uint64(i), m.Seq, "a batch's messages have the sequences up to its last")
	}
}

// TestFull: a stream that is full refuses, and says so, instead of dropping
// what nobody has read yet.
func TestFull(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	s, err := b.JetStream().Stream(t.Context(), events.StreamEvents)
	require.NoError(t, err)
	c := s.CachedInfo().Config
	c.MaxBytes = 64 << 10
	_, err = b.JetStream().UpdateStream(t.Context(), c)
	require.NoError(t, err)
	big := strings.Repeat("x", 20<<10)
	for i := range 3 {
		_, err := b.Publish(t.Context(), event(fmt.Sprint(i), big))
		require.NoError(t, err)
	}
	_, err = b.Publish(t.Context(), event("4", big))
	require.ErrorIs(t, err, bus.ErrFull)
	_, err = b.Batch(t.Context(), []bus.Message{event("4", big), event("5", big)})
	require.ErrorIs(t, err, bus.ErrFull)
	require.Len(t, log(t, b), 3)
}

// TestPublishLeavesTheMessageAlone: publishing writes into headers, and one
// header may serve several messages.
func TestPublishLeavesTheMessageAlone(t *testing.T) {
	t.Parallel()
	b := onceRig(t)
	h := nats.Header{"ce-id": {"e"}}
	msgs := []bus.Message{{Subject: "events.t.x.deal.changed.1", Header: h, Expect: bus.Seq(0)}, {Subject: "events.t.x.deal.changed.2", Header: h}}
	_, err := b.Batch(t.Context(), msgs)
	require.NoError(t, err)
	require.Equal(t, nats.Header{"ce-id": {"e"}}, h)
	msgs[0].ID, msgs[0].Expect = "id", nil
	_, err = b.Publish(t.Context(), msgs[0])
	require.NoError(t, err)
	_, err = b.Publish(t.Context(), msgs[0])
	require.NoError(t, err)
	require.Len(t, log(t, b), 3, "the second publish of one id is dropped")
}
