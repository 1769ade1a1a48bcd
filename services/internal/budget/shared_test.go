package budget_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/budget"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/embed"
)

const bucket = "budgets"

// cluster is a server that processes share.
type cluster struct {
	t   *testing.T
	srv *embed.Server
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	srv, err := embed.Start(embed.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(srv.Stop)
	c := &cluster{t: t, srv: srv}
	_, js := c.connect()
	_, err = js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: bucket, History: 1})
	require.NoError(t, err)
	return c
}

func (c *cluster) connect() (*nats.Conn, jetstream.JetStream) {
	c.t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(c.srv), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
	require.NoError(c.t, err)
	c.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	require.NoError(c.t, err)
	return nc, js
}

// replica is a budget with a connection of its own, as another process has.
func (c *cluster) replica(name string, l connector.Limits) (*budget.Budget, *nats.Conn) {
	c.t.Helper()
	nc, js := c.connect()
	kv, err := js.KeyValue(c.t.Context(), bucket)
	require.NoError(c.t, err)
	b, err := budget.Open(c.t.Context(), budget.Options{KV: kv, Name: name, Limits: l, Log: slog.New(slog.DiscardHandler)})
	require.NoError(c.t, err)
	c.t.Cleanup(b.Close)
	return b, nc
}

// changes returns how often the state of a budget was changed.
func (c *cluster) changes() uint64 {
	c.t.Helper()
	_, js := c.connect()
	s, err := js.Stream(c.t.Context(), "KV_"+bucket)
	require.NoError(c.t, err)
	return s.CachedInfo().State.LastSeq
}

// TestReplicasKeepOneLimit lets several processes call as fast as they may.
// Whatever the span of time, together they make no more calls than one might.
func TestReplicasKeepOneLimit(t *testing.T) {
	t.Parallel()
	const perSecond, burst, slots = 100, 30, 6
	for _, replicas := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(replicas), func(t *testing.T) {
			t.Parallel()
			cl, c := newCluster(t), newCaller(20*time.Millisecond)
			l := connector.Limits{PerSecond: perSecond, Burst: burst, Concurrent: slots}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			var wg sync.WaitGroup
			var all []*budget.Budget
			for range replicas {
				b, _ := cl.replica("erp", l)
				all = append(all, b)
			}
			began := time.Now()
			for _, b := range all {
				loops(ctx, &wg, b.Transport(c), slots, "/")
			}
			wg.Wait()
			within(t, c.at["/"], perSecond, burst)
			require.LessOrEqual(t, c.most["/"], slots)
			t.Logf("%d calls of %.0f possible, %d changes of the state, in %s", c.count("/"),
				perSecond*time.Since(began).Seconds()+burst, cl.changes(), time.Since(began))
		})
	}
}

// TestSlotsOfADeadProcessComeBack: they are leased, and the lease ends.
func TestSlotsOfADeadProcessComeBack(t *testing.T) {
	t.Parallel()
	cl := newCluster(t)
	l := connector.Limits{Concurrent: 2}
	dead, nc := cl.replica("erp", l)
	stuck := &hanging{entered: make(chan struct{}, 2), leave: make(chan struct{})}
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() { defer wg.Done(); _ = get(context.WithoutCancel(t.Context()), dead.Transport(stuck), "/") }()
	}
	<-stuck.entered
	<-stuck.entered
	nc.Close() // from now on nobody hears of it
	alive, _ := cl.replica("erp", l)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	began := time.Now()
	require.NoError(t, get(ctx, alive.Transport(newCaller(0)), "/"))
	t.Logf("after %s", time.Since(began))
	close(stuck.leave)
	wg.Wait()
}

// hanging answers when it is told to.
type hanging struct{ entered, leave chan struct{} }

func (h *hanging) RoundTrip(*http.Request) (*http.Response, error) {
	h.entered <- struct{}{}
	<-h.leave
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
}

// TestMoreProcessesThanSlots: they take turns, none waits for ever.
func TestMoreProcessesThanSlots(t *testing.T) {
	t.Parallel()
	cl := newCluster(t)
	l := connector.Limits{Concurrent: 1}
	c := newCaller(5 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for i := range 3 {
		b, _ := cl.replica("erp", l)
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 10 {
				if err := get(ctx, b.Transport(c), fmt.Sprint("/", i)); err != nil {
					t.Errorf("replica %d: %v", i, err)
					return
				}
			}
		}()
	}
	wg.Wait()
}

// TestAPauseIsEveryones: what one process is told by the vendor holds for all.
func TestAPauseIsEveryones(t *testing.T) {
	t.Parallel()
	cl := newCluster(t)
	l := connector.Limits{PerSecond: 100, Burst: 10}
	one, _ := cl.replica("erp", l)
	other, _ := cl.replica("erp", l)
	require.NoError(t, get(t.Context(), other.Transport(newCaller(0)), "/"))
	v := &vendor{script: []int{http.StatusTooManyRequests}, retryAfter: "2"}
	require.NoError(t, get(t.Context(), one.Transport(v), "/"))
	require.Eventually(t, func() bool { return other.Paused() > 0 }, 10*time.Second, time.Millisecond)
	require.NoError(t, get(t.Context(), other.Transport(v), "/"))
	require.GreaterOrEqual(t, v.at[1].Sub(v.at[0]), 1950*time.Millisecond)
}

// TestADayIsEveryones counts the calls of all processes together.
func TestADayIsEveryones(t *testing.T) {
	t.Parallel()
	cl := newCluster(t)
	l := connector.Limits{PerDay: 300}
	c := newCaller(0)
	var wg sync.WaitGroup
	for range 3 {
		b, _ := cl.replica("erp", l)
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for get(ctx, b.Transport(c), "/") == nil {
			}
		}()
	}
	wg.Wait()
	// Midnight may fall into the test: then two days were spent.
	require.Zero(t, c.count("/")%300, "%d calls", c.count("/"))
}

// TestWithoutTheStoreNoCallBegins: nobody could tell how many the others make.
func TestWithoutTheStoreNoCallBegins(t *testing.T) {
	t.Parallel()
	cl := newCluster(t)
	b, nc := cl.replica("erp", connector.Limits{PerSecond: 100, Burst: 10})
	require.NoError(t, get(t.Context(), b.Transport(newCaller(0)), "/"))
	nc.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	c := newCaller(0)
	require.ErrorIs(t, get(ctx, b.Transport(c), "/"), context.DeadlineExceeded)
	require.Zero(t, c.count("/"))
}
