package connectortest

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spoke-sync/spoke/services/internal/rest"
	"github.com/spoke-sync/spoke/services/internal/spec"
)

// wire is the network between connector and sandbox. It can give answers of
// its own, as a proxy in between may.
type wire struct {
	real *http.Transport
	next http.RoundTripper
	tap  *spec.Tap // nil without a description
	mu   sync.Mutex
	fake func(*http.Request) (*http.Response, error)
	hook func(*http.Request)
}

// callTimeout ends a call that hangs; nothing in a sandbox takes as long.
const callTimeout = 30 * time.Second

func newWire(book *spec.Book) *wire {
	// Without kept connections the transport never repeats a call by itself,
	// so that each fault is seen by the connector.
	w := &wire{real: &http.Transport{DisableKeepAlives: true}}
	w.next = w.real
	if book != nil {
		w.tap = &spec.Tap{Next: w.real, Book: book}
		w.next = w.tap
	}
	return w
}

// judge fails for each call that the vendor's description does not allow.
func (w *wire) judge(t testing.TB) {
	t.Helper()
	if w.tap != nil {
		w.tap.Report(t)
	}
}

// client is the one that connectors get from the program.
func (w *wire) client() *http.Client {
	c := rest.NewHTTP(w)
	c.Timeout = callTimeout
	return c
}

func (w *wire) close() { w.real.CloseIdleConnections() }

// answer makes every call get this answer from now on.
func (w *wire) answer(status int, contentType, body string) {
	w.set(func(r *http.Request) (*http.Response, error) {
		return response(r, status, contentType, io.NopCloser(strings.NewReader(body))), nil
	})
}

func response(r *http.Request, status int, contentType string, body io.ReadCloser) *http.Response {
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {contentType}}, Body: body, ContentLength: -1, Request: r,
	}
}

// cut makes every call fail before it leaves.
func (w *wire) cut() {
	w.set(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	})
}

// restore lets calls through again.
func (w *wire) restore() { w.set(nil) }

func (w *wire) set(f func(*http.Request) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fake = f
}

// before has a function called with each request before it leaves; nil ends
// that.
func (w *wire) before(f func(*http.Request)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hook = f
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	fake, hook := w.fake, w.hook
	w.mu.Unlock()
	if hook != nil {
		hook(r)
	}
	if fake == nil {
		return w.next.RoundTrip(r)
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	if w.tap != nil {
		w.tap.Judge(spec.Call{Request: r, Body: body})
	}
	return fake(r)
}
