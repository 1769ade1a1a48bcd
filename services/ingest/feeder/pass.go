package feeder

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/budget"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// pass reads a feed from where its checkpoint says to the end.
type pass struct {
	*Feeder

	conn *conn
	feed connector.Feed
	key  checkpoint.Key
	turn *checkpoint.Turn
	// state is the checkpoint at the beginning.
	state        checkpoint.State
	since, until time.Time
}

// storeLimit bounds what must still be stored when the service stops.
const storeLimit = 10 * time.Second

// read is a page with the span it was read in.
type read struct {
	connector.Page

	ctx  context.Context //nolint:containedctx // of the page's span, which ends when it is stored
	span trace.Span
	err  error
	// token is what the page was asked for with.
	token string
}

// run reads and stores page after page; the next one is read while one is
// stored.
func (p *pass) run(ctx context.Context) (token string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	wg.Go(func() { p.turn.Keep(ctx, cancel) })
	if s := p.state.Pass; s != nil {
		token = s.Token
	}
	for coming := p.fetch(ctx, &wg, token); ; {
		got := <-coming
		if got.err != nil {
			if lost := context.Cause(ctx); lost != nil {
				got.err = lost
			}
			return got.token, got.err
		}
		if got.Next != "" {
			coming = p.fetch(ctx, &wg, got.Next)
		}
		if err := p.commit(got); err != nil || got.Next == "" {
			p.conn.idle(ctx)
			return got.token, err
		}
	}
}

// fetch begins to read a page. It always sends one answer.
func (p *pass) fetch(ctx context.Context, wg *sync.WaitGroup, token string) <-chan read {
	answer := make(chan read, 1)
	wg.Go(func() { answer <- p.scan(ctx, token) })
	return answer
}

func (p *pass) scan(ctx context.Context, token string) read {
	if p.key.Work == checkpoint.Backfill {
		if err := p.behind.wait(ctx); err != nil {
			return read{token: token, err: err}
		}
		ctx = budget.Background(ctx)
	}
	ctx, span := p.Tracer.Start(ctx, "read page", trace.WithNewRoot(), trace.WithAttributes(
		attribute.String("spoke.connection", p.conn.Name), attribute.String("spoke.feed", p.feed.Name),
		attribute.String("spoke.work", string(p.key.Work)),
	))
	r := read{ctx: ctx, span: span, token: token}
	r.err = p.conn.call(ctx, func() (err error) {
		r.Page, err = p.conn.Scanner.Scan(ctx, connector.Scan{
			Feed: p.feed.Name, Since: p.since, Until: p.until, Token: token, Mark: p.state.Mark,
		})
		return err
	})
	if r.err == nil && r.Next != "" && r.Next == token {
		r.err = errStuck
	}
	if r.err != nil {
		span.SetStatus(codes.Error, r.err.Error())
		span.End()
	}
	return r
}

// leave is how long a call waits for the breaker's leave, before it makes room
// for other connections.
const leave = 5 * time.Second

// call makes a call when the connection's breaker lets it.
func (c *conn) call(ctx context.Context, do func() error) error {
	if c.Breaker == nil {
		return do()
	}
	waiting, cancel := context.WithTimeout(ctx, leave)
	defer cancel()
	if _, err := c.Breaker.Wait(waiting); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fault.New(fault.Throttled, "feeder", "%s is not called now: spoke status says why", c.Name).After(leave)
	}
	return c.Breaker.Execute(ctx, do)
}

// idle lets a connection that recovers count as well again when there is
// nothing more to read.
func (c *conn) idle(ctx context.Context) {
	if c.Breaker != nil {
		c.Breaker.Idle(ctx)
	}
}

// errStuck is a connector's bug: such a pass would never end.
var errStuck = errors.New("the connector returns the token it was given")

// commit puts a page on EVENTS, and then moves the checkpoint behind it.
func (p *pass) commit(r read) error {
	defer r.span.End()
	// What was read is stored even if the service is asked to stop meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), storeLimit)
	defer cancel()
	n, err := p.publish(ctx, r.Changes)
	if err == nil {
		r.span.SetAttributes(attribute.Int("spoke.objects", n.stored))
		p.Meter.page(p.key, n)
		if r.Next == "" {
			err = p.turn.End(ctx, func(st *checkpoint.State) {
				st.Begin(p.since, p.until)
				st.Advance("", n.stored, r.Total)
				st.Finish(r.Mark, now())
			})
		} else {
			err = p.turn.Save(ctx, func(st *checkpoint.State) {
				st.Begin(p.since, p.until)
				st.Advance(r.Next, n.stored, r.Total)
			})
		}
	}
	if err != nil {
		r.span.SetStatus(codes.Error, err.Error())
	}
	return err
}

// wanted reports whether a change is let through: not of an entity that is off,
// nor, in a backfill, what it was not asked for.
func (p *pass) wanted(c events.Change) bool {
	if p.conn.Mode(c.Entity).Off {
		return false
	}
	r := p.state.Request
	if r == nil {
		return true
	}
	asked := slices.Contains(r.Entities, c.Entity) || !slices.Contains(p.conn.Kind.Entities(p.feed), c.Entity)
	return asked && (c.Signal || !c.At.Before(r.Since))
}
