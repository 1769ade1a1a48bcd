package quickbooks

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

const (
	// renewTimeout bounds one renewal, whoever waits for it.
	renewTimeout = 30 * time.Second
	// claimLife is a little more, so that a claim outlives its renewal.
	claimLife = renewTimeout + 5*time.Second
	// claimPause is how long a replica waits before it looks again.
	claimPause = 50 * time.Millisecond
)

// tokens puts access tokens on requests. The tokens stand in the store, where
// all replicas find them. Whoever needs a new one claims the renewal there by
// compare-and-set (rule 3); the others wait for what it brings. A new refresh
// token is saved before the access token that came with it is used: a crash in
// between leaves the old one, which still works.
type tokens struct {
	settings *Settings
	deps     connector.Deps
	grants   *granter
	self     string // names this replica in claims

	renewal singleflight.Group
	mu      sync.Mutex
	current credentials // as last loaded or saved
	refused string      // the access token that Intuit refused last
	warned  time.Time

	// unsaved are tokens that the store has not taken yet, for the claim with
	// the revision. Only the renewal, which runs alone, touches them.
	unsaved    credentials
	unsavedRev uint64
}

func newTokens(s *Settings, deps connector.Deps) *tokens {
	return &tokens{settings: s, deps: deps, grants: newGranter(s, deps), self: rand.Text()}
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
	t.refused = t.current.Access
	if used, ok := ctx.Value(usedKey{}).(*string); ok {
		t.refused = *used
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

// valid returns the token at hand if it is good.
func (t *tokens) valid() (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current.Access, t.good(t.current)
}

// good reports whether an access token can be used. The caller holds the lock.
func (t *tokens) good(c credentials) bool {
	return c.Access != "" && c.Access != t.refused && t.deps.Now().Before(c.Until)
}

// adopt takes over what the store holds, if its access token is good.
func (t *tokens) adopt(ctx context.Context, c credentials) (string, bool) {
	t.mu.Lock()
	ok := t.good(c)
	if ok {
		t.current = c
	}
	now := t.deps.Now()
	alert, ending := c.ending(now, t.deps.Connection)
	tell := ok && ending && t.deps.Alert != nil && now.Sub(t.warned) >= noticeEvery
	if tell {
		t.warned = now
	}
	t.mu.Unlock()
	if tell {
		t.deps.Alert(ctx, alert)
	}
	return c.Access, ok
}

// renew runs alone in this process. It returns a good access token: another
// replica's, or one that it asked for itself.
func (t *tokens) renew(ctx context.Context) (string, error) {
	for {
		stored, rev, err := loadCredentials(ctx, t.deps.Tokens)
		if err != nil {
			return "", err
		}
		if token, ok := t.adopt(ctx, stored); ok {
			t.unsaved = credentials{} // that replica's tokens are as good as ours
			return token, nil
		}
		token, err := t.claimed(ctx, stored, rev)
		if !errors.Is(err, connector.ErrTokenMoved) {
			return token, err
		}
		select {
		case <-time.After(claimPause):
		case <-ctx.Done():
			return "", fault.New(fault.Transient, opToken, "another replica is asking for it")
		}
	}
}

// claimed asks for tokens under a claim. It returns ErrTokenMoved where
// another replica holds the claim or was first to take it.
func (t *tokens) claimed(ctx context.Context, stored credentials, rev uint64) (string, error) {
	ours := stored.Claim.By == t.self
	if t.unsaved.Refresh != "" && ours && t.unsavedRev == rev {
		return t.keep(ctx, t.unsaved, rev) // asked for before, but not saved
	}
	t.unsaved = credentials{}
	if !ours && stored.Claim.By != "" && t.deps.Now().Before(stored.Claim.Until) {
		return "", connector.ErrTokenMoved
	}
	stored.Claim = claim{By: t.self, Until: t.deps.Now().Add(claimLife).UTC()}
	rev, err := saveCredentials(ctx, t.deps.Tokens, stored, rev)
	if err != nil {
		return "", unstored(err)
	}
	next, err := t.fetch(ctx, stored)
	if err != nil {
		stored.Claim = claim{}
		// A claim that can't be given back runs out.
		_, _ = saveCredentials(context.WithoutCancel(ctx), t.deps.Tokens, stored, rev)
		return "", err
	}
	return t.keep(ctx, next, rev)
}

// keep saves new tokens, and only then uses them.
func (t *tokens) keep(ctx context.Context, next credentials, rev uint64) (string, error) {
	if _, err := saveCredentials(ctx, t.deps.Tokens, next, rev); err != nil {
		if !errors.Is(err, connector.ErrTokenMoved) {
			t.unsaved, t.unsavedRev = next, rev
		}
		return "", unstored(err)
	}
	t.unsaved = credentials{}
	t.mu.Lock()
	t.refused = "" // what was refused is no longer what we use
	t.mu.Unlock()
	token, ok := t.adopt(ctx, next)
	if !ok {
		return "", fault.New(fault.Transient, opToken, "Intuit gave a token that has ended already").
			WithHint("compare this machine's clock")
	}
	return token, nil
}

// unstored leaves ErrTokenMoved as it is.
func unstored(err error) error {
	if errors.Is(err, connector.ErrTokenMoved) {
		return err
	}
	return fault.New(fault.Transient, opToken, "save the credentials: %w", err)
}

// fetch asks with the stored refresh token, then with the configured one, so
// that entering a new one in the settings reconnects the company.
func (t *tokens) fetch(ctx context.Context, stored credentials) (credentials, error) {
	configured := t.settings.RefreshToken.Reveal()
	if stored.Refresh == "" && configured == "" {
		return credentials{}, fault.New(fault.Unauthorized, opToken, "no company is connected").
			WithHint(reconnect(t.deps.Connection))
	}
	if stored.Refresh == "" {
		return t.grants.refresh(ctx, configured)
	}
	next, err := t.grants.refresh(ctx, stored.Refresh)
	if err != nil && fault.As(err).Code == codeInvalidGrant && configured != "" && configured != stored.Refresh {
		return t.grants.refresh(ctx, configured)
	}
	if err == nil && next.HardUntil.IsZero() {
		next.HardUntil = stored.HardUntil
	}
	return next, err
}
