package hubspot

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/oauth"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// appTokens are access tokens of the app itself, by its own credentials, which
// the journal asks for. Each process has one of its own: they are given out
// freely, and none ends another.
type appTokens struct {
	client *rest.Client
	path   string
	form   url.Values
	now    func() time.Time

	mu    sync.Mutex
	token string
	until time.Time
}

func newAppTokens(s *Settings, deps connector.Deps) *appTokens {
	return &appTokens{
		client: &rest.Client{HTTP: deps.HTTP, Base: base(s)}, path: tokenPath(s), now: deps.Now,
		form: credentials(s, url.Values{"grant_type": {"client_credentials"}, "scope": {journalScopes}}),
	}
}

// Authorize puts a token on the request.
func (t *appTokens) Authorize(ctx context.Context, req *http.Request) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == "" || !t.now().Before(t.until) {
		c, _, err := ask(ctx, t.client, t.path, t.form, t.now)
		if err != nil {
			return err
		}
		t.token, t.until = c.Access, c.Until
	}
	req.Header.Set("Authorization", "Bearer "+t.token)
	return nil
}

// Renew drops the token.
func (t *appTokens) Renew(context.Context) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token = ""
	return true
}

// opGrant names the calls of the token endpoint.
const opGrant = "hubspot: get an access token"

// userTokens are those of an OAuth app that was installed in the portal: all
// replicas share them.
func userTokens(s *Settings, deps connector.Deps) *oauth.Source {
	client := &rest.Client{HTTP: deps.HTTP, Base: base(s)}
	return oauth.New(oauth.Options{
		Op: opGrant, Configured: s.RefreshToken.Reveal(), Reconnect: reinstall,
		Refresh: func(ctx context.Context, token string) (oauth.Credentials, error) {
			form := credentials(s, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
			c, hub, err := ask(ctx, client, tokenPath(s), form, deps.Now)
			switch {
			case err != nil:
			case s.PortalID != 0 && hub != "" && hub != strconv.FormatInt(s.PortalID, 10):
				err = fault.New(fault.Unauthorized, opGrant, "the refresh_token belongs to another portal than portal_id").
					WithCode("WRONG_PORTAL").WithHint("correct portal_id or enter the refresh_token of that portal")
			case c.Refresh == "":
				c.Refresh = token // HubSpot's lives until the app is uninstalled
			}
			return c, err
		},
	}, deps)
}

// reinstall is the remedy for a grant that is no good.
const reinstall = "install the app in the portal again and enter the new refresh_token"

func base(s *Settings) string { return strings.TrimRight(s.URL, "/") }

func tokenPath(s *Settings) string { return "/oauth/" + url.PathEscape(s.Version) + "/token" }

// credentials adds the app's own to a form. HubSpot reads them there only.
func credentials(s *Settings, form url.Values) url.Values {
	form.Set("client_id", s.ClientID)
	if len(s.ClientSecrets) > 0 {
		form.Set("client_secret", s.ClientSecrets[0].Reveal())
	}
	return form
}

const (
	// renewMargin is how long before its end a token is no longer used; a tenth
	// of its life where that is shorter.
	renewMargin = time.Minute
	// maxLife keeps times within what can be written.
	maxLife = 24 * time.Hour
)

// ask gets an access token, and the portal that it is for. Asking again after a lost answer harms nothing.
func ask(ctx context.Context, c *rest.Client, path string, form url.Values, now func() time.Time) (oauth.Credentials, string, error) {
	asked := now()
	r := rest.Request{
		Op: opGrant, Method: http.MethodPost, Path: path, Body: []byte(form.Encode()), Safe: true,
		Header: http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}},
	}
	resp, err := c.Do(ctx, r)
	if err != nil {
		return oauth.Credentials{}, "", err
	}
	var a struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Expires int64  `json:"expires_in"` // seconds
		Hub     number `json:"hub_id"`
		Error   string `json:"error"`
		Status  string `json:"status"`
	}
	readable := json.Unmarshal(resp.Body, &a) == nil
	switch {
	case !resp.OK():
		return oauth.Credentials{}, "", refusedGrant(r, resp, readable, a.Error)
	case !readable || a.Access == "":
		return oauth.Credentials{}, "", garbled(opGrant, resp.Status)
	}
	life := time.Duration(min(max(a.Expires, 0), int64(maxLife/time.Second))) * time.Second
	until := asked.Add(life - min(renewMargin, life/10)).UTC()
	return oauth.Credentials{Access: a.Access, Refresh: a.Refresh, Until: until}, a.Hub.id(), nil
}

// refusedGrant classifies a refusal. Every 4xx that HubSpot explains is about
// the credentials: nothing else is in the request.
func refusedGrant(r rest.Request, resp *rest.Response, readable bool, code string) *fault.Error {
	if !readable || !isCode(code) {
		return unread(r, resp)
	}
	e := rest.Classify(r, resp, code)
	if resp.Status >= 500 || resp.Status == http.StatusTooManyRequests {
		return e
	}
	e.Kind = fault.Unauthorized
	if e = e.WithCode(code); code == oauth.CodeInvalidGrant {
		return e.WithHint("the app was uninstalled or its grant revoked: " + reinstall)
	}
	return e.WithHint("check client_id, client_secrets and refresh_token of the connection")
}
