package rest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a vendor and returns a client of it.
func serve(t *testing.T, h http.HandlerFunc) (*rest.Client, *httptest.Server) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	transport := rest.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	return &rest.Client{HTTP: rest.NewHTTP(transport), Base: s.URL}, s
}

func post() rest.Request {
	return rest.Request{Op: "vendor: create", Method: http.MethodPost, Path: "/things", Body: []byte(`{"a":1}`)}
}

func get() rest.Request {
	return rest.Request{Op: "vendor: read", Method: http.MethodGet, Path: "/things", Safe: true}
}

func TestAnAnswerOfAnyStatusIsNoError(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 201, 204, 400, 404, 429, 500, 503} {
		c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Got", r.Method+" "+r.URL.String()+" "+string(body)+" "+r.Header.Get("X-Sent"))
			w.WriteHeader(status)
			if status != http.StatusNoContent {
				_, _ = io.WriteString(w, "text")
			}
		})
		r := post()
		r.Query, r.Header = map[string][]string{"q": {"a b"}}, http.Header{"X-Sent": {"yes"}}
		resp, err := c.Do(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, status, resp.Status)
		require.Equal(t, `POST /things?q=a+b {"a":1} yes`, resp.Header.Get("X-Got"))
	}
}

// cut accepts a connection, reads a request, sends what it is given, and
// closes.
func cut(t *testing.T, read bool, answer string) (base string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if read {
				if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.Copy(io.Discard, r.Body)
				}
			}
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// TestLost classifies calls without a whole answer by whether the vendor can
// have acted: the difference between trying again and making something twice.
func TestLost(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
	for _, tc := range []struct {
		name       string
		base       func(*testing.T) string
		write, get fault.Kind
	}{
		{"refused", func(*testing.T) string { return "http://" + closed.Addr().String() }, fault.Unavailable, fault.Unavailable},
		{"no such host", func(*testing.T) string { return "http://no-such-host.invalid" }, fault.Unavailable, fault.Unavailable},
		{"cut before the answer", func(t *testing.T) string { return cut(t, true, "") }, fault.Ambiguous, fault.Transient},
		{"cut in the header", func(t *testing.T) string { return cut(t, true, "HTTP/1.1 200 O") }, fault.Ambiguous, fault.Transient},
		{"cut in the body", func(t *testing.T) string { return cut(t, true, head+"half") }, fault.Ambiguous, fault.Transient},
		{"no HTTP", func(t *testing.T) string { return cut(t, true, "220 smtp ready\r\n") }, fault.Ambiguous, fault.Transient},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			transport := rest.NewTransport()
			t.Cleanup(transport.CloseIdleConnections)
			c := &rest.Client{HTTP: rest.NewHTTP(transport), Base: tc.base(t)}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			r := post()
			r.Query = map[string][]string{"key": {"confidential"}}
			_, err := c.Do(ctx, r)
			require.Equal(t, tc.write.String(), fault.KindOf(err).String(), "%v", err)
			require.NotContains(t, err.Error(), "confidential")
			require.True(t, strings.HasPrefix(err.Error(), "vendor: create: "), "%v", err)
			_, err = c.Do(ctx, get())
			require.Equal(t, tc.get.String(), fault.KindOf(err).String(), "%v", err)
		})
	}
}

// TestDeadline: time that runs out behind the vendor's door is ambiguous.
func TestDeadline(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	c, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	for _, tc := range []struct {
		r    rest.Request
		kind fault.Kind
	}{{post(), fault.Ambiguous}, {get(), fault.Transient}} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := c.Do(ctx, tc.r)
		cancel()
		require.Equal(t, tc.kind.String(), fault.KindOf(err).String(), "%v", err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
}

// roundTripper is a transport that fails before it sends.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestOurOwnWaitIsNotTheVendors: a call that ends before it is sent, because
// we stop or because our own budget did not let it go, says nothing about the
// vendor's health and must not open a breaker.
func TestOurOwnWaitIsNotTheVendors(t *testing.T) {
	t.Parallel()
	waits := roundTripper(func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() })
	held := roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("%w: no room", rest.ErrBudget)
	})
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tc := range []struct {
		name string
		via  http.RoundTripper
		ctx  context.Context
		kind fault.Kind
	}{
		{"stopping", waits, stopped, fault.Transient},
		{"budget", held, t.Context(), fault.Throttled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := &rest.Client{HTTP: rest.NewHTTP(tc.via), Base: "http://vendor.invalid"}
			_, err := c.Do(tc.ctx, post())
			require.Equal(t, tc.kind.String(), fault.KindOf(err).String(), "%v", err)
			require.NotEqual(t, fault.BreakerTrip, fault.Judge(err, 1, 0).Breaker)
			require.True(t, strings.HasPrefix(err.Error(), "vendor: create: "), "%v", err)
		})
	}
}

func TestBoundedBody(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", len(r.URL.Query().Get("n"))))
	})
	c.MaxBody = 10
	for n, kind := range map[int]fault.Kind{10: fault.Internal, 11: fault.Rejected} {
		r := get()
		r.Query = map[string][]string{"n": {strings.Repeat("n", n)}}
		resp, err := c.Do(t.Context(), r)
		if n <= 10 {
			require.NoError(t, err)
			require.Len(t, resp.Body, n)
			continue
		}
		require.Equal(t, kind.String(), fault.KindOf(err).String())
		r = post()
		r.Query = map[string][]string{"n": {strings.Repeat("n", n)}}
		_, err = c.Do(t.Context(), r)
		require.Equal(t, fault.Ambiguous.String(), fault.KindOf(err).String(), "the vendor did what it was asked to")
	}
}

// TestRedirects: credentials go to no other host, and a write never turns into
// a read whose answer would pass for the write's.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var stolen atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	t.Cleanup(other.Close)
	var to atomic.Value
	var status atomic.Int64
	var hits atomic.Int64
	c, s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/things" {
			w.Header().Set("Location", to.Load().(string))
			w.WriteHeader(int(status.Load()))
			return
		}
		hits.Add(1)
		_, _ = io.WriteString(w, r.Method)
	})
	for _, code := range []int64{301, 302, 303, 307, 308} {
		status.Store(code)
		to.Store(other.URL + "/x")
		_, err := c.Do(t.Context(), get())
		require.ErrorContains(t, err, "another host")
		require.Zero(t, stolen.Load())

		to.Store(s.URL + "/moved")
		resp, err := c.Do(t.Context(), get())
		require.NoError(t, err)
		require.Equal(t, "GET", string(resp.Body))
		before := hits.Load()
		resp, err = c.Do(t.Context(), post())
		require.NoError(t, err)
		if code == 307 || code == 308 {
			require.Equal(t, "POST", string(resp.Body))
			continue
		}
		require.EqualValues(t, code, resp.Status, "the write was not made, and must not look as if it was")
		require.Equal(t, before, hits.Load())
	}
	to.Store("/things")
	status.Store(302)
	_, err := c.Do(t.Context(), get())
	require.ErrorContains(t, err, "redirects")
}

// login is an Authorizer that counts.
type login struct {
	token  atomic.Int64
	renew  bool
	failed error
}

func (l *login) Authorize(_ context.Context, r *http.Request) error {
	if l.failed != nil {
		return l.failed
	}
	r.Header.Set("Authorization", string(rune('a'+l.token.Load())))
	return nil
}

func (l *login) Renew(context.Context) bool { l.token.Add(1); return l.renew }

func TestCredentialsAreRenewedOnce(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name         string
		good         string
		renew        bool
		status, sent int
	}{
		{"good at once", "a", true, 200, 1},
		{"good after one renewal", "b", true, 200, 2},
		{"never good", "z", true, 401, 2},
		{"nothing to renew", "b", false, 401, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				if body, _ := io.ReadAll(r.Body); string(body) != `{"a":1}` {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				if r.Header.Get("Authorization") != tc.good {
					w.WriteHeader(http.StatusUnauthorized)
				}
			})
			c.Auth = &login{renew: tc.renew}
			resp, err := c.Do(t.Context(), post())
			require.NoError(t, err)
			require.Equal(t, tc.status, resp.Status)
			require.EqualValues(t, tc.sent, calls.Load())
		})
	}
}

func TestNoCredentialsNoCall(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	c, _ := serve(t, func(http.ResponseWriter, *http.Request) { calls.Add(1) })
	c.Auth = &login{failed: fault.New(fault.Unauthorized, "vendor: token", "refused")}
	_, err := c.Do(t.Context(), post())
	require.Equal(t, fault.Unauthorized, fault.KindOf(err))
	require.Zero(t, calls.Load())
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status      int
		write, read fault.Kind
	}{
		{200, fault.Internal, fault.Internal},
		{303, fault.Internal, fault.Internal},
		{400, fault.Rejected, fault.Rejected},
		{401, fault.Unauthorized, fault.Unauthorized},
		{403, fault.Unauthorized, fault.Unauthorized},
		{404, fault.Rejected, fault.Rejected},
		{408, fault.Ambiguous, fault.Transient},
		{409, fault.Conflict, fault.Conflict},
		{412, fault.Conflict, fault.Conflict},
		{422, fault.Rejected, fault.Rejected},
		{425, fault.Transient, fault.Transient},
		{429, fault.Throttled, fault.Throttled},
		{500, fault.Ambiguous, fault.Transient},
		{502, fault.Ambiguous, fault.Transient},
		{503, fault.Unavailable, fault.Unavailable},
		{504, fault.Ambiguous, fault.Transient},
		{599, fault.Ambiguous, fault.Transient},
	} {
		resp := &rest.Response{Status: tc.status, Header: http.Header{"Retry-After": {"7"}}}
		e := rest.Classify(post(), resp, "")
		require.Equal(t, tc.write.String(), e.Kind.String(), "write %d", tc.status)
		require.Equal(t, 7*time.Second, e.RetryAfter)
		require.Equal(t, tc.read.String(), rest.Classify(get(), resp, "").Kind.String(), "read %d", tc.status)
	}
	require.EqualError(t, rest.Classify(get(), &rest.Response{Status: 400}, "no such field"), "vendor: read: 400 no such field")
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-3": 0, "999999999": time.Hour, "99999999999999999999": 0,
		"soon": 0, "1.5": 0, "Mon, 23 Nov 2026 09:00:30 GMT": 30 * time.Second, "Mon, 23 Nov 2026 08:00:00 GMT": 0,
		"Tue, 24 Nov 2026 09:00:00 GMT": time.Hour,
	} {
		require.Equal(t, want, rest.RetryAfter(http.Header{"Retry-After": {text}}, now), "%q", text)
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"7", "Mon, 23 Nov 2026 09:00:30 GMT", "-1", "1e9", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := rest.RetryAfter(http.Header{"Retry-After": {s}}, time.Unix(1_800_000_000, 0))
		if d < 0 || d > time.Hour {
			t.Fatalf("%q: %v", s, d)
		}
	})
}

func TestABadBaseIsNoCall(t *testing.T) {
	t.Parallel()
	c := &rest.Client{HTTP: rest.NewHTTP(roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("called")
	})), Base: "://"}
	_, err := c.Do(t.Context(), get())
	require.Equal(t, fault.Internal, fault.KindOf(err))
	require.NotContains(t, err.Error(), "called")
}
