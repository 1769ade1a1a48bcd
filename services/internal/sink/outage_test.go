package sink_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/breaker"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// outage is a vendor that can be down. It notes how many calls there were at
// once.
type outage struct {
	*vendor
	mu     sync.Mutex
	down   bool
	failed int   // calls while it was down
	flying int   // calls now
	most   []int // at the n-th call since it is back, how many there were at once
}

func (o *outage) Apply(ctx context.Context, docs []connector.Document) []connector.Result {
	o.mu.Lock()
	o.flying++
	defer func() { o.mu.Lock(); o.flying--; o.mu.Unlock() }()
	if o.down {
		o.failed++
		o.mu.Unlock()
		return []connector.Result{{Err: fault.New(fault.Unavailable, "erp: write", "down")}}
	}
	o.most = append(o.most, o.flying)
	o.mu.Unlock()
	time.Sleep(20 * time.Millisecond)
	return o.vendor.Apply(ctx, docs)
}

// Find and Check are down too.
func (o *outage) Find(ctx context.Context, d connector.Document) (connector.Result, bool, error) {
	if err := o.Check(ctx); err != nil {
		return connector.Result{}, false, err
	}
	return o.vendor.Find(ctx, d)
}

func (o *outage) Check(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.down {
		return nil
	}
	o.failed++
	return fault.New(fault.Unavailable, "erp: look", "down")
}

// TestAnOutageWithTwoReplicas: while the vendor is down one process at a time
// tries it; when it is back the backlog does not fall upon it at once.
func TestAnOutageWithTwoReplicas(t *testing.T) {
	t.Parallel()
	const n = 60
	r := newRig(t)
	v := &outage{vendor: newVendor(), down: true}
	states := r.conditions()
	r.run(v)
	r.run(v)
	for i := range n {
		r.want("customer", company(fmt.Sprint(i)), map[string]any{"name": "a"})
	}
	for s := range states {
		if s == "open" {
			break
		}
	}
	v.mu.Lock()
	first := v.failed
	v.mu.Unlock()
	require.LessOrEqual(t, first, 2*8, "what was in flight when it went down")
	time.Sleep(3 * time.Second) // some probes, at least a quarter of a second apart
	v.mu.Lock()
	require.LessOrEqual(t, v.failed-first, 14, "probes")
	v.down = false
	v.mu.Unlock()
	for i := range n {
		r.outcome(company(fmt.Sprint(i)), events.StateDone)
	}
	r.idle()
	v.mu.Lock()
	defer v.mu.Unlock()
	require.Len(t, v.most, n, "one write for each object")
	require.LessOrEqual(t, v.most[0], 1)
	for i := range 5 {
		require.LessOrEqual(t, v.most[i], 4, "call %d after the recovery: %v", i, v.most)
	}
}

// TestAnOperatorsPauseHoldsForEveryReplica, and for those that start later.
func TestAnOperatorsPauseHoldsForEveryReplica(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := newVendor()
	kv, err := r.bus.JetStream().KeyValue(t.Context(), bus.BucketConnections)
	require.NoError(t, err)
	stop := r.run(v)
	r.want("customer", company("1"), map[string]any{"name": "a"})
	r.outcome(company("1"), events.StateDone)
	c, err := breaker.Pause(t.Context(), kv, conn, "year end")
	require.NoError(t, err)
	require.Equal(t, "paused", c.State)
	stop()
	r.run(v)
	r.want("customer", company("2"), map[string]any{"name": "a"})
	time.Sleep(time.Second)
	v.mu.Lock()
	require.Equal(t, 1, v.calls)
	v.mu.Unlock()
	_, err = breaker.Resume(t.Context(), kv, conn)
	require.NoError(t, err)
	r.outcome(company("2"), events.StateDone)
}

// spentBudget allows calls once it is told so.
type spentBudget struct {
	mu   sync.Mutex
	over bool
}

func (b *spentBudget) Paused() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return 0
	}
	return time.Hour
}

// TestASpentBudgetStopsPulling: what can't be done is not taken, and so not
// given back either.
func TestASpentBudgetStopsPulling(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v, b := newVendor(), &spentBudget{}
	r.budget = b
	r.run(v)
	r.want("customer", company("1"), map[string]any{"name": "a"})
	time.Sleep(time.Second)
	s, err := r.bus.JetStream().Stream(t.Context(), events.StreamHub)
	require.NoError(t, err)
	cons, err := s.Consumer(t.Context(), bus.SinkDurable(conn))
	require.NoError(t, err)
	info, err := cons.Info(t.Context())
	require.NoError(t, err)
	require.Zero(t, info.Delivered.Consumer, "nothing was pulled")
	b.mu.Lock()
	b.over = true
	b.mu.Unlock()
	r.outcome(company("1"), events.StateDone)
}
