// Package netsuite connects NetSuite through its REST record services and
// SuiteQL, in both directions. What it writes stands under an external id, so
// that repeating a write never makes a second record. SOAP and RESTlets are not
// used.
//
// Facts about the API are from Oracle's NetSuite help, "SuiteTalk REST Web
// Services", release 2026.1. An account's forms, scripts and mandatory fields
// outrank them.
package netsuite

import (
	"fmt"
	"log/slog"

	"github.com/spoke-sync/spoke/services/connectors/netsuite/oauth1"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// slots is how many calls may be in flight. NetSuite bounds them and names no
// rate. The smallest account has 5 slots for all its integrations together; one
// is left to the others. The connection's limits say what an account of more has.
const slots = 4

// Kind describes NetSuite. Its Settings are *Settings.
func Kind() connector.Kind {
	k := kindOf(&Settings{})
	k.For = func(settings any) connector.Kind {
		s, ok := settings.(*Settings)
		if !ok {
			s = &Settings{}
		}
		return kindOf(s)
	}
	return k
}

// kindOf is the kind as the settings make it: with their custom records, with
// items that are written or only looked up, and the flows that they ask for.
func kindOf(s *Settings) connector.Kind {
	objects := []connector.Object{s.itemObject()}
	for _, r := range s.records() {
		objects = append(objects, r.Object)
	}
	return connector.Kind{
		Name: "netsuite", Title: "NetSuite", Objects: objects, Feeds: s.feeds(), Flows: s.flows(),
		Limits:   connector.Limits{Concurrent: slots},
		Settings: func() any { return &Settings{} },
		Open:     open,
	}
}

func open(settings any, deps connector.Deps) (connector.Connector, error) {
	s, ok := settings.(*Settings)
	if !ok {
		return connector.Connector{}, fmt.Errorf("netsuite: settings are %T", settings)
	}
	if err := s.validate(); err != nil {
		return connector.Connector{}, err
	}
	base, app := s.hosts()
	c := &clock{local: deps.Now, client: rest.Client{HTTP: deps.HTTP, Base: base + servicePath}}
	auth, err := s.authorizer(base, deps, c)
	if err != nil {
		return connector.Connector{}, err
	}
	a := &api{client: rest.Client{HTTP: deps.HTTP, Base: base + servicePath, Auth: auth}, now: deps.Now}
	money := &currencies{api: a, only: s.Currency}
	t := &target{api: a, settings: s, app: app, money: money, records: map[string]record{}}
	for _, r := range s.records() {
		t.records[r.Name] = r
	}
	log := deps.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	rd := &reader{
		api: a, money: money, connection: deps.Connection, app: app, settings: s, log: log,
		zone: &zone{api: a, name: s.Zone, now: deps.Now}, sources: s.sources(), pages: map[string]string{typeItem: itemPage},
	}
	for _, r := range s.records() {
		rd.pages[r.Name] = r.page
	}
	t.reader = rd
	return connector.Connector{Target: t, Reader: rd, Scanner: rd}, nil
}

// servicePath is where all REST services are.
const servicePath = "/services/rest"

func (s *Settings) authorizer(base string, deps connector.Deps, c *clock) (rest.Authorizer, error) {
	if s.TBA != nil {
		return signer{clock: c, Signer: oauth1.Signer{
			Realm: s.realm(), ConsumerKey: s.TBA.ConsumerKey.Reveal(), ConsumerSecret: s.TBA.ConsumerSecret.Reveal(),
			TokenID: s.TBA.TokenID.Reveal(), TokenSecret: s.TBA.TokenSecret.Reveal(),
		}}, nil
	}
	key, method, err := s.OAuth2.key()
	if err != nil {
		return nil, err
	}
	return &bearer{
		client: rest.Client{HTTP: deps.HTTP, Base: base}, clock: c,
		id: s.OAuth2.ClientID, cert: s.OAuth2.CertificateID, scope: s.OAuth2.Scope, key: key, method: method,
	}, nil
}
