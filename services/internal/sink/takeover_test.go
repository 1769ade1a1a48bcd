package sink_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/ledger"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// slow is a vendor whose first call takes until it is told to go on.
type slow struct {
	*vendor
	entered chan context.Context
	leave   chan error // what the first call ends with, after it was applied or not
	apply   bool
	first   sync.Once
}

func (s *slow) Apply(ctx context.Context, docs []connector.Document) []connector.Result {
	first := false
	s.first.Do(func() { first = true })
	if !first {
		return s.vendor.Apply(ctx, docs)
	}
	s.entered <- ctx
	err := <-s.leave
	if s.apply {
		r := s.vendor.Apply(ctx, docs)
		if err != nil {
			r[0].Err = err
		}
		return r
	}
	return []connector.Result{{Err: err}}
}

// taken makes another worker's entry of a company's document, as one that
// thinks its predecessor dead.
func (r *rig) taken(k events.Key) {
	r.t.Helper()
	l, err := ledger.Open(r.t.Context(), r.bus.JetStream(), bus.LedgerBucket(conn))
	require.NoError(r.t, err)
	for {
		e, err := l.Load(r.t.Context(), "customer", k)
		require.NoError(r.t, err)
		require.NotNil(r.t, e.Sending)
		snd := *e.Sending
		snd.Owner, snd.Lease, snd.Unknown = "another", time.Now().Add(3*time.Second), true
		e.Sending = &snd
		if _, err = l.Save(r.t.Context(), "customer", k, e); !errors.Is(err, ledger.ErrTaken) {
			require.NoError(r.t, err)
			return
		}
	}
}

// TestALateAnswerDoesNotCount: a worker that was taken for dead and was not must
// not overwrite what its successor noted, whatever its answer is, and nothing
// be made twice.
func TestALateAnswerDoesNotCount(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		apply bool
		err   error
	}{
		"done":     {true, nil},
		"lost":     {true, fault.New(fault.Ambiguous, "erp", "lost")},
		"rejected": {false, fault.New(fault.Rejected, "erp", "no")},
		"down":     {false, fault.New(fault.Transient, "erp", "500")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			v := &slow{vendor: newVendor(), entered: make(chan context.Context, 1), leave: make(chan error), apply: tc.apply}
			r.run(v)
			r.want("customer", company("1"), map[string]any{"name": "a"})
			ctx := <-v.entered
			r.taken(company("1"))
			<-ctx.Done() // it hears of it, and may not call any more
			require.Error(t, rest.Fenced(ctx))
			v.leave <- tc.err
			// The other one is dead too; then it is this one's turn again.
			o := r.outcome(company("1"), events.StateDone)
			r.idle()
			require.NotEmpty(t, o.ID)
			v.mu.Lock()
			defer v.mu.Unlock()
			require.Equal(t, map[string]int{"spoke-company-1": 1}, v.created, "made once")
			r.requireQuarantine(0)
		})
	}
}

// TestALongCallKeepsItsDocument: a call may take longer than a lease and the ack
// time. Nobody else gets the document meanwhile.
func TestALongCallKeepsItsDocument(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := &slow{vendor: newVendor(), entered: make(chan context.Context, 1), leave: make(chan error), apply: true}
	r.run(v)
	other := newVendor()
	r.want("customer", company("1"), map[string]any{"name": "a"})
	ctx := <-v.entered
	r.run(other)
	time.Sleep(12 * time.Second)
	require.NoError(t, ctx.Err())
	require.NoError(t, rest.Fenced(ctx))
	v.leave <- nil
	o := r.outcome(company("1"), events.StateDone)
	require.Equal(t, 1, o.Attempts)
	r.idle()
	require.Zero(t, other.calls)
}

// TestADeadWorkersDocumentIsTakenOver: the ledger says that somebody works on
// it, and its message is out. Both come back without a restart of anything.
func TestADeadWorkersDocumentIsTakenOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.want("customer", company("1"), map[string]any{"name": "a"})
	r.want("customer", company("2"), map[string]any{"name": "a"}) // pulled and not begun
	dead, err := bus.Connect(t.Context(), bus.Options{InProcess: r.srv, Name: "dead", Log: discard()})
	require.NoError(t, err)
	p, err := dead.Puller(t.Context(), events.StreamHub, bus.SinkDurable(conn))
	require.NoError(t, err)
	got, err := p.Pull(t.Context(), 10, wait)
	require.NoError(t, err)
	require.Len(t, got, 2)
	kv, err := r.bus.JetStream().KeyValue(t.Context(), bus.LedgerBucket(conn))
	require.NoError(t, err)
	now := time.Now()
	snd, err := json.Marshal(ledger.Entry{Sending: &ledger.Sending{
		Hash: d.Hash, Sequence: got[0].Seq, Key: "k", First: now, Owner: "dead", Lease: now.Add(8 * time.Second), Unknown: true,
	}})
	require.NoError(t, err)
	_, err = kv.Create(t.Context(), "customer.company.1", snd)
	require.NoError(t, err)
	dead.Close()
	v := newVendor()
	r.run(v)
	for _, id := range []string{"1", "2"} {
		r.outcome(company(id), events.StateDone)
		t.Logf("company %s after %s", id, time.Since(now))
	}
	require.Equal(t, 1, v.finds, "what the dead one may have done was looked up")
}
