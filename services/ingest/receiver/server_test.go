package receiver_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/ingest/receiver"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// Limits for waiting on real I/O.
const (
	waitLimit = 20 * time.Second
	waitStep  = 5 * time.Millisecond
)

// Many callers at once: each is told the truth, and each event stands there
// once.
func TestConcurrentPosts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const callers, each = 24, 10
	var wg sync.WaitGroup
	var refused atomic.Int64
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				body := fmt.Sprintf(`[{"event":"e%d-%d","id":"%d"},{"event":"f%d-%d","id":"%d"}]`, c, i, c, c, i, c)
				w := httptest.NewRecorder()
				b.receiver.ServeHTTP(w, hook(body))
				if w.Code != http.StatusOK {
					refused.Add(1)
				}
			}
		})
	}
	wg.Wait()
	require.Zero(t, refused.Load())
	require.EqualValues(t, callers*each*2, b.count())
	seen := map[string]bool{}
	for seq := range b.count() {
		_, e := b.message(seq + 1)
		require.False(t, seen[e.ID], e.ID)
		seen[e.ID] = true
	}
}

// A server that stops answers everyone it has let in, and what it has
// answered 2xx is stored.
func TestGracefulShutdown(t *testing.T) {
	t.Parallel()
	slow := &gate{entered: make(chan struct{}, 8), open: make(chan struct{})}
	b := setup(t, func(_ *receiver.Config, d *receiver.Deps) { slow.Publisher, d.Publisher = d.Publisher, slow })
	server := httptest.NewServer(b.receiver)
	defer server.Close()
	client := server.Client()

	statuses := make(chan int, 4)
	for i := range 4 {
		go func() {
			body := fmt.Sprintf(`[{"event":"e%d","id":"1"}]`, i)
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/webhooks/stripe", strings.NewReader(body))
			req.Header.Set("X-Signature", sign(body))
			resp, err := client.Do(req)
			if err != nil {
				statuses <- 0
				return
			}
			resp.Body.Close()
			statuses <- resp.StatusCode
		}()
	}
	for range 4 {
		<-slow.entered
	}
	b.receiver.Drain()
	resp, p := b.call(httptest.NewRequest(http.MethodGet, "/readyz", nil))
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, "the service is stopping", p.Detail)

	stopped := make(chan error, 1)
	go func() { stopped <- server.Config.Shutdown(context.Background()) }()
	close(slow.open)
	for range 4 {
		require.Equal(t, http.StatusOK, <-statuses)
	}
	require.NoError(t, <-stopped)
	b.group.Close()
	require.EqualValues(t, 4, b.count())

	resp, _ = b.call(hook(delivery))
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode, "the store is closed now")
}

// gate lets publishes wait until it opens.
type gate struct {
	receiver.Publisher
	entered, open chan struct{}
}

func (g *gate) Publish(ctx context.Context, msgs ...bus.Message) error {
	g.entered <- struct{}{}
	<-g.open
	return g.Publisher.Publish(ctx, msgs...)
}

// A caller that hangs up has still said what it said.
func TestCallerHangsUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	resp, _ := b.call(hook(delivery).WithContext(ctx))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.EqualValues(t, 2, b.count())
}

func TestBodyBreaksOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := hook(delivery)
	req.Body = io.NopCloser(io.MultiReader(strings.NewReader("["), brokenReader{}))
	resp, p := b.call(req)
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.Equal(t, "malformed", p.Code)
	require.Zero(t, b.count())
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Bodies in flight are bounded together: a caller beyond it waits its turn.
func TestTooManyBodies(t *testing.T) {
	t.Parallel()
	slow := &gate{entered: make(chan struct{}, 1), open: make(chan struct{})}
	b := setup(t, func(c *receiver.Config, d *receiver.Deps) {
		slow.Publisher, d.Publisher = d.Publisher, slow
		c.MaxBody, c.MaxBatchBody, c.MaxInFlight = int64(len(delivery)), int64(len(delivery)), int64(len(delivery))
	})
	done := make(chan int, 1)
	go func() {
		w := httptest.NewRecorder()
		b.receiver.ServeHTTP(w, hook(delivery))
		done <- w.Code
	}()
	<-slow.entered
	resp, p := b.call(hook(`[]`))
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, "busy", p.Code)
	close(slow.open)
	require.Equal(t, http.StatusOK, <-done)
	resp, _ = b.call(hook(`[]`))
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call(hook(delivery))
	for path, want := range map[string]string{
		"/healthz": `{"status":"ok"}`,
		"/readyz":  `{"status":"ready"}`,
		"/metrics": `spoke_ingest_requests_total{code="stored",connection="stripe",route="/webhooks/{connection}"} 1`,
	} {
		w := httptest.NewRecorder()
		b.receiver.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, http.StatusOK, w.Code, path)
		require.Contains(t, w.Body.String(), want)
	}
}

func TestNewReportsEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := receiver.New(receiver.Config{PublicURL: "spoke.example", MaxBody: 1}, receiver.Deps{
		Webhooks: map[string]connector.Webhooks{},
		Upstreams: []receiver.Upstream{
			{Name: "a", Token: secret.New("hidden-token")}, {Name: "a", Token: secret.New("hidden-token")}, {Name: "b"},
		},
	})
	for _, want := range []string{
		"no publisher", "no tenant", `public URL "spoke.example"`, "MaxBatchBody", "MaxMessage", "PublishTimeout", "Remember", "MaxInFlight",
		`upstream "a" is there twice`, `upstreams "a" and "a" have the same token`, `upstream "b": name and token are required`,
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "hidden-token")
	_, err = receiver.New(receiver.DefaultConfig(), receiver.Deps{Publisher: failing{}})
	require.NoError(t, err)
}
