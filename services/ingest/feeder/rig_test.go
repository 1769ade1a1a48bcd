package feeder_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/ingest/feeder"
	"github.com/spoke-sync/spoke/services/internal/breaker"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/checkpoint"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tenant = "t"
	erp    = "erp"
)

// patience bounds every wait; none takes a tenth of it on a free machine.
const patience = time.Minute

// vendor is a scanner over objects in memory.
type vendor struct {
	page int

	mu      sync.Mutex
	objects map[string][]object // by feed
	scans   []connector.Scan
	pages   int // that were answered
	active  map[string]int
	// twice is set when one feed was read by two at once.
	twice bool
	// before may refuse a scan.
	before func(connector.Scan) error
	// mark is what a pass leaves.
	mark string
}

type object struct {
	typ    string
	entity events.Entity
	at     time.Time
	size   int
}

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newVendor has n items and as many customers.
func newVendor(n int) *vendor {
	v := &vendor{page: 10, objects: map[string][]object{}, active: map[string]int{}}
	for i := range n {
		at := t0.Add(time.Duration(i) * time.Hour)
		v.objects["item"] = append(v.objects["item"], object{"item", events.EntityProduct, at, 1})
		v.objects["customer"] = append(v.objects["customer"], object{"customer", events.EntityCompany, at, 1})
	}
	return v
}

func kind() connector.Kind {
	return connector.Kind{
		Name: "toy", Title: "Toy",
		Objects: []connector.Object{
			{Name: "item", Entity: events.EntityProduct},
			{Name: "customer", Entity: events.EntityCompany},
			{Name: "memo", Entity: events.EntityCreditNote},
		},
		Feeds: []connector.Feed{
			{Name: "item", Objects: []string{"item"}, Backfill: true, Poll: true, Overlap: time.Minute, Every: time.Hour},
			{Name: "customer", Objects: []string{"customer"}, Backfill: true},
			{Name: "log", Objects: []string{"item", "customer", "memo"}, Poll: true, MaxAge: 24 * time.Hour},
		},
	}
}

func (v *vendor) enter(s connector.Scan) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.scans = append(v.scans, s)
	if v.active[s.Feed]++; v.active[s.Feed] > 1 {
		v.twice = true
	}
	if v.before != nil {
		return v.before(s)
	}
	return nil
}

// Scan implements connector.Scanner.
func (v *vendor) Scan(ctx context.Context, s connector.Scan) (connector.Page, error) {
	err := v.enter(s)
	defer func() {
		v.mu.Lock()
		v.active[s.Feed]--
		v.mu.Unlock()
	}()
	if err != nil {
		return connector.Page{}, err
	}
	if err := ctx.Err(); err != nil {
		return connector.Page{}, fault.New(fault.Transient, "toy: scan", "%w", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pages++
	from, _ := strconv.Atoi(s.Token)
	all := v.objects[s.Feed]
	p := connector.Page{Total: len(all), Mark: v.mark}
	to := min(from+v.page, len(all))
	for i := from; i < to; i++ {
		if o := all[i]; !o.at.Before(s.Since) {
			p.Changes = append(p.Changes, o.change(i))
		}
	}
	if to < len(all) {
		p.Next = strconv.Itoa(to)
	}
	return p, nil
}

func (o object) change(i int) events.Change {
	f := events.Fields{}
	f.Set("name", fmt.Sprintf("%s %d %s", o.typ, i, strings.Repeat("x", o.size)))
	return events.Change{
		Connection: erp, Entity: o.entity, Object: o.typ, ID: strconv.Itoa(i), Op: events.OpChanged, At: o.at, Snapshot: true, Fields: f,
	}
}

func (v *vendor) asked() []connector.Scan {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]connector.Scan(nil), v.scans...)
}

func (v *vendor) set(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f()
}

// rig is a server with a vendor.
type rig struct {
	t      *testing.T
	bus    *bus.Bus
	store  *checkpoint.Store
	vendor *vendor
	kind   connector.Kind
	modes  map[events.Entity]config.Mode
	// publisher is what the feeders store with.
	publisher feeder.Publisher
	behind    uint64
	group     *bus.Group
	breakers  *breaker.Breaker // nil for none
}

func newRig(t *testing.T, v *vendor) *rig {
	t.Helper()
	srv, err := embed.Start(embed.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(srv.Stop)
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: srv, Name: "test", Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	require.NoError(t, b.Provision(t.Context(), bus.NewTopology(bus.TopologyOptions{Tenant: tenant, Replicas: 1})))
	store, err := checkpoint.Open(t.Context(), b.JetStream(), tenant)
	require.NoError(t, err)
	g := bus.NewGroup(b)
	t.Cleanup(g.Close)
	return &rig{t: t, bus: b, store: store, vendor: v, kind: kind(), modes: map[events.Entity]config.Mode{}, publisher: g, group: g}
}

func (r *rig) config() feeder.Config {
	return feeder.Config{
		Tenant: tenant, Lease: time.Second, MaxBehind: r.behind,
		Connections: []feeder.Connection{{
			Name: erp, Kind: r.kind, Scanner: r.vendor,
			Mode: func(e events.Entity) config.Mode { return r.modes[e] }, Breaker: r.breakers,
		}},
	}
}

func (r *rig) new(c feeder.Config) *feeder.Feeder {
	r.t.Helper()
	f, err := feeder.New(r.t.Context(), c, feeder.Deps{
		Bus: r.bus, Publisher: r.publisher, Log: slog.New(slog.DiscardHandler), Tracer: noop.NewTracerProvider().Tracer(""),
	})
	require.NoError(r.t, err)
	return f
}

// run runs a feeder until stop is called.
func (r *rig) run() (stop func()) { return r.runWith(r.config()) }

func (r *rig) runWith(c feeder.Config) (stop func()) {
	r.t.Helper()
	f := r.new(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	r.t.Cleanup(stop)
	return stop
}

// request asks for a backfill as the command line does.
func (r *rig) request(since time.Time, entities ...events.Entity) {
	r.t.Helper()
	c, err := r.store.Catalog(r.t.Context())
	require.NoError(r.t, err)
	conn, err := c.Connection(erp)
	require.NoError(r.t, err)
	plan, err := conn.Plan(entities)
	require.NoError(r.t, err)
	_, err = r.store.Request(r.t.Context(), erp, plan, since)
	require.NoError(r.t, err)
	require.NoError(r.t, feeder.Announce(r.t.Context(), r.bus, tenant, erp))
}

func (r *rig) state(feed string, w checkpoint.Work) checkpoint.State {
	r.t.Helper()
	st, _, err := r.store.Load(r.t.Context(), checkpoint.Key{Connection: erp, Feed: feed, Work: w})
	require.NoError(r.t, err)
	return st
}

func (r *rig) await(what string, holds func() bool) {
	r.t.Helper()
	require.Eventually(r.t, holds, patience, 5*time.Millisecond, "waited for: "+what)
}

func (r *rig) done(feed string) {
	r.t.Helper()
	r.await("backfill of "+feed, func() bool {
		st := r.state(feed, checkpoint.Backfill)
		return st.Request == nil && st.Last != nil
	})
}

// due announces a poll as its schedule does.
func (r *rig) due(feed string) {
	r.t.Helper()
	_, err := r.bus.Publish(r.t.Context(), bus.Message{Subject: events.DueSubject(tenant, string(checkpoint.Poll), erp, feed)})
	require.NoError(r.t, err)
}

// polled waits for a pass that ended after a time.
func (r *rig) polled(feed string, after time.Time) checkpoint.State {
	r.t.Helper()
	r.await("poll of "+feed, func() bool { return r.state(feed, checkpoint.Poll).Until.After(after) })
	return r.state(feed, checkpoint.Poll)
}

// stored counts the events by object, and how often their ids come.
func (r *rig) stored() (objects, ids map[string]int) {
	r.t.Helper()
	objects, ids = map[string]int{}, map[string]int{}
	for m, err := range r.bus.Scan(r.t.Context(), events.StreamEvents, "events.>") {
		require.NoError(r.t, err)
		e, err := bus.DecodeEvent(m)
		require.NoError(r.t, err)
		objects[e.Subject]++
		ids[e.ID]++
	}
	return objects, ids
}

// each requires every object of the feeds exactly once, by its event's id.
func (r *rig) each(feeds ...string) (stored int) {
	r.t.Helper()
	objects, ids := r.stored()
	want := 0
	for _, f := range feeds {
		for i := range r.vendor.objects[f] {
			want++
			require.Positive(r.t, objects[fmt.Sprintf("%s/%d", f, i)], "%s %d", f, i)
		}
	}
	require.Len(r.t, objects, want)
	require.Len(r.t, ids, want, "read again, an object has the same event")
	for _, n := range ids {
		stored += n
	}
	return stored
}

// alerts are the subjects of all alerts.
func (r *rig) alerts() []string {
	r.t.Helper()
	var all []string
	for m, err := range r.bus.Scan(r.t.Context(), events.StreamAlerts, "alert.>") {
		require.NoError(r.t, err)
		all = append(all, m.Subject)
	}
	return all
}

// breaker gives the connection a breaker, and returns what it tells.
func (r *rig) breaker() <-chan events.Condition {
	r.t.Helper()
	kv, err := r.bus.JetStream().KeyValue(r.t.Context(), bus.BucketConnections)
	require.NoError(r.t, err)
	told := make(chan events.Condition, 100)
	r.breakers, err = breaker.Open(r.t.Context(), breaker.Options{
		KV: kv, Connection: erp, Lanes: 8, Log: slog.New(slog.DiscardHandler), Changed: func(c events.Condition) { told <- c },
	})
	require.NoError(r.t, err)
	r.t.Cleanup(r.breakers.Close)
	return told
}

// gate is a vendor that is held up.
type gate struct {
	*vendor

	hold func()
}

// Scan implements connector.Scanner.
func (g gate) Scan(ctx context.Context, s connector.Scan) (connector.Page, error) {
	g.hold()
	return g.vendor.Scan(ctx, s)
}
