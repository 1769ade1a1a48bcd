package cli_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/spoke/cli"
)

// feeds is a running store in which a Spoke has said what there is to read.
type feeds struct {
	t     *testing.T
	dir   string
	bus   *bus.Bus
	store *checkpoint.Store
}

func newFeeds(t *testing.T) *feeds {
	t.Helper()
	dir := t.TempDir()
	s, err := embed.Start(embed.Options{Dir: dir, Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	fill(t, s, dir, s.URL())
	b, err := bus.Connect(t.Context(), bus.Options{URL: s.URL(), Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	store, err := checkpoint.Open(t.Context(), b.JetStream(), "main")
	require.NoError(t, err)
	k := connector.Kind{
		Title: "NetSuite",
		Objects: []connector.Object{
			{Name: "customer", Entity: events.EntityCompany}, {Name: "item", Entity: events.EntityProduct}, {Name: "refund", Entity: events.EntityRefund},
		},
		Feeds: []connector.Feed{
			{Name: "item", Objects: []string{"item"}, Backfill: true, Poll: true},
			{Name: "customer", Objects: []string{"customer"}, Backfill: true, Poll: true},
		},
	}
	c := checkpoint.NewConnection("netsuite", k, func(events.Entity) bool { return false })
	c.Feeds[1].Every, c.Feeds[1].Sync = 5*time.Minute, "every 5m0s"
	require.NoError(t, store.Publish(t.Context(), checkpoint.Catalog{Connections: []checkpoint.Connection{c}}))
	return &feeds{t: t, dir: dir, bus: b, store: store}
}

func (f *feeds) spoke(args ...string) (status int, out, errw string) {
	f.t.Helper()
	return spoke(append(args, "--data", f.dir)...)
}

// ingest waits for what is due, as the service does, and works on each feed in
// the given steps.
func (f *feeds) ingest(steps ...func(*checkpoint.State)) (stop func()) {
	f.t.Helper()
	ticks, err := f.bus.Puller(f.t.Context(), events.StreamSchedules, bus.DurableFeeder)
	require.NoError(f.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			got, _ := ticks.Pull(ctx, 1, time.Minute)
			for range got {
				f.work(ctx, steps)
			}
		}
	}()
	stop = func() { cancel(); <-done }
	f.t.Cleanup(stop)
	return stop
}

func (f *feeds) work(ctx context.Context, steps []func(*checkpoint.State)) {
	for _, feed := range []string{"customer", "item"} {
		k := checkpoint.Key{Connection: "netsuite", Feed: feed, Work: checkpoint.Backfill}
		st, _, err := f.store.Load(ctx, k)
		if err != nil || st.Request == nil {
			continue
		}
		turn, err := f.store.Take(ctx, k, "ingest", time.Minute)
		if err != nil {
			continue
		}
		for _, step := range steps {
			if turn.Save(ctx, step) != nil {
				return
			}
		}
	}
}

func page(objects, total int) func(*checkpoint.State) {
	return func(st *checkpoint.State) { st.Begin(time.Time{}, time.Now()); st.Advance("next", objects, total) }
}

func finish(st *checkpoint.State) { st.Finish("", st.Pass.Started.Add(90*time.Second)) }

func TestBackfillFollowsToTheEnd(t *testing.T) {
	t.Parallel()
	f := newFeeds(t)
	f.ingest(page(100, 200), page(100, 200), finish)
	status, out, errw := f.spoke("backfill", "netsuite")
	require.Zero(t, status, errw)
	require.Contains(t, out, "customer: reads everything\nitem: reads everything\n")
	require.Contains(t, out, "customer: done, 200 objects in 2 pages, 1m30s\n")
	require.Contains(t, out, "item: done, 200 objects in 2 pages, 1m30s\n")
	require.NotContains(t, out, "\x1b", "this is no terminal")
	status, out, errw = f.spoke("backfill", "--list")
	require.Zero(t, status, errw)
	require.Contains(t, out, "netsuite    customer  done   200")
	status, out, _ = f.spoke("backfill", "--list", "--json")
	require.Zero(t, status)
	var all []struct{ Feed string }
	require.NoError(t, json.Unmarshal([]byte(out), &all))
	require.Len(t, all, 2)
}

func TestBackfillThatNobodyServes(t *testing.T) {
	t.Parallel()
	f := newFeeds(t)
	status, out, errw := f.spoke("backfill", "netsuite", "product", "--since", "2026-01-01")
	require.Zero(t, status, errw)
	require.Contains(t, out, "item: reads what was changed since 2026-01-01 00:00:00Z\n")
	require.Contains(t, out, "Nobody reads now: the request is stored")
	_, out, _ = f.spoke("backfill", "netsuite", "product", "--since", "2026-02-01")
	require.Contains(t, out, "is wanted already; joined it")
	_, out, _ = f.spoke("backfill", "netsuite", "product")
	require.Contains(t, out, "it reads everything too")
	_, out, _ = f.spoke("backfill", "netsuite", "--list")
	require.Contains(t, out, "wanted")
	status, out, _ = f.spoke("backfill", "netsuite", "--cancel")
	require.Zero(t, status)
	require.Contains(t, out, "netsuite: ended item.")
	_, out, _ = f.spoke("backfill", "netsuite", "--cancel")
	require.Contains(t, out, "no backfill is wanted or under way")
}

// TestBackfillRefusals come before anything is asked for.
func TestBackfillRefusals(t *testing.T) {
	t.Parallel()
	f := newFeeds(t)
	for want, args := range map[string][]string{
		"name a connection":                        {"backfill"},
		"did you mean netsuite?":                   {"backfill", "netsuit"},
		"did you mean product?":                    {"backfill", "netsuite", "company", "products"},
		"refund can't be backfilled":               {"backfill", "netsuite", "company", "refund"},
		"--since \"soon\": want a time such as":    {"backfill", "netsuite", "--since", "soon"},
		"is in the future":                         {"backfill", "netsuite", "--since", "2999-01-01"},
		"want one of them":                         {"backfill", "netsuite", "--list", "--cancel"},
		"leave out entities and --since":           {"backfill", "netsuite", "company", "--cancel"},
		"start it with spoke up, or name its fold": {"backfill", "netsuite", "--data", t.TempDir()},
	} {
		if !slices.Contains(args, "--data") {
			args = append(args, "--data", f.dir)
		}
		status, out, errw := spoke(args...)
		require.Equal(t, 1, status, want)
		require.Empty(t, out, want)
		require.Contains(t, errw, want)
	}
	_, out, _ := f.spoke("backfill", "--list")
	require.Equal(t, "no backfill was asked for\n", out)
}

// TestInterruptedFollowing ends nothing but the showing.
func TestInterruptedFollowing(t *testing.T) {
	t.Parallel()
	f := newFeeds(t)
	ctx, interrupt := context.WithCancel(t.Context())
	f.ingest(page(100, 200), func(*checkpoint.State) { interrupt() })
	var out, errw strings.Builder
	status := cli.MainContext(ctx, []string{"backfill", "netsuite", "company", "--data", f.dir}, &out, &errw)
	require.Zero(t, status, errw.String())
	require.Contains(t, out.String(), "The backfill goes on: see it with spoke backfill netsuite --list")
	_, list, _ := f.spoke("backfill", "--list")
	require.Contains(t, list, "under way")
}

func TestStatusShowsFeeds(t *testing.T) {
	t.Parallel()
	f := newFeeds(t)
	f.store.StartPolling(t.Context(), "netsuite", "item", time.Now().Add(-90*time.Minute))
	_, err := f.store.Request(t.Context(), "netsuite", []checkpoint.Feed{{Name: "customer"}}, time.Time{})
	require.NoError(t, err)
	turn, err := f.store.Take(t.Context(), checkpoint.Key{Connection: "netsuite", Feed: "customer", Work: checkpoint.Backfill}, "x", time.Minute)
	require.NoError(t, err)
	require.NoError(t, turn.Save(t.Context(), page(12300, 200_000)))
	require.NoError(t, turn.End(t.Context(), func(st *checkpoint.State) {
		st.Failure = &checkpoint.Failure{Problem: events.Problem{Kind: "throttled", Message: "netsuite: 429", Hint: "wait"}, RetryAt: time.Now()}
	}))
	status, out, errw := f.spoke("status")
	require.Zero(t, status, errw)
	lines := strings.Join(strings.Fields(out), " ")
	require.Contains(t, lines, "netsuite item every 5m0s ok 1h30m0s 0 - -")
	require.Contains(t, lines, "netsuite customer backfill waits: throttled - 12,300 200,000 -")
	require.Contains(t, out, "netsuite customer: netsuite: 429\n  wait\n")
}
