// Package stripebox is a sandbox of Stripe: a stateful server that behaves as
// Stripe's API does where Spoke touches it, refuses what Stripe refuses, and
// posts signed webhooks. It shares no code with the connector, so that it can
// catch the connector's mistakes.
package stripebox

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// The defaults of Options.
const (
	DefaultKey     = "sk_test_sandbox"
	DefaultAccount = "acct_1SpokeSandbox"
	// DefaultPerSecond is Stripe's limit for its own sandboxes.
	DefaultPerSecond = 25
)

// apiVersion is what events are rendered in.
const apiVersion = "2026-08-26.dahlia"

// Options are what a sandbox is made of. All may be left out.
type Options struct {
	Log *slog.Logger
	// Key is the one valid API key.
	Key string
	// Account is what GET /v1/account answers.
	Account string
	// WebhookURL gets an event for every change; empty sends none.
	WebhookURL string
	// WebhookSecret signs them.
	WebhookSecret string
	// Thin also posts the thin twin of every event.
	Thin bool
	// Currencies that the account takes; empty means all of Stripe's.
	Currencies []string
	// StateFile keeps the objects over a restart.
	StateFile string
	// PublicURL is the base of hosted invoice pages; by default the host that
	// the caller used.
	PublicURL string
	// PerSecond limits the rate of calls; negative means no limit.
	PerSecond int
	// Now is the clock; time.Now by default.
	Now func() time.Time
}

// Box is a running sandbox.
type Box struct {
	*sandbox.Server
	opt   Options
	hook  *sandbox.Hook
	limit *rate.Limiter

	mu    sync.Mutex
	state state
	keys  map[string]stored // by idempotency key
}

// New starts a sandbox. It fails when the state file can't be read.
func New(o Options) (*Box, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Key = cmp.Or(o.Key, DefaultKey)
	o.Account = cmp.Or(o.Account, DefaultAccount)
	o.PerSecond = cmp.Or(o.PerSecond, DefaultPerSecond)
	b := &Box{opt: o, keys: map[string]stored{}, limit: rate.NewLimiter(rate.Limit(o.PerSecond), o.PerSecond)}
	if o.PerSecond < 0 {
		b.limit = rate.NewLimiter(rate.Inf, 0)
	}
	b.Server = sandbox.New("stripe", o.Log, refuseFault)
	var err error
	if b.state, err = loadState(o.StateFile); err != nil {
		return nil, fmt.Errorf("stripebox: %w", err)
	}
	if b.state.Keys != nil {
		b.keys = b.state.Keys
	}
	b.hook = sandbox.NewHook(o.WebhookURL, o.Log, b.sign)
	b.Dump(b.dump)
	b.routes()
	return b, nil
}

// Close stops the delivery of webhooks.
func (b *Box) Close() { b.hook.Close() }

// Flush waits until all webhooks are accepted.
func (b *Box) Flush(ctx context.Context) error { return b.hook.Flush(ctx) }

func (b *Box) sign(r *http.Request, body []byte) {
	r.Header.Set("Stripe-Signature", Sign(b.opt.WebhookSecret, body, b.opt.Now()))
}

func (b *Box) routes() {
	b.customerRoutes()
	b.productRoutes()
	b.priceRoutes()
	b.itemRoutes()
	b.invoiceRoutes()
	b.paymentRoutes()
	b.recordRoutes()
	b.refundRoutes()
	b.creditRoutes()
	b.subscriptionRoutes()
	b.quoteRoutes()
	b.linkRoutes()
	b.eventRoutes()
	b.op("get account", "GET /v1/account", nil, func(*call) (any, *problem) {
		return map[string]any{"id": b.opt.Account, "object": "account", "country": "US", "default_currency": "usd"}, nil
	})
	b.op("unknown", "/v1/", nil, func(c *call) (any, *problem) {
		return nil, &problem{Status: http.StatusNotFound, Message: "Unrecognized request URL (" + c.r.Method + ": " + c.r.URL.Path + ")."}
	})
}

// now is the time in Stripe's whole seconds.
func (b *Box) now() int64 { return b.opt.Now().Unix() }

// dump shows the objects by type and id.
func (b *Box) dump() map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	invoices := map[string]any{}
	for id, i := range b.state.Invoices.Rows {
		invoices[id] = b.renderInvoice(i)
	}
	return map[string]any{
		"customer": toMap(b.state.Customers.Rows), "product": toMap(b.state.Products.Rows),
		"price": toMap(b.state.Prices.Rows), "invoiceitem": toMap(b.state.Items.Rows), "invoice": invoices,
		"invoice_payment": toMap(b.state.Payments.Rows), "payment_intent": toMap(b.state.Intents.Rows),
		"refund": toMap(b.state.Refunds.Rows), "dispute": toMap(b.state.Disputes.Rows), "credit_note": toMap(b.state.Credits.Rows),
		"subscription": toMap(b.state.Subs.Rows), "quote": toMap(b.state.Quotes.Rows), "payment_link": toMap(b.state.Links.Rows),
		"payment_record": toMap(b.state.Records.Rows), "session": toMap(b.state.Sessions.Rows), "charge": toMap(b.state.Charges.Rows),
	}
}
