package netsuite_test

import (
	"testing"

	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/internal/connectortest"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
)

func TestConformanceWithOAuth2(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, suite(nil))
}

func TestConformanceWithTBA(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, suite(func(_ *netsuitebox.Options, s *netsuite.Settings) { s.TBA = tba() }))
}
