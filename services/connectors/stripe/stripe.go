// Package stripe connects Stripe: it reads Stripe's webhooks, log of events and
// objects into changes, and makes Stripe hold customers, products, prices,
// invoices, subscriptions, quotes, payment links, refunds, credit notes, and
// payments that were received elsewhere. It speaks plain HTTP with an explicit
// API version. It does not collect payments: those begin at Stripe.
package stripe

import (
	"embed"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/rest"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// What is fixed about Stripe's API.
const (
	// Version is sent with every call, so that the account's default version
	// has no say.
	Version = "2026-08-26.dahlia"
	// DefaultURL is production; sandboxes of Stripe have the same host and
	// other keys.
	DefaultURL = "https://api.stripe.com"
	// Tolerance is how far the time in a signature may be from ours, either
	// way. It is what Stripe's own libraries allow for the past.
	Tolerance = 5 * time.Minute
	// DefaultDaysUntilDue is the term of payment of an invoice whose document
	// names no due date.
	DefaultDaysUntilDue = 30
)

// KindName is the name of the vendor in configurations and event types.
const KindName = "stripe"

// Settings are what a user configures for one connection.
type Settings struct {
	// URL is the API's base.
	URL string `yaml:"url"`
	// Version of the API, such as "2026-08-26.dahlia".
	Version string `yaml:"version"`
	// Key is a secret or restricted key of the account (sk_… or rk_…), of the
	// organization that it is in (sk_org_…), or of the platform that it is
	// connected to. The last two need Account and Shared: each call names the
	// account in Stripe-Context.
	Key secret.Value `yaml:"key"`
	// WebhookSecrets are the signing secrets (whsec_…) of the endpoints that
	// deliver to this connection. While a secret is rolled there are two.
	WebhookSecrets []secret.Value `yaml:"webhook_secrets"`
	// Account is the acct_… that the key must belong to, or that calls are for;
	// empty means any.
	Account string `yaml:"account"`
	// Shared says that key and endpoint serve several accounts, as those of an
	// organization or a Connect platform do: events of other accounts and of
	// the other mode are left out. Otherwise they are refused, with the reason.
	Shared bool `yaml:"shared"`
	// Livemode, when set, refuses a key and events of the other mode.
	Livemode *bool `yaml:"livemode"`
	// DaysUntilDue is the term of payment when a document names no due date.
	DaysUntilDue int `yaml:"days_until_due"`
}

//go:embed flows/*.yaml
var flows embed.FS

// Kind describes Stripe.
func Kind() connector.Kind {
	return connector.Kind{
		Name: KindName, Title: "Stripe",
		Objects: objects(), Feeds: feeds(),
		Limits: limits(false),
		For: func(settings any) connector.Kind {
			k := Kind()
			if s, ok := settings.(*Settings); ok {
				k.Limits = limits(s.live())
			}
			return k
		},
		Settings: func() any {
			return &Settings{URL: DefaultURL, Version: Version, DaysUntilDue: DefaultDaysUntilDue}
		},
		Open:  open,
		Flows: flows,
	}
}

func open(settings any, deps connector.Deps) (connector.Connector, error) {
	s, ok := settings.(*Settings)
	if !ok {
		return connector.Connector{}, fmt.Errorf("stripe: settings are %T, want %T", settings, s)
	}
	if err := s.validate(); err != nil {
		return connector.Connector{}, fmt.Errorf("stripe: connection %s: %w", deps.Connection, err)
	}
	a := &api{
		rest:    rest.Client{HTTP: deps.HTTP, Base: strings.TrimRight(s.URL, "/"), Auth: bearer{s.Key}},
		account: s.Account, version: s.Version, now: deps.Now,
		owner: deps.Tenant + "/" + deps.Connection,
	}
	if s.Shared {
		a.context = s.Account
	}
	say := speaker{connection: deps.Connection}
	secrets := make([][]byte, len(s.WebhookSecrets))
	for i, v := range s.WebhookSecrets {
		secrets[i] = []byte(v.Reveal())
	}
	r := &reader{speaker: say, api: a}
	return connector.Connector{
		Webhooks: &webhooks{speaker: say, secrets: secrets, now: deps.Now, account: s.Account, shared: s.Shared, livemode: s.Livemode},
		Reader:   r,
		Scanner:  &scanner{reader: r, log: deps.Log},
		Target:   newTarget(a, say, s.DaysUntilDue),
	}, nil
}

// validate reports every problem at once.
func (s *Settings) validate() error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if u, err := url.Parse(s.URL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		add("url: want http(s)://host")
	}
	key := s.Key.Reveal()
	switch {
	case key == "":
		add("key: is missing")
	case !strings.HasPrefix(key, "sk_") && !strings.HasPrefix(key, "rk_"):
		add("key: want a secret or restricted key (sk_… or rk_…)")
	case strings.HasPrefix(key, "sk_org") && !s.Shared:
		add("key: is an organization's, which serves several accounts: set shared: true and the account")
	case s.Livemode != nil && *s.Livemode && keyMode(key) == "test":
		add("key: is of a sandbox, but livemode is true")
	case s.Livemode != nil && !*s.Livemode && keyMode(key) == "live":
		add("key: is live, but livemode is false")
	}
	if !versionForm.MatchString(s.Version) {
		add("version: want one of Stripe's, such as %s", Version)
	}
	if s.Shared && s.Account == "" {
		add("account: is missing; a shared key says nothing of which account is meant")
	}
	if len(s.WebhookSecrets) == 0 {
		add("webhook_secrets: at least one is needed")
	}
	for i, v := range s.WebhookSecrets {
		// HMAC takes an empty key without complaint, and anybody can sign with it.
		if strings.TrimSpace(v.Reveal()) == "" {
			add("webhook_secrets[%d]: is empty", i)
		}
	}
	if s.Account != "" && !strings.HasPrefix(s.Account, "acct_") {
		add("account: want acct_…")
	}
	if s.DaysUntilDue < 0 {
		add("days_until_due: must not be negative")
	}
	return errors.Join(problems...)
}

// versionForm is the form of Stripe's versions: a date, and since 2024 the name
// of the train.
var versionForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$`)

// keyMode is "live" or "test", or "" where the key does not tell.
func keyMode(key string) string {
	head := key[:min(len(key), 12)] // sk_live_, rk_test_, sk_org_live_
	for _, mode := range []string{"live", "test"} {
		if strings.Contains(head, "_"+mode+"_") {
			return mode
		}
	}
	return ""
}

// live reports whether the connection is of a live account.
func (s *Settings) live() bool {
	if mode := keyMode(s.Key.Reveal()); mode != "" {
		return mode == "live"
	}
	return s.Livemode != nil && *s.Livemode
}
