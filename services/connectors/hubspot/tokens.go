package hubspot

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
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
		g, err := ask(ctx, t.client, t.path, t.form, t.now)
		if err != nil {
			return err
		}
		t.token, t.until = g.access, g.until
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

// grant is an answer of the token endpoint.
type grant struct {
	access  string
	refresh string
	until   time.Time
	hub     string
}

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
	// codeInvalidGrant says that a grant was revoked or never was.
	codeInvalidGrant = "invalid_grant"
)

// ask gets an access token. Asking again after a lost answer harms nothing.
func ask(ctx context.Context, c *rest.Client, path string, form url.Values, now func() time.Time) (grant, error) {
	asked := now()
	r := rest.Request{
		Op: opGrant, Method: http.MethodPost, Path: path, Body: []byte(form.Encode()), Safe: true,
		Header: http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}},
	}
	resp, err := c.Do(ctx, r)
	if err != nil {
		return grant{}, err
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
		return grant{}, refusedGrant(r, resp, readable, a.Error)
	case !readable || a.Access == "":
		return grant{}, garbled(opGrant, resp.Status)
	}
	life := time.Duration(max(a.Expires, 0)) * time.Second
	return grant{access: a.Access, refresh: a.Refresh, hub: a.Hub.id(), until: asked.Add(life - min(renewMargin, life/10))}, nil
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
	if e = e.WithCode(code); code == codeInvalidGrant {
		return e.WithHint("the app was uninstalled or its grant revoked: install it in the portal again and enter the new refresh_token")
	}
	return e.WithHint("check client_id, client_secrets and refresh_token of the connection")
}
