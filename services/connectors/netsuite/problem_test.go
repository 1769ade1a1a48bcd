package netsuite_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

func body(code, detail, path string) string {
	return fmt.Sprintf(`{"type":"https://example.com","title":"Bad","status":400,"o:errorCode":"USER_ERROR",
		"o:errorDetails":[{"detail":%q,"o:errorCode":%q,"o:errorPath":%q}]}`, detail, code, path)
}

func TestErrors(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		status int
		body   string
		want   fault.Error
	}{
		"login":            {401, body("INVALID_LOGIN", "Invalid login", ""), fault.Error{Kind: fault.Unauthorized, Code: "INVALID_LOGIN", Hint: "Login Audit Trail"}},
		"login page":       {401, "<html>", fault.Error{Kind: fault.Unauthorized, Hint: "Login Audit Trail"}},
		"permission":       {403, body("INSUFFICIENT_PERMISSION", "No", ""), fault.Error{Kind: fault.Unauthorized, Code: "INSUFFICIENT_PERMISSION", Hint: "role"}},
		"permission 400":   {400, body("INSUFFICIENT_PERMISSION", "No", ""), fault.Error{Kind: fault.Unauthorized, Code: "INSUFFICIENT_PERMISSION", Hint: "role"}},
		"concurrency":      {429, body("CONCURRENCY_LIMIT_EXCEEDED", "Wait", ""), fault.Error{Kind: fault.Throttled, Code: "CONCURRENCY_LIMIT_EXCEEDED", RetryAfter: 7 * time.Second}},
		"concurrency page": {429, "busy", fault.Error{Kind: fault.Throttled, RetryAfter: 7 * time.Second}},
		"restlet limit":    {400, body("SSS_REQUEST_LIMIT_EXCEEDED", "Wait", ""), fault.Error{Kind: fault.Throttled, Code: "SSS_REQUEST_LIMIT_EXCEEDED"}},
		"changed":          {400, body("RCRD_HAS_BEEN_CHANGED", "Changed", ""), fault.Error{Kind: fault.Conflict, Code: "RCRD_HAS_BEEN_CHANGED"}},
		"precondition":     {412, body("OTHER", "Changed", ""), fault.Error{Kind: fault.Conflict, Code: "OTHER"}},
		"duplicate":        {400, body("DUP_RCRD", "Exists", ""), fault.Error{Kind: fault.Conflict, Code: "DUP_RCRD"}},
		"name taken":       {400, body("UNIQUE_CUST_ID_REQD", "Exists", "entityId"), fault.Error{Kind: fault.Rejected, Code: "UNIQUE_CUST_ID_REQD", Field: "entityId", Hint: "another name"}},
		"reference":        {400, body("INVALID_KEY_OR_REF", "Invalid", "item.items[0].item"), fault.Error{Kind: fault.Rejected, Code: "INVALID_KEY_OR_REF", Field: "item[0].item", Hint: "refers to"}},
		"required":         {400, body("FIELD_PARAM_REQD", "Enter", "entity"), fault.Error{Kind: fault.Rejected, Code: "FIELD_PARAM_REQD", Field: "entity", Hint: "requires"}},
		"content":          {400, body("INVALID_CONTENT", "Invalid", "memo"), fault.Error{Kind: fault.Rejected, Code: "INVALID_CONTENT", Field: "memo", Hint: "mapping"}},
		"period":           {400, body("USER_ERROR", "The posting period is closed", "tranDate"), fault.Error{Kind: fault.Rejected, Code: "USER_ERROR", Field: "tranDate", Hint: "period"}},
		"only a top code":  {400, `{"title":"Bad","o:errorCode":"USER_ERROR"}`, fault.Error{Kind: fault.Rejected, Code: "USER_ERROR", Hint: "mapping"}},
		"query parameter":  {400, `{"title":"Bad","o:errorDetails":[{"detail":"x","o:errorCode":"INVALID_PARAMETER","o:errorQueryParam":"replace"}]}`, fault.Error{Kind: fault.Rejected, Code: "INVALID_PARAMETER", Field: "replace", Hint: "mapping"}},
		"unknown path":     {404, body("NOT_FOUND", "No such service", ""), fault.Error{Kind: fault.Rejected, Code: "NOT_FOUND", Hint: "deleted"}},
		"foreign 404":      {404, "<html>not here</html>", fault.Error{Kind: fault.Unavailable, Hint: "url"}},
		"foreign 400":      {400, "{}", fault.Error{Kind: fault.Unavailable, Hint: "url"}},
		"unexpected":       {500, body("UNEXPECTED_ERROR", "Oops", ""), fault.Error{Kind: fault.Transient, Code: "UNEXPECTED_ERROR"}},
		"changed 500":      {500, body("RCRD_HAS_BEEN_CHANGED", "Oops", ""), fault.Error{Kind: fault.Transient, Code: "RCRD_HAS_BEEN_CHANGED"}},
		"maintenance":      {503, "<html>", fault.Error{Kind: fault.Unavailable}},
		"gateway":          {504, "", fault.Error{Kind: fault.Transient}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.status == http.StatusTooManyRequests {
					w.Header().Set("Retry-After", "7")
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			t.Cleanup(server.Close)
			b := &bundle{settings: &netsuite.Settings{Account: "1234567", URL: server.URL, TBA: tba()}, wire: &recorder{}}
			t.Cleanup(b.wire.real.CloseIdleConnections)
			b.open(t, time.Now)

			got := fault.As(b.refuse(t, customer("1", "Acme")))

			require.Equal(t, c.want.Kind, got.Kind, got)
			require.Equal(t, c.want.Code, got.Code)
			require.Equal(t, c.want.Field, got.Field)
			require.Equal(t, c.want.RetryAfter, got.RetryAfter)
			require.Contains(t, got.Hint, c.want.Hint)
			require.True(t, strings.HasPrefix(got.Op, "netsuite: "), got.Op)
		})
	}
}

// TestErrorsKeepPersonalDataOut: NetSuite likes to quote what it refuses.
func TestErrorsKeepPersonalDataOut(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(body("NONEXISTENT_ID", "none", "")))
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(body("USER_ERROR", "Invalid phone +1 555 0100 of Jane Roe <jane@example.com>", "phone")))
	}))
	t.Cleanup(server.Close)
	b := &bundle{settings: &netsuite.Settings{Account: "1", URL: server.URL, TBA: tba()}, wire: &recorder{}}
	t.Cleanup(b.wire.real.CloseIdleConnections)
	b.open(t, time.Now)
	doc := customer("1", "Jane Roe")
	doc.Fields = map[string]any{"companyName": "Jane Roe", "phone": "+1 555 0100"}

	text := b.refuse(t, doc).Error()

	require.Contains(t, text, "Invalid phone (value) of (value) <(address)>")
}

func FuzzParseProblem(f *testing.F) {
	f.Add([]byte(body("USER_ERROR", "jane@example.com is wrong", "email")))
	f.Add([]byte(`{"title":"x","o:errorDetails":[{"o:errorUrl":"/a"},{"o:urlPath":"/b"},{}]}`))
	f.Add([]byte(`{"o:errorDetails":null}`))
	f.Add([]byte("<html></html>"))
	f.Add([]byte(`{"title":"\u0000\ud800 a@b@c"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, ok := netsuite.ParseProblem(text)
		for _, s := range p.Texts() {
			require.True(t, ok || s == "")
			require.LessOrEqual(t, utf8.RuneCountInString(s), 301)
			require.True(t, utf8.ValidString(s))
			require.NotContains(t, s, "\n")
		}
	})
}
