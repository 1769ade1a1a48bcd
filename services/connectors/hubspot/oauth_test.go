package hubspot_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/hubspot"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/oauth"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// installed is an OAuth app in the portal, in the place of a static token.
func installed(_ *hubspotbox.Options, s *hubspot.Settings, d *connector.Deps) {
	s.Token, s.ClientID, s.RefreshToken = secret.Value{}, hubspotbox.DefaultClientID, secret.New(hubspotbox.DefaultRefreshToken)
	s.Tier = "oauth"
	d.Tokens = oauth.NewMemoryStore()
}

// TestTokenExpiresMidBatchOneRefreshForTwoReplicas: both replicas go on with
// the token that one of them got, and no document notices.
func TestTokenExpiresMidBatchOneRefreshForTwoReplicas(t *testing.T) {
	t.Parallel()
	var settings *hubspot.Settings
	var deps connector.Deps
	b := newBench(t, installed, func(_ *hubspotbox.Options, s *hubspot.Settings, d *connector.Deps) { settings, deps = s, *d })
	settings.URL = b.url
	other, err := hubspot.Kind().Open(settings, deps)
	require.NoError(t, err)
	replicas := []connector.Connector{b.con, other}
	ids := b.deals(t, 8)
	for n := range 3 {
		b.ExpireTokens()
		var wg sync.WaitGroup
		results := make([][]connector.Result, len(replicas))
		for i, r := range replicas {
			wg.Go(func() {
				results[i] = r.Target.Apply(t.Context(), []connector.Document{
					doc("deal", ids[4*i], map[string]any{"dealname": time.Duration(n).String()}),
					doc("deal", ids[4*i+1], map[string]any{"dealname": time.Duration(n).String()}),
				})
			})
		}
		wg.Wait()
		for _, list := range results {
			for _, r := range list {
				require.NoError(t, r.Err)
			}
		}
		require.Equal(t, 1+n, b.Counts().Calls["token"], "one refresh, whoever needed it")
	}
}

func TestRevokedGrant(t *testing.T) {
	t.Parallel()
	b := newBench(t, installed)
	require.NoError(t, b.con.Target.Check(t.Context()))
	b.Revoke()
	f := fault.As(b.con.Target.Check(t.Context()))
	require.Equal(t, fault.Unauthorized, f.Kind)
	require.Equal(t, "invalid_grant", f.Code)
	require.Contains(t, f.Hint, "install the app in the portal again")

	wrong := newBench(t, installed, func(_ *hubspotbox.Options, s *hubspot.Settings, _ *connector.Deps) { s.PortalID = 1 })
	f = fault.As(wrong.con.Target.Check(t.Context()))
	require.Equal(t, fault.Unauthorized, f.Kind)
	require.Equal(t, "WRONG_PORTAL", f.Code)
}
