package spec

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
)

// maxBody bounds what a tap keeps of one body. Larger ones are only passed on.
const maxBody = 8 << 20

// Tap is a transport that checks all that goes through it.
type Tap struct {
	Next http.RoundTripper
	Book *Book

	mu       sync.Mutex
	problems []string
	seen     []Verdict
}

// Watch returns a transport that compares what goes through next with a
// vendor's description, and fails the test at its end for what is not allowed.
// Where the description is not on this machine, it only says so: the
// connector's conformance suite skips by name for it.
func Watch(t testing.TB, source Source, next http.RoundTripper) http.RoundTripper {
	t.Helper()
	book, err := source(t)
	if errors.Is(err, ErrAbsent) {
		t.Log(err)
		return next
	}
	if err != nil {
		t.Fatal(err)
	}
	tap := &Tap{Next: next, Book: book}
	t.Cleanup(func() { tap.Report(t) })
	return tap
}

// RoundTrip implements http.RoundTripper.
func (t *Tap) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := drain(r)
	if err != nil {
		return nil, err
	}
	resp, err := t.Next.RoundTrip(r)
	c := Call{Request: r, Body: body}
	if err == nil {
		c.Answer = resp
		read, failed := io.ReadAll(io.LimitReader(resp.Body, maxBody))
		c.AnswerBody = read
		if failed != nil || len(read) == maxBody { // no whole answer: it is the connector's to judge
			c.Answer = nil
		}
		resp.Body = rest(read, failed, resp.Body)
	}
	t.Judge(c)
	return resp, err
}

// drain reads the request's body and puts it back.
func drain(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	if err = errors.Join(err, r.Body.Close()); err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

// rest is a body of which a part was read.
func rest(read []byte, failed error, body io.ReadCloser) io.ReadCloser {
	var next io.Reader = body
	if failed != nil {
		next = broken{failed}
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(read), next), body}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// Judge takes one call into the account.
func (t *Tap) Judge(c Call) {
	v := t.Book.Check(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen = append(t.seen, v)
	for _, p := range v.Problems {
		if p = v.Operation + ": " + p; !slices.Contains(t.problems, p) {
			t.problems = append(t.problems, p)
		}
	}
}

// Report fails the test for each problem that was found since the last time,
// and prints what was exercised.
func (t *Tap) Report(tb testing.TB) {
	tb.Helper()
	t.mu.Lock()
	problems, all := t.problems, t.seen
	t.problems, t.seen = nil, nil
	t.mu.Unlock()
	for _, p := range problems {
		tb.Errorf("against the vendor's description: %s", p)
	}
	t.Book.report(tb.Output(), all)
}
