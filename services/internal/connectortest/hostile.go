package connectortest

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/spoke-sync/spoke/services/internal/rest"
)

// addHostile adds the checks of answers that would do harm to one who trusts
// them.
func addHostile(add adder) {
	add("hostile/redirect to another host", checkRedirect)
	add("hostile/answer without an end", checkEndless)
}

// calls are one call of each member, which none of them may take for a
// success. Credentials are got before.
func (e *env) calls(t testing.TB) map[string]func(context.Context) error {
	t.Helper()
	all := map[string]func(context.Context) error{}
	if e.con.Target != nil {
		if err := e.con.Target.Check(t.Context()); err != nil {
			t.Fatalf("Check: %v", err)
		}
		doc := e.document(t, e.Docs[0])
		all["Apply"] = func(ctx context.Context) error { return e.apply(ctx, t, doc).Err }
		all["Find"] = func(ctx context.Context) error {
			_, _, err := e.con.Target.Find(ctx, doc)
			return err
		}
		all["Check"] = e.con.Target.Check
	}
	if e.con.Reader != nil {
		all["Read"] = func(ctx context.Context) error {
			_, err := e.con.Reader.Read(ctx, e.Reads[0].Object, []string{e.Reads[0].ID})
			return err
		}
	}
	for i := range e.Scans {
		f := e.feed(t, i)
		all["Scan of "+f.Name] = func(ctx context.Context) error {
			_, err := e.con.Scanner.Scan(ctx, f.first())
			return err
		}
	}
	return all
}

// checkRedirect answers every call with a redirect to another host. Whoever
// follows it carries the credentials there.
func checkRedirect(t testing.TB, e *env) {
	const elsewhere = "elsewhere.example"
	calls := e.calls(t)
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		var followed atomic.Int64
		e.wire.set(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == elsewhere {
				followed.Add(1)
			}
			resp := response(r, status, "text/html", http.NoBody)
			resp.Header.Set("Location", "https://"+elsewhere+"/x")
			return resp, nil
		})
		for name, call := range calls {
			err := call(t.Context())
			if err == nil {
				t.Fatalf("%s takes a redirect (%d) for a success", name, status)
			}
			e.mustFault(t, err)
			if n := followed.Swap(0); n > 0 {
				t.Errorf("%s follows a redirect (%d) to another host", name, status)
			}
		}
	}
	e.wire.restore()
}

// tooMuch is more than a connector may read of one answer, twice over: what is
// in between is for its own limit.
const tooMuch = 2 * rest.DefaultMaxBody

// checkEndless answers every call with JSON that does not end.
func checkEndless(t testing.TB, e *env) {
	for name, call := range e.calls(t) {
		var read atomic.Int64
		e.wire.set(func(r *http.Request) (*http.Response, error) {
			return response(r, http.StatusOK, "application/json", &endless{read: &read}), nil
		})
		err := call(t.Context())
		e.wire.restore()
		if n := read.Load(); n >= tooMuch {
			t.Errorf("%s reads %d bytes of one answer and would go on", name, n)
		}
		if err == nil {
			t.Fatalf("%s takes an answer without an end for a success", name)
		}
		e.mustFault(t, err)
	}
}

// endless is a body of spaces that ends only for want of patience.
type endless struct{ read *atomic.Int64 }

func (b *endless) Read(p []byte) (int, error) {
	if b.read.Load() >= tooMuch {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = ' '
	}
	b.read.Add(int64(len(p)))
	return len(p), nil
}

func (*endless) Close() error { return nil }
