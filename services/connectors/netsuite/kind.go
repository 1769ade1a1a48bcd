// Package netsuite connects NetSuite through its REST record services and
// SuiteQL. It writes customers, sales orders and customer payments, each
// under an external id, so that repeating a write never makes a second
// record; and it looks items up by SKU. SOAP and RESTlets are not used.
//
// Facts about the API are from Oracle's NetSuite help, "SuiteTalk REST Web
// Services", release 2026.1. An account's forms, scripts and mandatory fields
// outrank them.
package netsuite

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/spoke-sync/spoke/services/connectors/netsuite/oauth1"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

//go:embed flows/*.yaml
var flowFiles embed.FS

// slots is how many calls may be in flight. NetSuite bounds them and names no
// rate. The smallest account has 5 slots for all its integrations together; one
// is left to the others. The connection's limits say what an account of more has.
const slots = 4

// Kind describes NetSuite. Its Settings are *Settings.
func Kind() connector.Kind {
	objects := []connector.Object{item(), invoice()}
	for _, r := range records() {
		objects = append(objects, r.Object)
	}
	flows, err := fs.Sub(flowFiles, "flows")
	if err != nil {
		panic(err) // the path is a constant
	}
	return connector.Kind{
		Name: "netsuite", Title: "NetSuite", Objects: objects, Flows: flows,
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
	auth, err := s.authorizer(base, deps)
	if err != nil {
		return connector.Connector{}, err
	}
	a := &api{client: rest.Client{HTTP: deps.HTTP, Base: base + "/services/rest", Auth: auth}}
	t := &target{api: a, settings: *s, app: app, money: &currencies{api: a, only: s.Currency}, records: map[string]record{}}
	for _, r := range records() {
		t.records[r.Name] = r
	}
	return connector.Connector{Target: t}, nil
}

func (s Settings) authorizer(base string, deps connector.Deps) (rest.Authorizer, error) {
	if s.TBA != nil {
		return signer{now: deps.Now, Signer: oauth1.Signer{
			Realm: s.realm(), ConsumerKey: s.TBA.ConsumerKey.Reveal(), ConsumerSecret: s.TBA.ConsumerSecret.Reveal(),
			TokenID: s.TBA.TokenID.Reveal(), TokenSecret: s.TBA.TokenSecret.Reveal(),
		}}, nil
	}
	key, method, err := s.OAuth2.key()
	if err != nil {
		return nil, err
	}
	return &bearer{
		client: rest.Client{HTTP: deps.HTTP, Base: base}, now: deps.Now,
		id: s.OAuth2.ClientID, cert: s.OAuth2.CertificateID, key: key, method: method,
	}, nil
}
