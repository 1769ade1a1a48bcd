package quickbooks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/oauth"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

const (
	opToken = Name + ": get access token"

	// renewMargin is how long before its end a token is no longer used; a
	// tenth of its life where that is shorter.
	renewMargin = time.Minute
)

// granter asks Intuit's token endpoint.
type granter struct {
	settings   *Settings
	connection string
	client     *rest.Client
	now        func() time.Time
}

func newGranter(s *Settings, deps connector.Deps) *granter {
	return &granter{
		settings: s, connection: deps.Connection, now: deps.Now,
		client: &rest.Client{HTTP: deps.HTTP, Base: s.tokenURL(), MaxBody: maxTokenAnswer},
	}
}

// maxTokenAnswer bounds an answer of the token endpoint.
const maxTokenAnswer = 1 << 16

// tokenAnswer is what the token endpoint says. Lives are in seconds.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshLife  int64  `json:"x_refresh_token_expires_in"`
	HardLife     int64  `json:"x_refresh_token_hard_expires_in"`
	Error        string `json:"error"`
}

// refresh trades a refresh token for an access token and, from time to time,
// another refresh token.
func (g *granter) refresh(ctx context.Context, token string) (oauth.Credentials, error) {
	return g.ask(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// exchange trades the code of a consent for the first tokens.
func (g *granter) exchange(ctx context.Context, code, redirect string) (oauth.Credentials, error) {
	return g.ask(ctx, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}})
}

func (g *granter) ask(ctx context.Context, form url.Values) (oauth.Credentials, error) {
	asked := g.now()
	basic := base64.StdEncoding.EncodeToString([]byte(g.settings.ClientID + ":" + g.settings.ClientSecret.Reveal()))
	r := rest.Request{
		Op: opToken, Method: http.MethodPost, Body: []byte(form.Encode()),
		Header: http.Header{
			"Authorization": {"Basic " + basic},
			"Accept":        {"application/json"},
			"Content-Type":  {"application/x-www-form-urlencoded"},
			// Without it Intuit does not tell when the consent itself ends.
			"X-Include-Refresh-Token-Hard-Expires-In": {"true"},
		},
		// The old refresh token stays good until the new one is used, so that
		// asking again after a lost answer harms nothing.
		Safe: true,
	}
	resp, err := g.client.Do(ctx, r)
	if err != nil {
		return oauth.Credentials{}, err
	}
	var a tokenAnswer
	readable := json.Unmarshal(resp.Body, &a) == nil
	if !resp.OK() {
		return oauth.Credentials{}, g.refusal(r, resp, a.Error)
	}
	if !readable || a.AccessToken == "" || a.RefreshToken == "" {
		return oauth.Credentials{}, fault.New(fault.Transient, opToken, "the answer holds no token")
	}
	life := seconds(a.ExpiresIn)
	return oauth.Credentials{
		Refresh: a.RefreshToken, Access: a.AccessToken, Until: asked.Add(life - min(renewMargin, life/10)).UTC(),
		RefreshUntil: endOf(asked, a.RefreshLife), HardUntil: endOf(asked, a.HardLife),
	}, nil
}

// maxLife keeps times within what can be written.
const maxLife = 20 * 365 * 24 * time.Hour

func seconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), int64(maxLife/time.Second))) * time.Second
}

func endOf(from time.Time, life int64) time.Time {
	if life <= 0 {
		return time.Time{}
	}
	return from.Add(seconds(life)).UTC()
}

// refusal classifies what the token endpoint refuses. Every 4xx but 429 is
// about credentials: nothing else is in the request.
func (g *granter) refusal(r rest.Request, resp *rest.Response, code string) *fault.Error {
	if strings.ContainsFunc(code, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }) || len(code) > 40 {
		code = "" // no code of OAuth, so it may be anything
	}
	e := rest.Classify(r, resp, code)
	if resp.Status < 400 || resp.Status >= 500 || resp.Status == http.StatusTooManyRequests {
		return e
	}
	e.Kind = fault.Unauthorized
	e = e.WithCode(code)
	if code == oauth.CodeInvalidGrant {
		return e.WithHint("the refresh token has expired or was revoked: " + reconnect(g.connection))
	}
	return e.WithHint("check client_id and client_secret of the connection")
}
