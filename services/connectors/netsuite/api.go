package netsuite

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// api makes NetSuite calls. Every call of this connector is safe to repeat:
// it reads, or it writes under an external or internal id.
type api struct {
	client rest.Client
}

// call is one call.
type call struct {
	op     string
	method string
	path   string
	query  url.Values
	header http.Header
	body   any
	// hide are values that must not show in errors.
	hide []string
}

// do makes the call and returns an answer of status 2xx. absent is true for
// NetSuite's own word that there is no such record, which comes without error.
func (a *api) do(ctx context.Context, c call) (resp *rest.Response, absent bool, err error) {
	r := rest.Request{
		Op: "netsuite: " + c.op, Method: c.method, Path: c.path, Query: c.query, Safe: true,
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
		r.Header[name] = values
	}
	resp, err = a.client.Do(ctx, r)
	if err != nil {
		return nil, false, err
	}
	if resp.OK() {
		return resp, false, nil
	}
	if p, ok := parseProblem(resp.Body); ok && resp.Status == http.StatusNotFound && p.has(codeMissing, codeGone) {
		return resp, true, nil
	}
	return nil, false, refused(r, resp, c.hide)
}

// query asks SuiteQL. The result has at most one page, which every query of
// this connector fits. Values are strings, names lower case, nulls left out.
func (a *api) query(ctx context.Context, op, q string) ([]map[string]any, error) {
	resp, absent, err := a.do(ctx, call{
		op: op, method: http.MethodPost, path: "/query/v1/suiteql", query: url.Values{"limit": {"1000"}},
		header: http.Header{"Prefer": {"transient"}}, body: map[string]string{"q": q},
	})
	if err != nil {
		return nil, err
	}
	var page struct {
		Items   *[]map[string]any `json:"items"`
		HasMore bool              `json:"hasMore"`
	}
	if absent || decode(resp.Body, &page) != nil || page.Items == nil {
		return nil, unreadable(op)
	}
	if page.HasMore {
		return nil, fault.New(fault.Rejected, "netsuite: "+op, "more than 1000 rows answer")
	}
	return *page.Items, nil
}

// quote makes a SuiteQL literal.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

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
