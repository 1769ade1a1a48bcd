package feeder

import (
	"context"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// poll reads what changed since the last pass, or goes on with the one under
// way. It returns whether that is done, or when to try again.
func (f *Feeder) poll(ctx context.Context, c *conn, feed connector.Feed, announced time.Time) (delay time.Duration, done bool) {
	key := checkpoint.Key{Connection: c.Name, Feed: feed.Name, Work: checkpoint.Poll}
	turn, later := f.take(ctx, key)
	if turn == nil {
		return later, false
	}
	st := turn.State()
	if st.Pass == nil && st.Failure == nil && st.Until.After(announced) {
		f.giveBack(ctx, turn) // a pass that began after the announcement has read it
		return 0, true
	}
	if delay := untilRetry(st); delay > 0 {
		f.giveBack(ctx, turn)
		return delay, false
	}
	p := &pass{Feeder: f, conn: c, feed: feed, key: key, turn: turn, state: st}
	if st.Pass != nil {
		p.since, p.until = st.Pass.Since, st.Pass.Until
	} else if err := p.beginPoll(ctx); err != nil {
		return p.failed(ctx, "", err), false
	}
	token, err := p.run(ctx)
	if err != nil {
		return p.failed(ctx, token, err), false
	}
	return 0, true
}

// beginPoll sets the bounds of a new pass. What is too long ago for the feed
// is backfilled.
func (p *pass) beginPoll(ctx context.Context) error {
	p.until = now()
	last := p.state.Until
	if last.IsZero() {
		last = p.until
	}
	p.since = last.Add(-p.feed.Overlap)
	if p.feed.MaxAge == 0 || p.until.Sub(p.since) <= p.feed.MaxAge {
		return nil
	}
	gap := p.since
	if err := p.backfillGap(ctx, gap); err != nil {
		return err
	}
	p.since, p.state.Mark = p.until.Add(-p.feed.Overlap), ""
	return nil
}

// backfillGap asks for a backfill of what a poll can no longer reach. Should
// this process die before the poll goes on, it is asked for once more, and
// joins.
func (p *pass) backfillGap(ctx context.Context, since time.Time) error {
	var lost []events.Entity
	can := map[events.Entity]bool{}
	for _, e := range p.conn.about.Backfillable() {
		can[e] = true
	}
	var wanted []events.Entity
	for _, e := range p.conn.Kind.Entities(p.feed) {
		switch {
		case p.conn.Mode(e).Off:
		case can[e]:
			wanted = append(wanted, e)
		default:
			lost = append(lost, e)
		}
	}
	if len(wanted) > 0 {
		plan, err := p.conn.about.Plan(wanted)
		if err != nil {
			return err
		}
		if _, err := p.store.Request(ctx, p.conn.Name, plan, since); err != nil {
			return err
		}
		if err := p.announce(ctx, p.conn.Name); err != nil {
			return err
		}
	}
	a := events.Alert{
		Severity: "warning", Kind: kindLag, Connection: p.conn.Name, About: "gap " + p.feed.Name,
		Message: p.conn.Name + ": " + p.feed.Name + " was not polled since " + since.Format(time.RFC3339) + ", longer than it reaches back: it is backfilled from there",
	}
	if len(lost) > 0 {
		a.Severity = "critical"
		a.Message = p.conn.Name + ": " + p.feed.Name + " was not polled since " + since.Format(time.RFC3339) + ", longer than it reaches back, and can't be backfilled"
		a.Hint = "compare the two systems for that time"
	}
	p.Log.Warn("feeder: gap", "connection", p.conn.Name, "feed", p.feed.Name, "since", since)
	p.alert(ctx, a)
	return nil
}

func (f *Feeder) giveBack(ctx context.Context, turn *checkpoint.Turn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLimit)
	defer cancel()
	_ = turn.End(ctx, func(*checkpoint.State) {}) // else it ends with its lease
}

func untilRetry(st checkpoint.State) time.Duration {
	if st.Failure == nil {
		return 0
	}
	return time.Until(st.Failure.RetryAt)
}
