package e2e_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/catalog"
	"github.com/spoke-sync/spoke/services/connectors/stripe"
	"github.com/spoke-sync/spoke/services/ingest/feeder"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
	"github.com/spoke-sync/spoke/services/internal/config"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
	stripebox "github.com/spoke-sync/spoke/services/internal/sandbox/stripe"
	"github.com/spoke-sync/spoke/services/spoke/demo"
)

// The tests called TestLimitLifted_… each show one thing that HubSpot's native
// integrations do not do, with all of Spoke in one process.

// lift is what one of them sets up.
type lift struct {
	hubspot    hubspotbox.Options
	netsuite   netsuitebox.Options
	quickbooks quickbooksbox.Options
	// settings are further ones, by connection, indented by six spaces; top is
	// what else stands in spoke.yaml.
	settings map[string]string
	top      string
	flows    []string
	// seed fills the vendors before Spoke starts.
	seed func(*testing.T, *demo.Sandboxes)
	// polled is an entity that poll is called for. A pass leaves out what
	// NetSuite has changed within the last minute, which may still be being
	// committed: its clock is two minutes ahead until Spoke has measured it.
	polled events.Entity
}

// lifted is Spoke between the vendors that a lift describes.
type lifted struct {
	*oneNode

	ahead *atomic.Int64 // of NetSuite's clock, in nanoseconds
}

const (
	liftedKey    = "sk_test_lifted00000000000000"
	liftedSecret = "whsec_lifted000000000000000000000000"
)

// start starts the vendors, then Spoke.
func (l lift) start(t *testing.T) *lifted {
	t.Helper()
	address, ahead := freeAddress(t), &atomic.Int64{}
	hook := func(name string) string { return "http://" + address + "/webhooks/" + name }
	boxes := &demo.Sandboxes{URLs: map[string]string{}}
	if l.polled != "" {
		ahead.Store(int64(2 * time.Minute))
	}
	var err error
	l.hubspot.WebhookURL, l.quickbooks.WebhookURL = hook("hubspot"), hook("quickbooks")
	l.netsuite.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	boxes.HubSpot, err = hubspotbox.New(l.hubspot)
	require.NoError(t, err)
	boxes.NetSuite, err = netsuitebox.New(l.netsuite)
	require.NoError(t, err)
	boxes.QuickBooks, err = quickbooksbox.New(l.quickbooks)
	require.NoError(t, err)
	boxes.Stripe, err = stripebox.New(stripebox.Options{Key: liftedKey, WebhookSecret: liftedSecret, WebhookURL: hook("stripe")})
	require.NoError(t, err)
	t.Cleanup(boxes.Close)
	for name, h := range map[string]http.Handler{
		"hubspot": boxes.HubSpot, "netsuite": boxes.NetSuite, "quickbooks": boxes.QuickBooks, "stripe": boxes.Stripe,
	} {
		boxes.URLs[name] = serveBox(t, h)
	}
	if l.seed != nil {
		l.seed(t, boxes)
	}
	text := l.config(t, boxes, address)
	cfg, err := config.Parse("test", []byte(text), catalog.Kinds())
	require.NoError(t, err)
	n := &lifted{&oneNode{boxes: boxes, env: runNode(t, cfg)}, ahead}
	if l.polled != "" {
		n.poll(t, l.polled)
		ahead.Store(0)
	}
	return n
}

// config is the spoke.yaml.
func (l lift) config(t *testing.T, s *demo.Sandboxes, address string) string {
	t.Helper()
	dir := t.TempDir()
	client, err := s.NetSuite.GenerateClient("ES256")
	require.NoError(t, err)
	account := cmp.Or(l.netsuite.Account, "1234567_SB1")
	realm, portal := cmp.Or(l.quickbooks.RealmID, quickbooksbox.DefaultRealmID), cmp.Or(l.hubspot.PortalID, hubspotbox.DefaultPortalID)
	pem := strings.ReplaceAll(strings.TrimSpace(client.PrivateKeyPEM), "\n", "\n          ")
	var flows strings.Builder
	for i, text := range l.flows {
		file := filepath.Join(dir, fmt.Sprintf("flow%d.yaml", i))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		fmt.Fprintf(&flows, "  - %q\n", file)
	}
	text := fmt.Sprintf("tenant: lifted\ndata: %q\nhttp: {listen: %s, public_url: \"http://%s\"}\nwarehouse: {flush_every: 1s}\n",
		filepath.Join(dir, "data"), address, address)
	if flows.Len() > 0 {
		text += "flows:\n" + flows.String()
	}
	own := map[string]string{
		"hubspot": fmt.Sprintf("      token: \"literal:%s\"\n      client_secrets: [\"literal:%s\"]\n      portal_id: %d\n",
			hubspotbox.DefaultToken, hubspotbox.DefaultClientSecret, portal),
		"netsuite": fmt.Sprintf("      account: %q\n      oauth2:\n        client_id: %s\n        certificate_id: %s\n        private_key: |\n          literal:%s\n",
			account, client.ClientID, client.CertificateID, pem),
		"quickbooks": fmt.Sprintf("      token_url: %s%s\n      realm_id: %q\n      client_id: %s\n      client_secret: \"literal:%s\"\n      refresh_token: \"literal:%s\"\n      verifier_tokens: [\"literal:%s\"]\n      income_account: %q\n",
			s.URLs["quickbooks"], quickbooksbox.TokenPath, realm, quickbooksbox.DefaultClientID,
			quickbooksbox.DefaultClientSecret, quickbooksbox.DefaultRefreshToken, quickbooksbox.DefaultVerifierToken, quickbooksbox.IncomeAccount),
		"stripe": fmt.Sprintf("      key: \"literal:%s\"\n      webhook_secrets: [\"literal:%s\"]\n", liftedKey, liftedSecret),
	}
	text += "connections:\n"
	for _, name := range []string{"hubspot", "netsuite", "quickbooks", "stripe"} {
		text += fmt.Sprintf("  %s:\n    kind: %s\n    settings:\n      url: %s\n%s%s", name, name, s.URLs[name], own[name], l.settings[name])
	}
	return text + l.top
}

// poll has an entity read from NetSuite, which would be polled later, and waits
// until all of that is merged.
func (l *lifted) poll(t *testing.T, entity events.Entity) {
	t.Helper()
	points, err := checkpoint.Open(t.Context(), l.env.Bus.JetStream(), l.env.Config.Tenant)
	require.NoError(t, err)
	known, err := points.Catalog(t.Context())
	require.NoError(t, err)
	connection, err := known.Connection("netsuite")
	require.NoError(t, err)
	plan, err := connection.Plan([]events.Entity{entity})
	require.NoError(t, err)
	_, err = points.Request(t.Context(), "netsuite", plan, time.Time{})
	require.NoError(t, err)
	require.NoError(t, feeder.Announce(t.Context(), l.env.Bus, l.env.Config.Tenant, "netsuite"))
	await(t, "NetSuite is read", func() bool {
		return !slices.ContainsFunc(plan, func(f checkpoint.Feed) bool {
			st, _, err := points.Load(t.Context(), checkpoint.Key{Connection: "netsuite", Feed: f.Name, Work: checkpoint.Backfill})
			return err != nil || st.Request != nil
		})
	})
	l.quiet(t)
}

// inNetSuite does what a person does there, later than all before by the whole
// seconds that its dates have.
func (l *lifted) inNetSuite(t *testing.T, edit func(*netsuitebox.Box) error) {
	t.Helper()
	l.ahead.Add(int64(2 * time.Second))
	require.NoError(t, edit(l.boxes.NetSuite))
}

// stripe makes a call as a person does in Stripe's dashboard.
func (l *lifted) stripe(t *testing.T, path string, form url.Values) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.boxes.URLs["stripe"]+path, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+liftedKey)
	req.Header.Set("Stripe-Version", stripe.Version)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	call(t, req)
}

// objects are those of a vendor by type and id, as its sandbox shows them.
func (l *lifted) objects(t *testing.T, vendor string) map[string]map[string]map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.boxes.URLs[vendor]+"/_sandbox/objects", nil)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	var all map[string]map[string]map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&all))
	return all
}

// bills makes the customers' deals, each for so many units of one product, at
// 100.00 the unit, and wins them.
func (l *lifted) bills(t *testing.T, currency string, quantities map[string]string) {
	t.Helper()
	for id, quantity := range quantities {
		_, err := l.boxes.HubSpot.AddDeal(hubspotbox.Deal{
			ID: id, Name: "Deal " + id, Currency: currency, Amount: quantity + "00.00", CloseDate: "2026-11-20", Company: "201",
			Lines: []hubspotbox.Line{{ID: "9" + id, Product: "401", Name: "Field Sensor", SKU: "FS-100", Quantity: quantity, Price: "100.00", Currency: currency}},
		})
		require.NoError(t, err)
		require.NoError(t, l.boxes.HubSpot.SetDeal(id, map[string]string{"dealstage": "closedwon"}))
	}
}

// buyer seeds a company, and a product that NetSuite has too.
func buyer(t *testing.T, s *demo.Sandboxes) {
	t.Helper()
	_, err := s.HubSpot.AddCompany(hubspotbox.Company{ID: "201", Name: "Harbor Coffee Roasters", Domain: "harborcoffee.example"})
	require.NoError(t, err)
	_, err = s.HubSpot.AddProduct(hubspotbox.Product{ID: "401", Name: "Field Sensor", SKU: "FS-100", Price: "100.00"})
	require.NoError(t, err)
	price, err := events.ParseDecimal("100")
	require.NoError(t, err)
	_, err = s.NetSuite.AddItem("FS-100", "Field Sensor", price)
	require.NoError(t, err)
}
