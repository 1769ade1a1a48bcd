package stripe

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// api makes Stripe's calls.
type api struct {
	rest    rest.Client
	account string // expected acct_…, or empty
	version string
	// context is the account that calls with an organization's or a platform's
	// key are for; empty for an account's own key.
	context string
	// owner is part of every idempotency key: several tenants may share an
	// account.
	owner string
	now   func() time.Time
}

// bearer authorizes with the key. There is nothing to renew.
type bearer struct{ key secret.Value }

// Authorize implements rest.Authorizer.
func (b bearer) Authorize(_ context.Context, req *http.Request) error {
	req.Header.Set("Authorization", "Bearer "+b.key.Reveal())
	return nil
}

// Renew implements rest.Authorizer.
func (bearer) Renew(context.Context) bool { return false }

// call makes a call and returns the answer of any status. Every call of this
// package is safe to repeat: it reads, sets what is set again alike, or has
// an idempotency key or an id of its own.
func (a *api) call(ctx context.Context, op, method, path string, form url.Values, key string) (rest.Request, *rest.Response, error) {
	r := rest.Request{
		Op: "stripe: " + op, Method: method, Path: path, Safe: true,
		Header: http.Header{"Stripe-Version": {a.version}},
	}
	if a.context != "" {
		r.Header.Set("Stripe-Context", a.context)
	}
	switch {
	case method == http.MethodPost:
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Body = []byte(form.Encode()) // sorted, so that equal forms are equal under their key
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
	case len(form) > 0:
		r.Query = form
	}
	resp, err := a.rest.Do(ctx, r)
	return r, resp, err
}

// do makes a call that has no idempotency key and returns a success.
func (a *api) do(ctx context.Context, op, method, path string, form url.Values) (json.RawMessage, error) {
	r, resp, err := a.call(ctx, op, method, path, form, "")
	if err != nil {
		return nil, err
	}
	if !resp.OK() {
		return nil, problem(r, resp)
	}
	return answer(r, resp)
}

// answer checks that a success is an object of Stripe's.
func answer(r rest.Request, resp *rest.Response) (json.RawMessage, error) {
	var o struct {
		Object string `json:"object"`
	}
	if err := json.Unmarshal(resp.Body, &o); err != nil || o.Object == "" {
		return nil, fault.New(fault.Transient, r.Op, "%d answer is no object of Stripe's", resp.Status).
			WithHint("check the connection's url, and proxies on the way to it")
	}
	return resp.Body, nil
}

// get reads one object. found is false when Stripe says that it does not
// exist, or did and was deleted.
func (a *api) get(ctx context.Context, op, path string, query url.Values) (raw json.RawMessage, found bool, err error) {
	raw, err = a.do(ctx, op, http.MethodGet, path, query)
	if missing(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	var gone struct {
		Deleted bool `json:"deleted"`
	}
	if err := json.Unmarshal(raw, &gone); err != nil || gone.Deleted {
		return nil, false, unreadable(op, err)
	}
	return raw, true, nil
}

// post sets something. Posting it twice leaves what posting it once does, so
// there is no idempotency key: a key would answer a later return to an
// earlier value with the earlier answer, and change nothing.
func (a *api) post(ctx context.Context, op, path string, form url.Values) (json.RawMessage, error) {
	return a.do(ctx, op, http.MethodPost, path, form)
}

// remove deletes an object. One that is gone already is no error.
func (a *api) remove(ctx context.Context, op, path string) error {
	_, err := a.do(ctx, op, http.MethodDelete, path, nil)
	if missing(err) {
		return nil
	}
	return err
}

// decode reads an answer into T.
func decode[T any](op string, raw json.RawMessage) (T, error) {
	var v T
	return v, unreadable(op, json.Unmarshal(raw, &v))
}

func unreadable(op string, err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.Transient, "stripe: "+op, "answer can't be read: %w", err)
}

// The bounds of reading a list.
const (
	pageSize = "100" // Stripe's largest
	// maxPages bounds a look-up, so that a wrong filter can't read an account
	// for hours.
	maxPages = 200
)

// listPage is one page of a list.
type listPage struct {
	Data    []json.RawMessage `json:"data"`
	HasMore bool              `json:"has_more"`
}

// list reads the objects of a list, newest first, until visit returns false.
func (a *api) list(ctx context.Context, op, path string, query url.Values, visit func(json.RawMessage) (more bool, err error)) error {
	q := url.Values{}
	for k, v := range query {
		q[k] = v
	}
	q.Set("limit", pageSize)
	for range maxPages {
		raw, err := a.do(ctx, op, http.MethodGet, path, q)
		if err != nil {
			return err
		}
		page, err := decode[listPage](op, raw)
		if err != nil {
			return err
		}
		for _, o := range page.Data {
			if more, err := visit(o); err != nil || !more {
				return err
			}
		}
		if !page.HasMore || len(page.Data) == 0 {
			return nil
		}
		last, err := decode[identity](op, page.Data[len(page.Data)-1])
		if err != nil {
			return err
		}
		q.Set("starting_after", last.ID)
	}
	return fault.New(fault.Internal, "stripe: "+op, "more than %d pages of %s objects", maxPages, pageSize).
		WithHint("too many objects to look through: link this one by hand")
}

// identity is what every object of Stripe's has.
type identity struct {
	ID       string            `json:"id"`
	Object   string            `json:"object"`
	Metadata map[string]string `json:"metadata"`
}
