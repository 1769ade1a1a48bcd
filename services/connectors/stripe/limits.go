package stripe

import (
	"net/http"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/connector"
)

// Stripe's limits, per account. Source: docs.stripe.com/rate-limits.
const (
	// LivePerSecond and SandboxPerSecond are the calls a second over all
	// endpoints.
	LivePerSecond    = 100
	SandboxPerSecond = 25
	// EndpointPerSecond is the calls a second of one operation, such as
	// "retrieve a customer", whatever the id.
	EndpointPerSecond = 25
	// Concurrent bounds calls in flight; Stripe limits concurrency without
	// naming a number.
	Concurrent = 8
)

func limits(live bool) connector.Limits {
	if !live {
		return connector.Limits{PerSecond: SandboxPerSecond, Burst: SandboxPerSecond, Concurrent: Concurrent}
	}
	l := connector.Limits{PerSecond: LivePerSecond, Burst: LivePerSecond, Concurrent: Concurrent}
	for _, path := range []string{
		customersPath, productsPath, pricesPath, invoicesPath, itemsPath, invoicePaymentsPath, intentsPath, chargesPath, subscriptionsPath,
		quotesPath, linksPath, refundsPath, disputesPath, creditNotesPath, recordsPath, sessionsPath, eventsPath,
	} {
		name := strings.ReplaceAll(strings.TrimPrefix(path, "/v1/"), "/", ".")
		for _, one := range []bool{false, true} {
			verbs := map[string]string{http.MethodGet: "list", http.MethodPost: "create"}
			if one {
				verbs = map[string]string{http.MethodGet: "retrieve", http.MethodPost: "update", http.MethodDelete: "delete"}
			}
			for method, verb := range verbs {
				l.Pools = append(l.Pools, connector.Pool{
					Name: name + "." + verb, Match: operation(method, path, one), Shared: true,
					PerSecond: EndpointPerSecond, Burst: EndpointPerSecond,
				})
			}
		}
	}
	return l
}

// operation matches the calls of one operation. A step of an object's life, such
// as /finalize, is counted with its updates, which keeps below the limit.
func operation(method, path string, one bool) func(*http.Request) bool {
	return func(r *http.Request) bool {
		rest, ok := strings.CutPrefix(r.URL.Path, path)
		return ok && r.Method == method && (one && strings.HasPrefix(rest, "/") || !one && rest == "")
	}
}
