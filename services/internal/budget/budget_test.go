package budget_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/budget"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// vendor answers each call after a while with the next status of a script.
type vendor struct {
	takes time.Duration

	mu             sync.Mutex
	inFlight, most int
	at             []time.Time
	script         []int
	retryAfter     string
}

func (v *vendor) RoundTrip(*http.Request) (*http.Response, error) {
	v.mu.Lock()
	v.inFlight++
	v.most = max(v.most, v.inFlight)
	v.at = append(v.at, time.Now())
	status := http.StatusOK
	if len(v.script) > 0 {
		status, v.script = v.script[0], v.script[1:]
	}
	v.mu.Unlock()
	time.Sleep(v.takes)
	v.mu.Lock()
	v.inFlight--
	v.mu.Unlock()
	return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {v.retryAfter}}, Body: http.NoBody}, nil
}

func call(t *testing.T, rt http.RoundTripper, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://vendor.example/", http.NoBody)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := rt.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
		}()
	}
	wg.Wait()
}

func TestRateAndConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{takes: 300 * time.Millisecond}
		b := budget.New(connector.Limits{PerSecond: 10, Burst: 2, Concurrent: 3})
		defer b.Close()
		began := time.Now()
		call(t, b.Transport(v), 32)
		require.Equal(t, 3, v.most)
		// 2 at once, then 10 a second.
		require.GreaterOrEqual(t, v.at[31].Sub(began), 3*time.Second)
		for i := range v.at {
			if i+12 < len(v.at) {
				require.GreaterOrEqual(t, v.at[i+12].Sub(v.at[i]), 999*time.Millisecond, "any second has at most rate and burst")
			}
		}
	})
}

func TestA429PausesAndSlows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{script: []int{http.StatusTooManyRequests}, retryAfter: "3"}
		b := budget.New(connector.Limits{PerSecond: 10, Burst: 1})
		defer b.Close()
		call(t, b.Transport(v), 1)
		require.Equal(t, 3*time.Second, b.Paused())
		call(t, b.Transport(v), 1)
		require.GreaterOrEqual(t, v.at[1].Sub(v.at[0]), 3*time.Second, "Retry-After is kept")
		call(t, b.Transport(v), 5)
		require.GreaterOrEqual(t, v.at[6].Sub(v.at[2]), 799*time.Millisecond, "half the rate")
		call(t, b.Transport(v), 60) // good calls bring the rate back
		n := len(v.at)
		call(t, b.Transport(v), 10)
		require.Less(t, v.at[n+9].Sub(v.at[n]), time.Second)
	})
}

func TestWithoutLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{}
		b := budget.New(connector.Limits{})
		defer b.Close()
		began := time.Now()
		call(t, b.Transport(v), 100)
		require.Zero(t, time.Since(began))
		require.Zero(t, b.Paused())
	})
}

func TestACancelledCallLeavesItsSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{script: []int{http.StatusTooManyRequests}, retryAfter: "60"}
		b := budget.New(connector.Limits{Concurrent: 1})
		defer b.Close()
		call(t, b.Transport(v), 1)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://vendor.example/", http.NoBody)
		require.NoError(t, err)
		_, err = b.Transport(v).RoundTrip(req)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, rest.ErrBudget, "waiting in vain says nothing about the vendor")
		call(t, b.Transport(v), 1) // waits for the pause, not for ever
		require.Len(t, v.at, 2)
	})
}
