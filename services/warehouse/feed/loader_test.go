package feed_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/warehouse/feed"
	"github.com/spoke-sync/spoke/services/warehouse/lake"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// loaderBundle is a running Loader and what it committed.
type loaderBundle struct {
	from    *stream
	refused *refuser
	stores  *stores
	commits chan lake.Commit
	loader  feed.Loader
}

func newLoader(t *testing.T, limits feed.Limits) *loaderBundle {
	t.Helper()
	b := &loaderBundle{
		from: newStream(warehouse), refused: &refuser{}, stores: &stores{}, commits: make(chan lake.Commit, 1000),
	}
	b.loader = feed.Loader{
		Source: b.from, Open: b.stores.open, Limits: limits, Refuser: b.refused, Log: slog.New(slog.DiscardHandler),
		Committed: func(c lake.Commit) { b.commits <- c },
	}
	return b
}

// run starts the Loader; the answer stops it and returns its error.
func (b *loaderBundle) run(t *testing.T) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.loader.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

func never() feed.Limits { return feed.Limits{Rows: 1 << 30, Bytes: 1 << 30, Age: time.Hour} }

func TestLoaderCommitsAtEachLimit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		limit func(*feed.Limits)
		takes time.Duration
	}{
		"rows":  {func(l *feed.Limits) { l.Rows = 10 }, 0},
		"bytes": {func(l *feed.Limits) { l.Bytes = 3000 }, 0},
		"age":   {func(l *feed.Limits) { l.Age = 7 * time.Second }, 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				limits := never()
				tc.limit(&limits)
				b := newLoader(t, limits)
				addRows(t, b.from, 10)
				start := time.Now()
				stop := b.run(t)
				c := <-b.commits
				require.Equal(t, tc.takes, time.Since(start))
				require.Equal(t, 10, c.Rows)
				require.EqualValues(t, 10, c.Last)
				synctest.Wait()
				require.Equal(t, 10, b.from.ackedCount())
				require.NoError(t, stop())
			})
		})
	}
}

func TestNothingIsAckedBeforeItIsCommitted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newLoader(t, never())
		addRows(t, b.from, 3)
		stop := b.run(t)
		time.Sleep(time.Minute)
		require.Zero(t, b.from.ackedCount())
		require.NoError(t, stop(), "stopping commits what waits")
		require.Equal(t, 3, b.from.ackedCount())
		require.EqualValues(t, 3, (<-b.commits).Last)
	})
}

func TestLoaderGoesOnAfterTheLastCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := never()
		limits.Age = time.Second
		b := newLoader(t, limits)
		addRows(t, b.from, 4)
		stop := b.run(t)
		<-b.commits
		require.NoError(t, stop())
		addRows(t, b.from, 2)
		b.from.fail = []error{nil, errDown} // and it fails on the way
		stop = b.run(t)
		c := <-b.commits
		require.Equal(t, []uint64{5, 6}, []uint64{c.First, c.Last})
		require.NoError(t, stop())
		require.Equal(t, []uint64{0, 4, 4}, b.from.seeks)
	})
}

// A durable that restarts may deliver newer messages before those that it
// gave to the process before. Committing would lose the older ones.
func TestOutOfOrderDeliveryStartsOver(t *testing.T) {
	t.Parallel()
	for name, blind := range map[string]int{"the stream knows": 0, "a stale replica answers": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				limits := never()
				limits.Rows = 6
				b := newLoader(t, limits)
				b.from.blind = blind
				addRows(t, b.from, 6)
				b.from.lose = map[uint64]bool{2: true, 3: true}
				stop := b.run(t)
				c := <-b.commits
				require.Equal(t, 6, c.Rows, "every row")
				require.NoError(t, stop())
				require.Equal(t, []uint64{0, 0}, b.from.seeks)
			})
		})
	}
}

func TestAGapOfTheStreamItselfIsPassed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := never()
		limits.Rows = 3
		b := newLoader(t, limits)
		addRows(t, b.from, 6)
		b.from.msgs = append(b.from.msgs[2:3:3], b.from.msgs[4:]...) // 1, 2 and 4 are gone
		stop := b.run(t)
		c := <-b.commits
		require.Equal(t, 3, c.Rows)
		require.EqualValues(t, 6, c.Last)
		require.NoError(t, stop())
		require.Equal(t, []uint64{0}, b.from.seeks)
	})
}

func TestMessagesThatAreNoRowsAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := never()
		limits.Age = time.Second
		b := newLoader(t, limits)
		addRows(t, b.from, 1)
		b.from.add("warehouse.acme.deal_log", []byte(`junk`))
		stop := b.run(t)
		c := <-b.commits
		require.EqualValues(t, 2, c.Last)
		require.Equal(t, 1, c.Rows)
		require.NoError(t, stop())
		require.Equal(t, []uint64{2}, b.refused.refused)
		require.EqualValues(t, 2, b.stores.position(warehouse))
	})
}

func TestLoaderTakesARecreatedStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := never()
		limits.Age = time.Second
		b := newLoader(t, limits)
		addRows(t, b.from, 3)
		stop := b.run(t)
		<-b.commits
		anew := newStream(row.Stream{Name: "WAREHOUSE", Created: warehouse.Created.Add(time.Hour)})
		addRows(t, anew, 2)
		b.from.mu.Lock()
		b.from.id, b.from.msgs, b.from.next = anew.id, anew.msgs, 0
		b.from.mu.Unlock()
		c := <-b.commits
		require.Equal(t, anew.id.Created, c.Stream.Created)
		require.Equal(t, []uint64{1, 2}, []uint64{c.First, c.Last})
		require.NoError(t, stop())
		require.EqualValues(t, 3, b.stores.position(warehouse), "the old stream's position is kept")
	})
}

func TestAFailedCommitStartsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := never()
		limits.Age = time.Second
		b := newLoader(t, limits)
		b.stores.fail = []error{errDown, nil}
		addRows(t, b.from, 3)
		stop := b.run(t)
		c := <-b.commits
		require.Equal(t, 3, c.Rows)
		require.NoError(t, stop())
		require.Equal(t, []uint64{0, 0}, b.from.seeks)
		require.Equal(t, map[uint64]int{1: 1, 2: 1, 3: 1}, b.from.acked, "no ack for the commit that failed")
		require.Equal(t, 2, b.stores.closed)
	})
}

// From records in HUB to rows in a real lake.
func TestIntoALake(t *testing.T) {
	t.Parallel()
	b := newLoader(t, feed.DefaultLimits())
	root := filepath.Join(t.TempDir(), "lake")
	b.loader.Open, b.loader.Limits.Rows = feed.Lake(root), 10
	addRows(t, b.from, 10)
	stop := b.run(t)
	c := <-b.commits
	require.NoError(t, stop())
	require.Equal(t, 10, c.Rows)
	files, err := filepath.Glob(filepath.Join(root, "deal_log", "date=2026-11-23", "*.parquet"))
	require.NoError(t, err)
	require.Len(t, files, 1)
}

func TestALockedLakeIsAnErrorAtOnce(t *testing.T) {
	t.Parallel()
	b := newLoader(t, feed.DefaultLimits())
	root := t.TempDir()
	b.loader.Open = feed.Lake(root)
	l, err := lake.Open(root, warehouse)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	require.ErrorIs(t, b.loader.Run(t.Context()), lake.ErrLocked)
}

func TestRepeatsAreAckedWithoutACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := never()
		limits.Age = time.Second
		b := newLoader(t, limits)
		addRows(t, b.from, 3)
		stop := b.run(t)
		<-b.commits
		synctest.Wait()
		b.from.mu.Lock()
		b.from.next = 0 // the acks were lost: all of them come again
		b.from.mu.Unlock()
		time.Sleep(10 * time.Second)
		b.from.mu.Lock()
		require.Equal(t, map[uint64]int{1: 2, 2: 2, 3: 2}, b.from.acked)
		b.from.mu.Unlock()
		require.Empty(t, b.commits)
		require.NoError(t, stop())
	})
}

func TestLimitsValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, feed.DefaultLimits().Validate())
	err := feed.Limits{}.Validate()
	for _, name := range []string{"rows", "bytes", "age"} {
		require.ErrorContains(t, err, name+": ")
	}
}
