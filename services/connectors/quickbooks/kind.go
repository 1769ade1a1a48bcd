package quickbooks

import (
	"embed"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/oauth"
)

//go:embed flows/*.yaml
var flowFiles embed.FS

// kindOf is the kind as the settings make it: with the flows that they ask for.
func kindOf(s *Settings) connector.Kind {
	return connector.Kind{
		Name: Name, Title: "QuickBooks Online",
		Objects:  objects(),
		Feeds:    feeds(),
		Limits:   limits(),
		Settings: func() any { return DefaultSettings() },
		Open: func(settings any, deps connector.Deps) (connector.Connector, error) {
			s, ok := settings.(*Settings)
			if !ok {
				return connector.Connector{}, fmt.Errorf("quickbooks: settings are %T, want *quickbooks.Settings", settings)
			}
			return Open(s, deps)
		},
		Consent: openConsent,
		Flows:   s.flows(),
	}
}

// limits are Intuit's: 500 calls a minute, 10 a second and 10 at a time for a
// company, and of those 40 batches a minute.
func limits() connector.Limits {
	return connector.Limits{
		PerSecond: perSecond, Burst: burst, Concurrent: concurrent,
		Pools: []connector.Pool{{
			Name: "batch", Shared: true, PerSecond: batchesPerSecond, Burst: burst,
			Match: func(r *http.Request) bool {
				return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/batch")
			},
		}},
	}
}

// Open makes a connection. Without a store in deps its refresh token is kept
// in memory, from where it is lost when the process ends.
func Open(s *Settings, deps connector.Deps) (connector.Connector, error) {
	if err := s.Validate(); err != nil {
		return connector.Connector{}, err
	}
	deps = withDefaults(deps)
	c := newClient(s, deps, newTokens(s, deps))
	t := newTarget(s, deps, c)
	r := &reader{t}
	con := connector.Connector{Reader: r, Scanner: &scanner{r}, Target: t}
	if len(s.VerifierTokens) > 0 {
		con.Webhooks = &webhooks{settings: s, connection: deps.Connection, now: deps.Now, count: deps.Count}
	}
	return con, nil
}

func withDefaults(deps connector.Deps) connector.Deps {
	if deps.Tokens == nil {
		deps.Tokens = oauth.NewMemoryStore()
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Count == nil {
		deps.Count = func(string, int) {}
	}
	return deps
}
