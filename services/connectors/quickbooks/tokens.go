package quickbooks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

const (
	// renewTimeout bounds one renewal, whoever waits for it.
	renewTimeout = 30 * time.Second
	// renewMargin is how long before its end a token is no longer used; a
	// tenth of its life where that is shorter.
	renewMargin = time.Minute

	opToken   = "quickbooks: get access token"
	reconnect = "connect the company to Intuit again and enter the new refresh_token"
)

// tokens puts access tokens on requests. One renewal runs at a time, and a
// replaced refresh token is saved before the access token that came with it
// is used: a crash in between leaves the old one, which still works.
type tokens struct {
	settings *Settings
	store    connector.TokenStore
	client   *rest.Client
	now      func() time.Time

	renewal singleflight.Group
	mu      sync.Mutex
	access  grant
	// unsaved is a grant whose refresh token the store has not taken yet.
	unsaved *pending
}

// grant is an answer of the token endpoint.
type grant struct {
	access  string
	refresh string
	until   time.Time
}

type pending struct {
	grant
	rev uint64
}

func newTokens(s *Settings, deps connector.Deps) *tokens {
	return &tokens{
		settings: s, store: deps.Tokens, now: deps.Now,
		client: &rest.Client{HTTP: deps.HTTP, Base: s.TokenURL},
	}
}

// usedKey marks the place in a context where Authorize notes the token of a
// call, so that Renew drops that one and not a newer one.
type usedKey struct{}

func withUsed(ctx context.Context) context.Context {
	return context.WithValue(ctx, usedKey{}, new(string))
}

// Authorize implements rest.Authorizer.
func (t *tokens) Authorize(ctx context.Context, req *http.Request) error {
	token, err := t.token(ctx)
	if err != nil {
		return err
	}
	if used, ok := ctx.Value(usedKey{}).(*string); ok {
		*used = token
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return nil
}

// Renew implements rest.Authorizer.
func (t *tokens) Renew(ctx context.Context) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if used, ok := ctx.Value(usedKey{}).(*string); !ok || *used == t.access.access {
		t.access = grant{}
	}
	return true
}

// token returns a valid access token.
func (t *tokens) token(ctx context.Context) (string, error) {
	if token, ok := t.valid(); ok {
		return token, nil
	}
	// The renewal outlives the caller: others wait for it too, and an answer
	// that nobody reads may hold the only copy of a refresh token.
	done := t.renewal.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
		defer cancel()
		return t.renew(ctx)
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return "", r.Err
		}
		token, _ := r.Val.(string)
		return token, nil
	case <-ctx.Done():
		return "", fault.New(fault.Transient, opToken, "%w", ctx.Err())
	}
}

func (t *tokens) valid() (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.access.access, t.access.access != "" && t.now().Before(t.access.until)
}

// renew runs alone.
func (t *tokens) renew(ctx context.Context) (string, error) {
	if token, ok := t.valid(); ok {
		return token, nil // somebody renewed it a moment ago
	}
	next := t.unsaved
	if next == nil {
		var err error
		if next, err = t.fetch(ctx); err != nil {
			return "", err
		}
	}
	if next.refresh != "" {
		err := t.store.Save(ctx, next.refresh, next.rev)
		// Where another replica saved its own, both are good: keep theirs.
		if err != nil && !errors.Is(err, connector.ErrTokenMoved) {
			t.unsaved = next
			return "", fault.New(fault.Transient, opToken, "save the refresh token: %w", err)
		}
	}
	t.unsaved = nil
	t.mu.Lock()
	defer t.mu.Unlock()
	t.access = next.grant
	return next.access, nil
}

// fetch asks with the stored refresh token, then with the configured one. The
// grant's refresh token is left empty when it is the stored one.
func (t *tokens) fetch(ctx context.Context) (*pending, error) {
	stored, rev, err := t.store.Load(ctx)
	if err != nil {
		return nil, fault.New(fault.Transient, opToken, "load the refresh token: %w", err)
	}
	configured := t.settings.RefreshToken.Reveal()
	first := stored
	if first == "" {
		first = configured
	}
	g, err := t.ask(ctx, first)
	if err != nil && fault.As(err).Code == codeInvalidGrant && configured != first {
		g, err = t.ask(ctx, configured)
	}
	if err != nil {
		return nil, err
	}
	if g.refresh == stored {
		g.refresh = ""
	}
	return &pending{grant: g, rev: rev}, nil
}

// tokenAnswer is what the token endpoint says.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	Error        string `json:"error"`
}

// codeInvalidGrant says that a refresh token has ended or was replaced.
const codeInvalidGrant = "invalid_grant"

func (t *tokens) ask(ctx context.Context, refresh string) (grant, error) {
	asked := t.now()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}
	basic := base64.StdEncoding.EncodeToString([]byte(t.settings.ClientID + ":" + t.settings.ClientSecret.Reveal()))
	r := rest.Request{
		Op: opToken, Method: http.MethodPost, Body: []byte(form.Encode()),
		Header: http.Header{
			"Authorization": {"Basic " + basic},
			"Accept":        {"application/json"},
			"Content-Type":  {"application/x-www-form-urlencoded"},
		},
		// The old refresh token stays good until the new one is used, so that
		// asking again after a lost answer harms nothing.
		Safe: true,
	}
	resp, err := t.client.Do(ctx, r)
	if err != nil {
		return grant{}, err
	}
	var a tokenAnswer
	readable := json.Unmarshal(resp.Body, &a) == nil
	if !resp.OK() {
		return grant{}, tokenFault(r, resp, a.Error)
	}
	if !readable || a.AccessToken == "" {
		return grant{}, fault.New(fault.Transient, opToken, "the answer holds no token")
	}
	life := time.Duration(max(a.ExpiresIn, 0)) * time.Second
	return grant{
		access: a.AccessToken, refresh: a.RefreshToken,
		until: asked.Add(life - min(renewMargin, life/10)),
	}, nil
}

// tokenFault classifies a refusal. Every 4xx but 429 is about credentials:
// nothing else is in the request.
func tokenFault(r rest.Request, resp *rest.Response, code string) *fault.Error {
	if strings.ContainsFunc(code, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }) || len(code) > 40 {
		code = "" // no code of OAuth, so it may be anything
	}
	e := rest.Classify(r, resp, code)
	if resp.Status < 400 || resp.Status >= 500 || resp.Status == http.StatusTooManyRequests {
		return e
	}
	e.Kind = fault.Unauthorized
	e = e.WithCode(code)
	if code == codeInvalidGrant {
		return e.WithHint("the refresh token has expired or was replaced: " + reconnect)
	}
	return e.WithHint("check client_id and client_secret of the connection")
}
