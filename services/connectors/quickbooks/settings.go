package quickbooks

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// Settings configure one connection, which is one QuickBooks company.
type Settings struct {
	// URL is the API's host: https://quickbooks.api.intuit.com by default,
	// https://sandbox-quickbooks.api.intuit.com for Intuit's sandbox companies.
	URL string `yaml:"url"`
	// TokenURL gives access tokens; it is the same for both hosts.
	TokenURL string `yaml:"token_url"`
	// AppURL begins the links to objects for people. Sandbox companies live at
	// https://app.sandbox.qbo.intuit.com/app.
	AppURL string `yaml:"app_url"`
	// RealmID is the company's id, as Intuit hands it over on connecting.
	RealmID string `yaml:"realm_id"`
	// ClientID and ClientSecret are the keys of the Intuit app.
	ClientID     string       `yaml:"client_id"`
	ClientSecret secret.Value `yaml:"client_secret"`
	// RefreshToken is the one got on connecting. Intuit replaces it from time
	// to time; the newest is kept in the token store and this one is tried
	// again only when that one is refused, so that entering a new one here
	// reconnects the company.
	RefreshToken secret.Value `yaml:"refresh_token"`
	// VerifierTokens check webhooks. Several allow a change without a gap;
	// none means that webhooks are not accepted.
	VerifierTokens []secret.Value `yaml:"verifier_tokens"`
	// HomeCurrency is the company's ISO 4217 currency.
	HomeCurrency string `yaml:"home_currency"`
	// IncomeAccount is the id or the name of the account that items made by
	// Spoke book their sales to. Items can't be created without it.
	IncomeAccount string `yaml:"income_account"`
	// DepositAccount is the id or the name of the account that payments go
	// to; QuickBooks takes Undeposited Funds when it is empty.
	DepositAccount string `yaml:"deposit_account"`
	// Tax says how invoice lines are taxed.
	Tax Tax `yaml:"tax"`
}

// Tax says how invoice lines are taxed when a flow does not.
type Tax struct {
	// USAutomated is set for companies in the United States, where a line is
	// either taxable or not and QuickBooks works out the rate.
	USAutomated bool `yaml:"us_automated"`
	// DefaultTaxCode is TAX or NON in the United States (TAX when empty), the
	// id of a tax code elsewhere, where it is required: it is never guessed.
	DefaultTaxCode string `yaml:"default_tax_code"`
}

// The tax codes of companies in the United States.
const (
	taxable    = "TAX"
	notTaxable = "NON"
)

// DefaultSettings are those of a production company in the United States.
func DefaultSettings() *Settings {
	return &Settings{
		URL: productionURL, TokenURL: tokenURL, AppURL: appURL,
		HomeCurrency: "USD", Tax: Tax{USAutomated: true},
	}
}

// Validate reports every problem at once.
func (s *Settings) Validate() error {
	var problems []error
	add := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("quickbooks: settings: "+format, args...))
	}
	for name, v := range map[string]string{"realm_id": s.RealmID, "client_id": s.ClientID} {
		if v == "" {
			add("%s is missing", name)
		}
	}
	if strings.ContainsFunc(s.RealmID, func(r rune) bool { return r < '0' || r > '9' }) {
		add("realm_id: want digits only")
	}
	if s.ClientSecret.IsZero() {
		add("client_secret is missing")
	}
	if s.RefreshToken.IsZero() {
		add("refresh_token is missing")
	}
	for i, v := range s.VerifierTokens {
		if v.IsZero() {
			add("verifier_tokens[%d] is empty", i)
		}
	}
	for name, v := range map[string]string{"url": s.URL, "token_url": s.TokenURL, "app_url": s.AppURL} {
		if u, err := url.Parse(v); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			add("%s: want an address such as https://host", name)
		}
	}
	if _, ok := events.MinorUnits(s.HomeCurrency); !ok {
		add("home_currency %q is no ISO 4217 code", s.HomeCurrency)
	}
	switch code := s.Tax.DefaultTaxCode; {
	case s.Tax.USAutomated && code != "" && code != taxable && code != notTaxable:
		add("tax.default_tax_code: want TAX or NON with us_automated")
	case !s.Tax.USAutomated && code == "":
		add("tax.default_tax_code is missing: outside the United States every line needs the id of a tax code")
	}
	return errors.Join(problems...)
}

// lineTaxCode is the code of a line whose flow names none.
func (s *Settings) lineTaxCode() string {
	if s.Tax.DefaultTaxCode == "" {
		return taxable
	}
	return s.Tax.DefaultTaxCode
}
