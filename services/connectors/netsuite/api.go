package netsuite

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// api makes NetSuite calls. They wait for one of the account's slots in the
// connection's budget, which is part of the transport.
type api struct {
	client rest.Client
	now    func() time.Time

	mu     sync.Mutex
	denied time.Time // since when logins are refused without a pause
}

// call is one call.
type call struct {
	op     string
	method string
	path   string
	query  url.Values
	header http.Header
	body   any
	// once is set for a call whose repetition has a second effect. All others
	// read, or write under an external or internal id.
	once bool
	// hide are values that must not show in errors.
	hide []string
}

// do makes the call and returns an answer of status 2xx. absent is true for
// NetSuite's own word that there is no such record, which comes without error.
// An answer that is refused comes with its error.
func (a *api) do(ctx context.Context, c call) (resp *rest.Response, absent bool, err error) {
	r := rest.Request{
		Op: "netsuite: " + c.op, Method: c.method, Path: c.path, Query: c.query, Safe: !c.once,
		Header: http.Header{
			"Accept": {"application/json"},
			// A misspelt field must be an error. In many accounts the default
			// is to drop it and say nothing.
			http.CanonicalHeaderKey("X-NetSuite-PropertyNameValidation"): {"Error"},
		},
	}
	if c.body != nil {
		r.Header.Set("Content-Type", "application/json")
		if r.Body, err = json.Marshal(c.body); err != nil {
			return nil, false, fault.New(fault.Malformed, r.Op, "%w", err)
		}
	}
	for name, values := range c.header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	resp, err = a.client.Do(ctx, r)
	if err != nil {
		return nil, false, err
	}
	p, ours := parseProblem(resp.Body)
	switch {
	case resp.OK() && ours: // RESTlets and proxies hide errors in a 200
		resp.Status = p.statusOr(http.StatusBadRequest)
	case resp.OK():
		a.welcome()
		return resp, false, nil
	}
	if ours && resp.Status == http.StatusNotFound && p.has(codeMissing, codeGone) {
		return resp, true, nil
	}
	f := refused(r, resp, c.hide)
	if resp.Status == http.StatusUnauthorized && p.has(codeLogin) && a.overloaded(ctx) {
		f.Kind = fault.Throttled
		f = f.WithHint("NetSuite refuses the login of this call but not of others: the account is overloaded").After(overloadWait)
	}
	return resp, false, f
}

const (
	// overloadWait is how long a call waits that an overloaded account refused.
	overloadWait = 10 * time.Second
	// overloadLimit is how long refused logins may pass for overload.
	overloadLimit = 10 * time.Minute
)

// overloaded tells a refused login that is only overload from one that is
// meant: an account out of slots has been seen to answer calls with 401 while
// the same credentials are good for the server's time. Refusals that go on
// without one accepted call are meant, whatever the time's call says.
func (a *api) overloaded(ctx context.Context) bool {
	resp, err := a.client.Do(ctx, rest.Request{
		Op: "netsuite: read the server's time", Method: http.MethodGet, Path: timePath, Safe: true,
		Header: http.Header{"Accept": {"application/json"}},
	})
	if err != nil || !resp.OK() {
		return false
	}
	if _, ok := serverTime(resp); !ok {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.denied.IsZero() {
		a.denied = a.now()
	}
	return a.now().Sub(a.denied) < overloadLimit
}

// welcome notes that the credentials were accepted.
func (a *api) welcome() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.denied = time.Time{}
}

// decode reads JSON and keeps numbers digit by digit.
func decode(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return d.Decode(v)
}

// unreadable is for an answer of status 2xx that is not what was asked for.
func unreadable(op string) *fault.Error {
	return fault.New(fault.Transient, "netsuite: "+op, "the answer is not NetSuite's").
		WithHint("if it stays so, check the connection's url")
}
