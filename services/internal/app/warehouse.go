package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/warehouse/feed"
	"github.com/spoke-sync/spoke/services/warehouse/jet"
	"github.com/spoke-sync/spoke/services/warehouse/lake"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// Warehouse is the service that makes rows of records and events and keeps
// them as Parquet files. Any number of replicas publish rows; one at a time
// fills the lake of a folder.
func Warehouse() Service {
	return Service{Name: WarehouseName, Run: runWarehouse}
}

func runWarehouse(ctx context.Context, e *Env, ready func()) error {
	limits := feed.DefaultLimits()
	limits.Rows, limits.Age = e.Config.Warehouse.FlushRows, e.Config.Warehouse.FlushEvery
	if err := limits.Validate(); err != nil {
		return fmt.Errorf("warehouse: limits (flush_rows, flush_every): %w", err)
	}
	dir := e.Config.Warehouse.Dir
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("warehouse.dir: %w", err)
	}
	meter := jet.NewMeter(e.Registry)
	refuser := jet.NewRefuser(e.Bus, e.Log, meter)
	rows := func(stream string) feed.Rows {
		return feed.Rows{
			Source:    jet.NewSource(e.Bus, stream, bus.DurableWarehouse),
			Publisher: jet.NewPublisher(e.Bus), Refuser: refuser, Log: e.Log,
		}
	}
	turn := &turn{open: feed.Lake(dir), log: e.Log}
	loader := feed.Loader{
		Source: jet.NewLog(e.Bus, e.Config.Tenant, meter), Open: turn.take, Limits: limits,
		Refuser: refuser, Log: e.Log, Committed: meter.Committed,
	}
	tasks := []func(context.Context) error{
		rows(events.StreamHub).Run,
		rows(events.StreamEvents).Run,
		func(ctx context.Context) error { return turn.run(ctx, loader) },
	}
	ready()
	var wg sync.WaitGroup
	errs := make([]error, len(tasks))
	for i, task := range tasks {
		wg.Go(func() { errs[i] = task(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// turn waits for a lake that another process fills.
type turn struct {
	open    func(row.Stream) (feed.Store, error)
	log     *slog.Logger
	waiting bool
}

// turnEvery is how often a process asks for a lake that another one holds.
const turnEvery = 2 * time.Second

// run runs the loader whenever the lake is free, until ctx ends.
func (t *turn) run(ctx context.Context, l feed.Loader) error {
	for {
		if err := l.Run(ctx); !errors.Is(err, lake.ErrLocked) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(turnEvery):
		}
	}
}

// take opens the lake, and says so once when it has to wait and when its turn
// has come. Opening writes views.sql.
func (t *turn) take(s row.Stream) (feed.Store, error) {
	store, err := t.open(s)
	switch {
	case errors.Is(err, lake.ErrLocked):
		if !t.waiting {
			t.log.Info("warehouse: another process fills the lake, waiting for it to stop", "reason", err.Error())
		}
		t.waiting = true
	case err == nil:
		if t.waiting {
			t.log.Info("warehouse: the lake is free, taking over")
		}
		t.waiting = false
	}
	return store, err
}
