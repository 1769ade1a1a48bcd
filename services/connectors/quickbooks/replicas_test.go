package quickbooks_test

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/internal/fault"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/vault"
)

// sharedVault is the bucket of an installation. Each call opens it as one
// replica does.
func sharedVault(t *testing.T) func() connector.TokenStore {
	t.Helper()
	s, err := embed.Start(embed.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: s, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	require.NoError(t, b.Provision(t.Context(), bus.NewTopology(bus.TopologyOptions{Tenant: "t", Replicas: 1})))
	key, err := vault.Key(t.TempDir())
	require.NoError(t, err)
	return func() connector.TokenStore {
		v, err := vault.Open(t.Context(), b.JetStream(), bus.BucketTokens, key)
		require.NoError(t, err)
		return v.Tokens("qbo")
	}
}

// Two replicas are writing when Intuit ends the access token. One of them gets
// the next one, both go on with it, and no document notices.
func TestTokenExpiresMidBatchOneRefreshForTwoReplicas(t *testing.T) {
	t.Parallel()
	box, settings := startBox(t, quickbooksbox.Options{PerMinute: -1})
	store := sharedVault(t)
	replicas := []connector.Connector{open(t, settings, store()), open(t, settings, store())}
	for _, r := range replicas {
		require.NoError(t, r.Target.Check(t.Context()))
	}
	require.Equal(t, 1, box.Counts().Calls["token"], "the second replica found the token of the first")

	const batches, size = 4, 15
	for n := range batches {
		box.ExpireAccess() // in the middle of the row of batches of both
		var wg sync.WaitGroup
		results := make([][]connector.Result, len(replicas))
		for i, r := range replicas {
			wg.Go(func() { results[i] = r.Target.Apply(t.Context(), customers(t, i, n, size)) })
		}
		wg.Wait()
		for _, list := range results {
			require.Len(t, list, size)
			for _, r := range list {
				require.NoError(t, r.Err)
			}
		}
		require.Equal(t, 2+n, box.Counts().Calls["token"], "one refresh, whoever needed it")
	}
	require.Len(t, box.Customers(), batches*size*len(replicas))
}

// customers are documents for new customers.
func customers(t testing.TB, replica, batch, n int) []connector.Document {
	t.Helper()
	docs := make([]connector.Document, n)
	for i := range docs {
		id := strconv.Itoa(1000*replica + 100*batch + i)
		docs[i] = document("Customer", key(events.EntityCompany, id), map[string]any{"DisplayName": "Company " + id})
		require.NoError(t, docs[i].Seal())
		docs[i].IdempotencyKey, docs[i].First = docs[i].Key+docs[i].Hash[:8], time.Now()
	}
	return docs
}

func TestNothingConnectedYet(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{}, func(s *quickbooks.Settings) { s.RefreshToken = secretOf("") })
	f := requireFault(t, b.Target.Check(t.Context()), fault.Unauthorized, "")
	require.Equal(t, "run: spoke connect qbo", f.Hint)
	require.Zero(t, b.box.Counts().TotalCalls())
}

func TestEndOfTheConsentIsTold(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	cases := map[string]struct {
		opts quickbooksbox.Options
		want int
	}{
		"far away":            {quickbooksbox.Options{}, 0},
		"consent ends":        {quickbooksbox.Options{HardLife: 20 * day}, 1},
		"unused for too long": {quickbooksbox.Options{RefreshLife: 10 * day}, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box, settings := startBox(t, c.opts)
			var alerts []events.Alert
			con, err := quickbooks.Open(settings, connector.Deps{
				Connection: "qbo", HTTP: plainHTTP(), Now: time.Now,
				Alert: func(_ context.Context, a events.Alert) { alerts = append(alerts, a) },
			})
			require.NoError(t, err)
			for range 2 { // told once a day
				require.NoError(t, con.Target.Check(t.Context()))
				box.ExpireAccess()
			}
			require.Len(t, alerts, c.want)
			for _, a := range alerts {
				require.Equal(t, "credentials", a.Kind)
				require.Contains(t, a.Hint, "spoke connect qbo")
			}
		})
	}
}
