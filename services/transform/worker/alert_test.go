package worker_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
)

func (r *rig) alerts(kind string) (all []events.Alert) {
	r.t.Helper()
	for m, err := range r.bus.Scan(r.t.Context(), events.StreamAlerts, "alert.>") {
		require.NoError(r.t, err)
		var a events.Alert
		require.NoError(r.t, json.Unmarshal(m.Data, &a))
		if a.Kind == kind {
			all = append(all, a)
		}
	}
	return all
}

// TestATimeOfTheFutureIsSetBack to when the event was received: or it would win
// against every later word. Operators are told once.
func TestATimeOfTheFutureIsSetBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.worker(nil))
	future := change(crm, "company", events.EntityCompany, "a", 1, named("future"))
	future.At = time.Now().Add(1000 * time.Hour)
	r.say("f", future)
	r.say("g", future)
	r.idle()
	at := r.record(companyA).Fields["name"].At
	m, ok, err := r.bus.LastOne(t.Context(), events.StreamEvents, events.EventSubject(tenant, crm, events.EntityCompany, events.OpChanged, "a"))
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, m.Time.Add(time.Minute).UTC(), at, "by the time that is stored with the event")
	require.Len(t, r.alerts("clock"), 1)
	later := change(crm, "company", events.EntityCompany, "a", 1, named("later"))
	later.At = at.Add(time.Nanosecond)
	r.say("h", later)
	r.idle()
	require.Equal(t, "later", r.text(companyA, "name"))
}

// TestContestedIsToldOnce when a system that is told of a value keeps changing
// it back.
func TestContestedIsToldOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.policy = r.policy.Mute(erp, events.EntityCompany)
	r.run(r.worker(nil))
	r.company(companyA, 1)
	r.idle()
	d, _ := r.desired("customer", companyA)
	r.tell("o", customer("55", companyA, 1, d.Hash))
	see := func(name string, minute int) {
		c := change(erp, "customer", events.EntityCompany, "55", minute, named(name))
		c.Snapshot, c.Record = true, companyA
		r.say(fmt.Sprint("s", minute), c)
		r.idle()
	}
	see("company a", 3)
	for minute := 4; minute < 20; minute += 2 {
		see("mine", minute)
		d, _ = r.desired("customer", companyA)
		require.Equal(t, "drift", d.Reason)
		require.Equal(t, map[string]any{"name": "company a"}, d.Fields)
		see("company a", minute+1)
	}
	require.Equal(t, 3, r.record(companyA).Wanted["erp/customer"].Drifts)
	require.Len(t, r.alerts("contested"), 1)
}
