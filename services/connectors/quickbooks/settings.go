package quickbooks

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// Settings configure one connection, which is one QuickBooks company.
type Settings struct {
	// Environment is production or sandbox, which is Intuit's own: it decides
	// on the hosts.
	Environment string `yaml:"environment"`
	// URL, TokenURL, AuthorizeURL and AppURL take the place of the
	// environment's: of the API, of access tokens, of the page on which a
	// company is connected, and of the links to objects for people.
	URL          string `yaml:"url"`
	TokenURL     string `yaml:"token_url"`
	AuthorizeURL string `yaml:"authorize_url"`
	AppURL       string `yaml:"app_url"`
	// PageSize is how many objects a page of a backfill has, 1,000 at most.
	PageSize int `yaml:"page_size"`
	// RealmID is the company's id, as Intuit hands it over on connecting.
	RealmID string `yaml:"realm_id"`
	// ClientID and ClientSecret are the keys of the Intuit app.
	ClientID     string       `yaml:"client_id"`
	ClientSecret secret.Value `yaml:"client_secret"`
	// RefreshToken may be left out: spoke connect gets one. Intuit replaces it
	// from time to time; the newest is kept in the token store and this one is
	// tried again only when that one is refused.
	RefreshToken secret.Value `yaml:"refresh_token"`
	// VerifierTokens check webhooks. Several allow a change without a gap;
	// none means that webhooks are not accepted.
	VerifierTokens []secret.Value `yaml:"verifier_tokens"`
	// HomeCurrency is the company's ISO 4217 currency.
	HomeCurrency string `yaml:"home_currency"`

	// IncomeAccount is the id or the name of the account that items made by
	// Spoke book their sales to. Items can't be created without it.
	IncomeAccount string `yaml:"income_account"`
	// AssetAccount and ExpenseAccount are needed for inventory items.
	AssetAccount   string `yaml:"asset_account"`
	ExpenseAccount string `yaml:"expense_account"`
	// DepositAccount is the id or the name of the account that payments go
	// to; QuickBooks takes Undeposited Funds when it is empty.
	DepositAccount string `yaml:"deposit_account"`
	// RefundAccount is the account that refunds are paid from; DepositAccount
	// when it is empty. Refunds can't be created without either.
	RefundAccount string `yaml:"refund_account"`
	// Refunds make the default flows book refunds; nil books none.
	Refunds *Refunds `yaml:"refunds"`
	// Tax says how lines are taxed.
	Tax Tax `yaml:"tax"`
	// TakenNumbers says what to do when another transaction has the number of
	// a new one: refuse (the default) or allow, which makes it all the same.
	TakenNumbers string `yaml:"taken_numbers"`
	// AllCharacters sends texts beyond ISO 8859-1 to a company in the United
	// States, for which Intuit documents no others.
	AllCharacters bool `yaml:"all_characters"`
}

// Tax says how lines are taxed.
type Tax struct {
	// USAutomated is set for companies in the United States, where a line is
	// either taxable or not and QuickBooks works out the rate.
	USAutomated bool `yaml:"us_automated"`
	// DefaultTaxCode is for lines that name none: TAX or NON in the United
	// States (TAX when empty), the id of a tax code elsewhere, where it is
	// required: it is never guessed.
	DefaultTaxCode string `yaml:"default_tax_code"`
	// Codes maps the tax codes of the sources to the company's: of HubSpot's
	// "standard" to "5". A code that is not here is refused, unless it is one
	// that the settings use: the default or a value of this map.
	Codes map[string]string `yaml:"codes"`
	// Calculation is TaxExcluded (the default) or NotApplicable, for companies
	// outside the United States. Lines come without tax, so that there is no
	// way to write TaxInclusive.
	Calculation string `yaml:"calculation"`
}

// The environments.
const (
	production = "production"
	sandbox    = "sandbox"
)

// The answers to a number that is taken.
const (
	numbersRefused = "refuse"
	numbersAllowed = "allow"
)

// The tax codes of companies in the United States.
const (
	taxable    = "TAX"
	notTaxable = "NON"
)

// How prices relate to tax, outside the United States.
const (
	taxExcluded      = "TaxExcluded"
	taxNotApplicable = "NotApplicable"
)

// DefaultSettings are those of a production company in the United States.
func DefaultSettings() *Settings {
	return &Settings{
		Environment: production, HomeCurrency: "USD", PageSize: pageSize, TakenNumbers: numbersRefused,
		Tax: Tax{USAutomated: true, Calculation: taxExcluded},
	}
}

// apiURL, tokenURL, authorizeURL and appURL are the environment's addresses,
// or what is set in their place. They have no slash at the end.
func (s *Settings) apiURL() string {
	return s.host(s.URL, productionURL, sandboxURL)
}

func (s *Settings) tokenURL() string { return s.host(s.TokenURL, tokenURL, tokenURL) }

func (s *Settings) authorizeURL() string { return s.host(s.AuthorizeURL, authorizeURL, authorizeURL) }

func (s *Settings) appURL() string { return s.host(s.AppURL, appURL, sandboxAppURL) }

func (s *Settings) host(set, live, test string) string {
	switch {
	case set != "":
		return strings.TrimSuffix(set, "/")
	case s.Environment == sandbox:
		return test
	default:
		return live
	}
}

// Validate reports every problem at once.
func (s *Settings) Validate() error {
	var problems []error
	add := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("quickbooks: settings: "+format, args...))
	}
	if s.Environment != production && s.Environment != sandbox {
		add("environment: want production or sandbox")
	}
	if s.PageSize < 1 || s.PageSize > pageSize {
		add("page_size: want 1 to %d", pageSize)
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
	for i, v := range s.VerifierTokens {
		if v.IsZero() {
			add("verifier_tokens[%d] is empty", i)
		}
	}
	for name, v := range map[string]string{"url": s.URL, "token_url": s.TokenURL, "authorize_url": s.AuthorizeURL, "app_url": s.AppURL} {
		if u, err := url.Parse(v); v != "" && (err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http")) {
			add("%s: want an address such as https://host", name)
		}
	}
	if _, ok := events.MinorUnits(s.HomeCurrency); !ok {
		add("home_currency %q is no ISO 4217 code", s.HomeCurrency)
	}
	if s.TakenNumbers != numbersRefused && s.TakenNumbers != numbersAllowed {
		add("taken_numbers: want refuse or allow")
	}
	s.Tax.validate(add)
	s.validateRefunds(add)
	return errors.Join(problems...)
}

func (t Tax) validate(add func(string, ...any)) {
	if t.Calculation != "" && t.Calculation != taxExcluded && t.Calculation != taxNotApplicable {
		add("tax.calculation: want TaxExcluded or NotApplicable")
	}
	switch code := t.DefaultTaxCode; {
	case t.USAutomated && code != "" && code != taxable && code != notTaxable:
		add("tax.default_tax_code: want TAX or NON with us_automated")
	case !t.USAutomated && code == "" && t.Calculation != taxNotApplicable:
		add("tax.default_tax_code is missing: outside the United States every line needs the id of a tax code")
	}
	for source, code := range t.Codes {
		if !t.native(code) {
			add("tax.codes.%s: %q is no tax code of the company: want %s", source, code, t.form())
		}
	}
}

// native reports whether a code has the form of the company's own: TAX or NON
// in the United States, an id elsewhere.
func (t Tax) native(code string) bool {
	if t.USAutomated {
		return code == taxable || code == notTaxable
	}
	return isID(code)
}

// isID reports whether a text has the form of an object's id: digits only.
func isID(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// calculation says how prices relate to tax where a flow does not.
func (t Tax) calculation() string {
	if t.Calculation == "" {
		return taxExcluded
	}
	return t.Calculation
}

func (t Tax) form() string {
	if t.USAutomated {
		return "TAX or NON"
	}
	return "the id of a tax code"
}

// lineCode is the code of a line whose flow names none; "" where lines have
// none.
func (t Tax) lineCode() string {
	switch {
	case t.USAutomated && t.DefaultTaxCode == "":
		return taxable
	case !t.USAutomated && t.Calculation == taxNotApplicable:
		return ""
	}
	return t.DefaultTaxCode
}

// code returns the company's tax code for what a source calls it; ok is false
// where nobody said which one that is.
func (t Tax) code(source string) (code string, ok bool) {
	if mapped, ok := t.Codes[source]; ok {
		return mapped, true
	}
	if t.USAutomated {
		return source, t.native(source)
	}
	// An id of the source's may look like one of the company's.
	return source, source == t.DefaultTaxCode || slices.Contains(slices.Collect(maps.Values(t.Codes)), source)
}
