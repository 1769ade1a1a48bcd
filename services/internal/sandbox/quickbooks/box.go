// Package quickbooksbox is a QuickBooks Online that runs in memory: its OAuth
// endpoints, the names and transactions of one company with the checks and
// error bodies of the real one, taxes, queries, batches, change data capture,
// and signed webhooks. It shares no code with the connector, so that it catches
// the connector's mistakes. It knows no reports and no journal.
package quickbooksbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
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
	// Country is the company's, US when empty. In the United States lines are
	// TAX or NON, and SalesTax ("8.25") is what automated sales tax asks for,
	// in per cent; empty switches it off. Elsewhere every line needs one of
	// TaxRates, which are percentages by the id of a tax code.
	Country  string
	SalesTax string
	TaxRates map[string]string
	// Currency is the company's; USD when empty. Currencies are the others it
	// deals in.
	Currency   string
	Currencies []string

	// PerMinute is how many calls are allowed in a minute, 500 when 0;
	// a negative number allows any. PerSecond and BatchesPerMinute are off when
	// 0. Intuit's are 10 and 40.
	PerMinute        int
	PerSecond        int
	BatchesPerMinute int
	// MonthlyReads is how many metered calls are answered at all; 0 is any.
	MonthlyReads int

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
	// AssetAccount and ExpenseAccount are the worth and the cost of a stock.
	AssetAccount   = "Inventory Asset"
	ExpenseAccount = "Cost of Goods Sold"
	// BankAccount is where refunds are paid from.
	BankAccount = "Checking"
	// IncomeAccount is where sales of products are booked.
	IncomeAccount = "Sales of Product Income"
	// DepositAccount is where payments wait for their deposit.
	DepositAccount = "Undeposited Funds"
)

// Box is a running sandbox. It is an http.Handler.
type Box struct {
	*sandbox.Server
	opts Options
	hook *sandbox.Hook

	mu      sync.Mutex
	state   state
	repeats bool        // within a request that allows a number twice
	calls   []time.Time // of the last minute
	batches []time.Time
	reads   int
}

// New starts a sandbox. It fails only on an unreadable state file.
func New(opts Options) (*Box, error) {
	opts = withDefaults(opts)
	b := &Box{opts: opts, state: newState(opts)}
	if err := b.load(); err != nil {
		return nil, fmt.Errorf("quickbooksbox: state file: %w", err)
	}
	b.state.complete()
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
	b.Handle("batch", "POST "+apiPath+"/batch", b.guarded(b.serveBatch))
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
	if o.Country == "" {
		o.Country = "US"
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
		case !b.admit(r):
			writeThrottled(w)
		default:
			h(w, r)
		}
	}
}

// admit counts a call and reports whether it is within the limits. Reads are
// metered; what is refused costs nothing.
func (b *Box) admit(r *http.Request) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.opts.Now()
	metered := r.Method == http.MethodGet
	if metered && b.opts.MonthlyReads > 0 && b.reads >= b.opts.MonthlyReads {
		return false
	}
	if b.opts.PerMinute >= 0 {
		b.calls = within(b.calls, now, time.Minute)
		if len(b.calls) >= b.opts.PerMinute {
			return false
		}
	}
	if b.opts.PerSecond > 0 && len(within(slices.Clone(b.calls), now, time.Second)) >= b.opts.PerSecond {
		return false
	}
	if strings.HasSuffix(r.URL.Path, "/batch") && b.opts.BatchesPerMinute > 0 {
		b.batches = within(b.batches, now, time.Minute)
		if len(b.batches) >= b.opts.BatchesPerMinute {
			return false
		}
		b.batches = append(b.batches, now)
	}
	if b.opts.PerMinute >= 0 || b.opts.PerSecond > 0 {
		b.calls = append(b.calls, now)
	}
	if metered {
		b.reads++
	}
	return true
}

// within keeps the times that are less than a while ago.
func within(times []time.Time, now time.Time, while time.Duration) []time.Time {
	return slices.DeleteFunc(times, func(at time.Time) bool { return now.Sub(at) >= while })
}
