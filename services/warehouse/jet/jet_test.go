package jet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/warehouse/feed"
	"github.com/spoke-sync/spoke/services/warehouse/jet"
	"github.com/spoke-sync/spoke/services/warehouse/lake"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tenant = "acme"

var quiet = slog.New(slog.DiscardHandler)

// rig is an embedded server with the topology, and a folder for a lake.
type rig struct {
	t    *testing.T
	bus  *bus.Bus
	lake string
	// committed is the last sequence of WAREHOUSE in the lake.
	committed atomic.Uint64
}

func newRig(t *testing.T) *rig {
	t.Helper()
	srv, err := embed.Start(embed.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(srv.Stop)
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: srv, Name: "test", Log: quiet})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	r := &rig{t: t, bus: b, lake: filepath.Join(t.TempDir(), "lake")}
	r.provision()
	return r
}

// provision makes the topology. What is delivered and not acked comes again
// after a second instead of a minute.
func (r *rig) provision() {
	r.t.Helper()
	top := bus.NewTopology(bus.TopologyOptions{Tenant: tenant, Replicas: 1})
	for i := range top.Consumers {
		top.Consumers[i].Config.AckWait = time.Second
	}
	require.NoError(r.t, r.bus.Provision(r.t.Context(), top))
}

func deal(n int) events.Key { return events.Key{Entity: events.EntityDeal, ID: fmt.Sprint(n)} }

// put publishes a message.
func (r *rig) put(m bus.Message) {
	r.t.Helper()
	_, err := r.bus.Publish(r.t.Context(), m)
	require.NoError(r.t, err)
}

// record makes the message of a version of a golden record, for HUB.
func record(t *testing.T, k events.Key, version uint64, deleted bool) bus.Message {
	t.Helper()
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	name, err := json.Marshal(fmt.Sprintf("%s v%d", k.ID, version))
	require.NoError(t, err)
	rec := events.Record{
		Tenant: tenant, Key: k, Version: version, UpdatedAt: at,
		Fields: map[string]events.Field{"name": {Value: name, Source: "hubspot", At: at, Event: "e"}},
	}
	if deleted {
		rec.Deleted = &events.Mark{At: at}
	}
	b, err := json.Marshal(rec)
	require.NoError(t, err)
	return bus.Message{Subject: events.RecordSubject(tenant, k), Data: b}
}

// outcome makes the message of a write, for EVENTS. It makes two rows.
func outcome(t *testing.T, n int) bus.Message {
	t.Helper()
	e := events.NewOutcome("netsuite", fmt.Sprint("o", n), events.Outcome{
		Connection: "erp", Entity: events.EntityOrder, Object: "salesOrder", Record: deal(n), State: events.StateDone,
		Effect: events.EffectCreated, ID: fmt.Sprint(900 + n), At: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
	})
	subject := events.EventSubject(tenant, "erp", events.EntityOrder, events.OpWritten, deal(n).String())
	m, err := bus.EncodeEvent(t.Context(), subject, e)
	require.NoError(t, err)
	return m
}

// parts are what a run is made of, to be replaced by what fails.
type parts struct {
	hub, events feed.Source
	publisher   feed.Publisher
	open        func(row.Stream) (feed.Store, error)
}

func (r *rig) parts() parts {
	return parts{
		hub:       jet.NewSource(r.bus, events.StreamHub, bus.DurableWarehouse),
		events:    jet.NewSource(r.bus, events.StreamEvents, bus.DurableWarehouse),
		publisher: jet.NewPublisher(r.bus), open: feed.Lake(r.lake),
	}
}

// start runs everything until stop is called.
func (r *rig) start(p parts) (stop func()) {
	r.t.Helper()
	refuser := jet.NewRefuser(r.bus, quiet, nil)
	limits := feed.DefaultLimits()
	limits.Age = 20 * time.Millisecond
	tasks := []func(context.Context) error{
		feed.Rows{Source: p.hub, Publisher: p.publisher, Refuser: refuser, Log: quiet}.Run,
		feed.Rows{Source: p.events, Publisher: p.publisher, Refuser: refuser, Log: quiet}.Run,
		feed.Loader{
			Source: jet.NewLog(r.bus, tenant, nil), Open: p.open, Limits: limits, Refuser: refuser, Log: quiet,
			Committed: func(c lake.Commit) { r.committed.Store(c.Last) },
		}.Run,
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	errs := make([]error, len(tasks))
	for i, task := range tasks {
		wg.Go(func() { errs[i] = task(ctx) })
	}
	stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		require.NoError(r.t, errors.Join(errs...))
	})
	r.t.Cleanup(stop)
	return stop
}

// settle waits until every message is taken and its rows are in the lake.
func (r *rig) settle() {
	r.t.Helper()
	for _, stream := range []string{events.StreamHub, events.StreamEvents} {
		p, err := r.bus.Puller(r.t.Context(), stream, bus.DurableWarehouse)
		require.NoError(r.t, err)
		require.Eventually(r.t, func() bool {
			waiting, unacked, err := p.Pending(r.t.Context())
			return err == nil && waiting == 0 && unacked == 0
		}, time.Minute, 10*time.Millisecond, "%s is not read", stream)
	}
	last := r.stream(events.StreamWarehouse).Last
	require.Eventually(r.t, func() bool { return r.committed.Load() == last }, time.Minute, 10*time.Millisecond, "rows are not loaded")
}

func (r *rig) stream(name string) bus.Identity {
	r.t.Helper()
	id, err := r.bus.Identify(r.t.Context(), name)
	require.NoError(r.t, err)
	return id
}

// table reads the rows of a table out of the files, as they stand there. Every
// value is text; nulls are left out.
func (r *rig) table(name string) []map[string]string {
	r.t.Helper()
	files, err := filepath.Glob(filepath.Join(r.lake, name, "date=*", "*.parquet"))
	require.NoError(r.t, err)
	var out []map[string]string
	for _, path := range files {
		if !strings.HasPrefix(filepath.Base(path), "schema-") {
			out = append(out, contents(r.t, path)...)
		}
	}
	return out
}

func contents(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	rd := parquet.NewReader(f)
	columns := rd.Schema().Columns()
	var out []map[string]string
	buffer := make([]parquet.Row, 64)
	for {
		n, err := rd.ReadRows(buffer)
		for _, cells := range buffer[:n] {
			m := map[string]string{}
			for _, v := range cells {
				if !v.IsNull() {
					m[columns[v.Column()][0]] = v.String()
				}
			}
			out = append(out, m)
		}
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
	}
}
