package hubspot_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/hubspot"
	"github.com/spoke-sync/spoke/services/internal/connector"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const clientSecret = hubspotbox.DefaultClientSecret

// bench is a connector on a portal of its own.
type bench struct {
	*hubspotbox.Box
	con     connector.Connector
	url     string
	touched int // how often a person has changed something
}

type option func(*hubspotbox.Options, *hubspot.Settings, *connector.Deps)

func newBench(t testing.TB, options ...option) *bench {
	t.Helper()
	o := hubspotbox.Options{PerTenSeconds: -1, Currency: "EUR"}
	s := hubspot.DefaultSettings()
	s.Token = secret.New(hubspotbox.DefaultToken)
	s.ClientSecrets = []secret.Value{secret.New(clientSecret)}
	s.PortalID = hubspotbox.DefaultPortalID
	s.Currency = "EUR"
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	d := connector.Deps{
		Connection: "hubspot", Tenant: "acme", Log: slog.New(slog.DiscardHandler), Now: time.Now,
		HTTP: &http.Client{Transport: tr, Timeout: 10 * time.Second},
	}
	for _, f := range options {
		f(&o, s, &d)
	}
	box, err := hubspotbox.New(o)
	require.NoError(t, err)
	t.Cleanup(box.Close)
	srv := httptest.NewServer(box)
	t.Cleanup(srv.Close)
	if s.URL == hubspot.DefaultURL {
		s.URL = srv.URL
	}
	con, err := hubspot.Kind().Open(s, d)
	require.NoError(t, err)
	return &bench{Box: box, con: con, url: srv.URL}
}

// seed fills the portal with a company, a contact, two products and a deal
// with two lines.
func (b *bench) seed(t testing.TB) {
	t.Helper()
	must := func(_ string, err error) {
		t.Helper()
		require.NoError(t, err)
	}
	must(b.AddCompany(hubspotbox.Company{
		ID: "9", Name: "Acme GmbH", Domain: "ACME.example", Phone: "+49 1", Street: "Weg 1", City: "Bonn", Zip: "53111",
		Country: "Germany",
	}))
	must(b.AddContact(hubspotbox.Contact{ID: "5", FirstName: "Ann", LastName: "Lee", Email: "ann@acme.example", Company: "9"}))
	must(b.AddProduct(hubspotbox.Product{ID: "3", Name: "Seat", SKU: "SEAT", Description: "One seat", Price: "10.10"}))
	must(b.AddProduct(hubspotbox.Product{ID: "4", Name: "Setup", SKU: "SETUP", Price: "99"}))
	must(b.AddDeal(hubspotbox.Deal{
		ID: "77", Name: "Big deal", Amount: "129.30", Currency: "USD", CloseDate: "2026-11-30T23:30:00Z", Company: "9", Contact: "5",
		Lines: []hubspotbox.Line{
			{ID: "771", Product: "3", Name: "Seat", SKU: "SEAT", Quantity: "3", Price: "10.10"},
			{ID: "772", Product: "4", Name: "Setup", SKU: "SETUP", Quantity: "1", Price: "99"},
		},
	}))
}

// read reads and returns the changes by "object/id".
func (b *bench) read(t testing.TB, object string, ids ...string) map[string]events.Change {
	t.Helper()
	list, err := b.con.Reader.Read(t.Context(), object, ids)
	require.NoError(t, err)
	all := map[string]events.Change{}
	for _, c := range list {
		all[c.Object+"/"+c.ID] = c
	}
	require.Len(t, all, len(list), "one change for each record")
	return all
}

// doc is a document for a record that HubSpot has.
func doc(object, id string, fields map[string]any) connector.Document {
	d := connector.Document{Key: "spoke-" + object + "-" + id, ExternalID: id, IdempotencyKey: object + id}
	d.Connection, d.Object, d.Op, d.Fields = "hubspot", object, events.DesiredUpsert, fields
	d.Record = events.Key{Entity: events.Entity(object), ID: id}
	return d
}

// stub is a connector on a server that answers as given.
func stub(t testing.TB, h http.HandlerFunc, options ...option) connector.Connector {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	options = append(options, func(_ *hubspotbox.Options, s *hubspot.Settings, _ *connector.Deps) { s.URL = srv.URL })
	return newBench(t, options...).con
}

func apply(t testing.TB, con connector.Connector, docs ...connector.Document) []connector.Result {
	t.Helper()
	results := con.Target.Apply(context.WithoutCancel(t.Context()), docs)
	require.Len(t, results, len(docs))
	return results
}
