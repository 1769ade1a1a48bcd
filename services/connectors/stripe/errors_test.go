package stripe_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

func TestErrorKinds(t *testing.T) {
	t.Parallel()
	body := func(kind, code, param, message string) string {
		return fmt.Sprintf(`{"error":{"type":%q,"code":%q,"param":%q,"message":%q}}`, kind, code, param, message)
	}
	for _, c := range []struct {
		name   string
		status int
		header map[string]string
		body   string
		want   fault.Kind
		code   string
		field  string
		hint   string
		lacks  string // must not be in the text
	}{
		{
			name: "invalid", status: 400, body: body("invalid_request_error", "email_invalid", "email", "Invalid email address: a@b.example"),
			want: fault.Rejected, code: "email_invalid", field: "email", hint: "request req_7", lacks: "a@b.example",
		},
		{
			name: "long number", status: 400, body: body("invalid_request_error", "", "phone", "Bad phone +49301234567"),
			want: fault.Rejected, code: "invalid_request_error", field: "phone", lacks: "49301234567",
		},
		{
			name: "missing", status: 400, body: body("invalid_request_error", "resource_missing", "customer", "No such customer: 'cus_1'"),
			want: fault.Rejected, code: "resource_missing", field: "customer", hint: "deleted there",
		},
		{
			name: "key for other content", status: 400, body: body("idempotency_error", "", "", "Keys for idempotent requests"),
			want: fault.Conflict, code: "idempotency_error", hint: "other content",
		},
		{
			name: "wrong key", status: 401, body: body("invalid_request_error", "", "", "Invalid API Key provided: sk_test_****abcd"),
			want: fault.Unauthorized, hint: "the key is refused", lacks: "abcd",
		},
		{name: "declined", status: 402, body: body("card_error", "card_declined", "", "Your card was declined."), want: fault.Rejected, code: "card_declined"},
		{
			name: "permission", status: 403, body: body("invalid_request_error", "", "", "The provided key does not have access"),
			want: fault.Unauthorized, hint: "permission",
		},
		{
			name: "key in use", status: 409, body: body("idempotency_error", "idempotency_key_in_use", "", "in use"),
			want: fault.Transient, code: "idempotency_key_in_use",
		},
		{name: "conflict", status: 409, body: body("invalid_request_error", "", "", "conflict"), want: fault.Conflict},
		{
			name: "conflict that passes", status: 409, header: map[string]string{"Stripe-Should-Retry": "true"},
			body: body("invalid_request_error", "", "", "conflict"), want: fault.Transient,
		},
		{
			name: "throttled", status: 429, header: map[string]string{"Stripe-Rate-Limited-Reason": "endpoint-rate", "Retry-After": "3"},
			body: body("invalid_request_error", "rate_limit", "", "Too many"), want: fault.Throttled, code: "rate_limit", hint: "endpoint-rate",
		},
		{name: "lock", status: 429, body: body("invalid_request_error", "lock_timeout", "", "locked"), want: fault.Transient, code: "lock_timeout"},
		{name: "server error", status: 500, body: body("api_error", "", "", "oops"), want: fault.Transient, code: "api_error"},
		{
			name: "server error that stays", status: 500, header: map[string]string{"Stripe-Should-Retry": "false"},
			body: body("api_error", "", "", "oops"), want: fault.Ambiguous,
		},
		{name: "down", status: 503, body: body("api_error", "", "", "oops"), want: fault.Unavailable},
		{name: "a proxy's page", status: 404, body: "<html>not here</html>", want: fault.Unavailable, hint: "url"},
		{name: "a proxy's refusal", status: 403, body: "<html>no</html>", want: fault.Unauthorized, hint: "url"},
		{name: "a redirect", status: 304, body: "", want: fault.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			header := http.Header{"Request-Id": {"req_7"}}
			for k, v := range c.header {
				header.Set(k, v)
			}
			b.wire.set(func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
				drain(r)
				return reply(r, c.status, header, c.body), nil
			})
			f := fault.As(b.apply(t, productDoc()).Err)
			require.Equal(t, c.want, f.Kind, "%v", f)
			require.Equal(t, "stripe: create product", f.Op)
			if c.code != "" {
				require.Equal(t, c.code, f.Code)
			}
			require.Equal(t, c.field, f.Field)
			require.Contains(t, f.Hint, c.hint)
			if c.lacks != "" {
				require.NotContains(t, f.Error()+f.Hint, c.lacks)
			}
			if c.header["Retry-After"] != "" {
				require.Equal(t, "3s", f.RetryAfter.String())
			}
		})
	}
}

// Every call says which version it was written for.
func TestEveryCallNamesTheVersion(t *testing.T) {
	t.Parallel()
	b := startSold(t)
	versions := map[string]bool{}
	b.wire.set(func(r *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
		versions[r.Header.Get("Stripe-Version")] = true
		return pass()
	})
	b.mustApply(t, invoiceDoc(b.customerID, b.productID))
	require.NoError(t, b.Target.Check(t.Context()))
	require.Equal(t, map[string]bool{"2026-08-26.dahlia": true}, versions)
}
