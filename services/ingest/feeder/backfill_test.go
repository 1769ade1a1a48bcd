package feeder_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/ingest/feeder"
	"github.com/spoke-sync/spoke/services/internal/budget"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// TestBackfillReadsEachObjectOnce, in as few calls as there are pages, what
// others refer to first.
func TestBackfillReadsEachObjectOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor(95))
	r.run()
	r.request(time.Time{})
	r.done("item")
	r.done("customer")
	require.Equal(t, 190, r.each("item", "customer"))
	scans := r.vendor.asked()
	require.Len(t, scans, 20)
	for i, s := range scans {
		require.Equal(t, []string{"customer", "item"}[i/10], s.Feed, "companies before products")
		require.Zero(t, s.Since)
		require.Equal(t, scans[i/10*10].Until, s.Until, "the same for a whole pass")
	}
	last := r.state("item", checkpoint.Backfill).Last
	require.Equal(t, 95, last.Objects)
	require.Equal(t, 10, last.Pages)
	require.Empty(t, r.alerts())
}

// dying is a publisher that dies around its n-th call: before or after it is
// stored. What follows in the process does nothing any more.
type dying struct {
	group  *bus.Group
	left   atomic.Int64
	stores bool
	died   chan struct{}
}

var errDead = errors.New("the process has died")

func (d *dying) Publish(ctx context.Context, msgs ...bus.Message) error {
	n := d.left.Add(-1)
	if n < 0 || n == 0 && !d.stores {
		if n == 0 {
			close(d.died)
		}
		return errDead
	}
	err := d.group.Publish(ctx, msgs...)
	if n == 0 {
		close(d.died)
		return errDead // its checkpoint does not move
	}
	return err
}

// TestBackfillGoesOnAfterADeath at any page, before or after it was stored.
func TestBackfillGoesOnAfterADeath(t *testing.T) {
	t.Parallel()
	for _, stores := range []bool{false, true} {
		for _, at := range []int64{1, 4, 10} {
			t.Run(fmt.Sprintf("page %d, stored %t", at, stores), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, newVendor(95))
				d := &dying{group: r.group, stores: stores, died: make(chan struct{})}
				d.left.Store(at)
				r.publisher = d
				stop := r.run()
				r.request(time.Time{}, events.EntityProduct)
				<-d.died
				stop()
				r.publisher = r.group
				r.run()
				r.done("item")
				repeated := 0
				if stores {
					repeated = r.vendor.page
				}
				if at == 10 && stores {
					repeated = 5 // the last page
				}
				require.Equal(t, 95+repeated, r.each("item"))
				require.LessOrEqual(t, len(r.vendor.asked()), 10+2, "at most the page and the one read ahead again")
			})
		}
	}
}

// TestReplicasShareTheWork: of two replicas one reads a feed, and the other
// goes on when it is gone.
func TestReplicasShareTheWork(t *testing.T) {
	t.Parallel()
	v := newVendor(300)
	r := newRig(t, v)
	first := r.run()
	r.run()
	r.request(time.Time{})
	for range 20 {
		require.NoError(t, feeder.Announce(t.Context(), r.bus, tenant, erp))
	}
	r.await("some pages", func() bool {
		st := r.state("customer", checkpoint.Backfill)
		return st.Pass != nil && st.Pass.Pages > 2 || st.Last != nil
	})
	first()
	r.done("item")
	r.each("item", "customer")
	require.False(t, v.twice, "one at a time reads a feed")
}

func TestBackfillOfSomeEntitiesSinceATime(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor(95))
	r.run()
	since := t0.Add(50 * time.Hour)
	r.request(since, events.EntityCompany)
	r.done("customer")
	objects, _ := r.stored()
	require.Len(t, objects, 45)
	require.Contains(t, objects, "customer/50")
	require.NotContains(t, objects, "customer/49", "what the feed can't leave out is left out here")
	require.Zero(t, r.vendor.asked()[0].Since)
	r.request(since, events.EntityProduct)
	r.done("item")
	objects, _ = r.stored()
	require.Len(t, objects, 90)
	require.Equal(t, since, r.vendor.asked()[10].Since, "this feed can")
}

// TestBackfillWaitsForTransform while it has too much to do already.
func TestBackfillWaitsForTransform(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor(95))
	r.behind = 25
	r.run()
	r.request(time.Time{}, events.EntityProduct)
	r.await("to be full", func() bool { _, ids := r.stored(); return len(ids) >= 30 })
	transform, err := r.bus.Puller(t.Context(), events.StreamEvents, bus.DurableTransform)
	require.NoError(t, err)
	most := 0
	r.await("the end", func() bool {
		waiting, unacked, err := transform.Pending(t.Context())
		require.NoError(t, err)
		most = max(most, int(waiting)+unacked)
		got, err := transform.Pull(t.Context(), 20, time.Millisecond)
		require.NoError(t, err)
		for _, m := range got {
			require.NoError(t, m.Settle(t.Context()))
		}
		return r.state("item", checkpoint.Backfill).Last != nil
	})
	r.each("item")
	// An answer counts for a moment, in which pages go on.
	require.Less(t, most, 95, "it did wait")
}

func TestBackfillIsCanceled(t *testing.T) {
	t.Parallel()
	v := newVendor(95)
	reached, goOn := make(chan struct{}, 1), make(chan struct{})
	r := newRig(t, v)
	r.publisher = publishing(func(ctx context.Context, msgs ...bus.Message) error {
		select {
		case reached <- struct{}{}:
			<-goOn
		default:
		}
		return r.group.Publish(ctx, msgs...)
	})
	r.run()
	r.request(time.Time{}, events.EntityProduct)
	<-reached
	c, err := r.store.Catalog(t.Context())
	require.NoError(t, err)
	ended, err := r.store.Cancel(t.Context(), c.Connections[0])
	require.NoError(t, err)
	require.Equal(t, []string{"item"}, ended)
	close(goOn)
	r.await("the turn to be given back", func() bool { st := r.state("item", checkpoint.Backfill); return st.Last.Canceled })
	r.request(time.Time{}, events.EntityProduct)
	r.await("a new one", func() bool { st := r.state("item", checkpoint.Backfill); return st.Request == nil && !st.Last.Canceled })
	r.each("item")
}

type publishing func(context.Context, ...bus.Message) error

func (p publishing) Publish(ctx context.Context, msgs ...bus.Message) error { return p(ctx, msgs...) }

// TestAnObjectThatNoMessageHoldsIsSetApart, and the others go on.
func TestAnObjectThatNoMessageHoldsIsSetApart(t *testing.T) {
	t.Parallel()
	v := newVendor(30)
	v.objects["item"][8].typ = "widget" // which the kind does not have
	r := newRig(t, v)
	v.objects["item"][7].size = int(r.bus.Conn().MaxPayload())
	r.run()
	r.request(time.Time{}, events.EntityProduct)
	r.done("item")
	objects, _ := r.stored()
	require.Len(t, objects, 28)
	var apart []string
	for m, err := range r.bus.Scan(t.Context(), events.StreamQuarantine, "quarantine.>") {
		require.NoError(t, err)
		require.Less(t, len(m.Data), 10_000)
		apart = append(apart, m.Subject)
	}
	require.Equal(t, []string{
		events.QuarantineSubject("ingest", erp, "rejected", events.EntityProduct, "item/7"),
		events.QuarantineSubject("ingest", erp, "internal", events.EntityProduct, "widget/8"),
	}, apart)
}

// TestLargePagesGoInSeveralBatches, each small enough for the server.
func TestLargePagesGoInSeveralBatches(t *testing.T) {
	t.Parallel()
	v := newVendor(2100)
	v.page = 2100
	for i := range 20 {
		v.objects["item"][i].size = 500 << 10
	}
	r := newRig(t, v)
	var most, batches atomic.Int64
	r.publisher = publishing(func(ctx context.Context, msgs ...bus.Message) error {
		size := 0
		for _, m := range msgs {
			size += len(m.Data)
		}
		most.Store(max(most.Load(), int64(size)))
		batches.Add(1)
		return r.group.Publish(ctx, msgs...)
	})
	r.run()
	r.request(time.Time{}, events.EntityProduct)
	r.done("item")
	require.Equal(t, 2100, r.each("item"))
	require.LessOrEqual(t, most.Load(), int64(4<<20))
	require.LessOrEqual(t, batches.Load(), int64(6))
}

func TestEntitiesThatAreOffAreLeftOut(t *testing.T) {
	t.Parallel()
	v := newVendor(5)
	v.objects["item"][2] = object{"customer", events.EntityCompany, t0, 1}
	r := newRig(t, v)
	r.modes[events.EntityCompany] = config.Mode{Off: true}
	r.kind.Feeds[0].Objects = []string{"item", "customer"} // one that is off among others
	r.run()
	r.request(time.Time{})
	r.done("item")
	objects, _ := r.stored()
	require.Len(t, objects, 4)
	require.NotContains(t, objects, "customer/2")
}

// TestBackfillLeavesRoom: its calls are marked as ones that can wait.
func TestBackfillLeavesRoom(t *testing.T) {
	t.Parallel()
	v := newVendor(1)
	r := newRig(t, v)
	marked := make(chan bool, 2)
	cfg := r.config()
	cfg.Connections[0].Scanner = scanning(func(ctx context.Context, s connector.Scan) (connector.Page, error) {
		marked <- budget.IsBackground(ctx)
		return v.Scan(ctx, s)
	})
	r.vendor = v
	r.runWith(cfg)
	r.request(time.Time{}, events.EntityProduct)
	require.True(t, <-marked)
	r.due("item")
	require.False(t, <-marked, "a poll can't wait")
}

type scanning func(context.Context, connector.Scan) (connector.Page, error)

func (s scanning) Scan(ctx context.Context, scan connector.Scan) (connector.Page, error) {
	return s(ctx, scan)
}

// TestOneFeedThatIsRefusedDoesNotStopTheOthers.
func TestOneFeedThatIsRefusedDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	v := newVendor(15)
	v.before = func(s connector.Scan) error {
		if s.Feed == "customer" {
			return fault.New(fault.Rejected, "toy: scan", "this account has no customers").WithHint("buy some")
		}
		return nil
	}
	r := newRig(t, v)
	r.run()
	r.request(time.Time{})
	r.done("item")
	st := r.state("customer", checkpoint.Backfill)
	require.NotNil(t, st.Request, "it is not given up")
	require.Equal(t, "rejected", st.Failure.Kind)
	require.Equal(t, "buy some", st.Failure.Hint)
	require.True(t, strings.HasPrefix(st.Failure.Message, "toy: scan"))
}
