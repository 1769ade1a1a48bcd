// Package demo runs Spoke's story against sandboxes of the vendors: a won deal
// becomes an order and two invoices, their numbers come back, the customer
// pays, and the payment shows up everywhere.
package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
	stripebox "github.com/spoke-sync/spoke/services/internal/sandbox/stripe"
)

// Sandboxes are the four vendors, each on a loopback port of its own.
type Sandboxes struct {
	HubSpot    *hubspotbox.Box
	NetSuite   *netsuitebox.Box
	QuickBooks *quickbooksbox.Box
	Stripe     *stripebox.Box

	// URLs by vendor name.
	URLs map[string]string

	client  netsuitebox.Client
	servers []*http.Server
}

// SandboxOptions of Open.
type SandboxOptions struct {
	// Dir keeps the vendors' state over a restart; empty keeps none.
	Dir string
	// Ingest is the base URL that webhooks are sent to; empty sends none.
	Ingest string
	// Unlimited lets calls come at any rate, for loads that no vendor would
	// take. Calls in flight stay limited.
	Unlimited bool
	Log       *slog.Logger
}

const (
	stripeKey     = "sk_test_demo0000000000000000"
	incomeAccount = quickbooksbox.IncomeAccount
	// StripeSecret signs Stripe's webhooks.
	StripeSecret = "whsec_demo000000000000000000000000"
)

// Open starts the sandboxes.
func Open(o SandboxOptions) (*Sandboxes, error) {
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o750); err != nil {
			return nil, fmt.Errorf("sandbox: %w", err)
		}
	}
	s := &Sandboxes{URLs: map[string]string{}}
	if err := s.make(o); err != nil {
		s.Close()
		return nil, err
	}
	for name, h := range map[string]http.Handler{
		"hubspot": s.HubSpot, "netsuite": s.NetSuite, "quickbooks": s.QuickBooks, "stripe": s.Stripe,
	} {
		if err := s.serve(name, h); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, s.seed()
}

func (s *Sandboxes) make(o SandboxOptions) (err error) {
	state := func(name string) string {
		if o.Dir == "" {
			return ""
		}
		return filepath.Join(o.Dir, name+".json")
	}
	hook := func(name string) string {
		if o.Ingest == "" {
			return ""
		}
		return o.Ingest + "/webhooks/" + name
	}
	limit := 0 // the vendor's own
	if o.Unlimited {
		limit = -1
	}
	var errs [5]error
	s.HubSpot, errs[0] = hubspotbox.New(hubspotbox.Options{
		Log: o.Log, WebhookURL: hook("hubspot"), StateFile: state("hubspot"), PerTenSeconds: limit, PerDay: limit,
	})
	s.NetSuite, errs[1] = netsuitebox.New(netsuitebox.Options{Log: o.Log, StateFile: state("netsuite")})
	s.QuickBooks, errs[2] = quickbooksbox.New(quickbooksbox.Options{
		Log: o.Log, WebhookURL: hook("quickbooks"), StateFile: state("quickbooks"), PerMinute: limit,
	})
	s.Stripe, errs[3] = stripebox.New(stripebox.Options{
		Log: o.Log, Key: stripeKey, WebhookSecret: StripeSecret, WebhookURL: hook("stripe"), StateFile: state("stripe"), PerSecond: limit,
	})
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	s.client, err = s.NetSuite.GenerateClient("ES256")
	return err
}

func (s *Sandboxes) serve(name string, h http.Handler) error {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("sandbox %s: %w", name, err)
	}
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second,
		// Faults cut connections on purpose.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	s.servers = append(s.servers, server)
	s.URLs[name] = "http://" + l.Addr().String()
	go func() { _ = server.Serve(l) }() // ends with Close
	return nil
}

// Close stops the sandboxes.
func (s *Sandboxes) Close() {
	for _, server := range s.servers {
		_ = server.Close()
	}
	if s.HubSpot != nil {
		s.HubSpot.Close()
	}
	if s.NetSuite != nil {
		s.NetSuite.Close()
	}
	if s.QuickBooks != nil {
		s.QuickBooks.Close()
	}
	if s.Stripe != nil {
		s.Stripe.Close()
	}
}

// seed fills the portal and the ERP's item list. What a restarted sandbox has
// already stays as it is.
func (s *Sandboxes) seed() error {
	var errs []error
	check := func(_ string, err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	for _, c := range companies {
		check(s.HubSpot.AddCompany(c))
	}
	for _, c := range contacts {
		check(s.HubSpot.AddContact(c))
	}
	for _, p := range products {
		check(s.HubSpot.AddProduct(p))
		price, err := events.ParseDecimal(p.Price)
		check("", err)
		check(s.NetSuite.AddItem(p.SKU, p.Name, price))
	}
	for _, d := range deals {
		check(s.HubSpot.AddDeal(d))
	}
	return errors.Join(errs...)
}

// Config is the spoke.yaml that connects Spoke to the sandboxes. listen is
// ingest's address.
func (s *Sandboxes) Config(data, listen string) string {
	key := strings.ReplaceAll(strings.TrimSpace(s.client.PrivateKeyPEM), "\n", "\n          ")
	return fmt.Sprintf(`tenant: demo
data: %q
http:
  listen: %s
  public_url: http://%s
warehouse:
  flush_every: 1s
upstreams:
  shop: {token: "literal:demo-upstream-token"}
connections:
  hubspot:
    kind: hubspot
    settings:
      url: %s
      token: "literal:%s"
      client_secrets: ["literal:%s"]
      portal_id: %d
  netsuite:
    kind: netsuite
    settings:
      account: 1234567_SB1
      url: %s
      oauth2:
        client_id: %s
        certificate_id: %s
        alg: ES256
        private_key: |
          literal:%s
  quickbooks:
    kind: quickbooks
    settings:
      url: %s
      token_url: %s%s
      realm_id: "%s"
      client_id: %s
      client_secret: "literal:%s"
      refresh_token: "literal:%s"
      verifier_tokens: ["literal:%s"]
      income_account: %q
  stripe:
    kind: stripe
    settings:
      url: %s
      key: "literal:%s"
      webhook_secrets: ["literal:%s"]
`, data, listen, listen,
		s.URLs["hubspot"], hubspotbox.DefaultToken, hubspotbox.DefaultClientSecret, hubspotbox.DefaultPortalID,
		s.URLs["netsuite"], s.client.ClientID, s.client.CertificateID, key,
		s.URLs["quickbooks"], s.URLs["quickbooks"], quickbooksbox.TokenPath, quickbooksbox.DefaultRealmID,
		quickbooksbox.DefaultClientID, quickbooksbox.DefaultClientSecret, quickbooksbox.DefaultRefreshToken,
		quickbooksbox.DefaultVerifierToken, incomeAccount,
		s.URLs["stripe"], stripeKey, StripeSecret)
}
