package hub_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

// deleted makes a fact: connection said at minute that the object is gone.
func deleted(id, connection string, minute int) hub.Fact {
	f := said(id, connection, "name", "x", minute, true)
	f.Change.Op, f.Change.Fields = events.OpDeleted, nil
	return f
}

// told makes a fact: what came of document seq at netsuite at minute.
func told(id string, seq uint64, state events.State, minute int) hub.Fact {
	return hub.Fact{ID: id, Outcome: &events.Outcome{
		Connection: "netsuite", Entity: events.EntityCompany, Object: "company", Record: company().Key,
		State: state, Effect: effectOf(state), ID: "9", Sequence: seq, Hash: fmt.Sprint("h", seq),
		At: t0.Add(time.Duration(minute) * time.Minute),
	}}
}

func effectOf(s events.State) events.Effect {
	if s == events.StateDone {
		return events.EffectUpdated
	}
	return ""
}

// TestTheHubsWordOnDeletionCounts does so whatever other systems still hold,
// and every time: the systems of a record stand in a map.
func TestTheHubsWordOnDeletionCounts(t *testing.T) {
	t.Parallel()
	p := policy(t, nil)
	for range 50 {
		r, _ := hub.Merge(company(), []hub.Fact{
			said("1", "netsuite", "name", "x", 1, true), said("2", "quickbooks", "name", "x", 1, true), said("3", "stripe", "name", "x", 1, true),
			deleted("4", "hubspot", 2),
		}, p)
		require.NotNil(t, r.Deleted)
		require.Equal(t, "hubspot", r.Deleted.Source)
	}
}

// TestOutcomeAndDeletion: only a write that reached the object proves that it
// was there.
func TestOutcomeAndDeletion(t *testing.T) {
	t.Parallel()
	p := policy(t, nil)
	for _, tc := range []struct {
		state events.State
		gone  bool
	}{{events.StateDone, false}, {events.StateHeld, true}, {events.StateQuarantined, true}} {
		for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {2, 1, 0}} {
			facts := []hub.Fact{
				said("1", "netsuite", "name", "x", 1, true), deleted("2", "netsuite", 2), told("3", 7, tc.state, 3),
			}
			r := company()
			for _, i := range order {
				r, _ = hub.Merge(r, facts[i:i+1], p)
			}
			require.Equal(t, tc.gone, r.Docs["netsuite/company"].Gone != nil, "%s %v", tc.state, order)
		}
	}
}
