package quickbooks_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/oauth"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

func secretOf(s string) secret.Value { return secret.New(s) }

// brokenStore refuses to save new tokens while it is broken.
type brokenStore struct {
	*oauth.MemoryStore
	broken atomic.Bool
}

func (s *brokenStore) Save(ctx context.Context, token string, rev uint64) (uint64, error) {
	if s.broken.Load() && strings.Contains(token, `"access"`) {
		return 0, errors.New("the store is down")
	}
	return s.MemoryStore.Save(ctx, token, rev)
}

// refreshIn returns the refresh token in a store.
func refreshIn(t testing.TB, s connector.TokenStore) string {
	t.Helper()
	text, _, err := s.Load(t.Context())
	require.NoError(t, err)
	var c struct {
		Refresh string `json:"refresh"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &c))
	return c.Refresh
}

func TestOneRenewalForManyCalls(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	b.box.Inject(sandbox.Fault{Op: "token", Kind: sandbox.FaultLatency, DelayMS: 50})
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = b.Target.Check(t.Context()) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, 1, b.box.Counts().Calls["token"])
}

func TestRotatedRefreshTokenIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	require.NoError(t, b.Target.Check(t.Context()))
	stored := refreshIn(t, b.store)
	require.Equal(t, b.box.RefreshToken(), stored)
	require.NotEqual(t, quickbooksbox.DefaultRefreshToken, stored)

	// A replica that starts later goes on from the store.
	second := open(t, b.settings, b.store)
	require.NoError(t, second.Target.Check(t.Context()))
	require.Equal(t, 1, b.box.Counts().Calls["token"], "the access token is shared")
	b.box.ExpireAccess()
	require.NoError(t, second.Target.Check(t.Context()))
	require.Equal(t, b.box.RefreshToken(), refreshIn(t, b.store))
	// And one that starts from the first token alone is refused: it was used up.
	third := open(t, b.settings, nil)
	f := requireFault(t, third.Target.Check(t.Context()), fault.Unauthorized, "invalid_grant")
	require.Contains(t, f.Hint, "spoke connect qbo")
}

func TestAccessTokenWaitsForTheStore(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	store := &brokenStore{MemoryStore: b.store}
	store.broken.Store(true)
	con := open(t, b.settings, store)
	requireFault(t, con.Target.Check(t.Context()), fault.Transient, "")
	requireFault(t, con.Target.Check(t.Context()), fault.Transient, "")
	require.Equal(t, 1, b.box.Counts().Calls["token"], "the new token is kept, not asked for again")
	require.Zero(t, b.box.Counts().Calls["companyinfo"], "nothing is called with a token that is not saved")

	// A crash now would lose the new token; the old one still works. The claim
	// of the replica that died keeps the others from it only for a moment.
	later := func() time.Time { return time.Now().Add(time.Minute) }
	other, err := quickbooks.Open(b.settings, connector.Deps{Connection: "qbo", HTTP: plainHTTP(), Now: later, Tokens: b.store})
	require.NoError(t, err)
	require.NoError(t, other.Target.Check(t.Context()))

	store.broken.Store(false)
	require.NoError(t, con.Target.Check(t.Context()))
	require.Equal(t, 2, b.box.Counts().Calls["token"], "the other replica's token is used")
	require.Equal(t, b.box.RefreshToken(), refreshIn(t, b.store), "and stays")
}

func TestMemoryStoreRefusesAnOldRevision(t *testing.T) {
	t.Parallel()
	s := oauth.NewMemoryStore()
	_, err := s.Save(t.Context(), "one", 0)
	require.NoError(t, err)
	_, err = s.Save(t.Context(), "other", 0)
	require.ErrorIs(t, err, connector.ErrTokenMoved)
	token, rev, err := s.Load(t.Context())
	require.NoError(t, err)
	require.Equal(t, "one", token)
	_, err = s.Save(t.Context(), "two", rev)
	require.NoError(t, err)
}

func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	require.NoError(t, b.Target.Check(t.Context()))
	b.box.Inject(sandbox.Fault{Op: "companyinfo", Kind: sandbox.FaultExpire, Count: 1})
	require.NoError(t, b.Target.Check(t.Context()))
	require.Equal(t, 2, b.box.Counts().Calls["token"])

	b.box.Inject(sandbox.Fault{Op: "companyinfo", Kind: sandbox.FaultExpire})
	f := requireFault(t, b.Target.Check(t.Context()), fault.Unauthorized, "3200")
	require.Contains(t, f.Hint, "spoke connect qbo")
	require.Equal(t, 3, b.box.Counts().Calls["token"], "one renewal for one call")
}

func TestReconnectByConfiguration(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	require.NoError(t, b.Target.Check(t.Context()))
	b.box.Disconnect("connected-anew")
	requireFault(t, b.Target.Check(t.Context()), fault.Unauthorized, "invalid_grant")

	b.settings.RefreshToken = secretOf("connected-anew")
	con := open(t, b.settings, b.store)
	require.NoError(t, con.Target.Check(t.Context()), "the stored token has ended, the configured one is new")
	require.Equal(t, b.box.RefreshToken(), refreshIn(t, b.store))
}

func TestTokenFaults(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{}, func(s *quickbooks.Settings) { s.ClientSecret = secretOf("wrong-secret") })
	f := requireFault(t, b.Target.Check(t.Context()), fault.Unauthorized, "invalid_client")
	require.Contains(t, f.Hint, "client_secret")
	require.NotContains(t, f.Error(), "wrong-secret")

	for status, kind := range map[int]fault.Kind{500: fault.Transient, 503: fault.Unavailable} {
		b := setup(t, quickbooksbox.Options{})
		b.box.Inject(sandbox.Fault{Op: "token", Kind: sandbox.FaultError, Status: status})
		requireFault(t, b.Target.Check(t.Context()), kind, "")
	}
	b = setup(t, quickbooksbox.Options{})
	b.box.Inject(sandbox.Fault{Op: "token", Kind: sandbox.FaultLost, Count: 1})
	requireFault(t, b.Target.Check(t.Context()), fault.Transient, "")
	require.NoError(t, b.Target.Check(t.Context()), "the old refresh token outlives a lost answer")
}

func TestExpiredAccessTokenIsNotUsed(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{AccessLife: time.Second})
	require.NoError(t, b.Target.Check(t.Context()))
	require.Eventually(t, func() bool {
		return b.Target.Check(t.Context()) == nil && b.box.Counts().Calls["token"] > 1
	}, 5*time.Second, 20*time.Millisecond)
}
