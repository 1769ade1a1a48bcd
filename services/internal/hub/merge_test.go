package hub_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/hub"
)

var t0 = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func policy(t testing.TB, rules hub.Rules) hub.Policy {
	t.Helper()
	p, err := hub.NewPolicy(rules, "hubspot", systems)
	require.NoError(t, err)
	return p
}

func company() events.Record {
	return events.Record{Tenant: "t", Key: events.Key{Entity: events.EntityCompany, ID: "9"}}
}

// said makes a fact: connection said field=value at minute.
func said(id, connection, field, value string, minute int, snapshot bool) hub.Fact {
	c := &events.Change{
		Connection: connection, Entity: events.EntityCompany, Object: "company", ID: "9",
		Op: events.OpChanged, At: t0.Add(time.Duration(minute) * time.Minute), Snapshot: snapshot, Fields: events.Fields{},
	}
	c.Fields.Set(field, value)
	return hub.Fact{ID: id, Change: c}
}

func value(r events.Record, field string) string {
	var s string
	_ = json.Unmarshal(r.Fields[field].Value, &s)
	return s
}

func TestMergeNewestAndOwner(t *testing.T) {
	t.Parallel()
	owned := policy(t, hub.Rules{events.EntityCompany: {"name": "owner: netsuite"}})
	newest := policy(t, nil)
	facts := []hub.Fact{
		said("1", "netsuite", "name", "ERP name", 1, false),
		said("2", "hubspot", "name", "CRM name", 2, false),
	}
	r, changed := hub.Merge(company(), facts, newest)
	require.True(t, changed)
	require.Equal(t, "CRM name", value(r, "name"))
	r, _ = hub.Merge(company(), facts, owned)
	require.Equal(t, "ERP name", value(r, "name"), "the owner's word wins, however old")
}

func TestSnapshotDoesNotRenewWhatItDoesNotChange(t *testing.T) {
	t.Parallel()
	p := policy(t, nil)
	r, _ := hub.Merge(company(), []hub.Fact{said("1", "hubspot", "phone", "111", 1, true)}, p)
	// Our own write touches the HubSpot object at minute 6: same phone.
	r, _ = hub.Merge(r, []hub.Fact{said("2", "hubspot", "phone", "111", 6, true)}, p)
	// NetSuite changed the phone at minute 5; its event comes late.
	r, _ = hub.Merge(r, []hub.Fact{said("3", "netsuite", "phone", "222", 5, true)}, p)
	require.Equal(t, "222", value(r, "phone"))
	// A snapshot that is older than what was seen changes nothing.
	r, _ = hub.Merge(r, []hub.Fact{said("4", "hubspot", "phone", "000", 3, true)}, p)
	require.Equal(t, "222", value(r, "phone"))
}

func TestFirstSightOfOurOwnObjectIsNoChange(t *testing.T) {
	t.Parallel()
	p := policy(t, nil)
	r, _ := hub.Merge(company(), []hub.Fact{said("1", "hubspot", "country", "United States", 1, true)}, p)
	// Stripe shows the customer that we made, in its own way of writing.
	echo := said("2", "stripe", "country", "US", 2, true)
	echo.Change.Record = company().Key
	r, _ = hub.Merge(r, []hub.Fact{echo}, p)
	require.Equal(t, "United States", value(r, "country"))
	// What changes there afterwards counts.
	moved := said("3", "stripe", "country", "CA", 3, true)
	moved.Change.Record = company().Key
	r, _ = hub.Merge(r, []hub.Fact{moved}, p)
	require.Equal(t, "CA", value(r, "country"))
}

// TestReadWithinOneSecond: systems tell times in whole seconds. Of two
// observations within one second the later one stands, in whichever order they
// come, although both objects say that they were changed at the same time.
func TestReadWithinOneSecond(t *testing.T) {
	t.Parallel()
	p := policy(t, nil)
	answered := hub.Fact{ID: "z-outcome", Outcome: &events.Outcome{
		Connection: "netsuite", Entity: events.EntityCompany, Object: "company", ID: "9", Record: company().Key,
		State: events.StateDone, Sequence: 3, Hash: "h", At: t0.Add(900 * time.Millisecond), Read: t0.Add(200 * time.Millisecond),
		Seen: events.Fields{"phone": json.RawMessage(`"111"`)},
	}}
	read := said("a-read", "netsuite", "phone", "222", 0, true)
	read.Change.Record, read.Change.Read = company().Key, t0.Add(500*time.Millisecond)
	before := said("b-read", "netsuite", "phone", "000", 0, true)
	before.Change.Record, before.Change.Read = company().Key, t0.Add(100*time.Millisecond)
	for _, facts := range [][]hub.Fact{{answered, read, before}, {read, answered, before}, {before, read, answered}} {
		r := company()
		for i := range facts {
			r, _ = hub.Merge(r, facts[i:i+1], p)
		}
		require.JSONEq(t, `"222"`, string(r.Docs["netsuite/company"].Seen["phone"].Value))
	}
}

// TestReadingOneEventAgainChangesNothing: a delivery that is repeated is read
// anew, and what it brings is known already.
func TestReadingOneEventAgainChangesNothing(t *testing.T) {
	t.Parallel()
	p := policy(t, nil)
	f := said("1", "hubspot", "phone", "111", 1, true)
	f.Change.Read = f.Change.At.Add(time.Second)
	once, _ := hub.Merge(company(), []hub.Fact{f}, p)
	again := f
	c := *f.Change
	c.Read = c.Read.Add(time.Hour)
	again.Change = &c
	twice, changed := hub.Merge(once, []hub.Fact{again}, p)
	require.False(t, changed)
	require.Equal(t, once, twice)
}

func TestAnAbsentValueClearsNobodyElses(t *testing.T) {
	t.Parallel()
	p := policy(t, nil)
	r, _ := hub.Merge(company(), []hub.Fact{said("1", "hubspot", "phone", "111", 1, true)}, p)
	r, _ = hub.Merge(r, []hub.Fact{said("2", "netsuite", "phone", "", 2, true)}, p)
	require.Equal(t, "111", value(r, "phone"))
	// Having had a value and losing it is a word.
	r, _ = hub.Merge(r, []hub.Fact{said("3", "hubspot", "phone", "", 3, true)}, p)
	require.Empty(t, value(r, "phone"))
}

func TestDeletion(t *testing.T) {
	t.Parallel()
	p := policy(t, nil)
	del := func(id, conn string, minute int) hub.Fact {
		f := said(id, conn, "name", "x", minute, true)
		f.Change.Op, f.Change.Fields = events.OpDeleted, nil
		return f
	}
	alive := said("1", "hubspot", "name", "x", 1, true)
	r, _ := hub.Merge(company(), []hub.Fact{alive, del("2", "netsuite", 2)}, p)
	require.Nil(t, r.Deleted, "a spoke's deletion does not delete what the hub has")
	r, _ = hub.Merge(r, []hub.Fact{del("3", "hubspot", 3)}, p)
	require.NotNil(t, r.Deleted)
	back, _ := hub.Merge(r, []hub.Fact{said("4", "hubspot", "name", "x", 4, true)}, p)
	require.Nil(t, back.Deleted)
	late, _ := hub.Merge(back, []hub.Fact{del("3", "hubspot", 3)}, p)
	require.Nil(t, late.Deleted, "a deletion that is older than a later sighting")
}

func TestOutcomeOfAnOlderDocumentDoesNotOutrank(t *testing.T) {
	t.Parallel()
	p := policy(t, nil)
	done := func(id string, seq uint64, state events.State, number string, minute int) hub.Fact {
		return hub.Fact{ID: id, Outcome: &events.Outcome{
			Connection: "netsuite", Entity: events.EntityOrder, Object: "salesOrder", Record: company().Key,
			State: state, Sequence: seq, Hash: fmt.Sprint("h", seq), Number: number, At: t0.Add(time.Duration(minute) * time.Minute),
		}}
	}
	facts := []hub.Fact{
		done("1", 10, events.StateHeld, "", 1), done("2", 10, events.StateDone, "SO1", 2), done("3", 12, events.StateQuarantined, "", 3),
	}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		r := company()
		for _, i := range order {
			r, _ = hub.Merge(r, facts[i:i+1], p)
		}
		doc := r.Docs["netsuite/salesOrder"]
		require.Equal(t, events.StateQuarantined, doc.State)
		require.Equal(t, "h10", doc.Told)
		require.Equal(t, "SO1", doc.Number)
	}
}

func TestMergeLeavesItsInputAlone(t *testing.T) {
	t.Parallel()
	p := policy(t, nil)
	r, _ := hub.Merge(company(), []hub.Fact{said("1", "hubspot", "name", "a", 1, true)}, p)
	before, err := json.Marshal(r)
	require.NoError(t, err)
	_, changed := hub.Merge(r, []hub.Fact{said("2", "hubspot", "name", "b", 2, true)}, p)
	require.True(t, changed)
	after, err := json.Marshal(r)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
}

func TestPolicyProblems(t *testing.T) {
	t.Parallel()
	_, err := hub.NewPolicy(hub.Rules{
		"companny":                 {"name": "newest"},
		events.EntityCompany:       {"nam": "newest", "phone": "owner: sap", "city": "mine"},
		events.EntityContact:       {"custom.tier": "owner: hubspot"},
		events.EntityPayment:       {"default": "newest"},
		events.EntityCompany + "x": {},
	}, "hubspot", []string{"hubspot"})
	require.EqualError(t, err, `policy.companny: no such entity
policy.company.city: "mine": want newest, first, union or owner: <connection>
policy.company.nam: company has no such field (a custom one is written custom.<name>)
policy.company.phone: no connection or upstream is named "sap"
policy.companyx: no such entity`)
}
