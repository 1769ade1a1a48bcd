// Package rest makes the HTTP calls of connectors: bounded reads, no redirect
// to another host, one renewal of credentials after a 401, and transport
// errors classified by whether the vendor can have seen the request. What a
// status or an error body means is each connector's own knowledge.
package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

// Limits of one call.
const (
	// DefaultTimeout bounds one call from dial to the last byte.
	DefaultTimeout = 60 * time.Second
	// DefaultMaxBody bounds an answer; a vendor is never trusted for size.
	DefaultMaxBody = 16 << 20
)

// NewTransport returns the transport for vendors' APIs, with time-outs.
func NewTransport() *http.Transport {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		t = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = 32
	t.ResponseHeaderTimeout = DefaultTimeout
	return t
}

// NewHTTP returns a client for vendors' APIs that refuses redirects to another
// host, which would carry credentials there. One that would turn a write into a
// read is not followed: the read's answer would pass for the write's. Time spent waiting for the
// connection's budget, which is part of the transport, is not limited: each
// call has its own deadline in its context.
func NewHTTP(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: transport,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
				return fmt.Errorf("%w: from %s to %s", errRedirect, via[0].URL.Host, req.URL.Host)
			}
			if req.Method != via[0].Method {
				return http.ErrUseLastResponse
			}
			if len(via) > 3 {
				return errors.New("more than 3 redirects")
			}
			return nil
		},
	}
}

// errRedirect is a redirect that would carry credentials to another host.
var errRedirect = errors.New("redirect to another host refused")

// Authorizer puts credentials on a request. Signatures are made anew for
// every try.
type Authorizer interface {
	Authorize(ctx context.Context, req *http.Request) error
	// Renew drops what was cached, after the vendor answered 401. It reports
	// whether another try can end otherwise.
	Renew(ctx context.Context) bool
}

// Client calls one vendor's API.
type Client struct {
	HTTP *http.Client
	// Base is scheme and host, with a path prefix where the vendor has one.
	Base string
	// Auth may be nil.
	Auth Authorizer
	// MaxBody bounds answers; 0 means DefaultMaxBody.
	MaxBody int64
}

// Request is one call.
type Request struct {
	// Op names the call in errors: "netsuite: create sales order".
	Op     string
	Method string
	// Path is appended to Base. It is already escaped and may carry a query.
	Path   string
	Query  url.Values
	Header http.Header
	Body   []byte
	// Safe is set when repeating the call has no second effect: reads, and
	// writes with an idempotency key or an external id. A lost answer is then
	// Transient instead of Ambiguous.
	Safe bool
}

// Response is an answer of any status, read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// OK reports a 2xx status.
func (r *Response) OK() bool { return r.Status >= 200 && r.Status < 300 }

// Do makes the call. An answer of any status is no error. The error is a
// *fault.Error: Unavailable when the request can't have reached the vendor,
// Ambiguous when it may have, Transient when that does not matter,
// Unauthorized when no credentials could be got.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	resp, err := c.once(ctx, r)
	if err == nil && resp.Status == http.StatusUnauthorized && c.Auth != nil && c.Auth.Renew(ctx) {
		return c.once(ctx, r)
	}
	return resp, err
}

func (c *Client) once(ctx context.Context, r Request) (*Response, error) {
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// From the first header on, the vendor may have seen the request.
		WroteHeaders: func() { sent.Store(true) },
	})
	req, err := c.build(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, lost(r, err, sent.Load())
	}
	defer func() { _ = resp.Body.Close() }()
	limit := c.MaxBody
	if limit == 0 {
		limit = DefaultMaxBody
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, lost(r, fmt.Errorf("answer broke off: %w", err), true)
	}
	if int64(len(body)) > limit {
		kind := fault.Rejected
		if !r.Safe && req.Method != http.MethodGet { // it was done, whatever the answer says
			kind = fault.Ambiguous
		}
		return nil, fault.New(kind, r.Op, "the answer is larger than %d bytes", limit).
			WithHint("ask for fewer objects at a time")
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

func (c *Client) build(ctx context.Context, r Request) (*http.Request, error) {
	target := c.Base + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, target, bytes.NewReader(r.Body))
	if err != nil {
		return nil, fault.New(fault.Internal, r.Op, "%w", err)
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	if c.Auth != nil {
		if err := c.Auth.Authorize(ctx, req); err != nil {
			return nil, err
		}
	}
	return req, nil
}

// ErrBudget is what a transport returns that gave up waiting for its turn.
var ErrBudget = errors.New("no turn within the connection's rate budget")

// lost classifies a call without an answer.
func lost(r Request, err error, sent bool) *fault.Error {
	kind := fault.Unavailable
	switch {
	case errors.Is(err, ErrBudget): // says nothing about the vendor
		kind = fault.Throttled
	case !sent && errors.Is(err, context.Canceled): // the process is stopping
		kind = fault.Transient
	case sent:
		kind = fault.Ambiguous
		if r.Safe {
			kind = fault.Transient
		}
	}
	// url.Error repeats the URL, which may hold ids or keys: keep the cause.
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	e := fault.New(kind, r.Op, "%w", err)
	var wait interface{ RetryAfter() time.Duration }
	if errors.As(err, &wait) {
		e = e.After(wait.RetryAfter())
	}
	if errors.Is(err, errRedirect) {
		return e.WithHint("the vendor, or a proxy in between, points elsewhere: check the connection's url and account")
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return e.WithHint("the host name " + dns.Name + " can't be resolved: check the connection's url")
	}
	return e
}

// Classify turns a status that has no vendor-specific meaning into a fault.
// The caller has dealt with what it knows of the body. detail is the vendor's
// own text without personal data.
func Classify(r Request, resp *Response, detail string) *fault.Error {
	kind := fault.Rejected
	switch s := resp.Status; {
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		kind = fault.Unauthorized
	case s == http.StatusTooManyRequests:
		kind = fault.Throttled
	case s == http.StatusConflict, s == http.StatusPreconditionFailed:
		kind = fault.Conflict
	case s == http.StatusServiceUnavailable:
		kind = fault.Unavailable
	case s == http.StatusTooEarly:
		kind = fault.Transient
	case s >= 500 || s == http.StatusRequestTimeout:
		kind = fault.Ambiguous
		if r.Safe {
			kind = fault.Transient
		}
	case s < 400:
		kind = fault.Internal
	}
	if detail == "" {
		detail = http.StatusText(resp.Status)
	}
	e := fault.New(kind, r.Op, "%d %s", resp.Status, detail)
	return e.After(RetryAfter(resp.Header, time.Now()))
}

// RetryAfter reads the header in seconds or as a date; 0 when absent or in
// the past, at most an hour.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	var d time.Duration
	if n, err := strconv.Atoi(v); err == nil {
		d = time.Duration(min(max(n, 0), 3600)) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), time.Hour)
}
