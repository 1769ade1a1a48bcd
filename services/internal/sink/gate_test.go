package sink_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/sink"
)

// crowd is a vendor that answers the first calls only once n of them are
// there, so that they fail together.
type crowd struct {
	*vendor
	arrived sync.WaitGroup
	mu      sync.Mutex
	missing int
}

func newCrowd(n int, script ...func(connector.Document) (bool, error)) *crowd {
	c := &crowd{vendor: newVendor(script...), missing: n}
	c.arrived.Add(n)
	return c
}

func (c *crowd) Apply(ctx context.Context, docs []connector.Document) []connector.Result {
	c.mu.Lock()
	if c.missing > 0 {
		c.missing--
		c.arrived.Done()
	}
	c.mu.Unlock()
	c.arrived.Wait()
	return c.vendor.Apply(ctx, docs)
}

// conditions returns the states that the connection told, as they come.
func (r *rig) conditions() <-chan string {
	r.t.Helper()
	kv, err := r.bus.JetStream().KeyValue(r.t.Context(), bus.BucketConnections)
	require.NoError(r.t, err)
	w, err := kv.Watch(r.t.Context(), conn)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = w.Stop() })
	states, last := make(chan string, 100), ""
	go func() {
		defer close(states)
		for e := range w.Updates() {
			var c events.Condition
			if e != nil && json.Unmarshal(e.Value(), &c) == nil && c.State != last {
				last = c.State
				states <- last
			}
		}
	}()
	return states
}

// TestRefusedTogether: eight calls that meet refused credentials at one moment
// are one refusal. The pause must not grow eight times.
func TestRefusedTogether(t *testing.T) {
	t.Parallel()
	const n = sink.DefaultLanes
	c := newCrowd(n)
	for range n {
		c.script = append(c.script, fails(false, fault.Unauthorized))
	}
	r := newRig(t)
	for i := range n {
		r.want("customer", company(fmt.Sprint(i)), map[string]any{"name": "a"})
	}
	r.run(c)
	for i := range n {
		r.outcome(company(fmt.Sprint(i)), events.StateDone)
	}
	r.idle()
	require.Len(t, c.created, n)
}

// TestOneFailureAfterARecoveryDoesNotOpen: an outage that outlives a probe
// must not leave anything behind that makes the first hiccup after it an
// outage too.
func TestOneFailureAfterARecoveryDoesNotOpen(t *testing.T) {
	t.Parallel()
	pass := func(connector.Document) (bool, error) { return true, nil }
	r := newRig(t)
	v := newVendor(fails(false, fault.Unavailable), fails(false, fault.Unavailable), pass, fails(false, fault.Transient))
	states := r.conditions()
	r.run(v)
	r.want("customer", company("1"), map[string]any{"name": "a"})
	r.outcome(company("1"), events.StateDone)
	require.Equal(t, "running", <-states)
	for state := range states {
		if state == "running" {
			break
		}
	}
	r.want("customer", company("1"), map[string]any{"name": "b"})
	require.Eventually(t, func() bool { v.mu.Lock(); defer v.mu.Unlock(); return v.objects["spoke-company-1"] == "b" }, wait, tick)
	r.idle()
	require.Empty(t, states, "one transient error says nothing about the vendor")
}

// flaky is a vendor that takes four documents at once and fails every second
// one that it is given, whichever that is, for the first so many.
type flaky struct {
	*vendor
	left int
}

func (f *flaky) BatchSize() int { return 4 }

func (f *flaky) Apply(_ context.Context, docs []connector.Document) []connector.Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	results := make([]connector.Result, len(docs))
	for i, d := range docs {
		if f.left--; f.left > 0 && f.left%2 == 0 {
			results[i].Err = fault.New(fault.Transient, "erp", "the line dropped")
			continue
		}
		results[i] = f.put(d)
	}
	return results
}

// TestAVendorThatDoesAPartIsNotDown: documents that fail beside others that are
// done are tried again, and open no breaker.
func TestAVendorThatDoesAPartIsNotDown(t *testing.T) {
	t.Parallel()
	const n = 60
	r := newRig(t)
	states := r.conditions()
	for i := range n {
		r.want("customer", company(fmt.Sprint(i)), map[string]any{"name": "a"})
	}
	f := &flaky{vendor: newVendor(), left: n}
	r.run(f)
	for i := range n {
		r.outcome(company(fmt.Sprint(i)), events.StateDone)
	}
	r.idle()
	require.Len(t, f.created, n)
	require.Equal(t, "running", <-states)
	require.Empty(t, states)
}

// TestProbeThatSaysNothing: a half-open breaker whose probe meets a throttle or
// a bug is neither closed nor stuck.
func TestProbeThatSaysNothing(t *testing.T) {
	t.Parallel()
	r, v := newRig(t), newVendor(fails(false, fault.Unavailable), fails(false, fault.Throttled), fails(false, fault.Malformed))
	r.run(v)
	r.want("customer", company("1"), map[string]any{"name": "a"})
	r.outcome(company("1"), events.StateQuarantined)
	r.want("customer", company("2"), map[string]any{"name": "a"})
	r.outcome(company("2"), events.StateDone)
	r.idle()
}
