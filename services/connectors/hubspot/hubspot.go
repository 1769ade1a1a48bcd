package hubspot

import (
	"context"
	"embed"
	"fmt"
	"net/http"
	"strconv"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/rest"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

//go:embed flows/*.yaml
var flows embed.FS

// Kind describes HubSpot.
func Kind() connector.Kind {
	k := describe(DefaultSettings())
	k.For = func(settings any) connector.Kind {
		s, ok := settings.(*Settings)
		if !ok || s == nil {
			s = DefaultSettings()
		}
		return describe(s)
	}
	return k
}

// describe is the kind as one portal's settings make it.
func describe(s *Settings) connector.Kind {
	return connector.Kind{
		Name: KindName, Title: "HubSpot", Hub: true,
		Objects: objects(s), Feeds: feeds(s), Limits: limits(s),
		Settings: func() any { return DefaultSettings() },
		Open:     open,
		Flows:    flows,
	}
}

func open(settings any, deps connector.Deps) (connector.Connector, error) {
	s, ok := settings.(*Settings)
	if !ok {
		return connector.Connector{}, fmt.Errorf("hubspot: settings are %T, want %T", settings, s)
	}
	if err := s.Validate(); err != nil {
		return connector.Connector{}, fmt.Errorf("hubspot: connection %s: %w", deps.Connection, err)
	}
	var auth rest.Authorizer = bearer{s.Token}
	if !s.RefreshToken.IsZero() {
		auth = userTokens(s, deps)
	}
	a := &api{
		rest:    rest.Client{HTTP: deps.HTTP, Base: base(s), Auth: auth},
		version: s.Version, now: deps.Now, zone: s.zone(),
	}
	p := portal{id: s.PortalID}
	r := newReader(deps.Connection, s, a, p)
	sc := newScanner(s, deps, r)
	con := connector.Connector{Reader: r, Scanner: sc, Target: newTarget(s, a, p, sc.journal)}
	if len(s.ClientSecrets) > 0 {
		con.Webhooks = newWebhooks(s, deps)
	}
	return con, nil
}

// bearer is a static token. It can't be renewed.
type bearer struct{ token secret.Value }

// Authorize puts the token on the request.
func (b bearer) Authorize(_ context.Context, req *http.Request) error {
	req.Header.Set("Authorization", "Bearer "+b.token.Reveal())
	return nil
}

// Renew reports that there is no other token.
func (bearer) Renew(context.Context) bool { return false }

// portal knows where people find a record.
type portal struct{ id int64 }

// link returns the page of a record, or "" when the portal is not configured.
func (p portal) link(k kind, id string) string {
	if p.id == 0 || k.name == lineItem.name {
		return ""
	}
	return appURL + strconv.FormatInt(p.id, 10) + "/record/" + k.typeID + "/" + id
}
