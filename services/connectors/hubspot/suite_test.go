package hubspot_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/hubspot"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/connectortest"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
	"github.com/spoke-sync/spoke/services/internal/secret"
	"github.com/spoke-sync/spoke/services/internal/spec"
)

// TestConformance runs the suite but for what supposes a vendor whose objects
// Spoke makes: the records of the hub exist before any document, so that the
// first write is an update. TestApplyOne is in its place.
func TestConformance(t *testing.T) {
	t.Parallel()
	kind := hubspot.Kind()
	kind.Flows = nil // TestFlowsCompile checks more of them
	checks := connectortest.Checks(t, connectortest.Case{Kind: kind, Start: fixture, Spec: spec.HubSpot})
	require.True(t, slices.ContainsFunc(checks, isCreate))
	for _, c := range slices.DeleteFunc(checks, isCreate) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.Run(t)
		})
	}
}

func isCreate(c connectortest.Check) bool { return c.Name == "target/create" }

func fixture(t testing.TB) connectortest.Fixture {
	t.Helper()
	in := newInbox(t)
	b := newBench(t, func(o *hubspotbox.Options, _ *hubspot.Settings, _ *connector.Deps) { o.WebhookURL = in.url })
	b.seed(t)
	s := hubspot.DefaultSettings()
	s.URL, s.Token = b.url, secret.New(hubspotbox.DefaultToken)
	s.ClientSecrets = []secret.Value{secret.New(clientSecret)}
	s.PortalID, s.Currency = hubspotbox.DefaultPortalID, "EUR"

	require.NoError(t, b.SetDeal("77", map[string]string{"dealstage": "closedwon", "amount": "130"}))
	b.flush(t)
	suite := func(object, id string, fields, change map[string]any) connectortest.Doc {
		d := doc(object, id, fields)
		d.ExternalID, d.KnownID = "", id
		return connectortest.Doc{Document: d, Change: change}
	}
	return connectortest.Fixture{
		Settings: s, Sandbox: b.Server, Signature: "X-HubSpot-Signature-v3", MaxAge: hubspot.MaxSkew,
		Deliveries: []connector.Delivery{in.take(t)},
		Docs: []connectortest.Doc{
			suite("deal", "77",
				map[string]any{"spoke_netsuite_order": "SO-1", "spoke_amount_paid": json.Number("12.3")},
				map[string]any{"spoke_netsuite_order": "SO-1", "spoke_amount_paid": json.Number("40")}),
			suite("company", "9", map[string]any{"spoke_stripe_customer": "cus_1"}, map[string]any{"spoke_stripe_customer": "cus_2"}),
			suite("contact", "5", map[string]any{"email": "ann.lee@acme.example"}, nil),
		},
		Reads: []connectortest.Read{
			{Object: "deal", ID: "77", Missing: "404404"},
			{Object: "company", ID: "9", Missing: "404404"},
			{Object: "contact", ID: "5", Missing: "404404"},
			{Object: "product", ID: "3", Missing: "404404"},
		},
	}
}

// inbox receives webhooks as the ingest service does.
type inbox struct {
	url        string
	deliveries chan connector.Delivery
}

func newInbox(t testing.TB) *inbox {
	t.Helper()
	in := &inbox{deliveries: make(chan connector.Delivery, 100)}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		in.deliveries <- connector.Delivery{
			Method: r.Method, URL: in.url, Header: r.Header.Clone(), Body: body, Received: time.Now(),
		}
	}))
	t.Cleanup(srv.Close)
	in.url = srv.URL + "/in/hubspot%2Fmain?a=b%20c&d=%3A%253A"
	return in
}

func (in *inbox) take(t testing.TB) connector.Delivery {
	t.Helper()
	select {
	case d := <-in.deliveries:
		return d
	case <-time.After(10 * time.Second):
		t.Fatal("no delivery came")
		return connector.Delivery{}
	}
}

func (b *bench) flush(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, b.Flush(ctx))
}

// TestFromWebhookToSnapshot goes the whole way in: a person changes a record,
// the delivery is verified and decoded, and what it signals is read.
func TestFromWebhookToSnapshot(t *testing.T) {
	t.Parallel()
	for _, generic := range []bool{false, true} {
		in := newInbox(t)
		b := newBench(t, func(o *hubspotbox.Options, _ *hubspot.Settings, _ *connector.Deps) {
			o.WebhookURL, o.Generic, o.Gather = in.url, generic, time.Hour
		})
		b.seed(t)
		steps := []struct {
			name string
			do   func()
			want []string // objects and ids that are signaled or gone
		}{
			{"won", func() { require.NoError(t, b.SetDeal("77", map[string]string{"dealstage": "closedwon"})) }, []string{"deal/77 changed"}},
			{"line edited", func() { require.NoError(t, b.Set("line_item", "771", map[string]string{"quantity": "9"})) }, []string{"line_item/771 changed"}},
			{"line deleted", func() { require.NoError(t, b.Delete("line_item", "772")) }, []string{"deal/77 changed", "line_item/772 changed"}},
			{"contact deleted", func() { require.NoError(t, b.Delete("contact", "5")) }, []string{"contact/5 changed", "contact/5 deleted", "deal/77 changed"}},
			{"contact back", func() { require.NoError(t, b.Restore("contact", "5")) }, []string{"contact/5 changed", "contact/5 restored"}},
			{
				"own write", func() {
					r := apply(t, b.con, doc("deal", "77", map[string]any{"spoke_sync_state": "synced", "dealname": "x"}))
					require.NoError(t, r[0].Err)
				},
				[]string{"deal/77 changed"},
			},
		}
		for _, s := range steps {
			s.do()
			b.flush(t)
			d := in.take(t)
			require.NoError(t, b.con.Webhooks.Verify(d), s.name)
			list, err := b.con.Webhooks.Decode(d)
			require.NoError(t, err)
			got := map[string]bool{}
			for _, e := range list {
				c, err := e.Change()
				require.NoError(t, err)
				got[c.Object+"/"+c.ID+" "+string(c.Op)] = true
				if c.Signal {
					b.read(t, c.Object, c.ID)
				}
			}
			keys := make([]string, 0, len(got))
			for k := range got {
				keys = append(keys, k)
			}
			require.ElementsMatch(t, s.want, keys, "%s, generic %t", s.name, generic)
			require.Empty(t, in.deliveries)
		}
	}
}
