package e2e_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/catalog"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/connector"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

const (
	testAccount = "7654321_SB1"
	testRealm   = "9341450000000777"
	testPortal  = 48099999
)

// sandboxSettings are those of a sandbox or test account at each vendor.
func sandboxSettings(client netsuitebox.Client, refresh string) string {
	return fmt.Sprintf(`tenant: test
connections:
  hubspot:
    kind: hubspot
    settings: {token: "literal:%s", portal_id: %d}
  netsuite:
    kind: netsuite
    settings:
      account: %s
      oauth2:
        client_id: %s
        certificate_id: %s
        private_key: |
          literal:%s
  quickbooks:
    kind: quickbooks
    settings:
      environment: sandbox
      realm_id: %q
      client_id: %s
      client_secret: "literal:%s"
      refresh_token: "literal:%s"
  stripe:
    kind: stripe
    settings: {key: "literal:%s", livemode: false, webhook_secrets: ["literal:%s"]}
`, hubspotbox.DefaultToken, testPortal, testAccount, client.ClientID, client.CertificateID,
		strings.ReplaceAll(strings.TrimSpace(client.PrivateKeyPEM), "\n", "\n          "),
		testRealm, quickbooksbox.DefaultClientID, quickbooksbox.DefaultClientSecret, refresh, liftedKey, liftedSecret)
}

// detour has the calls for a vendor's hosts answered by its sandbox, and notes
// the hosts.
type detour struct {
	box http.Handler

	mu    sync.Mutex
	hosts []string
}

// RoundTrip implements http.RoundTripper.
func (d *detour) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	d.hosts = append(d.hosts, r.URL.Scheme+"://"+r.URL.Host)
	d.mu.Unlock()
	r = r.Clone(r.Context())
	if r.Host = r.URL.Host; r.URL.Scheme == "https" {
		r.TLS = &tls.ConnectionState{}
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.box.ServeHTTP(w, r)
	return w.Result(), nil
}

// TestLimitLifted_SandboxAccounts: with the settings of a sandbox account and
// no address, each connector calls the hosts that the vendor keeps sandboxes at,
// and is let in there; and a deal is billed and paid in sandbox accounts as in
// any other.
func TestLimitLifted_SandboxAccounts(t *testing.T) {
	t.Parallel()
	l := lift{
		settings: map[string]string{"quickbooks": "      environment: sandbox\n", "stripe": "      livemode: false\n"},
		seed:     buyer,
	}
	l.netsuite.Account, l.quickbooks.RealmID, l.hubspot.PortalID = testAccount, testRealm, testPortal
	n := l.start(t)
	n.bills(t, "USD", map[string]string{"77": "3"})
	numbered(t, n.boxes, "77")
	pay(t, n.boxes, "77")
	paid(t, n.boxes, "77")

	machine, err := n.boxes.NetSuite.GenerateClient("ES256")
	require.NoError(t, err)
	// Spoke has replaced the first refresh token.
	text := sandboxSettings(machine, n.boxes.QuickBooks.RefreshToken())
	cfg, err := config.Parse("test", []byte(text), catalog.Kinds())
	require.NoError(t, err)
	boxes := map[string]http.Handler{
		"hubspot": n.boxes.HubSpot, "netsuite": n.boxes.NetSuite, "quickbooks": n.boxes.QuickBooks, "stripe": n.boxes.Stripe,
	}
	for name, hosts := range map[string][]string{
		// Test portals and Stripe's sandboxes have the hosts of all accounts.
		"hubspot":    {"https://api.hubapi.com"},
		"netsuite":   {"https://7654321-sb1.suitetalk.api.netsuite.com"},
		"quickbooks": {"https://oauth.platform.intuit.com", "https://sandbox-quickbooks.api.intuit.com"},
		"stripe":     {"https://api.stripe.com"},
	} {
		require.Equal(t, hosts, letIn(t, cfg, boxes[name], name), name)
	}
}

// letIn has a connection's credentials checked, and returns the hosts that were
// called.
func letIn(t *testing.T, cfg *config.Config, box http.Handler, name string) []string {
	t.Helper()
	d := &detour{box: box}
	c, err := cfg.Kind(name).Open(cfg.Settings(name), connector.Deps{
		Connection: name, Tenant: cfg.Tenant, Log: discard(), HTTP: &http.Client{Transport: d}, Now: time.Now,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, c.Target.Check(ctx), name)
	d.mu.Lock()
	defer d.mu.Unlock()
	slices.Sort(d.hosts)
	return slices.Compact(d.hosts)
}
