package stripe_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/stripe"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
	stripebox "github.com/spoke-sync/spoke/services/internal/sandbox/stripe"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey    = "sk_test_51SpokeBundleKey"
	testSecret = "whsec_bundle0123456789"
)

// bundle is a connector on a sandbox of its own.
type bundle struct {
	connector.Connector
	box      *stripebox.Box
	url      string
	settings *stripe.Settings
	wire     *wire
	clock    *clock
	hooks    *inbox
}

// clock is the connector's; it can be set ahead.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// inbox takes the webhooks in.
type inbox struct {
	*httptest.Server
	mu  sync.Mutex
	got []connector.Delivery
}

func newInbox(t testing.TB) *inbox {
	in := &inbox{}
	in.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in.mu.Lock()
		defer in.mu.Unlock()
		in.got = append(in.got, connector.Delivery{
			Method: r.Method, URL: "https://in.example" + r.URL.Path, Header: r.Header.Clone(), Body: body, Received: time.Now(),
		})
	}))
	t.Cleanup(in.Close)
	return in
}

func (in *inbox) deliveries() []connector.Delivery {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]connector.Delivery(nil), in.got...)
}

// wire is the network. hook may stand in the sandbox's place: it is given the
// call and a way to make it.
type wire struct {
	real *http.Transport
	mu   sync.Mutex
	hook func(r *http.Request, pass func() (*http.Response, error)) (*http.Response, error)
	seen []string // method and path of each call
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	hook := w.hook
	w.seen = append(w.seen, r.Method+" "+r.URL.Path)
	w.mu.Unlock()
	if hook == nil {
		return w.real.RoundTrip(r)
	}
	return hook(r, func() (*http.Response, error) { return w.real.RoundTrip(r) })
}

func (w *wire) set(hook func(*http.Request, func() (*http.Response, error)) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hook = hook
}

// failAt makes the n-th call from now on fail in a way; none when n is
// negative.
func (w *wire) failAt(n int, way failure) {
	var count atomic.Int64
	w.set(func(r *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
		if count.Add(1)-1 != int64(n) {
			return pass()
		}
		return way.fail(r, pass)
	})
}

// failure is a way for one call to go wrong.
type failure struct {
	name string
	fail func(r *http.Request, pass func() (*http.Response, error)) (*http.Response, error)
}

func failures() []failure {
	return []failure{
		{"answer lost", func(_ *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
			resp, err := pass()
			if err == nil {
				_ = resp.Body.Close()
			}
			return nil, io.ErrUnexpectedEOF
		}},
		{"call lost", func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			drain(r)
			return nil, io.ErrUnexpectedEOF
		}},
		{"server error", func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			drain(r)
			return reply(r, 500, nil, `{"error":{"type":"api_error","message":"An unknown error occurred"}}`), nil
		}},
		{"server error after the effect", func(r *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
			resp, err := pass()
			if err != nil {
				return nil, err
			}
			_ = resp.Body.Close()
			return reply(r, 500, nil, `{"error":{"type":"api_error","message":"An unknown error occurred"}}`), nil
		}},
	}
}

func drain(r *http.Request) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
}

func reply(r *http.Request, status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}

func (w *wire) calls() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.seen...)
}

func start(t testing.TB) *bundle {
	t.Helper()
	return startWith(t, stripebox.Options{})
}

// expired makes the sandbox refuse the key.
func expired() sandbox.Fault { return sandbox.Fault{Kind: sandbox.FaultExpire} }

func liveSettings() *stripe.Settings {
	s := stripe.Kind().Settings().(*stripe.Settings)
	s.Key = secret.New("rk_live_x")
	return s
}

func startWith(t testing.TB, o stripebox.Options) *bundle {
	t.Helper()
	b := &bundle{wire: &wire{real: &http.Transport{DisableKeepAlives: true}}, clock: &clock{}, hooks: newInbox(t)}
	o.Key, o.WebhookSecret, o.WebhookURL, o.PerSecond, o.Now = testKey, testSecret, b.hooks.URL, -1, b.clock.now
	box, err := stripebox.New(o)
	require.NoError(t, err)
	server := httptest.NewServer(box)
	t.Cleanup(func() {
		server.Close()
		box.Close()
		b.wire.real.CloseIdleConnections()
	})
	b.box, b.url = box, server.URL
	b.settings = stripe.Kind().Settings().(*stripe.Settings)
	b.settings.URL, b.settings.Key = server.URL, secret.New(testKey)
	b.settings.WebhookSecrets = []secret.Value{secret.New(testSecret)}
	b.Connector, err = stripe.Kind().Open(b.settings, connector.Deps{
		Connection: "stripe", Tenant: "acme", Log: slog.New(slog.DiscardHandler),
		HTTP: &http.Client{Transport: b.wire, Timeout: 30 * time.Second}, Now: b.clock.now,
	})
	require.NoError(t, err)
	return b
}

// document completes a document as the sink runtime does.
func document(object string, record events.Key, fields map[string]any) connector.Document {
	doc := connector.Document{
		Desired: events.Desired{
			Tenant: "acme", Connection: "stripe", Object: object, Record: record, Op: events.DesiredUpsert, Fields: fields,
		},
		Key: "spoke-" + string(record.Entity) + "-" + record.ID, First: time.Now(),
	}
	if err := doc.Seal(); err != nil {
		panic(err)
	}
	doc.IdempotencyKey = doc.Key + "-" + doc.Hash[:12]
	return doc
}

func money(amount, currency string) map[string]any {
	return map[string]any{"amount": amount, "currency": currency}
}

func customerDoc() connector.Document {
	return document("customer", events.Key{Entity: events.EntityCompany, ID: "12"}, map[string]any{
		"name": "Acme Inc", "email": "billing@acme.example", "phone": "+49 30 1234567",
		"address": map[string]any{"line1": "Main St 1", "city": "Berlin", "postal_code": "10115", "country": "Germany"},
	})
}

func productDoc() connector.Document {
	return document("product", events.Key{Entity: events.EntityProduct, ID: "5"}, map[string]any{
		"name": "Widget", "sku": "W-1", "description": "A widget", "price": money("9.99", "EUR"),
	})
}

func (b *bundle) apply(t testing.TB, doc connector.Document) connector.Result {
	t.Helper()
	results := b.Target.Apply(t.Context(), []connector.Document{doc})
	require.Len(t, results, 1)
	return results[0]
}

func (b *bundle) mustApply(t testing.TB, doc connector.Document) connector.Result {
	t.Helper()
	r := b.apply(t, doc)
	require.NoError(t, r.Err)
	require.NotEmpty(t, r.ID)
	return r
}

// customer makes a customer and returns its id.
func (b *bundle) customer(t testing.TB) string {
	t.Helper()
	return b.mustApply(t, customerDoc()).ID
}

// events returns the decoded events of all deliveries so far.
func (b *bundle) events(t testing.TB) []events.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, b.box.Flush(ctx))
	var all []events.Event
	for _, d := range b.hooks.deliveries() {
		require.NoError(t, b.Webhooks.Verify(d))
		got, err := b.Webhooks.Decode(d)
		require.NoError(t, err)
		all = append(all, got...)
	}
	return all
}
