// Package feeder reads vendors' feeds: it polls them when their schedule says
// so, and backfills what an operator asked for. Every object that is read
// becomes an event on EVENTS, exactly as if the vendor had announced it.
//
// JetStream schedules announce what is due, one replica takes each, and a
// checkpoint says how far it has come. A page is stored before the checkpoint
// moves: a crash between the two reads the page again, which gives the same
// events with the same ids, and merges to nothing.
package feeder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nuid"
	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/breaker"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// Connection is one whose feeds are read.
type Connection struct {
	Name string
	Kind connector.Kind
	// Scanner may be nil for a connection without feeds.
	Scanner connector.Scanner
	// Mode says how changes to an entity are heard of.
	Mode func(events.Entity) config.Mode
	// Breaker is shared with whoever else calls the vendor; nil for none.
	Breaker *breaker.Breaker
}

// Config of a Feeder. Zero values have a default.
type Config struct {
	Tenant      string
	Connections []Connection
	// Owner names whoever has the turn at a checkpoint; one that comes back
	// under its name goes on at once. It is unique when empty.
	Owner string
	// Lease is for how long a turn is left to a replica that says nothing; 6
	// seconds when 0.
	Lease time.Duration
	// MaxBehind is how many events transform may have before it while a backfill
	// adds to them; 50,000 when 0.
	MaxBehind uint64
}

const (
	defaultLease     = 6 * time.Second
	defaultMaxBehind = 50_000
	// sweepEvery is how often it is looked for backfills that nobody works on.
	sweepEvery = 10 * time.Second
	// polls is how many polls a replica has under way. Each holds two pages at
	// most. Backfills come on top, one of each connection.
	polls = 8
	// busyAgain is when what is under way already is announced again.
	busyAgain = time.Second
)

// Publisher stores messages, all or none, and returns when they are on disk.
// *bus.Group is one.
type Publisher interface {
	Publish(ctx context.Context, msgs ...bus.Message) error
}

// Deps is what the program wires.
type Deps struct {
	Bus       *bus.Bus
	Publisher Publisher
	Log       *slog.Logger
	Tracer    trace.Tracer
	Meter     *Meter
}

// Feeder reads the feeds of all connections. Any number of replicas share the
// work.
type Feeder struct {
	Config
	Deps

	conns    map[string]*conn
	store    *checkpoint.Store
	ticks    *bus.Puller
	behind   *pressure
	slots    chan struct{} // for polls
	maxEvent int64

	mu      sync.Mutex
	running map[task]bool
	wg      sync.WaitGroup
}

// conn is a connection with what follows from its configuration.
type conn struct {
	Connection

	about checkpoint.Connection
	due   map[string]due // by feed
}

// task is something that one replica does at a time. A backfill is of all feeds
// of a connection, so that they come in order.
type task struct {
	work             checkpoint.Work
	connection, feed string
}

// allFeeds stands for the feed of a backfill's announcements.
const allFeeds = "all"

// headerRoom is left for a message's headers, in bytes.
const headerRoom = 4 << 10

// New prepares a Feeder: it tells the command line what there is to read,
// notes from when on each feed is polled, and sets the schedules.
func New(ctx context.Context, c Config, d Deps) (*Feeder, error) {
	if c.Owner == "" {
		c.Owner = nuid.Next()
	}
	if c.Lease == 0 {
		c.Lease = defaultLease
	}
	if c.MaxBehind == 0 {
		c.MaxBehind = defaultMaxBehind
	}
	f := &Feeder{
		Config: c, Deps: d, conns: map[string]*conn{}, running: map[task]bool{}, slots: make(chan struct{}, polls),
		maxEvent: d.Bus.Conn().MaxPayload() - headerRoom,
	}
	for _, one := range c.Connections {
		if one.Scanner == nil {
			one.Kind.Feeds = nil
		}
		f.conns[one.Name] = newConn(one)
	}
	if err := f.open(ctx); err != nil {
		return nil, fmt.Errorf("feeder: %w", err)
	}
	return f, nil
}

func (f *Feeder) open(ctx context.Context) (err error) {
	if f.store, err = checkpoint.Open(ctx, f.Bus.JetStream(), f.Tenant); err != nil {
		return err
	}
	if f.ticks, err = f.Bus.Puller(ctx, events.StreamSchedules, bus.DurableFeeder); err != nil {
		return err
	}
	transform, err := f.Bus.Puller(ctx, events.StreamEvents, bus.DurableTransform)
	if err != nil {
		return err
	}
	f.behind = &pressure{most: f.MaxBehind, look: transform.Pending}
	if err := f.store.Publish(ctx, f.catalog()); err != nil {
		return err
	}
	for _, c := range f.conns {
		for feed := range c.due {
			if err := f.store.StartPolling(ctx, c.Name, feed, now()); err != nil {
				return err
			}
		}
	}
	return f.setSchedules(ctx)
}

func now() time.Time { return time.Now().UTC() }

// Run works until ctx ends and what is under way has come to a point where it
// can go on later.
func (f *Feeder) Run(ctx context.Context) {
	f.wg.Go(func() { f.watch(ctx) })
	defer f.wg.Wait()
	for ctx.Err() == nil {
		got, err := f.ticks.Pull(ctx, 32, time.Minute)
		if err != nil && ctx.Err() == nil {
			f.Log.Warn("feeder: pull", "error", err)
			wait(ctx, time.Second)
		}
		for _, m := range got {
			f.wg.Go(func() { f.handle(ctx, m) })
		}
	}
}

// handle does what an announcement says is due, if it still is.
func (f *Feeder) handle(ctx context.Context, m bus.Delivered) {
	t, ok := f.taskOf(m.Subject)
	if !ok {
		_ = m.Ack() // of a configuration that is no longer
		return
	}
	if !f.begin(t) {
		// Should this process die, another one goes on by this announcement.
		_ = m.Again(busyAgain)
		return
	}
	defer f.end(t)
	beating, stop := context.WithCancel(ctx)
	defer stop()
	f.wg.Go(func() { beat(beating, m) })
	delay, done := f.do(ctx, t, m.Time)
	if done {
		_ = m.Ack() // one that is lost means one more pass
		return
	}
	_ = m.Again(delay)
}

// do runs a task that was announced at a time. It returns whether it is done,
// or when it should be announced again.
func (f *Feeder) do(ctx context.Context, t task, announced time.Time) (delay time.Duration, done bool) {
	c := f.conns[t.connection]
	if t.work == checkpoint.Backfill {
		return f.backfill(ctx, c)
	}
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return 0, false
	}
	feed, _ := c.Kind.Feed(t.feed)
	delay, done = f.poll(ctx, c, feed, announced)
	if err := f.setNightly(context.WithoutCancel(ctx), c, t.feed); err != nil {
		f.Log.Warn("feeder: schedule not set, will try again", "connection", c.Name, "feed", t.feed, "error", err)
		return max(delay, busyAgain), false
	}
	return delay, done
}

// taskOf reads the subject of an announcement.
func (f *Feeder) taskOf(subject string) (task, bool) {
	p, err := events.SubjectTokens(subject)
	if err != nil || len(p) != 5 {
		return task{}, false
	}
	t := task{checkpoint.Work(p[2]), p[3], p[4]}
	c := f.conns[t.connection]
	switch {
	case c == nil:
		return t, false
	case t.work == checkpoint.Poll:
		_, polled := c.due[t.feed]
		return t, polled
	default:
		return t, t.work == checkpoint.Backfill && t.feed == allFeeds
	}
}

func (f *Feeder) begin(t task) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running[t] {
		return false
	}
	f.running[t] = true
	return true
}

func (f *Feeder) end(t task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.running, t)
}

// beat keeps an announcement from coming to another replica.
func beat(ctx context.Context, m bus.Delivered) {
	tick := time.NewTicker(bus.FeederAckWait / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = m.Working()
		}
	}
}

// take takes the turn at a checkpoint. It returns nil, and when to try again,
// when it can't be had.
func (f *Feeder) take(ctx context.Context, k checkpoint.Key) (*checkpoint.Turn, time.Duration) {
	turn, err := f.store.Take(ctx, k, f.Owner, f.Lease)
	switch {
	case err == nil:
		return turn, 0
	case errors.Is(err, checkpoint.ErrTaken):
		return nil, f.Lease / 2
	default:
		if ctx.Err() == nil {
			f.Log.Error("feeder: checkpoint", "connection", k.Connection, "feed", k.Feed, "error", err)
			f.alertOf(ctx, k, err)
		}
		return nil, time.Minute
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// jitter is in [0, 1).
func jitter() float64 { return rand.Float64() }
