// Package worker is the transform service: it pulls what systems said from
// EVENTS, reads what was only announced, folds it into golden records, routes
// the records, and commits record and desired documents of a round as one
// atomic batch into HUB.
package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/hub"
	"github.com/spoke-sync/spoke/services/internal/mapping"
	"github.com/spoke-sync/spoke/services/internal/match"
)

// Config of a Worker.
type Config struct {
	Tenant string
	// Kinds of the configured connections, by name. What is not in it is an
	// upstream.
	Kinds  map[string]connector.Kind
	Flows  *mapping.Set
	Policy hub.Policy
	// Match says which objects of different systems are one.
	Match match.Rules
	// Quiet is how long an announced object must be quiet before it is read,
	// MaxWait how long a busy one waits at most. A burst of notifications
	// becomes one read. Zero values mean the defaults.
	Quiet   time.Duration
	MaxWait time.Duration
}

// Defaults of Config.
const (
	DefaultQuiet   = 250 * time.Millisecond
	DefaultMaxWait = 2 * time.Second
)

// Deps is what a Worker works with.
type Deps struct {
	Bus *bus.Bus
	// Readers by connection name.
	Readers map[string]connector.Reader
	// Paused reports whether nothing is to be read from a connection now; nil
	// means never.
	Paused func(connection string) bool
	Log    *slog.Logger
	Tracer trace.Tracer
	Meter  *Meter
}

// Worker is one replica of transform. Several may run: compare-and-set keeps
// them right.
type Worker struct {
	Config
	Deps
	// lanes commit changes side by side.
	lanes  [laneCount]chan []*change
	puller *bus.Puller
	ahead  sync.Map // connection → whether its clock was reported
	cache  *lru.Cache[string, cached]
	alias  *lru.Cache[events.External, events.Key]
	// moved holds the record that each was merged into; the zero Key where none
	// was when it was looked up.
	moved  *lru.Cache[events.Key, events.Key]
	enrich *enricher
}

// cached is a record with its sequence in HUB. It is a guess that
// compare-and-set checks.
type cached struct {
	rec events.Record
	seq uint64
}

const (
	// pullLimit is how many events a round takes at most. A larger round
	// folds more events into one version of a record; a smaller one answers
	// sooner.
	pullLimit = 3000
	pullWait  = 2 * time.Second
	// laneCount lets one lane wait for the disk while the other merges. More
	// would only split the batches.
	laneCount = 2
	// cacheSize bounds the records kept decoded: about 5 KB each.
	cacheSize = 16_384
	aliasSize = 65_536
)

// New opens the durable.
func New(ctx context.Context, c Config, d Deps) (*Worker, error) {
	if c.Quiet == 0 {
		c.Quiet = DefaultQuiet
	}
	if c.MaxWait == 0 {
		c.MaxWait = DefaultMaxWait
	}
	p, err := d.Bus.Puller(ctx, events.StreamEvents, bus.DurableTransform)
	if err != nil {
		return nil, err
	}
	w := &Worker{Config: c, Deps: d, puller: p}
	if w.cache, err = lru.New[string, cached](cacheSize); err != nil {
		return nil, err
	}
	if w.alias, err = lru.New[events.External, events.Key](aliasSize); err != nil {
		return nil, err
	}
	if w.moved, err = lru.New[events.Key, events.Key](aliasSize); err != nil {
		return nil, err
	}
	for i := range w.lanes {
		w.lanes[i] = make(chan []*change)
	}
	w.enrich = newEnricher(w)
	return w, nil
}

// Run works until ctx ends. Rounds under way are finished; what was pulled and
// not committed is delivered again.
func (w *Worker) Run(ctx context.Context) error {
	units := make(chan []*unit)
	var wg sync.WaitGroup
	wg.Add(3)
	go func() { defer wg.Done(); w.sweep(ctx) }()
	go func() { defer wg.Done(); w.pull(ctx, units) }()
	go func() { defer wg.Done(); w.enrich.run(ctx) }()
	var committing sync.WaitGroup
	for _, lane := range w.lanes {
		committing.Add(1)
		go func() { defer committing.Done(); w.drain(lane) }()
	}
	for ctx.Err() == nil {
		select {
		case us := <-units:
			w.round(ctx, us)
		case us := <-w.enrich.ready:
			w.round(ctx, us)
		case <-ctx.Done():
		}
	}
	wg.Wait()
	// Only now: what is given back while a pull is open comes right back.
	w.enrich.giveBack()
	select {
	case us := <-units:
		giveBack(us)
	default:
	}
	for _, lane := range w.lanes {
		close(lane)
	}
	committing.Wait()
	return nil
}

// pull decodes one batch ahead of the round that is being committed.
func (w *Worker) pull(ctx context.Context, out chan<- []*unit) {
	for ctx.Err() == nil {
		msgs, err := w.puller.Pull(ctx, pullLimit, pullWait)
		if err != nil {
			w.Log.Error("transform: pull", "error", err)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		if us := w.intake(ctx, msgs); len(us) > 0 {
			select {
			case out <- us:
			case <-ctx.Done():
				giveBack(us)
			}
		}
	}
}

// giveBack lets units that nobody takes any more be delivered to another
// replica at once.
func giveBack(units []*unit) {
	for _, u := range units {
		u.again(0)
	}
}
