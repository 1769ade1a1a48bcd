package jet_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/warehouse/feed"
	"github.com/spoke-sync/spoke/services/warehouse/jet"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// apart returns what stands in QUARANTINE, by subject.
func (r *rig) apart() map[string]events.Quarantined {
	r.t.Helper()
	out := map[string]events.Quarantined{}
	for m, err := range r.bus.Scan(r.t.Context(), events.StreamQuarantine, "quarantine.>") {
		require.NoError(r.t, err)
		var q events.Quarantined
		require.NoError(r.t, json.Unmarshal(m.Data, &q))
		out[m.Subject] = q
	}
	return out
}

func TestWhatMakesNoRowIsSetApart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	broken := events.RecordSubject(tenant, deal(5))
	_, err := r.bus.Publish(t.Context(), bus.Message{Subject: broken, Data: []byte(`{"secret`)})
	require.NoError(t, err)
	r.put(record(t, deal(6), 1, false))
	r.start(r.parts())
	r.settle()
	r.deals([]string{"6"})

	apart := r.apart()
	subject := events.QuarantineSubject("warehouse-sink", "unknown", "malformed", events.EntityDeal, broken)
	require.Contains(t, apart, subject)
	q := apart[subject]
	require.NotContains(t, q.Problem.Message, "secret")
	want := events.Quarantined{
		Service: "warehouse-sink", Entity: events.EntityDeal, Record: deal(5), Attempts: 1,
		Stream: "HUB", Subject: broken, Sequence: 1, Original: json.RawMessage(`"{\"secret"`),
	}
	require.Empty(t, cmp.Diff(want, q, cmpopts.IgnoreFields(events.Quarantined{}, "At", "Problem")))
}

// deals expects these ids in deal_log.
func (r *rig) deals(want []string) {
	r.t.Helper()
	got := []string{}
	for _, row := range r.table("deal_log") {
		got = append(got, row["_id"])
	}
	require.ElementsMatch(r.t, want, got)
}

func TestEachEventHasItsPlaceInQuarantine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	refuser := jet.NewRefuser(r.bus, quiet, nil)
	reason := fault.New(fault.Rejected, "warehouse: row", "too large")
	subject := events.EventSubject(tenant, "erp", events.EntityOrder, events.OpChanged, "901")
	refuse := func(seq uint64) {
		o := row.Origin{Stream: row.Stream{Name: "EVENTS"}, Seq: seq, Subject: subject, TraceParent: "00-abc-def-01"}
		require.NoError(t, refuser.Refuse(t.Context(), feed.Message{Origin: o, Data: []byte(`{"a":1}`)}, reason))
	}
	refuse(1)
	refuse(2)
	refuse(2)
	apart := r.apart()
	require.Len(t, apart, 2)
	for subject, q := range apart {
		require.True(t, strings.HasPrefix(subject, "quarantine.warehouse-sink.erp.rejected.order."), subject)
		require.Equal(t, "erp", q.Connection)
		require.Equal(t, events.EntityOrder, q.Entity)
		require.Equal(t, "abc", q.Trace)
		require.JSONEq(t, `{"a":1}`, string(q.Original))
	}
}

// A message that fills its own payload must not block the warehouse.
func TestATooLargeOriginalIsLeftOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	large := []byte(strings.Repeat("<", 1_000_000)) // a JSON string has six bytes for each
	o := row.Origin{Stream: row.Stream{Name: "EVENTS"}, Seq: 3, Subject: "odd"}
	reason := fault.New(fault.Malformed, "warehouse", "no event")
	require.NoError(t, jet.NewRefuser(r.bus, quiet, nil).Refuse(t.Context(), feed.Message{Origin: o, Data: large}, reason))
	apart := r.apart()
	require.Len(t, apart, 1)
	for _, q := range apart {
		require.JSONEq(t, "null", string(q.Original))
		require.Contains(t, q.Problem.Hint, "EVENTS at sequence 3")
	}
}
