package stripe_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/stripe"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
	stripebox "github.com/spoke-sync/spoke/services/internal/sandbox/stripe"
)

// requireField fails unless err is a refusal that names the field and a remedy.
func requireField(t testing.TB, err error, field string) {
	t.Helper()
	require.True(t, fault.Is(err, fault.Rejected), "%v", err)
	require.Equal(t, field, fault.As(err).Field, "%v", err)
}

// TestAnswersThatAreNoAnswers are told apart from a refusal: the document, the
// signal or the page comes again, and the create that may have taken effect is
// made once.
func TestAnswersThatAreNoAnswers(t *testing.T) {
	t.Parallel()
	huge := `{"object":"customer","name":"` + strings.Repeat("x", rest.DefaultMaxBody) + `"}`
	for _, c := range []struct {
		name, body string
		status     int
		kinds      []fault.Kind
	}{
		{"HTML", "<html><body>Welcome</body></html>", 200, []fault.Kind{fault.Transient}},
		{"nothing", "", 200, []fault.Kind{fault.Transient}},
		{"an error with status 200", `{"error":{"type":"api_error","message":"oops"}}`, 200, []fault.Kind{fault.Transient}},
		{"cut off", `{"object":"customer","id":"cus_1","na`, 200, []fault.Kind{fault.Transient}},
		{"a list of nothing", `[]`, 200, []fault.Kind{fault.Transient}},
		{"oversized", huge, 200, []fault.Kind{fault.Rejected}},
		{"HTML with an error", "<html>Bad gateway</html>", 502, []fault.Kind{fault.Transient, fault.Unavailable}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			b.wire.set(func(_ *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
				resp, err := pass() // it takes effect, whatever the answer says
				if err != nil {
					return nil, err
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				return reply(resp.Request, c.status, nil, c.body), nil
			})
			errs := map[string]error{"apply": b.apply(t, customerDoc()).Err}
			_, errs["read"] = b.Reader.Read(t.Context(), "customer", []string{"cus_1"})
			_, errs["scan"] = b.Scanner.Scan(t.Context(), connector.Scan{Feed: "customer", Until: time.Now()})
			for op, err := range errs {
				require.Error(t, err, op)
				require.Contains(t, c.kinds, fault.KindOf(err), "%s: %v", op, err)
				require.NotContains(t, err.Error(), "Welcome", "bodies are not told")
			}
			b.wire.set(nil)
			b.mustApply(t, customerDoc())
			require.Equal(t, 1, b.box.Counts().Total("customer created"))
		})
	}
}

// TestRedirectToAnotherHost does not follow it: the key would go there too.
func TestRedirectToAnotherHost(t *testing.T) {
	t.Parallel()
	var asked bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(other.Close)
	evil := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(evil.Close)
	b := start(t)
	s := *b.settings
	s.URL = evil.URL
	transport := &http.Transport{DisableKeepAlives: true}
	c, err := stripe.Kind().Open(&s, connector.Deps{
		Connection: "stripe", Log: slog.New(slog.DiscardHandler), HTTP: rest.NewHTTP(transport), Now: time.Now,
	})
	require.NoError(t, err)
	require.ErrorContains(t, c.Target.Apply(t.Context(), []connector.Document{customerDoc()})[0].Err, "another host")
	_, err = c.Reader.Read(t.Context(), "customer", []string{"cus_1"})
	require.ErrorContains(t, err, "another host")
	require.False(t, asked)
}

// TestCurrencyThatTheAccountLacks is refused with field and remedy, and so is one
// whose decimals are in doubt, before any call.
func TestCurrencyThatTheAccountLacks(t *testing.T) {
	t.Parallel()
	b := startWith(t, stripebox.Options{Currencies: []string{"eur"}})
	customer, product := b.customer(t), b.mustApply(t, productDoc()).ID
	in := func(code string) connector.Document {
		return document("invoice", events.Key{Entity: events.EntityDeal, ID: "77"}, map[string]any{
			"customer": customer, "lines": []any{map[string]any{"product": product, "price": money("10", code)}},
		})
	}
	err := b.apply(t, in("GBP")).Err
	requireField(t, err, "currency")
	require.Contains(t, fault.As(err).Hint, "this account does not take the currency")
	before := len(b.wire.calls())
	requireField(t, b.apply(t, in("UGX")).Err, "lines[0].price")
	require.Len(t, b.wire.calls(), before)
	b.mustApply(t, in("EUR"))
}

// TestWhatWasDeletedAtStripe is told as deleted, and refused where something
// refers to it.
func TestWhatWasDeletedAtStripe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, doc := w.upTo(t, "invoice")
	id, _ := doc.Fields["customer"].(string)
	w.byHand(t, http.MethodDelete, "/v1/customers/"+id, "")
	changes := mustRead(t, w.bundle, "customer", id)
	require.Equal(t, events.OpDeleted, changes[0].Op)
	err := w.apply(t, doc).Err
	requireField(t, err, "customer")
	require.Contains(t, fault.As(err).Hint, "was deleted there")
	_, refund := w.upTo(t, "refund")
	refund.Fields["payment"] = "pi_gone"
	requireField(t, w.apply(t, refund).Err, "payment_intent")
}

// TestRevokedKeyAndWrongAccount pause the connection and say what to set.
func TestRevokedKeyAndWrongAccount(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.box.Inject(expired())
	err := b.apply(t, customerDoc()).Err
	require.True(t, fault.Is(err, fault.Unauthorized))
	require.Contains(t, fault.As(err).Hint, "set a valid one of this account")
	b.box.ClearFaults()
	s := *b.settings
	s.Account, s.Shared = "acct_other", true
	c, err := stripe.Kind().Open(&s, connector.Deps{
		Connection: "stripe", Log: slog.New(slog.DiscardHandler), HTTP: &http.Client{Transport: b.wire}, Now: time.Now,
	})
	require.NoError(t, err)
	err = c.Target.Check(t.Context())
	require.True(t, fault.Is(err, fault.Unauthorized), "%v", err)
	s.Account = stripebox.DefaultAccount
	c, err = stripe.Kind().Open(&s, connector.Deps{
		Connection: "stripe", Log: slog.New(slog.DiscardHandler), HTTP: &http.Client{Transport: b.wire}, Now: time.Now,
	})
	require.NoError(t, err)
	require.NoError(t, c.Target.Check(t.Context()))
}

// TestUnknownStatesPass as they are: what Stripe adds one day hinders nothing.
func TestUnknownStatesPass(t *testing.T) {
	t.Parallel()
	for object, id := range map[string]string{
		"invoice": "in_1", "refund": "re_1", "dispute": "du_1", "subscription": "sub_1", "quote": "qt_1", "payment": "pi_1", "credit_note": "cn_1",
	} {
		b := start(t)
		b.wire.set(func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Path, "/v1/invoice_payments") {
				return reply(r, 200, nil, `{"object":"list","data":[],"has_more":false}`), nil
			}
			return reply(r, 200, nil, fmt.Sprintf(`{"id":%q,"object":%q,"currency":"eur","status":"pondering","colour":"red","amount":5}`, id, object)), nil
		})
		c := b.read(t, object, id)[0]
		require.Equal(t, "pondering", c.Fields.Text("status"), object)
	}
}

// TestAmountsInDoubtAreNotGuessed reads none in a currency that Stripe's
// documentation contradicts itself about.
func TestAmountsInDoubtAreNotGuessed(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.wire.set(func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
		return reply(r, 200, nil, `{"id":"in_1","object":"invoice","currency":"ugx","status":"open","total":500}`), nil
	})
	_, err := b.Reader.Read(t.Context(), "invoice", []string{"in_1"})
	require.True(t, fault.Is(err, fault.Malformed), "%v", err)
	require.NotEmpty(t, fault.As(err).Hint)
}

func TestLimitsFollowTheKey(t *testing.T) {
	t.Parallel()
	b := start(t)
	k := stripe.Kind().For(b.settings)
	require.Equal(t, stripe.SandboxPerSecond, int(k.Limits.PerSecond))
	live := liveSettings()
	k = stripe.Kind().For(live)
	require.Equal(t, stripe.LivePerSecond, int(k.Limits.PerSecond))
	pool := func(method, path string) string {
		r := httptest.NewRequestWithContext(t.Context(), method, "https://api.stripe.com"+path, nil)
		for _, p := range k.Limits.Pools {
			if p.Match(r) {
				require.True(t, p.Shared)
				require.Equal(t, stripe.EndpointPerSecond, int(p.PerSecond))
				return p.Name
			}
		}
		return ""
	}
	require.Equal(t, "customers.retrieve", pool("GET", "/v1/customers/cus_1"))
	require.Equal(t, "customers.retrieve", pool("GET", "/v1/customers/cus_2"))
	require.Equal(t, "customers.list", pool("GET", "/v1/customers"))
	require.Equal(t, "invoices.update", pool("POST", "/v1/invoices/in_1/finalize"))
	require.Equal(t, "invoices.create", pool("POST", "/v1/invoices"))
	require.Equal(t, "checkout.sessions.retrieve", pool("GET", "/v1/checkout/sessions/cs_1"))
	require.Empty(t, pool("GET", "/v1/account"))
}

// FuzzProblem never panics, always has a kind and a bounded text, and repeats no
// address or long number.
func FuzzProblem(f *testing.F) {
	f.Add(400, []byte(`{"error":{"type":"invalid_request_error","message":"Bad a@b.example 123456789","param":"x"}}`))
	f.Add(429, []byte(`{"error":{"type":"rate_limit"}}`))
	f.Add(500, []byte(`<html>`))
	f.Add(200, []byte(`{"error":[]}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		e := stripe.Problem(status, http.Header{"Request-Id": {"req_1"}}, body)
		require.NotEmpty(t, e.Kind.String())
		require.Less(t, len(e.Err.Error()), 4096)
		if !bytes.Contains(body, []byte(`"code"`)) && !bytes.Contains(body, []byte(`"type"`)) {
			require.NotContains(t, e.Error(), "@")
		}
	})
}
