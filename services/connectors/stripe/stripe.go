// Package stripe connects Stripe: it reads Stripe's webhooks and objects into
// changes, and makes Stripe hold customers, products with their price, and
// finalized invoices. It speaks plain HTTP with an explicit API version. It
// does not collect payments: those begin at Stripe, and come in as
// InvoicePayments.
package stripe

import (
	"embed"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/rest"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// What is fixed about Stripe's API.
const (
	// Version is sent with every call, so that the account's default version
	// has no say. The endpoint of the webhooks should be made with the same.
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
	// PerSecond is Stripe's limit for a sandbox, and for any one endpoint in
	// live mode, where 100 calls a second are allowed over all endpoints.
	PerSecond = 25
	// Concurrent bounds calls in flight; Stripe limits concurrency without
	// naming a number.
	Concurrent = 8
)

// KindName is the name of the vendor in configurations and event types.
const KindName = "stripe"

// Settings are what a user configures for one connection.
type Settings struct {
	// URL is the API's base.
	URL string `yaml:"url"`
	// Key is a secret or restricted key: sk_… or rk_….
	Key secret.Value `yaml:"key"`
	// WebhookSecrets are the signing secrets (whsec_…) of the endpoints that
	// deliver to this connection. While a secret is rolled there are two.
	WebhookSecrets []secret.Value `yaml:"webhook_secrets"`
	// Account is the acct_… that the key must belong to; empty means any.
	Account string `yaml:"account"`
	// Livemode, when set, refuses a key of the other mode and ignores events
	// of the other mode.
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
		Objects:  objects(),
		Limits:   connector.Limits{PerSecond: PerSecond, Burst: PerSecond, Concurrent: Concurrent},
		Settings: func() any { return &Settings{URL: DefaultURL, DaysUntilDue: DefaultDaysUntilDue} },
		Open:     open,
		Flows:    flows,
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
		account: s.Account, now: deps.Now,
		owner: deps.Tenant + "/" + deps.Connection,
	}
	say := speaker{connection: deps.Connection}
	secrets := make([][]byte, len(s.WebhookSecrets))
	for i, v := range s.WebhookSecrets {
		secrets[i] = []byte(v.Reveal())
	}
	return connector.Connector{
		Webhooks: &webhooks{speaker: say, secrets: secrets, now: deps.Now, account: s.Account, livemode: s.Livemode},
		Reader:   &reader{speaker: say, api: a},
		Target:   &target{customers{a}, products{a}, invoices{a, s.DaysUntilDue}},
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
	case strings.HasPrefix(key, "sk_org"):
		add("key: an organization's key names no account: use a key of the account itself")
	case s.Livemode != nil && *s.Livemode && strings.Contains(key[:min(len(key), 8)], "_test_"):
		add("key: is of a sandbox, but livemode is true")
	case s.Livemode != nil && !*s.Livemode && strings.Contains(key[:min(len(key), 8)], "_live_"):
		add("key: is live, but livemode is false")
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
