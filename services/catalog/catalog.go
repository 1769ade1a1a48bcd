// Package catalog is the one explicit list of what Spoke is made of: its
// services and its connectors. A new connector is one line here.
package catalog

import (
	"slices"

	"github.com/spoke-sync/spoke/services/connectors/hubspot"
	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/connectors/stripe"
	"github.com/spoke-sync/spoke/services/internal/app"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

//go:generate go run ./readme

// Version of Spoke.
const Version = "0.1.0"

// Kinds returns every connector.
func Kinds() []connector.Kind {
	return []connector.Kind{
		hubspot.Kind(),
		netsuite.Kind(),
		quickbooks.Kind(),
		stripe.Kind(),
	}
}

// Services returns every service: a sink for each connector, and the rest.
func Services() []app.Service {
	all := []app.Service{app.Ingest(), app.Transform()}
	for _, k := range Kinds() {
		all = append(all, app.Sink(k))
	}
	return append(all, app.Warehouse())
}

// Service returns a service by name.
func Service(name string) (app.Service, bool) {
	all := Services()
	i := slices.IndexFunc(all, func(s app.Service) bool { return s.Name == name })
	if i < 0 {
		return app.Service{}, false
	}
	return all[i], true
}

// Main runs one service as a process of its own and returns the exit status.
func Main(name string) int {
	s, ok := Service(name)
	if !ok {
		return 2
	}
	return app.Main(Version, s, Kinds())
}
