package netsuite_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func timed(t *testing.T, change func(*netsuite.Settings)) (*bundle, *clock) {
	t.Helper()
	c := &clock{at: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	b := setup(t, func(o *netsuitebox.Options, s *netsuite.Settings) {
		o.Now = c.now
		if change != nil {
			change(s)
		}
	})
	b.open(t, c.now)
	return b, c
}

func TestTokenIsKeptUntilShortlyBeforeItsEnd(t *testing.T) {
	t.Parallel()
	b, c := timed(t, nil)
	tokens := func() int { return b.box.Counts().Calls["token"] }
	for range 3 {
		require.NoError(t, b.target.Check(t.Context()))
	}
	require.Equal(t, 1, tokens())
	c.move(57 * time.Minute)
	require.NoError(t, b.target.Check(t.Context()))
	require.Equal(t, 1, tokens())
	c.move(90 * time.Second)
	require.NoError(t, b.target.Check(t.Context()))
	require.Equal(t, 2, tokens())
	b.box.ExpireTokens()
	require.NoError(t, b.target.Check(t.Context()), "a revoked token is renewed once")
	require.Equal(t, 3, tokens())
}

func TestConcurrentCallsShareAToken(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *netsuitebox.Options, _ *netsuite.Settings) { o.Slots = 20 })
	var wg sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		wg.Go(func() { errs[i] = b.target.Check(t.Context()) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, 1, b.box.Counts().Calls["token"])
}

func TestAssertion(t *testing.T) {
	t.Parallel()
	b, c := timed(t, nil)
	require.NoError(t, b.target.Check(t.Context()))
	r := b.wire.requests()[0]
	body, err := r.GetBody()
	require.NoError(t, err)
	r.Body = body
	require.NoError(t, r.ParseForm())
	require.Equal(t, "client_credentials", r.PostForm.Get("grant_type"))
	parts := strings.Split(r.PostForm.Get("client_assertion"), ".")
	require.Len(t, parts, 3)
	part := func(i int) string {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		require.NoError(t, err)
		return string(text)
	}
	require.JSONEq(t, `{"typ":"JWT","alg":"ES256","kid":"`+b.settings.OAuth2.CertificateID+`"}`, part(0))
	var claims map[string]any
	require.NoError(t, json.Unmarshal([]byte(part(1)), &claims))
	iat := c.now().Unix()
	require.Equal(t, map[string]any{
		"iss": b.settings.OAuth2.ClientID, "aud": b.server.URL + "/services/rest/auth/oauth2/v1/token",
		"scope": []any{"rest_webservices"}, "iat": float64(iat), "exp": float64(iat + 300),
	}, claims)
}

func TestRSAKeys(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.settings.OAuth2 = oauth2(t, b.box, "PS256")
	b.settings.OAuth2.Alg = "" // follows from the key
	b.open(t, time.Now)
	require.NoError(t, b.target.Check(t.Context()))
}

func TestRefusedCredentials(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*bundle, *clock){
		"wrong client":      func(b *bundle, _ *clock) { b.settings.OAuth2.ClientID = "other" },
		"wrong certificate": func(b *bundle, _ *clock) { b.settings.OAuth2.CertificateID = "other" },
		"wrong key": func(b *bundle, _ *clock) {
			b.settings.OAuth2.PrivateKey = oauth2(t, b.box, "ES256").PrivateKey
		},
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, sandboxClock := timed(t, nil)
			own := &clock{at: sandboxClock.now()}
			spoil(b, own)
			b.open(t, own.now)
			f := fault.As(b.target.Check(t.Context()))
			require.Equal(t, fault.Unauthorized, f.Kind, f)
			require.Contains(t, f.Hint, "Login Audit Trail")
			require.Contains(t, f.Hint, "clock")
		})
	}
}

// TestClockThatIsOff: NetSuite refuses signatures of another time without
// saying why. The server's time tells, and the next try is good.
func TestClockThatIsOff(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"an hour late": -time.Hour, "a day early": 24 * time.Hour, "seconds": 20 * time.Second} {
		for scheme, credentials := range map[string]*netsuite.TBA{"TBA": tba(), "OAuth 2.0": nil} {
			t.Run(name+" "+scheme, func(t *testing.T) {
				t.Parallel()
				b, sandboxClock := timed(t, func(s *netsuite.Settings) { s.TBA = credentials })
				own := &clock{at: sandboxClock.now().Add(off)}
				b.open(t, own.now)
				require.NoError(t, b.target.Check(t.Context()))
				calls := len(b.wire.requests())
				require.NoError(t, b.target.Check(t.Context()))
				require.Len(t, b.wire.requests(), calls+1, "the correction is kept")
			})
		}
	}
}

// TestOverloadIsNotARefusedLogin: an account out of slots has been seen to
// answer 401 while the credentials are good. That is waited for; refusals that
// never end are told.
func TestOverloadIsNotARefusedLogin(t *testing.T) {
	t.Parallel()
	b, c := timed(t, func(s *netsuite.Settings) { s.TBA = tba() })
	b.box.Inject(sandbox.Fault{Op: "list customer", Kind: sandbox.FaultExpire})

	f := fault.As(b.target.Check(t.Context()))
	require.Equal(t, fault.Throttled, f.Kind, f)
	require.Positive(t, f.RetryAfter)
	require.Contains(t, f.Hint, "overloaded")

	c.move(9 * time.Minute)
	require.Equal(t, fault.Throttled, fault.KindOf(b.target.Check(t.Context())))
	b.box.ClearFaults()
	require.NoError(t, b.target.Check(t.Context()), "an accepted call ends it")

	b.box.Inject(sandbox.Fault{Op: "list customer", Kind: sandbox.FaultExpire})
	require.Equal(t, fault.Throttled, fault.KindOf(b.target.Check(t.Context())))
	c.move(11 * time.Minute)
	require.Equal(t, fault.Unauthorized, fault.KindOf(b.target.Check(t.Context())), "for ten minutes no call was accepted")
}

func TestTBAIsRefusedWithAWrongSecret(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *netsuitebox.Options, s *netsuite.Settings) { s.TBA = tba() })
	require.NoError(t, b.target.Check(t.Context()))
	b.settings.TBA.TokenSecret = b.settings.TBA.ConsumerSecret
	b.open(t, time.Now)
	f := fault.As(b.target.Check(t.Context()))
	require.Equal(t, fault.Unauthorized, f.Kind)
	require.Equal(t, "INVALID_LOGIN", f.Code)
}

// TestEveryTryIsSignedAnew: the sandbox takes each nonce once, as NetSuite
// does, so that a repeated signature would be refused.
func TestEveryTryIsSignedAnew(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *netsuitebox.Options, s *netsuite.Settings) { s.TBA = tba() })
	b.box.Inject(sandbox.Fault{Kind: sandbox.FaultExpire, Count: 1})
	require.NoError(t, b.target.Check(t.Context()))
	seen := b.wire.requests()
	require.Len(t, seen, 3, "the second one asks for the server's time")
	require.NotEqual(t, seen[0].Header.Get("Authorization"), seen[2].Header.Get("Authorization"))
}
