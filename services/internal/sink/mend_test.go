package sink_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/audit"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/quarantine"
)

func (r *rig) quarantine() *quarantine.Store {
	return quarantine.New(r.bus, audit.New(r.bus, tenant, "ann@desk"))
}

// apart returns what is set apart.
func (r *rig) apart(f quarantine.Filter) []quarantine.Entry {
	r.t.Helper()
	var all []quarantine.Entry
	for e, err := range r.quarantine().Each(r.t.Context(), f) {
		require.NoError(r.t, err)
		all = append(all, e)
	}
	return all
}

// noted returns the verbs in the audit log.
func (r *rig) noted() []string {
	r.t.Helper()
	var verbs []string
	msgs, err := r.bus.Read(r.t.Context(), events.StreamAudit, "audit.>", 1, 100, 1<<20)
	require.NoError(r.t, err)
	for _, m := range msgs {
		var e struct {
			Data events.Action `json:"data"`
		}
		require.NoError(r.t, json.Unmarshal(m.Data, &e))
		require.Equal(r.t, "ann@desk", e.Data.Actor)
		verbs = append(verbs, e.Data.Verb)
	}
	return verbs
}

func closedPeriod(d connector.Document) (bool, error) {
	return false, fault.New(fault.Rejected, "erp: create", "the period is closed for %s", d.Record).WithField("tranDate").WithHint("open the period")
}

// TestRetryAfterTheCauseIsMended: what was refused is applied once by a retry,
// however often it is asked for.
func TestRetryAfterTheCauseIsMended(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const n = 5
	v := newVendor()
	for range n {
		v.script = append(v.script, closedPeriod)
	}
	r.run(v)
	for i := range n {
		r.want("customer", company(fmt.Sprint(i)), map[string]any{"name": "A"})
	}
	for i := range n {
		require.Equal(t, "tranDate", r.outcome(company(fmt.Sprint(i)), events.StateQuarantined).Error.Field)
	}
	r.idle()
	all := r.apart(quarantine.Filter{})
	require.Len(t, all, n)
	require.Len(t, r.apart(quarantine.Filter{Record: company("3")}), 1)
	for _, e := range all {
		out, err := r.quarantine().Retry(t.Context(), e)
		require.NoError(t, err)
		require.Equal(t, quarantine.Retried, out)
		// A second hand on the same entry finds the document moved on.
		out, err = r.quarantine().Retry(t.Context(), e)
		require.NoError(t, err)
		require.Equal(t, quarantine.Superseded, out)
	}
	for i := range n {
		r.outcome(company(fmt.Sprint(i)), events.StateDone)
	}
	r.idle()
	require.Empty(t, r.apart(quarantine.Filter{}))
	require.Len(t, v.created, n)
	for key, times := range v.created {
		require.Equal(t, 1, times, key)
	}
	require.Len(t, r.noted(), 2*n)
}

// TestARetryThatFailsAgainIsSetApartAgain: nothing gets lost by trying.
func TestARetryThatFailsAgainIsSetApartAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(newVendor(closedPeriod, func(connector.Document) (bool, error) {
		return false, fault.New(fault.Malformed, "erp: create", "still not")
	}))
	r.want("customer", company("7"), map[string]any{"name": "A"})
	r.outcome(company("7"), events.StateQuarantined)
	r.idle()
	first := r.apart(quarantine.Filter{Kind: "rejected"})
	require.Len(t, first, 1)
	_, err := r.quarantine().Retry(t.Context(), first[0])
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(r.apart(quarantine.Filter{Kind: "malformed"})) == 1 }, wait, tick)
	r.idle()
	require.Len(t, r.apart(quarantine.Filter{}), 1, "the first refusal is no longer true")
	_, err = r.quarantine().Get(t.Context(), first[0].ID)
	require.ErrorIs(t, err, quarantine.ErrGone)
}

// TestANewerVersionLiftsTheQuarantine: a change at the source that the vendor
// takes leaves nothing for people to do.
func TestANewerVersionLiftsTheQuarantine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run(newVendor(closedPeriod))
	r.want("customer", company("7"), map[string]any{"name": "A"})
	r.outcome(company("7"), events.StateQuarantined)
	r.want("customer", company("7"), map[string]any{"name": "B"})
	r.outcome(company("7"), events.StateDone)
	r.idle()
	require.Empty(t, r.apart(quarantine.Filter{}))
}

func TestEditAndDrop(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := newVendor(closedPeriod, closedPeriod)
	r.run(v)
	for _, id := range []string{"1", "2"} {
		r.want("customer", company(id), map[string]any{"name": "A"})
		r.outcome(company(id), events.StateQuarantined)
	}
	r.idle()
	one := r.apart(quarantine.Filter{Record: company("1")})[0]
	for content, want := range map[string]string{
		`{"tenant":"t"}`: "missing properties",
		string(replace(t, one.Original, "record", "company/9")): "record: is \"company/9\" and must stay \"company/1\"",
		string(replace(t, one.Original, "fields", "x")):         "fields",
		`nonsense`: "no JSON",
	} {
		_, err := r.quarantine().Edit(t.Context(), one, json.RawMessage(content))
		require.ErrorContains(t, err, want)
	}
	require.Empty(t, r.noted(), "what is refused changes nothing")
	out, err := r.quarantine().Edit(t.Context(), one, replace(t, one.Original, "fields", map[string]any{"name": "Edited"}))
	require.NoError(t, err)
	require.Equal(t, quarantine.Retried, out)
	r.outcome(company("1"), events.StateDone)
	require.NoError(t, r.quarantine().Drop(t.Context(), r.apart(quarantine.Filter{Record: company("2")})[0]))
	r.idle()
	require.Empty(t, r.apart(quarantine.Filter{}))
	v.mu.Lock()
	defer v.mu.Unlock()
	require.Equal(t, map[string]string{events.ExternalKey(company("1")): "Edited"}, v.objects)
	require.Equal(t, []string{"quarantine.edit", "quarantine.drop"}, r.noted())
}

// replace sets one member of a JSON object.
func replace(t *testing.T, object json.RawMessage, name string, value any) json.RawMessage {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal(object, &m))
	m[name] = value
	b, err := json.Marshal(m)
	require.NoError(t, err)
	return b
}

func TestFilter(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	e := quarantine.Entry{ID: 7, Quarantined: events.Quarantined{
		Connection: "erp", Entity: events.EntityCompany, Record: company("7"), At: at,
		Problem: events.Problem{Kind: "rejected", Message: "The period is closed", Field: "tranDate"},
	}}
	for name, c := range map[string]struct {
		filter quarantine.Filter
		want   bool
	}{
		"everything":       {quarantine.Filter{}, true},
		"id":               {quarantine.Filter{IDs: []uint64{3, 7}}, true},
		"other id":         {quarantine.Filter{IDs: []uint64{3}}, false},
		"connection":       {quarantine.Filter{Connection: "erp"}, true},
		"other connection": {quarantine.Filter{Connection: "crm"}, false},
		"kind in capitals": {quarantine.Filter{Kind: "Rejected"}, true},
		"other kind":       {quarantine.Filter{Kind: "malformed"}, false},
		"entity":           {quarantine.Filter{Entity: events.EntityCompany}, true},
		"other entity":     {quarantine.Filter{Entity: events.EntityDeal}, false},
		"record":           {quarantine.Filter{Record: company("7")}, true},
		"other record":     {quarantine.Filter{Record: company("8")}, false},
		"since then":       {quarantine.Filter{Since: at}, true},
		"since later":      {quarantine.Filter{Since: at.Add(1)}, false},
		"until later":      {quarantine.Filter{Until: at.Add(1)}, true},
		"until then":       {quarantine.Filter{Until: at}, false},
		"text":             {quarantine.Filter{Text: "PERIOD"}, true},
		"text of a field":  {quarantine.Filter{Text: "trandate"}, true},
		"other text":       {quarantine.Filter{Text: "currency"}, false},
		"all of them":      {quarantine.Filter{Connection: "erp", Kind: "rejected", Text: "closed", Entity: events.EntityDeal}, false},
	} {
		require.Equal(t, c.want, c.filter.Match(e), name)
		require.Equal(t, name == "everything", c.filter.Empty(), name)
	}
}
