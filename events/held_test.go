package events_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
)

// TestHeldIsReadAsItWasWritten: a note that can't be read keeps its document
// for ever.
func TestHeldIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	want := events.Held{
		Needs:  events.Ref{Object: "customer", Record: events.Key{Entity: events.EntityCompany, ID: "9/ü"}},
		Object: "order", Record: events.Key{Entity: events.EntityDeal, ID: "77"},
		Subject: "desired.t.erp.order.deal.77", Sequence: 7, Since: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), Told: true,
	}
	b, err := json.Marshal(want)
	require.NoError(t, err)
	var got events.Held
	require.NoError(t, json.Unmarshal(b, &got))
	require.Empty(t, cmp.Diff(want, got))
	for _, bad := range []string{`{}`, `{"object":"customer"}`, `{"$ref":{},"more":{}}`, `7`, `{"$ref":{"record":"bird/1"}}`} {
		require.Error(t, json.Unmarshal([]byte(bad), &events.Ref{}), bad)
	}
}
