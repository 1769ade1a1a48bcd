package worker_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/audit"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/mapping"
	"github.com/spoke-sync/spoke/services/internal/quarantine"
)

// ask publishes a request to route a record again.
func (r *rig) ask(route events.Route) {
	r.t.Helper()
	m, err := bus.EncodeRoute(r.t.Context(), tenant, route)
	require.NoError(r.t, err)
	_, err = r.bus.Publish(r.t.Context(), m)
	require.NoError(r.t, err)
	r.idle()
}

func (r *rig) desk() *quarantine.Store {
	return quarantine.New(r.bus, audit.New(r.bus, tenant, "ann@desk"))
}

func (r *rig) apart() []quarantine.Entry {
	r.t.Helper()
	var all []quarantine.Entry
	for e, err := range r.desk().Each(r.t.Context(), quarantine.Filter{}) {
		require.NoError(r.t, err)
		all = append(all, e)
	}
	return all
}

// TestRoutingAgain: what is asked for anew is published although nothing
// changed; without a connection, only what really differs is.
func TestRoutingAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.worker(nil))
	r.say("e1", change(crm, "company", events.EntityCompany, "9", 1, named("a")))
	r.idle()
	k := theCompany("9")
	first, _, err := r.bus.LastOne(t.Context(), events.StreamHub, events.DesiredSubject(tenant, erp, "customer", k))
	require.NoError(t, err)

	r.ask(events.Route{Record: k, Reason: "retry"})
	r.ask(events.Route{Record: k, Connection: bank, Reason: "resync"})
	r.ask(events.Route{Record: theCompany("none"), Connection: erp, Reason: "resync"})
	require.EqualValues(t, 1, r.record(k).Version, "nothing differs")
	require.Zero(t, r.record(theCompany("none")).Version, "there is no such record")

	r.ask(events.Route{Record: k, Connection: erp, Reason: "resync"})
	again, _, err := r.bus.LastOne(t.Context(), events.StreamHub, events.DesiredSubject(tenant, erp, "customer", k))
	require.NoError(t, err)
	require.Greater(t, again.Seq, first.Seq)
	d, _ := r.desired("customer", k)
	require.Equal(t, "resync", d.Reason)
	require.Equal(t, map[string]any{"name": "a"}, d.Fields)
	require.EqualValues(t, 2, r.record(k).Version)
	require.Empty(t, r.apart())
}

// TestAMendedFlowIsTriedAgain retries what a flow could not make, first with
// the flow as bad as before and then with a better one.
func TestAMendedFlowIsTriedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stop := r.run(r.worker(nil))
	r.say("e1", withTax("1", 1, "nineteen"))
	r.idle()
	retry := func() {
		t.Helper()
		all := r.apart()
		require.Len(t, all, 1)
		out, err := r.desk().Retry(t.Context(), all[0])
		require.NoError(t, err)
		require.Equal(t, quarantine.Retried, out)
		r.idle()
	}
	retry()
	require.Len(t, r.apart(), 1, "it fails again")
	stop()
	var targets []mapping.Target
	for name, k := range kinds() {
		targets = append(targets, mapping.Target{Name: name, Kind: k})
	}
	var err error
	r.set, err = mapping.Compile(files(strings.Replace(flows, "  tax: company.custom.tax\n", "", 1)), targets)
	require.NoError(t, err)
	r.run(r.worker(nil))
	retry()
	require.Empty(t, r.apart())
	d, ok := r.desired("customer", theCompany("1"))
	require.True(t, ok)
	require.Equal(t, map[string]any{"name": "n1"}, d.Fields)
}

// TestAnEventIsEditedAndTriedAgain: a poison event merges once what is wrong
// with it is put right, and only then.
func TestAnEventIsEditedAndTriedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(r.worker(nil))
	r.sayTogether(outOfTime("1"))
	r.idle()
	all := r.apart()
	require.Len(t, all, 1)
	_, err := r.desk().Retry(t.Context(), all[0])
	require.NoError(t, err)
	r.idle()
	all = r.apart()
	require.Len(t, all, 1, "as it is, it fails again")

	good := change(crm, "company", events.EntityCompany, "1", 5, named("mended"))
	bad := good
	bad.Fields = events.Fields{"name": json.RawMessage(`7`)}
	for content, want := range map[*events.Change]string{&bad: "name"} {
		b, err := content.MarshalJSON()
		require.NoError(t, err)
		_, err = r.desk().Edit(t.Context(), all[0], b)
		require.ErrorContains(t, err, want)
	}
	b, err := good.MarshalJSON()
	require.NoError(t, err)
	out, err := r.desk().Edit(t.Context(), all[0], b)
	require.NoError(t, err)
	require.Equal(t, quarantine.Retried, out)
	r.idle()
	require.Equal(t, "mended", r.text(theCompany("1"), "name"))
	require.Empty(t, r.apart())
}
