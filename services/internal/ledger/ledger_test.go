package ledger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var deal = events.Key{Entity: events.EntityDeal, ID: "77"}

func newBus(t *testing.T) *bus.Bus {
	t.Helper()
	srv, err := embed.Start(embed.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(srv.Stop)
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: srv, Name: "test", Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	require.NoError(t, b.Provision(t.Context(), bus.NewTopology(bus.TopologyOptions{Tenant: "t", Connections: []string{"erp"}, Replicas: 1})))
	return b
}

func open(t *testing.T, b *bus.Bus) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), b.JetStream(), bus.LedgerBucket("erp"))
	require.NoError(t, err)
	return l
}

// full is an entry with every field set.
func full() ledger.Entry {
	at := time.Date(2026, 11, 23, 9, 0, 0, 123456789, time.UTC)
	return ledger.Entry{
		ID: "1042", Number: "SO-1042", URL: "https://erp.example/1042", Hash: "h1",
		Outcome: &events.Outcome{
			Connection: "erp", Entity: events.EntityOrder, Object: "order", Record: deal, State: events.StateDone, Effect: events.EffectCreated,
			ID: "1042", Number: "SO-1042", Hash: "h1", Sequence: 7, At: at, Read: at.Add(-time.Second), Attempts: 2, Seen: events.Fields{"status": json.RawMessage(`"open"`)},
		},
		Sending: &ledger.Sending{
			Hash: "h2", Sequence: 9, Key: "spoke-x", First: at, Open: at.Add(-time.Hour), Attempts: 3, Bounded: 1, Unknown: true, Reapply: true, Owner: "me", Lease: at.Add(time.Minute),
		},
	}
}

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	l := open(t, newBus(t))
	e, err := l.Load(t.Context(), "order", deal)
	require.NoError(t, err)
	require.Equal(t, ledger.Entry{}, e, "nothing is known")
	saved, err := l.Save(t.Context(), "order", deal, full())
	require.NoError(t, err)
	loaded, err := l.Load(t.Context(), "order", deal)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(full(), loaded, cmpopts.IgnoreUnexported(ledger.Entry{})))
	// Both carry the revision that the next save needs.
	saved.Number = "SO-1042a"
	_, err = l.Save(t.Context(), "order", deal, saved)
	require.NoError(t, err)
	_, err = l.Save(t.Context(), "order", deal, loaded)
	require.ErrorIs(t, err, ledger.ErrTaken, "it was changed since it was loaded")
	_, err = l.Save(t.Context(), "order", deal, full())
	require.ErrorIs(t, err, ledger.ErrTaken, "a new entry does not replace one that is there")
}

// TestKeysDoNotMeet: entries of other objects and records stand apart, with
// whatever characters their ids have.
func TestKeysDoNotMeet(t *testing.T) {
	t.Parallel()
	l := open(t, newBus(t))
	keys := map[string]events.Key{}
	for _, object := range []string{"order", "order item", "a.b"} {
		for _, k := range []events.Key{
			deal,
			{Entity: events.EntityOrder, ID: "77"},
			{Entity: events.EntityDeal, ID: "7.7"},
			{Entity: events.EntityDeal, ID: "*"},
			{Entity: events.EntityDeal, ID: ">"},
			{Entity: events.EntityDeal, ID: "ü/ 1"},
			{Entity: events.EntityDeal, ID: "=Kg"},
		} {
			keys[object+"|"+k.String()] = k
			_, err := l.Save(t.Context(), object, k, ledger.Entry{ID: object + "|" + k.String()})
			require.NoError(t, err)
		}
	}
	for id, k := range keys {
		e, err := l.Load(t.Context(), id[:len(id)-len(k.String())-1], k)
		require.NoError(t, err)
		require.Equal(t, id, e.ID)
	}
}

// TestOneWins: of any number of workers that have seen one state of an entry
// and reserve it, exactly one does, for a new entry and for one that is there.
func TestOneWins(t *testing.T) {
	t.Parallel()
	const workers = 8
	b := newBus(t)
	for round := range 5 {
		var won atomic.Int64
		var ready, done sync.WaitGroup
		ready.Add(workers)
		for w := range workers {
			l := open(t, b)
			done.Go(func() {
				e, err := l.Load(t.Context(), "order", deal)
				ready.Done()
				ready.Wait()
				if err != nil {
					t.Error(err)
					return
				}
				e.Sending = &ledger.Sending{Owner: fmt.Sprint(round, w)}
				switch _, err := l.Save(t.Context(), "order", deal, e); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, ledger.ErrTaken):
					t.Error(err)
				}
			})
		}
		done.Wait()
		require.EqualValues(t, 1, won.Load(), "round %d", round)
	}
}

func TestErrorsHaveKinds(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	l := open(t, b)
	kv, err := b.JetStream().KeyValue(t.Context(), bus.LedgerBucket("erp"))
	require.NoError(t, err)
	_, err = kv.Create(t.Context(), "order.deal.77", []byte("{broken"))
	require.NoError(t, err)
	_, err = l.Load(t.Context(), "order", deal)
	require.Equal(t, fault.Malformed, fault.KindOf(err))
	require.Equal(t, "ledger_corrupt", fault.As(err).Code)
	require.NotContains(t, err.Error(), "broken", "contents stay out of errors")
	_, err = ledger.Open(t.Context(), b.JetStream(), "ledger_nobody")
	require.Error(t, err)
	b.Close()
	_, err = l.Load(t.Context(), "order", events.Key{Entity: events.EntityDeal, ID: "1"})
	require.Equal(t, fault.Transient, fault.KindOf(err))
	_, err = l.Save(t.Context(), "order", deal, ledger.Entry{})
	require.Equal(t, fault.Transient, fault.KindOf(err))
}

// TestStoredFormat: what was written by an earlier version must still be read
// by this one. A field that is renamed or dropped fails here.
func TestStoredFormat(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("testdata/entry.golden")
	require.NoError(t, err)
	got, err := json.MarshalIndent(full(), "", "  ")
	require.NoError(t, err)
	require.Equal(t, string(want), string(got)+"\n")
	var e ledger.Entry
	require.NoError(t, json.Unmarshal(want, &e))
	require.Empty(t, cmp.Diff(full(), e, cmpopts.IgnoreUnexported(ledger.Entry{})))
}
