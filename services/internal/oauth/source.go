package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/spoke-sync/spoke/events"
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
	// noticeEvery is how often credentials that end soon are complained about.
	noticeEvery = 24 * time.Hour
)

// Options say how one connection gets its tokens.
type Options struct {
	// Op begins errors: "quickbooks: get access token".
	Op string
	// Refresh trades a refresh token for the next tokens. Its errors have a kind;
	// CodeInvalidGrant is the code of a refresh token that has ended.
	Refresh func(ctx context.Context, token string) (Credentials, error)
	// Configured is the refresh token of the settings; it may be empty.
	Configured string
	// Reconnect is the remedy where there is no refresh token at all.
	Reconnect string
	// Ending tells of credentials that end soon, once a day; nil tells nothing.
	Ending func(c Credentials, now time.Time) (events.Alert, bool)
}

// CodeInvalidGrant says that a refresh token has ended or was replaced (RFC
// 6749, section 5.2).
const CodeInvalidGrant = "invalid_grant"

// Source puts access tokens on requests. The tokens stand in the store, where
// all replicas find them. Whoever needs a new one claims the renewal there by
// compare-and-set (rule 3); the others wait for what it brings. A new refresh
// token is saved before the access token that came with it is used: a crash in
// between leaves the old one, which still works.
type Source struct {
	opts Options
	deps connector.Deps
	self string // names this replica in claims

	renewal singleflight.Group
	mu      sync.Mutex
	current Credentials // as last loaded or saved
	refused string      // the access token that the vendor refused last
	warned  time.Time

	// unsaved are tokens that the store has not taken yet, for the claim with
	// the revision. Only the renewal, which runs alone, touches them.
	unsaved    Credentials
	unsavedRev uint64
}

// New returns a source of tokens that keeps them in deps.Tokens; in memory
// where that is nil.
func New(o Options, deps connector.Deps) *Source {
	if deps.Tokens == nil {
		deps.Tokens = NewMemoryStore()
	}
	return &Source{opts: o, deps: deps, self: rand.Text()}
}

// usedKey marks the place in a context where Authorize notes the token of a
// call, so that Renew drops that one and not a newer one.
type usedKey struct{}

// WithUsed returns a context in which a call and its repetition share that
// place.
func WithUsed(ctx context.Context) context.Context {
	return context.WithValue(ctx, usedKey{}, new(string))
}

// Authorize implements rest.Authorizer.
func (t *Source) Authorize(ctx context.Context, req *http.Request) error {
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
func (t *Source) Renew(ctx context.Context) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused = t.current.Access
	if used, ok := ctx.Value(usedKey{}).(*string); ok {
		t.refused = *used
	}
	return true
}

// token returns a valid access token.
func (t *Source) token(ctx context.Context) (string, error) {
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
		return "", fault.New(fault.Transient, t.opts.Op, "%w", ctx.Err())
	}
}

// valid returns the token at hand if it is good.
func (t *Source) valid() (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current.Access, t.good(t.current)
}

// good reports whether an access token can be used. The caller holds the lock.
func (t *Source) good(c Credentials) bool {
	return c.Access != "" && c.Access != t.refused && t.deps.Now().Before(c.Until)
}

// adopt takes over what the store holds, if its access token is good.
func (t *Source) adopt(ctx context.Context, c Credentials) (string, bool) {
	t.mu.Lock()
	ok := t.good(c)
	if ok {
		t.current = c
	}
	now := t.deps.Now()
	var alert events.Alert
	ending := false
	if t.opts.Ending != nil {
		alert, ending = t.opts.Ending(c, now)
	}
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
func (t *Source) renew(ctx context.Context) (string, error) {
	for {
		stored, rev, err := Load(ctx, t.opts.Op, t.deps.Tokens)
		if err != nil {
			return "", err
		}
		if token, ok := t.adopt(ctx, stored); ok {
			t.unsaved = Credentials{} // that replica's tokens are as good as ours
			return token, nil
		}
		token, err := t.claimed(ctx, stored, rev)
		if !errors.Is(err, connector.ErrTokenMoved) {
			return token, err
		}
		select {
		case <-time.After(claimPause):
		case <-ctx.Done():
			return "", fault.New(fault.Transient, t.opts.Op, "another replica is asking for it")
		}
	}
}

// claimed asks for tokens under a claim. It returns ErrTokenMoved where
// another replica holds the claim or was first to take it.
func (t *Source) claimed(ctx context.Context, stored Credentials, rev uint64) (string, error) {
	ours := stored.Claim.By == t.self
	if t.unsaved.Refresh != "" && ours && t.unsavedRev == rev {
		return t.keep(ctx, t.unsaved, rev) // asked for before, but not saved
	}
	t.unsaved = Credentials{}
	if !ours && stored.Claim.By != "" && t.deps.Now().Before(stored.Claim.Until) {
		return "", connector.ErrTokenMoved
	}
	stored.Claim = Claim{By: t.self, Until: t.deps.Now().Add(claimLife).UTC()}
	rev, err := Save(ctx, t.deps.Tokens, stored, rev)
	if err != nil {
		return "", t.unstored(err)
	}
	next, err := t.fetch(ctx, stored)
	if err != nil {
		stored.Claim = Claim{}
		// A claim that can't be given back runs out.
		_, _ = Save(context.WithoutCancel(ctx), t.deps.Tokens, stored, rev)
		return "", err
	}
	return t.keep(ctx, next, rev)
}

// keep saves new tokens, and only then uses them.
func (t *Source) keep(ctx context.Context, next Credentials, rev uint64) (string, error) {
	if _, err := Save(ctx, t.deps.Tokens, next, rev); err != nil {
		if !errors.Is(err, connector.ErrTokenMoved) {
			t.unsaved, t.unsavedRev = next, rev
		}
		return "", t.unstored(err)
	}
	t.unsaved = Credentials{}
	t.mu.Lock()
	t.refused = "" // what was refused is no longer what we use
	t.mu.Unlock()
	token, ok := t.adopt(ctx, next)
	if !ok {
		return "", fault.New(fault.Transient, t.opts.Op, "the token that was given has ended already").
			WithHint("compare this machine's clock")
	}
	return token, nil
}

// unstored leaves ErrTokenMoved as it is.
func (t *Source) unstored(err error) error {
	if errors.Is(err, connector.ErrTokenMoved) {
		return err
	}
	return fault.New(fault.Transient, t.opts.Op, "save the credentials: %w", err)
}

// fetch asks with the stored refresh token, then with the configured one, so
// that entering a new one in the settings connects the account again.
func (t *Source) fetch(ctx context.Context, stored Credentials) (Credentials, error) {
	configured := t.opts.Configured
	if stored.Refresh == "" && configured == "" {
		return Credentials{}, fault.New(fault.Unauthorized, t.opts.Op, "nothing is connected yet").WithHint(t.opts.Reconnect)
	}
	if stored.Refresh == "" {
		return t.opts.Refresh(ctx, configured)
	}
	next, err := t.opts.Refresh(ctx, stored.Refresh)
	if err != nil && fault.As(err).Code == CodeInvalidGrant && configured != "" && configured != stored.Refresh {
		return t.opts.Refresh(ctx, configured)
	}
	if err == nil && next.HardUntil.IsZero() {
		next.HardUntil = stored.HardUntil
	}
	return next, err
}
