package sink_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/budget"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// limited is a vendor behind a budget: each Apply is one call.
type limited struct {
	*outage
	client rest.Client
}

func (l *limited) Apply(ctx context.Context, docs []connector.Document) []connector.Result {
	if _, err := l.client.Do(ctx, rest.Request{Op: "erp: write", Method: http.MethodPost, Path: "/", Safe: true}); err != nil {
		return []connector.Result{{Err: err}}
	}
	return l.outage.Apply(ctx, docs)
}

// calls notes when each call went out.
type calls struct {
	mu sync.Mutex
	at []time.Time
}

func (c *calls) RoundTrip(*http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.at = append(c.at, time.Now())
	c.mu.Unlock()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
}

// TestTheBacklogOfAnOutageDrainsWithinTheLimit: many changes to some objects
// while the vendor is down are one document, and so one write, for each, made
// at the vendor's rate by two processes together.
func TestTheBacklogOfAnOutageDrainsWithinTheLimit(t *testing.T) {
	t.Parallel()
	const objects, changes, perSecond, burst = 150, 10, 100, 10
	r := newRig(t)
	v, c := &outage{vendor: newVendor(), down: true}, &calls{}
	v.seen = make(chan connector.Document, objects+100)
	kv, err := r.bus.JetStream().KeyValue(t.Context(), bus.BucketBudgets)
	require.NoError(t, err)
	for range 2 {
		b, err := budget.Open(t.Context(), budget.Options{
			KV: kv, Name: "erp", Log: discard(), Limits: connector.Limits{PerSecond: perSecond, Burst: burst, Concurrent: 8},
		})
		require.NoError(t, err)
		t.Cleanup(b.Close)
		r.budget = b
		r.run(&limited{v, rest.Client{Base: "http://vendor.example", HTTP: &http.Client{Transport: b.Transport(c)}}})
	}
	for n := range changes {
		for id := range objects {
			r.want("customer", company(fmt.Sprint(id)), map[string]any{"name": fmt.Sprint(n)})
		}
	}
	s, err := r.bus.JetStream().Stream(t.Context(), events.StreamHub)
	require.NoError(t, err)
	info, err := s.Info(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, objects, info.State.Msgs, "one document for each object")
	v.mu.Lock()
	v.down = false
	v.mu.Unlock()
	for id := range objects {
		r.outcome(company(fmt.Sprint(id)), events.StateDone)
	}
	r.idle()
	v.vendor.mu.Lock() // not that of the outage
	defer v.vendor.mu.Unlock()
	require.Equal(t, objects, v.calls, "one write for each object")
	for id := range objects {
		require.Equal(t, fmt.Sprint(changes-1), v.objects[fmt.Sprintf("spoke-company-%d", id)], "the last change")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.at {
		for j := i + burst; j < len(c.at); j++ {
			span := c.at[j].Sub(c.at[i])
			require.LessOrEqual(t, float64(j-i+1), burst+perSecond*span.Seconds()+1e-6, "%d calls within %s", j-i+1, span)
		}
	}
}
