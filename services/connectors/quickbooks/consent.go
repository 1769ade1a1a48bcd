package quickbooks

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/oauth"
)

// scope is what Spoke asks a company for.
const scope = "com.intuit.quickbooks.accounting"

const opConnect = Name + ": connect"

// consent is the way in which an administrator of a company admits Spoke.
type consent struct {
	settings *Settings
	deps     connector.Deps
}

func openConsent(settings any, deps connector.Deps) (connector.Consent, error) {
	s, ok := settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("quickbooks: settings are %T, want *quickbooks.Settings", settings)
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return &consent{settings: s, deps: withDefaults(deps)}, nil
}

// URL implements connector.Consent.
func (c *consent) URL(redirect, state string) string {
	q := url.Values{
		"client_id": {c.settings.ClientID}, "response_type": {"code"}, "scope": {scope},
		"redirect_uri": {redirect}, "state": {state},
	}
	return c.settings.authorizeURL() + "?" + q.Encode()
}

// Complete implements connector.Consent. Nothing is saved unless the company
// that was chosen is the one that the settings name, and answers.
func (c *consent) Complete(ctx context.Context, redirect string, answer url.Values) (string, error) {
	switch code := answer.Get("error"); {
	case code == "access_denied":
		return "", fault.New(fault.Unauthorized, opConnect, "the consent was denied at Intuit").
			WithHint("run the command again and press Connect, as an administrator of the company")
	case code != "":
		return "", fault.New(fault.Unauthorized, opConnect, "Intuit refused the consent").WithCode("consent_refused").
			WithHint("check client_id, and that the redirect address is among those of the Intuit app")
	case answer.Get("code") == "":
		return "", fault.New(fault.Malformed, opConnect, "Intuit sent no code").WithField("code")
	}
	if realm := answer.Get("realmId"); realm != c.settings.RealmID {
		return "", fault.New(fault.Unauthorized, opConnect, "another company was chosen than the settings name").WithField("realmId").
			WithHint("choose the company of the settings, or set realm_id to the one that was chosen")
	}
	next, err := newGranter(c.settings, c.deps).exchange(ctx, answer.Get("code"), redirect)
	if err != nil {
		return "", err
	}
	name, err := c.probe(ctx, next)
	if err != nil {
		return "", err
	}
	return name, c.save(ctx, next)
}

// probe reads the company's name with the new token.
func (c *consent) probe(ctx context.Context, next oauth.Credentials) (string, error) {
	deps := c.deps
	deps.Tokens = oauth.NewMemoryStore()
	if _, err := oauth.Save(ctx, deps.Tokens, next, 0); err != nil {
		return "", err
	}
	info, err := newClient(c.settings, deps, newTokens(c.settings, deps)).company(ctx)
	if err != nil {
		return "", err
	}
	return info.text("CompanyName"), nil
}

// save replaces what the store holds, whoever is changing it: what is new
// here is what the person wants.
func (c *consent) save(ctx context.Context, next oauth.Credentials) error {
	for {
		_, rev, err := c.deps.Tokens.Load(ctx)
		if err != nil {
			return fault.New(fault.Transient, opConnect, "load the credentials: %w", err)
		}
		_, err = oauth.Save(ctx, c.deps.Tokens, next, rev)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, connector.ErrTokenMoved) || ctx.Err() != nil:
			return fault.New(fault.Transient, opConnect, "save the credentials: %w", err)
		}
	}
}
