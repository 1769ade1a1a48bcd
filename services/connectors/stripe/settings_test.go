package stripe_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/stripe"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for _, c := range []struct {
		name   string
		change func(*stripe.Settings)
		want   []string // empty when they are good
	}{
		{name: "good", change: func(*stripe.Settings) {}},
		{name: "restricted key", change: func(s *stripe.Settings) { s.Key = secret.New("rk_live_x"); s.Livemode = &yes }},
		{name: "everything wrong", change: func(s *stripe.Settings) {
			*s = stripe.Settings{URL: "api.stripe.com", Account: "12", DaysUntilDue: -1}
		}, want: []string{"url:", "key: is missing", "webhook_secrets: at least one", "account:", "days_until_due:"}},
		{name: "publishable key", change: func(s *stripe.Settings) { s.Key = secret.New("pk_test_x") }, want: []string{"key:"}},
		{name: "organization key", change: func(s *stripe.Settings) { s.Key = secret.New("sk_org_live_x") }, want: []string{"organization"}},
		{name: "organization key for an account", change: func(s *stripe.Settings) {
			s.Key, s.Shared, s.Account = secret.New("sk_org_live_x"), true, "acct_1"
		}},
		{name: "shared without account", change: func(s *stripe.Settings) { s.Shared = true }, want: []string{"account: is missing"}},
		{name: "version", change: func(s *stripe.Settings) { s.Version = "newest" }, want: []string{"version: want one of Stripe's"}},
		{name: "sandbox key in live mode", change: func(s *stripe.Settings) { s.Livemode = &yes }, want: []string{"livemode is true"}},
		{name: "live key in a sandbox", change: func(s *stripe.Settings) {
			s.Key, s.Livemode = secret.New("sk_live_x"), &no
		}, want: []string{"livemode is false"}},
		{name: "empty secret", change: func(s *stripe.Settings) {
			s.WebhookSecrets = []secret.Value{secret.New("whsec_a"), secret.New(" ")}
		}, want: []string{"webhook_secrets[1]: is empty"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := stripe.Kind().Settings().(*stripe.Settings)
			s.Key, s.WebhookSecrets = secret.New("sk_test_x"), []secret.Value{secret.New("whsec_x")}
			c.change(s)
			_, err := stripe.Kind().Open(s, connector.Deps{
				Connection: "pay", Log: slog.New(slog.DiscardHandler), HTTP: http.DefaultClient, Now: time.Now,
			})
			if len(c.want) == 0 {
				require.NoError(t, err)
				return
			}
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestCheckComparesTheAccount(t *testing.T) {
	t.Parallel()
	b := start(t)
	require.NoError(t, b.Target.Check(t.Context()))
	for account, ok := range map[string]bool{"acct_1SpokeSandbox": true, "acct_other": false} {
		s := *b.settings
		s.Account = account
		c, err := stripe.Kind().Open(&s, connector.Deps{
			Connection: "stripe", Log: slog.New(slog.DiscardHandler), HTTP: &http.Client{Transport: b.wire}, Now: time.Now,
		})
		require.NoError(t, err)
		err = c.Target.Check(t.Context())
		require.Equal(t, ok, err == nil, "%v", err)
		require.Equal(t, !ok, fault.Is(err, fault.Unauthorized))
	}
}
