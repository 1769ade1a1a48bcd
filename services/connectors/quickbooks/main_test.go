package quickbooks_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/oauth"
	"github.com/spoke-sync/spoke/services/internal/rest"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle is a connection to a sandbox of its own.
type bundle struct {
	connector.Connector
	box      *quickbooksbox.Box
	settings *quickbooks.Settings
	store    *oauth.MemoryStore
}

func setup(t testing.TB, opts quickbooksbox.Options, change ...func(*quickbooks.Settings)) *bundle {
	t.Helper()
	b := &bundle{store: oauth.NewMemoryStore()}
	b.box, b.settings = startBox(t, opts)
	for _, f := range change {
		f(b.settings)
	}
	b.Connector = open(t, b.settings, b.store)
	return b
}

// plainHTTP is the client of the program without its instruments.
func plainHTTP() *http.Client {
	return rest.NewHTTP(&http.Transport{DisableKeepAlives: true})
}

func open(t testing.TB, s *quickbooks.Settings, store connector.TokenStore) connector.Connector {
	t.Helper()
	con, err := quickbooks.Open(s, connector.Deps{Connection: "qbo", HTTP: plainHTTP(), Now: time.Now, Tokens: store})
	require.NoError(t, err)
	return con
}

// apply completes and applies a document that is being tried for the first time.
func (b *bundle) apply(t testing.TB, doc connector.Document) connector.Result {
	t.Helper()
	return b.tryApply(t.Context(), t, doc)
}

func (b *bundle) tryApply(ctx context.Context, t testing.TB, doc connector.Document) connector.Result {
	t.Helper()
	if doc.First.IsZero() {
		doc.First = time.Now()
	}
	require.NoError(t, doc.Seal())
	if doc.IdempotencyKey == "" {
		doc.IdempotencyKey = doc.Key + doc.Hash[:8]
	}
	results := b.Target.Apply(ctx, []connector.Document{doc})
	require.Len(t, results, 1)
	return results[0]
}

// must applies a document that has to succeed.
func (b *bundle) must(t testing.TB, doc connector.Document) connector.Result {
	t.Helper()
	r := b.apply(t, doc)
	require.NoError(t, r.Err)
	require.NotEmpty(t, r.ID)
	return r
}

// sale makes the customer and the item that invoices need.
func (b *bundle) sale(t testing.TB) (customer, item string) {
	t.Helper()
	c := b.must(t, document("Customer", key(events.EntityCompany, "11"), map[string]any{"DisplayName": "Acme"}))
	i := b.must(t, document("Item", key(events.EntityProduct, "21"), map[string]any{"Name": "Widget", "Sku": "W-1"}))
	return c.ID, i.ID
}

// invoice is a document for one line of an invoice.
func invoice(customer, item, deal string, line map[string]any) connector.Document {
	line["ItemRef"] = item
	return document("Invoice", key(events.EntityDeal, deal), map[string]any{
		"CustomerRef": customer, "DocNumber": "HS-" + deal, "TxnDate": "2026-11-20", "Line": []any{line},
	})
}

// requireFault fails unless err has the kind and, where given, the code.
func requireFault(t testing.TB, err error, kind fault.Kind, code string) *fault.Error {
	t.Helper()
	require.Error(t, err)
	f := fault.As(err)
	require.Equal(t, kind.String(), f.Kind.String(), "%v", err)
	if code != "" {
		require.Equal(t, code, f.Code, "%v", err)
	}
	require.True(t, strings.HasPrefix(err.Error(), "quickbooks: "), "%v", err)
	return f
}

// roundTrip answers calls without a network.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// canned is a connection to a vendor that gives tokens and one answer.
func canned(t testing.TB, status int, body string) connector.Connector {
	t.Helper()
	s := quickbooks.DefaultSettings()
	s.RealmID, s.ClientID, s.IncomeAccount, s.RefundAccount = "1", "client", "79", "4"
	s.ClientSecret, s.RefreshToken = secretOf("client-secret"), secretOf("refresh-token")
	client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "oauth.platform.intuit.com" {
			return answer(r, http.StatusOK, `{"access_token":"a","expires_in":3600,"refresh_token":"refresh-token"}`), nil
		}
		return answer(r, status, body), nil
	})}
	con, err := quickbooks.Open(s, connector.Deps{Connection: "qbo", HTTP: client, Now: time.Now})
	require.NoError(t, err)
	return con
}

func answer(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Intuit_tid": {"1-abc"}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}
