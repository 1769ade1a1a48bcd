package netsuitebox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/netsuite/oauth1"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
)

// caller talks to a box as a client with a token does.
type caller struct {
	t      *testing.T
	box    *netsuitebox.Box
	signer oauth1.Signer
}

func newCaller(t *testing.T, opts netsuitebox.Options) *caller {
	t.Helper()
	box, err := netsuitebox.New(opts)
	require.NoError(t, err)
	t.Cleanup(box.Close)
	box.RegisterToken(netsuitebox.Token{ConsumerKey: "ck", ConsumerSecret: "cs", TokenID: "ti", TokenSecret: "ts"})
	return &caller{t: t, box: box, signer: oauth1.Signer{
		Realm: "1234567_SB1", ConsumerKey: "ck", ConsumerSecret: "cs", TokenID: "ti", TokenSecret: "ts",
	}}
}

func (c *caller) request(method, path, body string, headers ...string) *http.Request {
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), method, "http://box.test/services/rest"+path, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	require.NoError(c.t, c.signer.Sign(r, oauth1.Nonce(), time.Now()))
	return r
}

func (c *caller) serve(r *http.Request) (int, map[string]any) {
	c.t.Helper()
	w := httptest.NewRecorder()
	c.box.ServeHTTP(w, r)
	var out map[string]any
	if w.Body.Len() > 0 {
		require.NoError(c.t, json.Unmarshal(w.Body.Bytes(), &out), w.Body.String())
	}
	return w.Code, out
}

// do makes a call and returns status and the code of the first detail.
func (c *caller) do(method, path, body string, headers ...string) (status int, code string) {
	c.t.Helper()
	status, out := c.serve(c.request(method, path, body, headers...))
	if details, ok := out["o:errorDetails"].([]any); ok {
		code, _ = details[0].(map[string]any)["o:errorCode"].(string)
	}
	return status, code
}

// stock makes customer 1001 and an item, and returns a body of an order.
func (c *caller) stock() string {
	c.t.Helper()
	status, code := c.do("POST", "/record/v1/customer", `{"companyName":"Acme","externalId":"a"}`)
	require.Equal(c.t, 204, status, code)
	id, err := c.box.AddItem("SKU", "Thing", events.MustDecimal("2.50"))
	require.NoError(c.t, err)
	return `{"entity":{"externalId":"a"},"item":{"items":[{"item":{"id":"` + id + `"},"quantity":2}]}}`
}

func TestUpsertAppendsLinesUnlessReplaced(t *testing.T) {
	t.Parallel()
	c := newCaller(t, netsuitebox.Options{})
	order := c.stock()
	for i, step := range []struct {
		query string
		lines int
		total string
	}{{"", 1, "5.00"}, {"", 2, "10.00"}, {"?replace=item", 1, "5.00"}} {
		status, code := c.do("PUT", "/record/v1/salesOrder/eid:o1"+step.query, order)
		require.Equal(t, 204, status, code)
		orders := c.box.Orders()
		require.Len(t, orders, 1)
		require.Len(t, orders[0].Lines, step.lines, "step %d", i)
		require.Equal(t, step.total, orders[0].Total)
	}
	require.Equal(t, map[string]int{"o1": 1}, c.box.Counts().Effects["salesOrder created"])
}

func TestKeyedLinesAreMatched(t *testing.T) {
	t.Parallel()
	c := newCaller(t, netsuitebox.Options{})
	_, code := c.do("PUT", "/record/v1/salesOrder/eid:o1", c.stock())
	require.Empty(t, code)
	_, code = c.do("PATCH", "/record/v1/salesOrder/eid:o1", `{"item":{"items":[{"line":1,"quantity":3}]}}`)
	require.Empty(t, code)
	require.Equal(t, "7.50", c.box.Orders()[0].Total)
	_, code = c.do("PATCH", "/record/v1/salesOrder/eid:o1", `{"item":{"items":[{"line":1,"isClosed":true}]}}`)
	require.Empty(t, code)
	require.Equal(t, "Closed", c.box.Orders()[0].Status)
	_, code = c.do("PATCH", "/record/v1/salesOrder/eid:o1", `{"item":{"items":[{"line":9,"isClosed":true}]}}`)
	require.Equal(t, "INVALID_KEY_OR_REF", code)
}

func TestUnknownPropertiesAreDroppedInSilence(t *testing.T) {
	t.Parallel()
	c := newCaller(t, netsuitebox.Options{})
	const body = `{"companyName":"Acme","emial":"x"}`
	status, _ := c.do("PUT", "/record/v1/customer/eid:a", body)
	require.Equal(t, 204, status)
	status, code := c.do("PUT", "/record/v1/customer/eid:a", body, "X-NetSuite-PropertyNameValidation", "Error")
	require.Equal(t, 400, status)
	require.Equal(t, "USER_ERROR", code)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		method, path, body string
		status             int
		code               string
	}{
		"no JSON":               {"POST", "/record/v1/customer", `{`, 400, "INVALID_CONTENT"},
		"nameless customer":     {"POST", "/record/v1/customer", `{}`, 400, "FIELD_PARAM_REQD"},
		"half a person":         {"POST", "/record/v1/customer", `{"isPerson":true,"firstName":"A"}`, 400, "FIELD_PARAM_REQD"},
		"external id taken":     {"POST", "/record/v1/customer", `{"companyName":"B","externalId":"a"}`, 400, "DUP_RCRD"},
		"external id malformed": {"PUT", "/record/v1/customer/eid:a|b", `{"companyName":"B"}`, 400, "USER_ERROR"},
		"entity id taken":       {"POST", "/record/v1/customer", `{"companyName":"B","entityId":"CUST1001"}`, 400, "UNIQUE_CUST_ID_REQD"},
		"no such currency":      {"POST", "/record/v1/customer", `{"companyName":"B","currency":{"id":"9"}}`, 400, "INVALID_KEY_OR_REF"},
		"reference is a text":   {"POST", "/record/v1/customer", `{"companyName":"B","currency":"1"}`, 400, "INVALID_CONTENT"},
		"read-only":             {"PATCH", "/record/v1/salesOrder/eid:o", `{"total":1}`, 400, "INVALID_CONTENT"},
		"no such status":        {"PATCH", "/record/v1/salesOrder/eid:o", `{"orderStatus":"Z"}`, 400, "INVALID_CONTENT"},
		"no date":               {"PATCH", "/record/v1/salesOrder/eid:o", `{"tranDate":"23.11.2026"}`, 400, "INVALID_CONTENT"},
		"order without lines":   {"PUT", "/record/v1/salesOrder/eid:p", `{"entity":{"externalId":"a"}}`, 400, "FIELD_PARAM_REQD"},
		"no such sublist":       {"PATCH", "/record/v1/salesOrder/eid:o?replace=lines", `{}`, 400, "INVALID_PARAMETER"},
		"no such parameter":     {"GET", "/record/v1/salesOrder/eid:o?expand=true", ``, 400, "INVALID_PARAMETER"},
		"no such field":         {"GET", "/record/v1/salesOrder/eid:o?fields=id,name", ``, 400, "INVALID_PARAMETER"},
		"absent":                {"GET", "/record/v1/salesOrder/4711", ``, 404, "NONEXISTENT_ID"},
		"upsert by internal id": {"PUT", "/record/v1/salesOrder/1003", `{}`, 400, "INVALID_REQUEST"},
		"dependents":            {"DELETE", "/record/v1/customer/eid:a", ``, 400, "USER_ERROR"},
		"unknown type":          {"GET", "/record/v1/unicorn/1", ``, 404, "NOT_FOUND"},
		"payment of nothing":    {"POST", "/record/v1/customerPayment", `{"customer":{"externalId":"a"}}`, 400, "FIELD_PARAM_REQD"},
		"query without Prefer":  {"POST", "/query/v1/suiteql", `{"q":"SELECT id FROM currency ORDER BY id"}`, 400, "INVALID_HEADER"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCaller(t, netsuitebox.Options{})
			_, code := c.do("PUT", "/record/v1/salesOrder/eid:o", c.stock())
			require.Empty(t, code)
			before := c.box.Counts().Effects
			status, code := c.do(tc.method, tc.path, tc.body)
			require.Equal(t, tc.status, status)
			require.Equal(t, tc.code, code)
			require.Equal(t, before, c.box.Counts().Effects)
		})
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	cases := map[string]func(c *caller, r *http.Request){
		"no credentials": func(_ *caller, r *http.Request) { r.Header.Del("Authorization") },
		"other query":    func(_ *caller, r *http.Request) { r.URL.RawQuery = "limit=2" },
		"other method":   func(_ *caller, r *http.Request) { r.Method = http.MethodPost },
		"unknown bearer": func(_ *caller, r *http.Request) { r.Header.Set("Authorization", "Bearer abc") },
		"old": func(c *caller, r *http.Request) {
			require.NoError(c.t, c.signer.Sign(r, oauth1.Nonce(), time.Now().Add(-time.Hour)))
		},
		"short nonce": func(c *caller, r *http.Request) { require.NoError(c.t, c.signer.Sign(r, "abc", time.Now())) },
		"realm in lower case": func(c *caller, r *http.Request) {
			c.signer.Realm = "1234567_sb1"
			require.NoError(c.t, c.signer.Sign(r, oauth1.Nonce(), time.Now()))
		},
		"replayed": func(c *caller, r *http.Request) {
			status, _ := c.serve(r.Clone(c.t.Context()))
			require.Equal(c.t, 200, status)
		},
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCaller(t, netsuitebox.Options{})
			r := c.request("GET", "/record/v1/customer?limit=1", "")
			spoil(c, r)
			status, out := c.serve(r)
			require.Equal(t, 401, status)
			require.Equal(t, "INVALID_LOGIN", out["o:errorCode"])
		})
	}
}

func TestStateOutlivesARestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "netsuite.json")
	c := newCaller(t, netsuitebox.Options{StateFile: file})
	order := c.stock()
	_, code := c.do("PUT", "/record/v1/salesOrder/eid:o1", order)
	require.Empty(t, code)
	want := c.box.Orders()

	again := newCaller(t, netsuitebox.Options{StateFile: file})
	require.Equal(t, want, again.box.Orders())
	_, err := again.box.AddItem("SKU", "Thing", events.MustDecimal("2.50"))
	require.NoError(t, err)
	_, code = again.do("PUT", "/record/v1/salesOrder/eid:o1?replace=item", order)
	require.Empty(t, code)
	_, code = again.do("PUT", "/record/v1/salesOrder/eid:o2", order)
	require.Empty(t, code)
	require.Equal(t, map[string]map[string]int{"salesOrder created": {"o2": 1}}, again.box.Counts().Effects)
	require.Equal(t, "SO1002", again.box.Orders()[1].Number)

	_, err = netsuitebox.New(netsuitebox.Options{StateFile: t.TempDir()})
	require.Error(t, err)
}

// TestSlots holds one call in its body while another one comes.
func TestSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(t, netsuitebox.Options{Slots: 1})
		body, hold := io.Pipe()
		slow := c.request("POST", "/record/v1/customer", "")
		slow.Body = body
		done := make(chan int)
		go func() {
			status, _ := c.serve(slow)
			done <- status
		}()
		synctest.Wait()
		status, code := c.do("GET", "/record/v1/customer", "")
		require.Equal(t, 429, status)
		require.Equal(t, "CONCURRENCY_LIMIT_EXCEEDED", code)
		_, err := hold.Write([]byte(`{"companyName":"Acme"}`))
		require.NoError(t, err)
		require.NoError(t, hold.Close())
		require.Equal(t, 204, <-done)
		require.Equal(t, 1, c.box.Peak())
	})
}

func TestPagesAndDump(t *testing.T) {
	t.Parallel()
	c := newCaller(t, netsuitebox.Options{})
	c.stock()
	for path, status := range map[string]int{
		"/app/common/entity/custjob.nl?id=1001": 200, "/app/common/entity/custjob.nl?id=9": 404, "/_sandbox/objects": 200,
	} {
		w := httptest.NewRecorder()
		c.box.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, http.NoBody))
		require.Equal(t, status, w.Code)
		require.Equal(t, status == 200, strings.Contains(w.Body.String(), "Acme"))
	}
	status, out := c.serve(c.request("GET", "/system/v1/serverTime", ""))
	require.Equal(t, 200, status)
	require.NotEmpty(t, out["serverTime"])
	c.box.Inject(sandbox.Fault{Kind: sandbox.FaultError})
	status, _ = c.do("GET", "/record/v1/customer", "")
	require.Equal(t, 500, status)
}

func FuzzQuery(f *testing.F) {
	f.Add(`SELECT id, symbol FROM currency ORDER BY id`)
	f.Add(`SELECT id FROM item WHERE itemid IN ('SKU', 'O''Neil') ORDER BY id`)
	f.Add(`SELECT id FROM item WHERE itemid IN ('SKU') OR ('1'='1') ORDER BY id`)
	f.Fuzz(func(t *testing.T, q string) {
		c := newCaller(t, netsuitebox.Options{})
		_, err := c.box.AddItem("SKU", "Thing", events.MustDecimal("1"))
		require.NoError(t, err)
		body, err := json.Marshal(map[string]string{"q": q})
		require.NoError(t, err)
		status, code := c.do("POST", "/query/v1/suiteql", string(body), "Prefer", "transient")
		require.True(t, status == 200 || status == 400 && code == "INVALID_PARAMETER", "%d %s", status, code)
	})
}
