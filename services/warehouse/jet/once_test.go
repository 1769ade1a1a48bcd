package jet_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/warehouse/feed"
	"github.com/spoke-sync/spoke/services/warehouse/lake"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

var errLost = errors.New("the answer is lost")

// check compares the files with the streams: every message has its rows once,
// and the latest versions of the records are those in HUB.
func (r *rig) check(outcomes int) {
	r.t.Helper()
	seen := map[string]int{}
	for _, table := range []string{"deal_log", "events", "outcomes"} {
		for _, row := range r.table(table) {
			seen[row["_row_id"]]++
		}
	}
	for id, n := range seen {
		require.Equal(r.t, 1, n, "row %s", id)
	}
	require.Len(r.t, seen, int(r.stream(events.StreamWarehouse).Last), "a row for every message on WAREHOUSE")

	hub, evs := r.stream(events.StreamHub), r.stream(events.StreamEvents)
	require.EqualValues(r.t, outcomes, evs.Last)
	for seq := 1; seq <= outcomes; seq++ {
		for _, table := range []string{"events", "outcomes"} {
			require.Contains(r.t, seen, rowID(evs, uint64(seq), table))
		}
	}
	want := map[string]string{}
	for m, err := range r.bus.Scan(r.t.Context(), events.StreamHub, "record.>") {
		require.NoError(r.t, err)
		require.Contains(r.t, seen, rowID(hub, m.Seq, "deal_log"))
		part, err := events.SubjectTokens(m.Subject)
		require.NoError(r.t, err)
		want[part[3]] = strconv.FormatUint(m.Seq, 10)
	}
	require.Equal(r.t, want, r.latest())
}

func rowID(s bus.Identity, seq uint64, table string) string {
	return row.Origin{Stream: row.Stream{Name: s.Name, Created: s.Created}, Seq: seq}.RowID(table)
}

// latest returns the sequence of the latest version of each deal, as the view
// of the current state picks it.
func (r *rig) latest() map[string]string {
	r.t.Helper()
	version, seq := map[string]int{}, map[string]string{}
	for _, row := range r.table("deal_log") {
		v, err := strconv.Atoi(row["_version"])
		require.NoError(r.t, err)
		if v > version[row["_id"]] {
			version[row["_id"]], seq[row["_id"]] = v, row["_seq"]
		}
	}
	return seq
}

func TestRecordsAndOutcomesBecomeRows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n := range 30 {
		r.put(record(t, deal(n), 1, false))
		r.put(outcome(t, n))
	}
	r.start(r.parts())
	r.settle()
	r.put(record(t, deal(1), 2, false))
	r.put(record(t, deal(2), 2, true))
	r.settle()
	r.check(30)

	names := map[string]string{}
	for _, row := range r.table("deal_log") {
		require.Equal(t, tenant, row["_tenant"])
		names[row["_id"]+" "+row["_op"]+" "+row["_deleted"]] = row["name"]
	}
	require.Len(t, names, 32)
	require.Equal(t, "1 v1", names["1 c false"])
	require.Equal(t, "1 v2", names["1 u false"])
	require.Equal(t, "2 v2", names["2 d true"])
	for _, row := range r.table("outcomes") {
		require.Equal(t, "done", row["state"])
		require.Equal(t, "created", row["effect"])
	}
	require.FileExists(t, r.lake+"/"+lake.ViewsFile)
}

// lossy stores rows and loses the answer of the first publishes.
type lossy struct {
	feed.Publisher
	mu   sync.Mutex
	lose int
}

func (l *lossy) Publish(ctx context.Context, rows []row.Envelope) error {
	err := l.Publisher.Publish(ctx, rows)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lose--; l.lose >= 0 {
		return errLost
	}
	return err
}

func TestALostAnswerMakesNoRowTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n := range 20 {
		r.put(record(t, deal(n), 1, false))
		r.put(outcome(t, n))
	}
	p := r.parts()
	p.publisher = &lossy{Publisher: p.publisher, lose: 4}
	r.start(p)
	r.settle()
	require.EqualValues(t, 60, r.stream(events.StreamWarehouse).Last)
	r.check(20)
}

func TestReplicasMakeNoRowTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n := range 200 {
		r.put(record(t, deal(n), 1, false))
		r.put(outcome(t, n))
	}
	r.start(r.parts())
	other := r.parts()
	other.open = func(row.Stream) (feed.Store, error) { return nil, errors.New("no lake here") }
	r.start(other)
	r.settle()
	require.EqualValues(t, 600, r.stream(events.StreamWarehouse).Last)
	r.check(200)
}
