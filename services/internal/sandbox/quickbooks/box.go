// Package quickbooksbox is a QuickBooks Online that runs in memory: its OAuth
// token endpoint, customers, items, sales forms and payments of one company with
// the checks and error bodies of the real one, queries, and signed webhooks.
// It shares no code with the connector, so that it catches the connector's
// mistakes. It knows taxes by line, and no reports.
package quickbooksbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// Options configure a Box. Zero values give a company in the United States
// that takes the credentials below and numbers nothing by itself.
type Options struct {
	Log *slog.Logger // nil discards

	// The company and the credentials of the app; see the Default constants.
	RealmID       string
	ClientID      string
	ClientSecret  string
	RefreshToken  string // the first one
	VerifierToken string

	// WebhookURL gets a notification of each change; empty sends none.
	WebhookURL string
	// OldWebhooks sends eventNotifications instead of CloudEvents.
	OldWebhooks bool

	// AccessLife is how long an access token lives; an hour when 0.
	AccessLife time.Duration
	// RefreshLife is how long a refresh token lives after its last use,
	// HardLife how long a consent does; the defaults are Intuit's.
	RefreshLife time.Duration
	HardLife    time.Duration
	// KeepRefresh answers each refresh with the same refresh token. Without
	// it the token changes every time, and the old one ends when the new one
	// is used.
	KeepRefresh bool

	// BookCloseDate ("2026-10-31") refuses transactions up to that day.
	BookCloseDate string
	// AutoNumbers gives invoices without a number the next one.
	AutoNumbers bool
	// TakenNames are the names of vendors and employees.
	TakenNames []string
	// TaxCodes are the known tax codes; TAX and NON when empty.
	TaxCodes []string
	// Country is the company's, US when empty. Outside the United States every
	// line needs a tax code that is no pseudo code.
	Country string
	// TaxRates are percentages by tax code; none when absent.
	TaxRates map[string]string
	// Currency is the company's; USD when empty. Currencies are the others it
	// deals in.
	Currency   string
	Currencies []string

	// PerMinute is how many calls are allowed in a minute, 500 when 0;
	// a negative number allows any.
	PerMinute int

	// StateFile keeps the company over a restart; empty keeps nothing.
	StateFile string
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// The credentials of a Box that is given none. They open nothing but a Box.
const (
	DefaultRealmID       = "9341450000000001"
	DefaultClientID      = "box-client"
	DefaultClientSecret  = "box-client-secret"  //nolint:gosec // a sandbox's
	DefaultRefreshToken  = "box-refresh-0"      //nolint:gosec // a sandbox's
	DefaultVerifierToken = "box-verifier-token" //nolint:gosec // a sandbox's
)

// The paths of a Box below its address.
const (
	// TokenPath is the token endpoint.
	TokenPath = "/oauth2/v1/tokens/bearer" //nolint:gosec // an address
	// AuthorizePath is the page on which a company is connected.
	AuthorizePath = "/connect/oauth2"
	// RevokePath ends a connection.
	RevokePath = "/v2/oauth2/tokens/revoke"
	apiPath    = "/v3/company/{realm}"
)

// Accounts of every company, by name.
const (
	// IncomeAccount is where sales of products are booked.
	IncomeAccount = "Sales of Product Income"
	// DepositAccount is where payments wait for their deposit.
	DepositAccount = "Undeposited Funds"
	// AssetAccount and ExpenseAccount are the worth and the cost of a stock.
	AssetAccount   = "Inventory Asset"
	ExpenseAccount = "Cost of Goods Sold"
)

// Box is a running sandbox. It is an http.Handler.
type Box struct {
	*sandbox.Server
	opts Options
	hook *sandbox.Hook

	mu    sync.Mutex
	state state
	// repeats is true within a request that allows a number twice.
	repeats bool
	calls   []time.Time // of the last minute
}

// New starts a sandbox. It fails only on an unreadable state file.
func New(opts Options) (*Box, error) {
	opts = withDefaults(opts)
	b := &Box{opts: opts, state: newState(opts)}
	if err := b.load(); err != nil {
		return nil, fmt.Errorf("quickbooksbox: state file: %w", err)
	}
	b.hook = sandbox.NewHook(opts.WebhookURL, opts.Log, b.sign)
	b.Server = sandbox.New("quickbooks", opts.Log, b.refuse)
	b.Dump(b.dump)
	b.Handle("token", "POST "+TokenPath, b.serveToken)
	b.Handle("revoke", "POST "+RevokePath, b.serveRevoke)
	b.Control("GET "+AuthorizePath, b.serveConsent)
	b.Control("POST "+AuthorizePath, b.serveDecision)
	b.Handle("companyinfo", "GET "+apiPath+"/companyinfo/{id}", b.guarded(b.serveCompany))
	b.Handle("query", "GET "+apiPath+"/query", b.guarded(b.serveQuery))
	b.Handle("cdc", "GET "+apiPath+"/cdc", b.guarded(b.serveChanges))
	for _, e := range entities() {
		b.Handle(e.path+".write", "POST "+apiPath+"/"+e.path, b.guarded(b.serveWrite(e)))
		b.Handle(e.path+".read", "GET "+apiPath+"/"+e.path+"/{id}", b.guarded(b.serveRead(e)))
	}
	return b, nil
}

func withDefaults(o Options) Options {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	set(&o.RealmID, DefaultRealmID)
	set(&o.ClientID, DefaultClientID)
	set(&o.ClientSecret, DefaultClientSecret)
	set(&o.RefreshToken, DefaultRefreshToken)
	set(&o.VerifierToken, DefaultVerifierToken)
	set(&o.Currency, "USD")
	set(&o.Country, "US")
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for life, intuit := range map[*time.Duration]time.Duration{
		&o.AccessLife: time.Hour, &o.RefreshLife: DefaultRefreshLife, &o.HardLife: DefaultHardLife,
	} {
		if *life == 0 {
			*life = intuit
		}
	}
	if o.PerMinute == 0 {
		o.PerMinute = 500
	}
	if len(o.TaxCodes) == 0 {
		o.TaxCodes = []string{"TAX", "NON"}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Close stops the webhooks.
func (b *Box) Close() { b.hook.Close() }

// Hook returns the sender of webhooks, for tests that wait for it.
func (b *Box) Hook() *sandbox.Hook { return b.hook }

// sign puts Intuit's signature on a webhook.
func (b *Box) sign(r *http.Request, body []byte) {
	r.Header.Set("intuit-signature", Sign(b.opts.VerifierToken, body))
}

// Sign returns the signature of a webhook with this body.
func Sign(verifierToken string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(verifierToken))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// guarded checks the realm, the access token and the rate before a call.
func (b *Box) guarded(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("intuit_tid", fmt.Sprintf("1-%08x-box", b.opts.Now().UnixNano()&0xffffffff))
		switch {
		case !b.authorized(r):
			writeUnauthorized(w)
		case r.PathValue("realm") != b.opts.RealmID:
			writeFault(w, http.StatusForbidden, faultOf("3100", "message=ApplicationAuthorizationFailed; errorCode=003100; statusCode=403", "", ""))
		case !b.admit():
			writeThrottled(w)
		default:
			h(w, r)
		}
	}
}

// admit counts a call and reports whether it is within the rate.
func (b *Box) admit() bool {
	if b.opts.PerMinute < 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.opts.Now()
	kept := b.calls[:0]
	for _, at := range b.calls {
		if now.Sub(at) < time.Minute {
			kept = append(kept, at)
		}
	}
	b.calls = kept
	if len(b.calls) >= b.opts.PerMinute {
		return false
	}
	b.calls = append(b.calls, now)
	return true
}
