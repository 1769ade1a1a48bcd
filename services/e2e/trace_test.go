package e2e_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// story requires that a won deal is one trace through every service: from the
// webhook to the numbers that were written back.
func (j *jaeger) story(t *testing.T, deal string) {
	tool(t, jaegerName)
	record := "deal/" + deal
	steps := []struct{ service, object string }{
		{"netsuite-sink", "salesOrder"}, {"quickbooks-sink", "Invoice"}, {"stripe-sink", "invoice"}, {"hubspot-sink", "deal"},
	}
	var found trace
	await(t, "one trace of "+record+" through all services", func() bool {
		for _, tr := range j.traces("ingest") {
			whole := true
			for _, s := range steps {
				whole = whole && len(tr.written(s.service, record, s.object)) > 0
			}
			if whole {
				found = tr
				return true
			}
		}
		return false
	})
	roots := found.roots()
	require.Len(t, roots, 1, "every span but the webhook's has a parent in the trace")
	root := found.path(roots[0])[0]
	require.Equal(t, "ingest: POST /webhooks/{connection}", root)
	require.Equal(t, "hubspot", roots[0].tag("spoke.connection"))

	for _, s := range steps {
		for _, path := range found.written(s.service, record, s.object) {
			require.Equal(t, root, path[0], "%v", path)
			require.Contains(t, path, "transform: process events", "%v", path)
		}
	}
	// The write to HubSpot follows from the outcome of another sink.
	back := found.written("hubspot-sink", record, "deal")[0]
	require.Len(t, back, 6, "%v", back)
	t.Log(back)
}
