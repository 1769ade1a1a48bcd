package spec_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/services/internal/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book opens a description; without it the test is skipped by name.
func book(t *testing.T, source spec.Source) *spec.Book {
	t.Helper()
	b, err := source(&recorder{TB: t}) // what is wrong here on purpose must not count
	if err != nil {
		require.ErrorIs(t, err, spec.ErrAbsent)
		t.Skip(err)
	}
	return b
}

// exchange is a request and its answer as text.
type exchange struct {
	name   string
	method string
	url    string
	header http.Header
	body   string
	status int // 0 for no answer
	answer string
	// want is a part of the only problem; empty for none.
	want      string
	operation string // checked where it is set
}

func (x exchange) call() spec.Call {
	r := httptest.NewRequest(x.method, "https://vendor.example"+x.url, http.NoBody)
	r.Header.Set("Content-Type", "application/json")
	for name, v := range x.header {
		r.Header[name] = v
	}
	c := spec.Call{Request: r, Body: []byte(x.body)}
	if x.status != 0 {
		c.Answer = &http.Response{StatusCode: x.status, Header: http.Header{"Content-Type": {"application/json"}}}
		c.AnswerBody = []byte(x.answer)
		if x.status == http.StatusNoContent {
			c.Answer.Header = http.Header{"Location": {"https://vendor.example/1"}}
		}
	}
	return c
}

func verify(t *testing.T, b *spec.Book, all []exchange) {
	t.Helper()
	for _, x := range all {
		t.Run(x.name, func(t *testing.T) {
			v := b.Check(x.call())
			if x.operation != "" {
				require.Equal(t, x.operation, v.Operation)
			}
			if x.want == "" {
				require.Empty(t, v.Problems)
				return
			}
			require.Len(t, v.Problems, 1, "%q", v.Problems)
			require.Contains(t, v.Problems[0], x.want)
		})
	}
}

func TestHubSpot(t *testing.T) {
	const at = "2026-01-02T03:04:05Z"
	const deal = `{"id":"77","properties":{"amount":"1","closedate":null},"createdAt":"` + at + `","updatedAt":"` + at + `","archived":false,"new":1}`
	search := func(sorts string) string { return `{"limit":100,"after":"0","sorts":[` + sorts + `]}` }
	verify(t, book(t, spec.HubSpot), []exchange{
		{
			name: "dated path, unknown field in an answer", method: "GET", url: "/crm/objects/2026-03/deals/77", status: 200, answer: deal,
			operation: "GET /crm/v3/objects/deals/{dealId}",
		},
		{
			name: "a type without a document", method: "GET", url: "/crm/objects/2026-09/0-123/77", status: 200, answer: deal,
			operation: "GET /crm/v3/objects/{objectType}/{objectId}",
		},
		{name: "answer of another type", method: "GET", url: "/crm/objects/2026-03/deals/77", status: 200, answer: strings.Replace(deal, `"77"`, "77", 1), want: "answer: 200: /id"},
		{name: "status that is not described", method: "PATCH", url: "/crm/objects/2026-03/deals/77", body: `{"properties":{}}`, status: 500, answer: `{"status":"error","message":"x"}`, want: "correlationId"},
		{name: "unknown field in a request", method: "PATCH", url: "/crm/objects/2026-03/deals/77", body: `{"properties":{},"propertees":{}}`, want: "propertees"},
		{name: "number for a property", method: "PATCH", url: "/crm/objects/2026-03/deals/77", body: `{"properties":{"amount":1}}`, want: "/properties/amount"},
		{name: "unknown query parameter", method: "GET", url: "/crm/objects/2026-03/deals/77?propertys=amount", want: `"propertys" is not described`},
		{name: "sorts are objects", method: "POST", url: "/crm/objects/2026-03/deals/search", body: search(`{"propertyName":"x","direction":"ASCENDING"}`)},
		{name: "sorts are no texts", method: "POST", url: "/crm/objects/2026-03/deals/search", body: search(`"x"`), want: "/sorts/0"},
		{name: "association", method: "PUT", url: "/crm/objects/2026-03/deals/1/associations/default/contacts/2", operation: "PUT /crm/v4/objects/{fromObjectType}/{fromObjectId}/associations/default/{toObjectType}/{toObjectId}"},
		{name: "no such operation", method: "POST", url: "/crm/objects/2026-03/deals/77/frobnicate", want: "no description has this operation"},
		{name: "explained exception", method: "GET", url: "/account-info/2026-03/details", status: 200, answer: `{"anything":1}`},
	})
}

func TestNetSuite(t *testing.T) {
	const problem = `{"type":"https://x.example/","title":"Bad Request","status":400,"o:errorDetails":[{"detail":"no","o:errorCode":"INVALID_CONTENT"}]}`
	const root = "/services/rest"
	order := func(more string) string {
		return `{"entity":{"id":"1"},"memo":null,"custbody_region":"x","item":{"items":[{"item":{"id":"2"},"quantity":3}]}` + more + `}`
	}
	transient := http.Header{"Prefer": {"transient"}}
	verify(t, book(t, spec.NetSuite), []exchange{
		{
			name: "upsert", method: "PUT", url: root + "/record/v1/salesOrder/eid:77", body: order(""), status: 204,
			operation: "PUT /record/v1/salesOrder/{id}",
		},
		{name: "misspelt field", method: "PUT", url: root + "/record/v1/salesOrder/eid:77", body: order(`,"meno":"x"`), want: "meno"},
		{name: "field that only reads have", method: "PUT", url: root + "/record/v1/salesOrder/eid:77", body: order(`,"createdDate":"x"`), want: "createdDate"},
		{name: "text for a number", method: "PUT", url: root + "/record/v1/salesOrder/1", body: order(`,"exchangeRate":"1"`), want: "/exchangeRate"},
		{name: "refusal", method: "PATCH", url: root + "/record/v1/customer/1", body: `{"email":"a@example.com"}`, status: 400, answer: problem},
		{name: "refusal without details", method: "GET", url: root + "/record/v1/customer/1", status: 404, answer: `{"type":"https://x.example/","title":"x","status":404}`, want: "o:errorDetails"},
		{name: "page for a record", method: "GET", url: root + "/record/v1/customer/1", status: 200, answer: "<html>", want: "no JSON"},
		{name: "query", method: "POST", url: root + "/query/v1/suiteql?limit=10", header: transient, body: `{"q":"SELECT 1"}`, status: 200, answer: `{"links":[],"count":0,"hasMore":false,"items":[],"offset":0,"totalResults":0}`},
		{name: "query without its header", method: "POST", url: root + "/query/v1/suiteql", body: `{"q":"SELECT 1"}`, want: "Prefer: transient"},
		{name: "transform", method: "POST", url: root + "/record/v1/salesOrder/1/!transform/invoice", body: `{"memo":"x"}`, operation: "POST /record/v1/salesOrder/{id}/!transform/invoice"},
		{name: "a type without a shape", method: "GET", url: root + "/record/v1/vendor/1", want: "no description has this operation"},
	})
}

func TestQuickBooks(t *testing.T) {
	const root = "/v3/company/4620816365"
	verify(t, book(t, spec.QuickBooks), []exchange{
		{
			name: "create", method: "POST", url: root + "/customer?minorversion=75", body: `{"DisplayName":"Acme"}`, status: 200,
			answer: `{"Customer":{"Id":"1","SyncToken":"0"},"time":"2026-01-02T03:04:05.678-08:00"}`, operation: "POST /customer",
		},
		{name: "misspelt field", method: "POST", url: root + "/customer", body: `{"DisplayNam":"Acme"}`, want: "DisplayNam"},
		{name: "number for a text", method: "POST", url: root + "/invoice", body: `{"DocNumber":77}`, want: "/DocNumber"},
		{name: "unknown enum", method: "POST", url: root + "/invoice", body: `{"Line":[{"DetailType":"ItemLine"}]}`, want: "/Line/0/DetailType"},
		{name: "longest number", method: "POST", url: root + "/invoice", body: `{"DocNumber":"` + strings.Repeat("7", 21) + `"}`},
		{name: "too long a number", method: "POST", url: root + "/invoice", body: `{"DocNumber":"` + strings.Repeat("7", 22) + `"}`, want: "/DocNumber: maxLength"},
		{name: "refusal", method: "GET", url: root + "/item/1", status: 400, answer: `{"Fault":{"Error":[{"Message":"x","code":"610"}],"type":"ValidationFault"},"time":"2026-01-02T03:04:05Z"}`},
		{name: "batch", method: "POST", url: root + "/batch", body: `{"BatchItemRequest":[{"bId":"1","operation":"create","Customer":{"DisplayName":7}}]}`, want: "/BatchItemRequest/0/Customer/DisplayName"},
		{name: "query", method: "GET", url: root + "/query?query=x", status: 200, answer: `{"QueryResponse":{"Invoice":[{"Id":7}]},"time":"2026-01-02T03:04:05Z"}`, want: "/QueryResponse/Invoice/0/Id"},
		{name: "no such entity", method: "POST", url: root + "/widget", body: `{}`, want: "no description has this operation"},
	})
}

// TestQuickBooksSamples holds the description to answers of the real API.
func TestQuickBooksSamples(t *testing.T) {
	b := book(t, spec.QuickBooks)
	root := os.Getenv("SPOKE_SPECS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "specs")
	}
	files, err := filepath.Glob(filepath.Join(root, "quickbooks", "samples-json", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		if strings.Contains(file, "request") && !strings.Contains(file, "too_many") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		v := b.Check(exchange{method: "GET", url: "/v3/company/1/query", status: 200, answer: string(text)}.call())
		require.Empty(t, v.Problems, filepath.Base(file))
	}
}

func TestStripe(t *testing.T) {
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {"Bearer sk_test_spoke"}}
	verify(t, book(t, spec.Stripe), []exchange{
		{
			name: "create", method: "POST", url: "/v1/customers", header: form, body: "name=Acme&metadata[spoke]=1", status: 200,
			answer: `{"id":"cus_1","object":"customer","name":"Acme","livemode":false}`, operation: "POST /v1/customers",
		},
		{name: "unknown parameter", method: "POST", url: "/v1/customers", header: form, body: "naem=Acme", want: "stripe-mock: 400"},
		{name: "answer of another type", method: "GET", url: "/v1/customers/cus_1", header: form, status: 200, answer: `{"id":"cus_1","object":"customer","created":"today"}`, want: "answer: 200: "},
		{name: "no such operation", method: "POST", url: "/v1/frobs", header: form, want: "no description has this operation"},
	})
}

// TestAbsent: without a description there is a clear reason, and traffic still
// flows.
func TestAbsent(t *testing.T) {
	t.Setenv("SPOKE_SPECS", t.TempDir())
	_, err := spec.Folder("hubspot")
	require.ErrorIs(t, err, spec.ErrAbsent)
	require.ErrorContains(t, err, "SPOKE_SPECS")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer server.Close()
	absent := func(testing.TB) (*spec.Book, error) { return nil, err }
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: spec.Watch(t, absent, transport)}
	resp, err := client.Get(server.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "hello", string(text))
}

// recorder is a testing.TB that takes failures and output down.
type recorder struct {
	testing.TB
	out      bytes.Buffer
	failures []string
}

func (r *recorder) Errorf(format string, args ...any) { r.failures = append(r.failures, format) }
func (r *recorder) Output() io.Writer                 { return &r.out }

// TestTap: both sides get every byte, and the test learns what was wrong.
func TestTap(t *testing.T) {
	b := book(t, spec.QuickBooks)
	const text = `{"Customer":{"Id":"1"},"time":"2026-01-02T03:04:05Z"}`
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		got = string(sent)
		w.Header().Set("Content-Length", "1000")
		if r.URL.Query().Get("whole") != "" {
			w.Header().Del("Content-Length")
		}
		_, _ = io.WriteString(w, text)
	}))
	defer server.Close()
	transport := &http.Transport{DisableKeepAlives: true}
	tap := &spec.Tap{Next: transport, Book: b}
	client := http.Client{Transport: tap}
	for query, whole := range map[string]bool{"?whole=1": true, "": false} {
		resp, err := client.Post(server.URL+"/v3/company/1/customer"+query, "application/json", strings.NewReader(`{"DisplayNam":"x"}`))
		require.NoError(t, err)
		read, err := io.ReadAll(resp.Body)
		require.NoError(t, resp.Body.Close())
		require.True(t, bytes.Equal([]byte(text), read), "got %q", read)
		require.Equal(t, whole, err == nil, "an answer that breaks off breaks off for the connector too: %v", err)
		require.JSONEq(t, `{"DisplayNam":"x"}`, got)
	}
	r := &recorder{TB: t}
	tap.Report(r)
	require.Len(t, r.failures, 1, "a problem is said once")
	require.Contains(t, r.out.String(), `spec: {"connector":"quickbooks","operation":"POST /customer","invalid":true}`)
	r.failures = nil
	tap.Report(r)
	require.Empty(t, r.failures)
}
