package hubspot

import (
	"net/http"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/connector"
)

// The tiers that decide how many calls HubSpot takes.
const (
	tierFree         = "free"
	tierStarter      = "starter"
	tierProfessional = "professional"
	tierEnterprise   = "enterprise"
	tierOAuth        = "oauth"
)

// allowance is how many calls any ten seconds, and a day, may have. HubSpot's
// usage guidelines; a day without a figure has no limit.
type allowance struct{ tenSeconds, day int }

var tiers = map[string]allowance{
	tierFree:         {100, 250_000},
	tierStarter:      {100, 250_000},
	tierProfessional: {190, 625_000},
	tierEnterprise:   {190, 1_000_000},
	tierOAuth:        {110, 0}, // for each account that installed the app
}

// An API limit increase raises any ten seconds to 250 calls, and adds a
// million calls a day each. It is sold twice at most, and not for OAuth apps.
const (
	maxIncreases      = 2
	increasedTen      = 250
	increasedDay      = 1_000_000
	concurrent        = 10
	windowSeconds     = 10
	searchesPerSecond = 4 // and one at once: any second has the 5 that HubSpot takes
	associationsTen   = 100
)

// limits are the ceilings of a portal. The sustained rate and the burst
// together stay within what any ten seconds may have.
func limits(s *Settings) connector.Limits {
	a, known := tiers[s.Tier]
	if !known {
		a = tiers[tierProfessional]
	}
	if s.LimitIncreases > 0 && s.Tier != tierOAuth {
		a.tenSeconds, a.day = increasedTen, a.day+increasedDay*min(s.LimitIncreases, maxIncreases)
	}
	rate, burst := spread(a.tenSeconds)
	ends, endsBurst := spread(associationsTen)
	l := connector.Limits{
		PerSecond: rate, Burst: burst, Concurrent: concurrent, PerDay: a.day, Zone: s.zone(),
		Pools: []connector.Pool{
			{Name: "search", Match: isSearch, PerSecond: searchesPerSecond, Burst: 1, Concurrent: 2},
			{Name: "associations", Match: isAssociation, PerSecond: ends, Burst: endsBurst, Shared: true},
		},
	}
	if s.Journal != nil {
		// The journal is exempt from the daily and the ten-second limits.
		l.Pools = append(l.Pools, connector.Pool{Name: "journal", Match: isJournal, PerSecond: 10, Burst: 10, Concurrent: 2})
	}
	return l
}

// spread makes a rate and a burst of a limit for ten seconds.
func spread(limit int) (perSecond float64, burst int) {
	burst = limit / windowSeconds
	return float64(limit-burst) / windowSeconds, burst
}

func isSearch(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/crm/objects/") && strings.HasSuffix(r.URL.Path, "/search")
}

func isAssociation(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/crm/associations/") }

func isJournal(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/webhooks-journal/") }
