package budget_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/budget"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// caller makes calls to paths and notes when each reached the vendor.
type caller struct {
	takes time.Duration
	mu    sync.Mutex
	at    map[string][]time.Time
	now   map[string]int
	most  map[string]int
}

func newCaller(takes time.Duration) *caller {
	return &caller{takes: takes, at: map[string][]time.Time{}, now: map[string]int{}, most: map[string]int{}}
}

func (c *caller) RoundTrip(r *http.Request) (*http.Response, error) {
	p := r.URL.Path
	c.mu.Lock()
	c.at[p] = append(c.at[p], time.Now())
	c.now[p]++
	c.most[p] = max(c.most[p], c.now[p])
	c.mu.Unlock()
	time.Sleep(c.takes)
	c.mu.Lock()
	c.now[p]--
	c.mu.Unlock()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
}

func (c *caller) count(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.at[path])
}

// get calls a path once.
func get(ctx context.Context, rt http.RoundTripper, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://vendor.example"+path, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// loops calls a path over and over in n loops until ctx ends.
func loops(ctx context.Context, wg *sync.WaitGroup, rt http.RoundTripper, n int, path string) {
	for range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for get(ctx, rt, path) == nil {
			}
		}()
	}
}

func searches(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/search") }

// within requires that any span of time has at most rate and burst.
func within(t *testing.T, at []time.Time, perSecond float64, burst int) {
	t.Helper()
	for i := range at {
		for j := i + burst; j < len(at); j++ {
			allowed := float64(burst) + perSecond*at[j].Sub(at[i]).Seconds()
			require.LessOrEqual(t, float64(j-i+1), allowed+1e-6, "%d calls within %s", j-i+1, at[j].Sub(at[i]))
		}
	}
}

func TestPools(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		shared bool
		others float64 // calls a second that are left for the others
	}{
		{"apart", false, 20}, {"shared", true, 15},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCaller(10 * time.Millisecond)
				b := budget.New(connector.Limits{PerSecond: 20, Burst: 4, Pools: []connector.Pool{
					{Name: "search", Match: searches, PerSecond: 5, Burst: 2, Concurrent: 2, Shared: tc.shared},
				}})
				defer b.Close()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				var wg sync.WaitGroup
				loops(ctx, &wg, b.Transport(c), 6, "/search")
				loops(ctx, &wg, b.Transport(c), 6, "/object")
				wg.Wait()
				within(t, c.at["/search"], 5, 2)
				within(t, c.at["/object"], 20, 4)
				require.LessOrEqual(t, c.most["/search"], 2)
				require.InDelta(t, 50, c.count("/search"), 4, "a saturated pool uses its rate")
				require.InDelta(t, 10*tc.others, c.count("/object"), 14)
			})
		})
	}
}

func TestBackgroundUsesItsShareAndYields(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(50 * time.Millisecond)
		b := budget.New(connector.Limits{PerSecond: 20, Burst: 20, Concurrent: 4, Background: 0.25})
		defer b.Close()
		run := func(fore, back int) (foreground, background int) {
			f, g := c.count("/fore"), c.count("/back")
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			var wg sync.WaitGroup
			loops(budget.Background(ctx), &wg, b.Transport(c), back, "/back")
			loops(ctx, &wg, b.Transport(c), fore, "/fore")
			wg.Wait()
			return c.count("/fore") - f, c.count("/back") - g
		}
		_, alone := run(0, 8)
		require.InDelta(t, 100, alone, 5, "a quarter of 20 a second, though nobody else calls")
		require.Equal(t, 1, c.most["/back"], "a quarter of the slots")
		busy, _ := run(8, 8)
		require.Greater(t, busy, 370, "others go first: they have nearly all of the 400")
		// A few calls of others leave the background its part.
		c.takes = 200 * time.Millisecond
		_, beside := run(1, 8)
		require.Greater(t, beside, 60)
	})
}

func TestADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		zone := time.FixedZone("ahead", 9*3600) // the day begins at 15:00 UTC
		c := newCaller(0)
		b := budget.New(connector.Limits{PerDay: 1000, Zone: zone})
		defer b.Close()
		rt := b.Transport(c)
		for n := range 500 {
			require.NoError(t, get(budget.Background(t.Context()), rt, "/back"), n)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := get(budget.Background(short), rt, "/back")
		require.ErrorIs(t, err, rest.ErrBudget, "half of the day is for the background")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Zero(t, b.Paused(), "others may go on")
		for range 500 {
			require.NoError(t, get(t.Context(), rt, "/fore"))
		}
		began := time.Now()
		require.ErrorIs(t, get(short, rt, "/fore"), rest.ErrBudget)
		require.Zero(t, time.Since(began), "what would wait for longer than it may is refused at once")
		midnight := time.Date(began.In(zone).Year(), began.In(zone).Month(), began.In(zone).Day()+1, 0, 0, 0, 0, zone)
		require.Equal(t, time.Until(midnight), b.Paused())
		require.NoError(t, get(t.Context(), rt, "/fore"))
		require.Equal(t, midnight.UTC(), time.Now().UTC(), "it waited for the next day in the vendor's zone")
		require.Zero(t, b.Paused())
	})
}
