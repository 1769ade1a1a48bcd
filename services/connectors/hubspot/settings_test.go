package hubspot_test

import (
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/hubspot"
	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/connectors/stripe"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

func deps() connector.Deps {
	return connector.Deps{
		Connection: "crm", Tenant: "acme", Log: slog.New(slog.DiscardHandler), HTTP: http.DefaultClient, Now: time.Now,
	}
}

const settings = `
token: literal:pat-1
client_secrets: [literal:first-secret, literal:second-secret]
portal_id: 48012345
app_id: 7
public_url: https://hooks.example.com/in
version: 2026-03
currency: EUR
time_zone: Europe/Berlin
properties:
  deal: [po_number, dealtype]
`

func TestSettings(t *testing.T) {
	t.Parallel()
	s := hubspot.Kind().Settings()
	require.NoError(t, yaml.UnmarshalWithOptions([]byte(settings), s, yaml.Strict()))
	con, err := hubspot.Kind().Open(s, deps())
	require.NoError(t, err)
	require.NotNil(t, con.Webhooks)
	require.NotNil(t, con.Reader)
	require.NotNil(t, con.Target)
	require.Equal(t, 100, con.Reader.BatchSize())
	require.Equal(t, 100, con.Target.BatchSize())

	s = hubspot.Kind().Settings()
	require.NoError(t, yaml.UnmarshalWithOptions([]byte("token: literal:pat-1"), s, yaml.Strict()))
	con, err = hubspot.Kind().Open(s, deps())
	require.NoError(t, err)
	require.Nil(t, con.Webhooks, "without a secret no webhook can be believed")
}

func TestSettingsProblems(t *testing.T) {
	t.Parallel()
	s := hubspot.Kind().Settings()
	require.NoError(t, yaml.UnmarshalWithOptions([]byte(`
url: ftp://x
client_secrets: ["literal:", "literal:short"]
portal_id: -1
public_url: hooks
version: v3
currency: EURO
time_zone: Mars/Base
properties:
  ticket: [x]
  deal: ["a b"]
`), s, yaml.Strict()))
	_, err := hubspot.Kind().Open(s, deps())
	for _, want := range []string{
		"connection crm", "url: ", "token: is missing", "client_secrets[0]", "client_secrets[1]", "portal_id", "public_url",
		"version: ", "currency: ", "time_zone: ", "properties.ticket", "properties.deal[0]",
	} {
		require.ErrorContains(t, err, want)
	}
	_, err = hubspot.Kind().Open(struct{}{}, deps())
	require.Error(t, err)
}

// TestLimits: bursts included, any ten seconds stay within HubSpot's 190.
func TestLimits(t *testing.T) {
	t.Parallel()
	l := hubspot.Kind().Limits
	require.LessOrEqual(t, 10*l.PerSecond+float64(l.Burst), 190.0)
	require.Positive(t, l.Concurrent)
}

func TestObjects(t *testing.T) {
	t.Parallel()
	k := hubspot.Kind()
	require.True(t, k.Hub)
	for name, write := range map[string]bool{"deal": true, "company": true, "contact": true, "product": true, "invoice": true, "line_item": false, "commerce_payment": false} {
		o, ok := k.Object(name)
		require.True(t, ok)
		require.Equal(t, write, o.Writable(), name)
		if write {
			require.True(t, o.Open("any_property"))
			require.False(t, o.Open("no property"))
			require.False(t, o.Open(""))
		}
	}
}

// flows compiles the default mappings for a program with these connections.
func flows(t *testing.T, targets ...mapping.Target) *mapping.Set {
	t.Helper()
	var files []mapping.File
	k := hubspot.Kind()
	require.NoError(t, fs.WalkDir(k.Flows, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(k.Flows, path)
		files = append(files, mapping.File{Name: path, Text: text, Connections: []string{"hubspot"}})
		return err
	}))
	set, err := mapping.Compile(files, append(targets, mapping.Target{Name: "hubspot", Kind: k}))
	require.NoError(t, err)
	return set
}

func wonDeal() *events.Record {
	r := &events.Record{
		Key:    events.Key{Entity: events.EntityDeal, ID: "77"},
		Fields: map[string]events.Field{"won": {Value: json.RawMessage("true")}},
		Docs:   map[string]events.Doc{},
		Wanted: map[string]events.Want{"stripe/invoice": {Hash: "h"}, "hubspot/deal": {Hash: "own"}},
	}
	paid := events.Fields{}
	m, _ := events.NewMoney("12.50", "EUR")
	paid.Set("amountPaid", m)
	paid.Set("status", "open")
	seen := map[string]events.Seen{}
	for name, v := range paid {
		seen[name] = events.Seen{Value: v}
	}
	for _, d := range []events.Doc{
		{Connection: "hubspot", Object: "deal", Entity: events.EntityDeal, ID: "77"},
		{Connection: "netsuite", Object: "salesOrder", Entity: events.EntityOrder, ID: "5", Number: "SO-5"},
		{
			Connection: "stripe", Object: "invoice", Entity: events.EntityInvoice, ID: "in_1", Number: "A-1",
			URL: "https://pay.example/1", State: events.StateDone, Told: "h", Seen: seen,
		},
	} {
		r.Docs[events.DocKey(d.Connection, d.Object)] = d
	}
	return r
}

func TestFlowsCompile(t *testing.T) {
	t.Parallel()
	set := flows(t, mapping.Target{Name: "netsuite", Kind: netsuite.Kind()},
		mapping.Target{Name: "quickbooks", Kind: quickbooks.Kind()}, mapping.Target{Name: "stripe", Kind: stripe.Kind()})
	f, ok := set.Find("hubspot-deal")
	require.True(t, ok)
	require.True(t, f.Existing)
	applies, err := f.Applies(wonDeal())
	require.NoError(t, err)
	require.True(t, applies)
	got, err := f.Fields(wonDeal())
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(map[string]any{
		"spoke_netsuite_order": "SO-5", "spoke_stripe_invoice": "A-1", "spoke_stripe_invoice_url": "https://pay.example/1",
		"spoke_amount_paid": json.Number("12.5"), "spoke_payment_status": "open", "spoke_sync_state": "synced",
	}, got))

	open := wonDeal()
	open.Fields["won"] = events.Field{Value: json.RawMessage("false")}
	applies, err = f.Applies(open)
	require.NoError(t, err)
	require.False(t, applies)
	_, ok = set.Find("hubspot-company")
	require.True(t, ok)
}

// TestFlowsWithoutTheOthers: an installation may lack any of the systems.
func TestFlowsWithoutTheOthers(t *testing.T) {
	t.Parallel()
	f, ok := flows(t).Find("hubspot-deal")
	require.True(t, ok)
	r := wonDeal()
	r.Docs = map[string]events.Doc{}
	r.Wanted = nil
	got, err := f.Fields(r)
	require.NoError(t, err)
	require.Empty(t, got)

	f, ok = flows(t, mapping.Target{Name: "stripe", Kind: stripe.Kind()}).Find("hubspot-deal")
	require.True(t, ok)
	got, err = f.Fields(wonDeal())
	require.NoError(t, err)
	require.NotContains(t, got, "spoke_netsuite_order")
	require.Equal(t, "A-1", got["spoke_stripe_invoice"])
}
