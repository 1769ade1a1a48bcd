package rest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

func client(t *testing.T, h http.HandlerFunc) *rest.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	transport := rest.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	return &rest.Client{HTTP: rest.NewHTTP(transport), Base: s.URL}
}

func cut(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// TestLostAnswers: what matters is whether the vendor can have acted.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		safe    bool
		want    fault.Kind
	}{
		"cut after sending":       {cut, false, fault.Ambiguous},
		"cut, but safe to repeat": {cut, true, fault.Transient},
		"answer breaks off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
		}, false, fault.Ambiguous},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, tc.handler)
			_, err := c.Do(t.Context(), rest.Request{Op: "erp: create", Method: http.MethodPost, Path: "/x?secret=1", Body: []byte("{}"), Safe: tc.safe})
			require.Equal(t, tc.want, fault.KindOf(err))
			require.ErrorContains(t, err, "erp: create")
			require.NotContains(t, err.Error(), "secret=1", "URLs may hold keys")
		})
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	c := &rest.Client{HTTP: rest.NewHTTP(rest.NewTransport()), Base: s.URL}
	_, err := c.Do(t.Context(), rest.Request{Op: "erp: create", Method: http.MethodPost, Path: "/"})
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
}

func TestRedirectToAnotherHostIsRefused(t *testing.T) {
	t.Parallel()
	var reached atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	t.Cleanup(other.Close)
	c := client(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
	_, err := c.Do(t.Context(), rest.Request{Op: "erp: read", Method: http.MethodGet, Path: "/"})
	require.ErrorContains(t, err, "another host")
	require.False(t, reached.Load())
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	c := client(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 2000)) })
	c.MaxBody = 1000
	_, err := c.Do(t.Context(), rest.Request{Op: "erp: read", Method: http.MethodGet, Path: "/"})
	require.ErrorContains(t, err, "larger than 1000 bytes")
	c.MaxBody = 2000
	resp, err := c.Do(t.Context(), rest.Request{Op: "erp: read", Method: http.MethodGet, Path: "/"})
	require.NoError(t, err)
	require.Len(t, resp.Body, 2000)
}

// keys hands out a new token after each renewal, up to a number.
type keys struct{ now, last int }

func (k *keys) Authorize(_ context.Context, r *http.Request) error {
	r.Header.Set("Authorization", strings.Repeat("x", k.now))
	return nil
}

func (k *keys) Renew(context.Context) bool {
	if k.now >= k.last {
		return false
	}
	k.now++
	return true
}

func TestOneRenewalAfter401(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if len(r.Header.Get("Authorization")) < 2 {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	for _, tc := range []struct {
		last, status int
		calls        int64
	}{{2, http.StatusOK, 2}, {1, http.StatusUnauthorized, 1}} {
		calls.Store(0)
		c.Auth = &keys{now: 1, last: tc.last}
		resp, err := c.Do(t.Context(), rest.Request{Op: "erp: read", Method: http.MethodGet, Path: "/"})
		require.NoError(t, err)
		require.Equal(t, tc.status, resp.Status)
		require.Equal(t, tc.calls, calls.Load())
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for status, want := range map[int][2]fault.Kind{ // for an unsafe and a safe request
		400: {fault.Rejected, fault.Rejected}, 401: {fault.Unauthorized, fault.Unauthorized}, 403: {fault.Unauthorized, fault.Unauthorized},
		404: {fault.Rejected, fault.Rejected}, 409: {fault.Conflict, fault.Conflict}, 412: {fault.Conflict, fault.Conflict},
		429: {fault.Throttled, fault.Throttled}, 500: {fault.Ambiguous, fault.Transient}, 502: {fault.Ambiguous, fault.Transient},
		503: {fault.Unavailable, fault.Unavailable}, 200: {fault.Internal, fault.Internal},
	} {
		resp := &rest.Response{Status: status, Header: http.Header{"Retry-After": {"7"}}}
		for i, safe := range []bool{false, true} {
			e := rest.Classify(rest.Request{Op: "erp: write", Safe: safe}, resp, "")
			require.Equal(t, want[i], e.Kind, "%d, safe %v", status, safe)
			require.Equal(t, 7*time.Second, e.RetryAfter)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "-5": 0, "999999": time.Hour, "soon": 0,
		"Mon, 23 Nov 2026 12:00:30 GMT": 30 * time.Second, "Mon, 23 Nov 2026 11:00:00 GMT": 0,
	} {
		require.Equal(t, want, rest.RetryAfter(http.Header{"Retry-After": {value}}, now), value)
	}
}
