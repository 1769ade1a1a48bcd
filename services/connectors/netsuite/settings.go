package netsuite

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

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
	// DepositAccount is the internal id of the account that payments are
	// deposited to; empty leaves it to NetSuite's preference.
	DepositAccount string `yaml:"deposit_account"`
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
func (s Settings) validate() error {
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
	for path, v := range map[string]string{"subsidiary": s.Subsidiary, "deposit_account": s.DepositAccount} {
		if v != "" && !internalIDForm.MatchString(v) {
			bad(path, "%q: want an internal id, a number", v)
		}
	}
	if _, ok := events.MinorUnits(s.Currency); s.Currency != "" && !ok {
		bad("currency", "%q is no ISO 4217 code", s.Currency)
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
