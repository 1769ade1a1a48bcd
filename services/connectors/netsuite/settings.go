package netsuite

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// Settings of one connection. Exactly one of OAuth2 and TBA is set.
type Settings struct {
	// Account is the account id: 1234567, or 1234567_SB1 for a sandbox.
	Account string `yaml:"account"`
	// URL is scheme and host of the account's REST services, as Company
	// Information shows it. Empty derives it from Account.
	URL string `yaml:"url"`
	// AppURL is scheme and host of the pages that people open. Empty derives
	// it from Account, or is URL where that is set.
	AppURL string `yaml:"app_url"`
	// OAuth2 is the machine-to-machine flow; choose it for new integrations.
	OAuth2 *OAuth2 `yaml:"oauth2"`
	// TBA is token-based authentication. From release 2027.1 on NetSuite
	// lets nobody create new integrations of this sort.
	TBA *TBA `yaml:"tba"`
	// Subsidiary is the internal id that new customers get; OneWorld accounts
	// require it.
	Subsidiary string `yaml:"subsidiary"`
	// Currency is the ISO 4217 code of an account without the feature
	// Multiple Currencies. Empty means that the account has the feature.
	Currency string `yaml:"currency"`
	// Zone is the name of the time zone in which SuiteQL shows dates to the
	// integration's user: Europe/Berlin. Empty measures it, by comparing the
	// database's time with the server's before each pass.
	Zone string `yaml:"zone"`
	// Items is set to let flows create and change items. Without it items are
	// only looked up by SKU: accounts and tax schedule are a bookkeeper's choice.
	Items *Items `yaml:"items"`
	// Invoices says where invoices are made: empty in NetSuite, by people;
	// "order" by Spoke, from the sales order of a won deal. Payments are then
	// applied to them.
	Invoices string `yaml:"invoices"`
	// Refunds is set to make a credit memo and a customer refund of each refund.
	Refunds *Refunds `yaml:"refunds"`
	// DisputeTasks makes a task in NetSuite of each disputed payment.
	DisputeTasks bool `yaml:"dispute_tasks"`
	// AsyncLines is how many lines a transaction has at least that is written by
	// an asynchronous job, because a call dies after 15 minutes. 0 is 500; -1
	// never uses jobs.
	AsyncLines int `yaml:"async_lines"`
	// PageRows is how many objects a page of a feed has at most, up to 1000. 0 is
	// 1000, or 200 where their lines are read too.
	PageRows int `yaml:"page_rows"`
	// CustomRecords are the custom record types that take part.
	CustomRecords []CustomRecord `yaml:"custom_records"`
	// DepositAccount is the internal id of the account that payments are
	// deposited to; empty leaves it to NetSuite's preference.
	DepositAccount string `yaml:"deposit_account"`
}

// Items is what a new item needs. All are internal ids.
type Items struct {
	// Kind is what a product without a kind becomes: service, inventory or
	// noninventory; noninventory when empty.
	Kind string `yaml:"kind"`
	// IncomeAccount is of every item, CogsAccount and AssetAccount of inventory
	// items only: without both those are not created.
	IncomeAccount string `yaml:"income_account"`
	CogsAccount   string `yaml:"cogs_account"`
	AssetAccount  string `yaml:"asset_account"`
	// TaxSchedule is required in accounts without SuiteTax.
	TaxSchedule string `yaml:"tax_schedule"`
	// PriceLevel is where a product's price stands; 1, the base price, when
	// empty.
	PriceLevel string `yaml:"price_level"`
}

// Refunds is what credit memos and refunds need. All are internal ids.
type Refunds struct {
	// Item is what a credit memo without items credits.
	Item string `yaml:"item"`
	// Account is where the money leaves, PaymentOption how.
	Account       string `yaml:"account"`
	PaymentOption string `yaml:"payment_option"`
}

// OAuth2 are the credentials of the client credentials flow.
type OAuth2 struct {
	// ClientID is of the integration record; CertificateID of the mapping
	// between integration, entity and role.
	ClientID      string `yaml:"client_id"`
	CertificateID string `yaml:"certificate_id"`
	// PrivateKey belongs to the uploaded certificate, PEM: RSA of 3072 or
	// 4096 bits, or EC of P-256, P-384 or P-521.
	PrivateKey secret.Value `yaml:"private_key"`
	// Alg is the JWT algorithm; empty takes the one that suits the key.
	Alg string `yaml:"alg"`
	// Scope is how the assertion names its scope: array (when empty) or text.
	// NetSuite's help says text, its sample sends an array.
	Scope string `yaml:"scope"`
}

// TBA are the credentials of token-based authentication.
type TBA struct {
	ConsumerKey    secret.Value `yaml:"consumer_key"`
	ConsumerSecret secret.Value `yaml:"consumer_secret"`
	TokenID        secret.Value `yaml:"token_id"`
	TokenSecret    secret.Value `yaml:"token_secret"`
}

var (
	accountForm    = regexp.MustCompile(`^[A-Za-z0-9]+([_-][A-Za-z0-9]+)?$`)
	internalIDForm = regexp.MustCompile(`^-?[0-9]+$`)
)

// validate reports every problem at once, each with its path.
func (s *Settings) validate() error {
	var errs []error
	bad := func(path, format string, args ...any) {
		errs = append(errs, fmt.Errorf(path+": "+format, args...))
	}
	if !accountForm.MatchString(s.Account) {
		bad("account", "%q: want an account id such as 1234567 or 1234567_SB1", s.Account)
	}
	for path, v := range map[string]string{"url": s.URL, "app_url": s.AppURL} {
		if u, err := url.Parse(v); v != "" && (err != nil || u.Host == "" || u.RawQuery != "") {
			bad(path, "want scheme and host, such as https://1234567.suitetalk.api.netsuite.com")
		}
	}
	for path, v := range s.internalIDs() {
		if v != "" && !internalIDForm.MatchString(v) {
			bad(path, "%q: want an internal id, a number", v)
		}
	}
	s.validateFlows(bad)
	s.validateCustom(bad)
	if _, err := time.LoadLocation(s.Zone); err != nil {
		bad("zone", "%q: want the name of a time zone, such as Europe/Berlin", s.Zone)
	}
	if s.AsyncLines < -1 {
		bad("async_lines", "%d: want a number of lines, 0 for the default, or -1 for never", s.AsyncLines)
	}
	if _, ok := events.MinorUnits(s.Currency); s.Currency != "" && !ok {
		bad("currency", "%q is no ISO 4217 code", s.Currency)
	}
	if s.PageRows < 0 || s.PageRows > pageRows {
		bad("page_rows", "%d: want 1 to %d, or 0 for the default", s.PageRows, pageRows)
	}
	switch {
	case s.OAuth2 != nil && s.TBA == nil:
		if _, _, err := s.OAuth2.key(); err != nil {
			errs = append(errs, err)
		}
	case s.TBA != nil && s.OAuth2 == nil:
		if s.TBA.ConsumerKey.IsZero() || s.TBA.ConsumerSecret.IsZero() || s.TBA.TokenID.IsZero() || s.TBA.TokenSecret.IsZero() {
			bad("tba", "consumer_key, consumer_secret, token_id and token_secret are required")
		}
	default:
		bad("oauth2", "set either oauth2 or tba")
	}
	return errors.Join(errs...)
}

// internalIDs are the settings that are internal ids, by path.
func (s Settings) internalIDs() map[string]string {
	all := map[string]string{"subsidiary": s.Subsidiary, "deposit_account": s.DepositAccount}
	if i := s.Items; i != nil {
		all["items.income_account"], all["items.cogs_account"], all["items.asset_account"] = i.IncomeAccount, i.CogsAccount, i.AssetAccount
		all["items.tax_schedule"], all["items.price_level"] = i.TaxSchedule, i.PriceLevel
	}
	if r := s.Refunds; r != nil {
		all["refunds.item"], all["refunds.account"], all["refunds.payment_option"] = r.Item, r.Account, r.PaymentOption
	}
	return all
}

// validateFlows checks what the flows need that are only there when they are
// asked for.
func (s Settings) validateFlows(bad func(path, format string, args ...any)) {
	if s.Invoices != "" && s.Invoices != invoicesOrder {
		bad("invoices", "%q: want %s, or nothing where people make the invoices in NetSuite", s.Invoices, invoicesOrder)
	}
	if i := s.Items; i != nil {
		if _, ok := itemTypes[i.kind()]; !ok {
			bad("items.kind", "%q: want service, inventory or noninventory", i.Kind)
		}
		if i.IncomeAccount == "" {
			bad("items.income_account", "is missing: the account that sales of new items go to")
		}
		if i.kind() == kindInventory && (i.CogsAccount == "" || i.AssetAccount == "") {
			bad("items.cogs_account", "inventory items need cogs_account and asset_account")
		}
	}
	if r := s.Refunds; r != nil && (r.Item == "" || r.Account == "" || r.PaymentOption == "") {
		bad("refunds", "item, account and payment_option are required")
	}
	if o := s.OAuth2; o != nil && o.Scope != "" && o.Scope != scopeArray && o.Scope != scopeText {
		bad("oauth2.scope", "%q: want %s or %s", o.Scope, scopeArray, scopeText)
	}
}

// invoicesOrder is the value of Settings.Invoices that bills orders.
const invoicesOrder = "order"

// defaultAsyncLines keeps a synchronous call well below 15 minutes.
const defaultAsyncLines = 500

// async reports whether a transaction of so many lines is written by a job.
func (s Settings) async(lines int) bool {
	switch s.AsyncLines {
	case -1:
		return false
	case 0:
		return lines >= defaultAsyncLines
	default:
		return lines >= s.AsyncLines
	}
}

// key parses the private key and finds its JWT algorithm.
func (o OAuth2) key() (any, jwt.SigningMethod, error) {
	if o.ClientID == "" || o.CertificateID == "" || o.PrivateKey.IsZero() {
		return nil, nil, errors.New("oauth2: client_id, certificate_id and private_key are required")
	}
	pem := []byte(o.PrivateKey.Reveal())
	alg := o.Alg
	// The parsers' errors could quote the key; they say nothing of use anyway.
	if rsa, err := jwt.ParseRSAPrivateKeyFromPEM(pem); err == nil {
		if alg == "" {
			alg = jwt.SigningMethodPS256.Name
		}
		if strings.HasPrefix(alg, "PS") && jwt.GetSigningMethod(alg) != nil {
			return rsa, jwt.GetSigningMethod(alg), nil
		}
		return nil, nil, fmt.Errorf("oauth2.alg: %q: want PS256, PS384 or PS512 for an RSA key", alg)
	}
	ec, err := jwt.ParseECPrivateKeyFromPEM(pem)
	if err != nil {
		return nil, nil, errors.New("oauth2.private_key: want an RSA or EC private key in PEM form")
	}
	suited := fmt.Sprintf("ES%d", min(ec.Curve.Params().BitSize, 512)) // P-521 goes with SHA-512
	if alg == "" {
		alg = suited
	}
	if alg != suited || jwt.GetSigningMethod(alg) == nil {
		return nil, nil, fmt.Errorf("oauth2.alg: %q: want %s for this EC key", alg, suited)
	}
	return ec, jwt.GetSigningMethod(alg), nil
}

// realm is the account id as OAuth 1.0a wants it. In lower case NetSuite
// answers only that the login is invalid.
func (s Settings) realm() string {
	return strings.ToUpper(strings.ReplaceAll(s.Account, "-", "_"))
}

// hosts returns the base URLs of the API and of the pages for people.
func (s Settings) hosts() (api, app string) {
	label := strings.ToLower(strings.ReplaceAll(s.Account, "_", "-"))
	api, app = strings.TrimSuffix(s.URL, "/"), strings.TrimSuffix(s.AppURL, "/")
	if app == "" {
		app = api
	}
	if api == "" {
		api = "https://" + label + ".suitetalk.api.netsuite.com"
	}
	if app == "" {
		app = "https://" + label + ".app.netsuite.com"
	}
	return api, app
}
