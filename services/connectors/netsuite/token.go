package netsuite

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/singleflight"

	"github.com/spoke-sync/spoke/services/connectors/netsuite/oauth1"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

const (
	tokenPath = "/services/rest/auth/oauth2/v1/token"
	tokenOp   = "netsuite: get a token" //nolint:gosec // names a call, holds no credential
	// assertionLife is how long the signed request for a token is good for.
	// NetSuite allows less than 60 minutes; it is used at once.
	assertionLife = 5 * time.Minute
	// tokenMargin is how long before its end a token is no longer used.
	tokenMargin = 2 * time.Minute
	// unauthorizedHint goes with every refusal: NetSuite gives no reason, but
	// its Login Audit Trail does.
	unauthorizedHint = "look into Setup > Users/Roles > View Login Audit Trail in NetSuite; " +
		"check the credentials, the role, the account id and this machine's clock"
)

// The ways to write the scope of an assertion.
const (
	scopeArray = "array"
	scopeText  = "text"
)

// bearer authorizes with OAuth 2.0 client credentials. It keeps the token
// until shortly before its end; there is no refresh token.
type bearer struct {
	client rest.Client // without credentials
	id     string
	cert   string
	key    any
	method jwt.SigningMethod
	scope  string
	clock  *clock

	group   singleflight.Group
	mu      sync.Mutex
	token   string
	expires time.Time
}

// Authorize implements rest.Authorizer.
func (b *bearer) Authorize(ctx context.Context, req *http.Request) error {
	token, err := b.get(ctx)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return nil
}

// Renew implements rest.Authorizer.
func (b *bearer) Renew(context.Context) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.token = ""
	return true
}

func (b *bearer) cached() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.clock.now().Before(b.expires) {
		return b.token
	}
	return ""
}

func (b *bearer) get(ctx context.Context) (string, error) {
	if token := b.cached(); token != "" {
		return token, nil
	}
	// One call gets the token for all who wait. It outlives the caller that
	// began it, whose end is not the others' end; rest bounds its time.
	ch := b.group.DoChan("", func() (any, error) { return b.fetch(context.WithoutCancel(ctx)) })
	select {
	case <-ctx.Done():
		return "", fault.New(fault.Transient, tokenOp, "%w", ctx.Err())
	case r := <-ch:
		if r.Err != nil {
			return "", r.Err
		}
		return r.Val.(string), nil
	}
}

func (b *bearer) fetch(ctx context.Context) (string, error) {
	if token := b.cached(); token != "" {
		return token, nil
	}
	token, life, err := b.ask(ctx)
	if fault.Is(err, fault.Unauthorized) && b.clock.measure(ctx) {
		token, life, err = b.ask(ctx) // the machine's clock was to blame
	}
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.token, b.expires = token, b.clock.now().Add(life-min(tokenMargin, life/2))
	return token, nil
}

// ask asks for a token once.
func (b *bearer) ask(ctx context.Context) (string, time.Duration, error) {
	assertion, err := b.assertion(b.clock.now())
	if err != nil {
		return "", 0, err
	}
	r := rest.Request{
		Op: tokenOp, Method: http.MethodPost, Path: tokenPath, Safe: true,
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		Body: []byte(url.Values{
			"grant_type":            {"client_credentials"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {assertion},
		}.Encode()),
	}
	resp, err := b.client.Do(ctx, r)
	if err != nil {
		return "", 0, err
	}
	return parseToken(r, resp)
}

func (b *bearer) assertion(now time.Time) (string, error) {
	var scope any = []string{"rest_webservices"}
	if b.scope == scopeText {
		scope = "rest_webservices"
	}
	t := jwt.NewWithClaims(b.method, jwt.MapClaims{
		"iss":   b.id,
		"aud":   b.client.Base + tokenPath,
		"scope": scope,
		"iat":   now.Unix(),
		"exp":   now.Add(assertionLife).Unix(),
	})
	t.Header["kid"] = b.cert
	signed, err := t.SignedString(b.key)
	if err != nil {
		return "", fault.New(fault.Internal, tokenOp, "sign the assertion: %w", err)
	}
	return signed, nil
}

// parseToken reads the answer of the token endpoint.
func parseToken(r rest.Request, resp *rest.Response) (string, time.Duration, error) {
	var a struct {
		Token string          `json:"access_token"`
		Life  json.RawMessage `json:"expires_in"`
		Error string          `json:"error"`
	}
	err := json.Unmarshal(resp.Body, &a)
	if resp.Status >= 400 {
		f := rest.Classify(r, resp, a.Error).WithCode(a.Error)
		if f.Kind == fault.Rejected { // 400 invalid_request, invalid_grant, …
			f.Kind = fault.Unauthorized
		}
		if f.Kind == fault.Unauthorized {
			f = f.WithHint(unauthorizedHint)
		}
		return "", 0, f
	}
	// The life has been seen as a number and as a string.
	seconds, convErr := strconv.Atoi(strings.Trim(string(a.Life), `"`))
	if err != nil || convErr != nil || a.Token == "" || seconds <= 0 {
		return "", 0, fault.New(fault.Transient, r.Op, "the answer holds no token")
	}
	return a.Token, time.Duration(seconds) * time.Second, nil
}

// signer authorizes with token-based authentication.
type signer struct {
	oauth1.Signer
	clock *clock
}

// Authorize implements rest.Authorizer.
func (s signer) Authorize(_ context.Context, req *http.Request) error {
	if err := s.Sign(req, oauth1.Nonce(), s.clock.now()); err != nil {
		return fault.New(fault.Internal, "netsuite: sign the request", "%w", err)
	}
	return nil
}

// Renew implements rest.Authorizer. A new signature may do: the clocks may have
// been apart, and an overloaded account has been seen to answer 401 too.
func (s signer) Renew(ctx context.Context) bool {
	s.clock.measure(ctx)
	return true
}
