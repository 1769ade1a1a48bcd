package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/app"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/warehouse/lake"
)

// warehouseRig is an embedded server and a folder for the lake.
type warehouseRig struct {
	t   *testing.T
	bus *bus.Bus
	dir string
}

func newWarehouseRig(t *testing.T) *warehouseRig {
	t.Helper()
	srv, err := embed.Start(embed.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(srv.Stop)
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: srv, Name: "test", Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	require.NoError(t, b.Provision(t.Context(), bus.NewTopology(bus.TopologyOptions{Tenant: "acme", Replicas: 1})))
	return &warehouseRig{t: t, bus: b, dir: filepath.Join(t.TempDir(), "data", "lake")}
}

// logs is a log that tests read while it is written.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logs) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), s)
}

// start runs the service as a process would, until stop is called.
func (r *warehouseRig) start() (log *logs, stop func()) {
	r.t.Helper()
	log = &logs{}
	e := &app.Env{
		Config: &config.Config{
			Tenant: "acme", Warehouse: config.Warehouse{Dir: r.dir, FlushRows: 1000, FlushEvery: 20 * time.Millisecond},
		},
		Bus: r.bus, Log: slog.New(slog.NewTextHandler(log, nil)), Registry: prometheus.NewRegistry(),
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- app.Run(ctx, e, []app.Service{app.Warehouse()}, func() { close(ready) }) }()
	<-ready
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(r.t, <-done)
	})
	r.t.Cleanup(stop)
	return log, stop
}

func (r *warehouseRig) record(n int) {
	r.t.Helper()
	k := events.Key{Entity: events.EntityDeal, ID: fmt.Sprint(n)}
	b, err := json.Marshal(events.Record{Tenant: "acme", Key: k, Version: 1, UpdatedAt: time.Unix(0, 0)})
	require.NoError(r.t, err)
	_, err = r.bus.Publish(r.t.Context(), bus.Message{Subject: events.RecordSubject("acme", k), Data: b})
	require.NoError(r.t, err)
}

// rows waits until the lake has n rows of deals.
func (r *warehouseRig) rows(n int) {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		files, err := filepath.Glob(filepath.Join(r.dir, "deal_log", "date=*", "*.parquet"))
		if err != nil {
			return false
		}
		found := int64(0)
		for _, path := range files {
			found += count(path)
		}
		return found == int64(n)
	}, time.Minute, 20*time.Millisecond, "want %d rows", n)
}

func count(path string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return 0
	}
	return f.NumRows()
}

func TestWarehouseGoesOnAfterAStop(t *testing.T) {
	t.Parallel()
	r := newWarehouseRig(t)
	r.record(1)
	_, stop := r.start()
	r.rows(1)
	require.FileExists(t, filepath.Join(r.dir, lake.ViewsFile))
	r.record(2)
	stop()
	r.record(3)
	r.start()
	r.rows(3)
}

func TestASecondWarehouseWaitsForTheLake(t *testing.T) {
	t.Parallel()
	r := newWarehouseRig(t)
	r.record(1)
	_, stop := r.start()
	r.rows(1)
	log, _ := r.start()
	require.Eventually(t, func() bool { return log.count("waiting for it") > 0 }, time.Minute, 5*time.Millisecond)
	r.record(2)
	r.rows(2)
	stop()
	r.record(3)
	r.rows(3)
	require.Equal(t, 1, log.count("waiting for it"))
	require.Equal(t, 1, log.count("taking over"))
}

func TestWarehouseRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	r := newWarehouseRig(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, w := range map[string]config.Warehouse{
		"flush_rows":    {Dir: r.dir, FlushRows: 0, FlushEvery: time.Second},
		"flush_every":   {Dir: r.dir, FlushRows: 1},
		"warehouse.dir": {Dir: filepath.Join(file, "lake"), FlushRows: 1, FlushEvery: time.Second},
	} {
		e := &app.Env{
			Config: &config.Config{Tenant: "acme", Warehouse: w}, Bus: r.bus,
			Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(),
		}
		err := app.Warehouse().Run(t.Context(), e, func() { t.Error("not ready") })
		require.ErrorContains(t, err, name)
	}
}
