package feeder

import (
	"context"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// Announce tells the replicas that a backfill of a connection was asked for, so
// that they need not find it by themselves.
func Announce(ctx context.Context, b *bus.Bus, tenant, connection string) error {
	_, err := b.Publish(ctx, bus.Message{Subject: events.DueSubject(tenant, string(checkpoint.Backfill), connection, allFeeds)})
	return err
}

func (f *Feeder) announce(ctx context.Context, connection string) error {
	return Announce(ctx, f.Bus, f.Tenant, connection)
}

// backfill reads what was asked for, feed by feed, those first that others
// refer to. It returns whether nothing is left, or when to try again.
func (f *Feeder) backfill(ctx context.Context, c *conn) (delay time.Duration, done bool) {
	done = true
	for _, about := range c.about.Feeds {
		feed, ok := c.Kind.Feed(about.Name)
		if !ok || !feed.Backfill {
			continue
		}
		for ctx.Err() == nil {
			later, left, blocked := f.backfillFeed(ctx, c, feed)
			if blocked {
				return later, false
			}
			if later > 0 && (done || later < delay) {
				delay, done = later, false
			}
			if !left || later > 0 {
				break
			}
		}
	}
	return delay, done && ctx.Err() == nil
}

// backfillFeed serves one request of a feed. later is when to try again, when
// it could not be finished; left tells whether another request may wait; blocked
// that the feeds behind it must not begin either.
func (f *Feeder) backfillFeed(ctx context.Context, c *conn, feed connector.Feed) (later time.Duration, left, blocked bool) {
	key := checkpoint.Key{Connection: c.Name, Feed: feed.Name, Work: checkpoint.Backfill}
	if st, _, err := f.store.Load(ctx, key); err == nil && st.Request == nil {
		return 0, false, false
	}
	turn, later := f.take(ctx, key)
	if turn == nil {
		return later, true, true
	}
	st := turn.State()
	if st.Request == nil {
		f.giveBack(ctx, turn)
		return 0, false, false
	}
	if delay := untilRetry(st); delay > 0 {
		f.giveBack(ctx, turn)
		return delay, true, everywhere(st.Failure.Kind)
	}
	p := &pass{Feeder: f, conn: c, feed: feed, key: key, turn: turn, state: st}
	p.beginBackfill()
	f.Log.Info("feeder: backfill", "connection", c.Name, "feed", feed.Name, "resumed", st.Pass != nil)
	token, err := p.run(ctx)
	if err != nil {
		later = p.failed(ctx, token, err)
		return later, true, everywhere(fault.KindOf(err).String())
	}
	last := turn.State().Last
	f.Log.Info("feeder: backfill done", "connection", c.Name, "feed", feed.Name, "objects", last.Objects, "pages", last.Pages)
	return 0, true, false
}

// beginBackfill sets the bounds. A feed that can't tell what changed since a
// time is read as a whole, and what is older is left out.
func (p *pass) beginBackfill() {
	if s := p.state.Pass; s != nil {
		p.since, p.until = s.Since, s.Until
		return
	}
	p.until = now()
	since := p.state.Request.Since
	if p.feed.Poll && !since.IsZero() && (p.feed.MaxAge == 0 || p.until.Sub(since) < p.feed.MaxAge) {
		p.since = since
	}
}

// everywhere reports whether a failure of a kind concerns the whole connection,
// so that other feeds would fail too.
func everywhere(kind string) bool {
	switch kind {
	case fault.Throttled.String(), fault.Unavailable.String(), fault.Unauthorized.String(), fault.Transient.String():
		return true
	}
	return false
}
