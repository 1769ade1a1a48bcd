package quickbooks

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/oauth"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// client makes the calls to one company.
type client struct {
	rest       *rest.Client
	realm      string
	connection string // for remedies
	quota      *quota
}

func newClient(s *Settings, deps connector.Deps, auth rest.Authorizer) *client {
	return &client{
		rest: &rest.Client{
			HTTP: deps.HTTP, Auth: auth,
			Base: s.apiURL() + "/v3/company/" + url.PathEscape(s.RealmID),
		},
		realm: s.RealmID, connection: deps.Connection, quota: &quota{now: deps.Now},
	}
}

// call makes one call and decodes its answer. Errors are *fault.Error.
func (c *client) call(ctx context.Context, r rest.Request) (body, error) {
	b, _, err := c.do(ctx, r)
	return b, err
}

// do is call with the answer as it came.
func (c *client) do(ctx context.Context, r rest.Request) (body, *rest.Response, error) {
	r.Op = Name + ": " + r.Op
	if err := ctx.Err(); err != nil {
		return nil, nil, fault.New(fault.Transient, r.Op, "%w", err)
	}
	if r.Query == nil {
		r.Query = url.Values{}
	}
	r.Query.Set("minorversion", minorVersion)
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Accept", "application/json")
	resp, err := c.rest.Do(oauth.WithUsed(ctx), r)
	if err != nil {
		return nil, nil, err
	}
	if f := judge(r, resp, c.connection); f != nil {
		return nil, nil, c.quota.judge(f)
	}
	b, err := parseBody(resp.Body)
	if err != nil {
		return nil, nil, unreadable(r)
	}
	c.quota.answered()
	return b, resp, nil
}

// company reads the company's own data, which every connection may.
func (c *client) company(ctx context.Context) (body, error) {
	r := rest.Request{Op: "read company", Method: http.MethodGet, Path: "/companyinfo/" + url.PathEscape(c.realm), Safe: true}
	answer, err := c.call(ctx, r)
	if err != nil {
		return nil, err
	}
	info := answer.inside("CompanyInfo")
	if info == nil {
		return nil, unreadable(rest.Request{Op: Name + ": " + r.Op, Safe: true})
	}
	return info, nil
}

// get reads one object. It is nil without an error when QuickBooks says that
// it does not have it.
func (c *client) get(ctx context.Context, k *kind, id string) (body, error) {
	r := rest.Request{Op: "read " + k.title, Method: http.MethodGet, Path: "/" + k.path + "/" + url.PathEscape(id), Safe: true}
	answer, err := c.call(ctx, r)
	if err != nil {
		if fault.As(err).Code == codeNotFound {
			return nil, nil
		}
		return nil, err
	}
	return c.object(r, k, answer)
}

// object takes the object out of an answer.
func (c *client) object(r rest.Request, k *kind, answer body) (body, error) {
	b := answer.inside(k.name)
	if b.text("Id") == "" {
		r.Op = Name + ": " + r.Op
		return nil, unreadable(r)
	}
	if b.text("status") == "Deleted" && r.Method == http.MethodGet {
		return nil, nil
	}
	return b, nil
}

// query returns the objects of a type that meet the conditions, up to
// pageSize, beginning at the given position from 1.
func (c *client) query(ctx context.Context, k *kind, where string, start int) ([]body, error) {
	return c.page(ctx, k, where, "Id", start, pageSize)
}

// page is query in the order of a property, with another number of objects.
func (c *client) page(ctx context.Context, k *kind, where, order string, start, size int) ([]body, error) {
	found, err := c.ask(ctx, k, "SELECT * FROM "+k.name+" WHERE "+where+
		" ORDERBY "+order+" STARTPOSITION "+strconv.Itoa(start)+" MAXRESULTS "+strconv.Itoa(size))
	if err != nil {
		return nil, err
	}
	return named(rest.Request{Op: "query " + k.title, Safe: true}, found, k.name)
}

func (c *client) ask(ctx context.Context, k *kind, q string) (body, error) {
	r := rest.Request{Op: "query " + k.title, Method: http.MethodGet, Path: "/query", Query: url.Values{"query": {q}}, Safe: true}
	answer, resp, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	found := answer.inside("QueryResponse")
	if found == nil {
		return nil, unreadable(rest.Request{Op: Name + ": " + r.Op, Safe: true})
	}
	if err := c.inner(r, resp, found); err != nil {
		return nil, err
	}
	return found, nil
}

// each calls yield for every object that meets the conditions until it
// returns false.
func (c *client) each(ctx context.Context, k *kind, where string, yield func(body) bool) error {
	for page := range maxPages {
		found, err := c.query(ctx, k, where, 1+page*pageSize)
		if err != nil {
			return err
		}
		for _, b := range found {
			if !yield(b) {
				return nil
			}
		}
		if len(found) < pageSize {
			return nil
		}
	}
	return fault.New(fault.Rejected, Name+": look up "+k.title, "more than %d objects to look through", maxPages*pageSize).
		WithHint("look for the object by hand: its note holds Spoke's key")
}

// write is one change of an object.
type write struct {
	op        string // for errors: "create invoice"
	field     string // for errors, where the whole write is one field of the document
	operation string // update, delete, void; empty to create or update
	include   string
	requestID string
	body      body
	// alone is set for a write that must not share a call with others.
	alone bool
}

// post makes a change and returns the object as QuickBooks then holds it.
func (c *client) post(ctx context.Context, k *kind, w write) (body, error) {
	payload, err := json.Marshal(w.body)
	if err != nil {
		return nil, fault.New(fault.Internal, Name+": "+w.op, "%w", err)
	}
	r := rest.Request{
		Op: w.op, Method: http.MethodPost, Path: "/" + k.path, Query: url.Values{}, Body: payload,
		Header: http.Header{"Content-Type": {"application/json"}},
		// The same request id again answers what it answered the first time.
		Safe: w.requestID != "",
	}
	for name, v := range map[string]string{"operation": w.operation, "include": w.include, "requestid": w.requestID} {
		if v != "" {
			r.Query.Set(name, v)
		}
	}
	answer, err := c.call(ctx, r)
	if err != nil {
		return nil, err
	}
	return c.object(r, k, answer)
}

// quote writes a text as a value of a query.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
