package feed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/warehouse/feed"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

func rowsBundle() (feed.Rows, *stream, *publisher, *refuser) {
	from, p, r := newStream(hub), &publisher{to: newStream(warehouse), known: map[string]bool{}}, &refuser{}
	return feed.Rows{Source: from, Publisher: p, Refuser: r, Log: slog.New(slog.DiscardHandler)}, from, p, r
}

func TestRowsStep(t *testing.T) {
	t.Parallel()
	rows, from, p, refused := rowsBundle()
	addRecord(t, from, "1")
	from.add("desired.acme.netsuite.salesOrder.deal.1", []byte(`{}`))
	from.add("record.acme.deal.2", []byte(`broken`))
	out := events.NewOutcome("netsuite", "o1", events.Outcome{
		Connection: "netsuite", Entity: events.EntityOrder, Object: "salesOrder",
		Record: events.Key{Entity: events.EntityDeal, ID: "1"}, State: events.StateDone, At: monday,
	})
	body, err := json.Marshal(out)
	require.NoError(t, err)
	from.add(events.EventSubject("acme", "netsuite", events.EntityOrder, events.OpWritten, "901"), body)

	n, err := rows.Step(t.Context())
	require.NoError(t, err)
	require.Equal(t, 4, n)
	require.Equal(t, []uint64{3}, refused.refused)
	require.Equal(t, map[uint64]int{1: 1, 2: 1, 3: 1, 4: 1}, from.acked)
	var tables []string
	for _, m := range p.to.msgs {
		r, err := row.Parse(m.Data)
		require.NoError(t, err)
		require.Equal(t, "warehouse.acme."+r.Table.Name, m.Subject)
		tables = append(tables, r.Table.Name)
	}
	require.Equal(t, []string{"deal_log", "events", "outcomes"}, tables)
}

func TestNothingIsAckedBeforeItIsPublished(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*publisher, *refuser){
		"publish fails": func(p *publisher, _ *refuser) { p.fail = []error{errDown} },
		"half stored":   func(p *publisher, _ *refuser) { p.fail, p.half = []error{errDown}, true },
		"refuse fails":  func(_ *publisher, r *refuser) { r.err = errDown },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, from, p, refused := rowsBundle()
			for i := range 3 {
				addRecord(t, from, fmt.Sprint(i))
			}
			from.add("record.acme.deal.2", []byte(`broken`))
			spoil(p, refused)
			_, err := rows.Step(t.Context())
			require.ErrorIs(t, err, errDown)
			require.Empty(t, from.acked)

			// The same messages again, as after AckWait.
			refused.err = nil
			require.NoError(t, from.Seek(t.Context(), 0))
			_, err = rows.Step(t.Context())
			require.NoError(t, err)
			require.Len(t, from.acked, 4)
			require.Len(t, p.to.msgs, 3, "each row once")
		})
	}
}

func TestALostAckIsNoError(t *testing.T) {
	t.Parallel()
	rows, from, p, _ := rowsBundle()
	addRecord(t, from, "1")
	rows.Source = lostAcks{from}
	_, err := rows.Step(t.Context())
	require.NoError(t, err)
	require.Len(t, p.to.msgs, 1)
}

type lostAcks struct{ *stream }

func (l lostAcks) Fetch(ctx context.Context, limit int, wait time.Duration) (feed.Batch, error) {
	b, err := l.stream.Fetch(ctx, limit, wait)
	b.Ack = func(context.Context) error { return errors.New("lost") }
	return b, err
}

func TestRowsRunTriesOnUntilItIsStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rows, from, p, _ := rowsBundle()
		for range 20 {
			from.fail = append(from.fail, errDown)
		}
		addRecord(t, from, "1")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		start := time.Now()
		go func() { done <- rows.Run(ctx) }()
		<-p.to.came
		// 250 ms doubled up to 30 s, seven times, then 30 s each.
		require.Equal(t, 421*time.Second+750*time.Millisecond, time.Since(start))
		cancel()
		require.NoError(t, <-done)
	})
}
