package feed

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spoke-sync/spoke/services/internal/crash"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// Rows publishes the rows of what a source delivers. HUB and EVENTS have one
// each.
type Rows struct {
	Source    Source
	Publisher Publisher
	Refuser   Refuser
	Log       *slog.Logger
}

const (
	// maxPublish is how many rows one Publish gets; an atomic batch of NATS
	// holds 1,000 messages.
	maxPublish = 1000
	// fetchRows is how many messages one step takes. An outcome makes two
	// rows, so a step fits one Publish.
	fetchRows = maxPublish / 2
	// idle is how long a Fetch waits for a message.
	idle = 5 * time.Second
)

// Run publishes until ctx ends; it returns nil then. Failures are logged and
// tried again: the messages stay in their stream.
func (f Rows) Run(ctx context.Context) error {
	var b backoff
	for ctx.Err() == nil {
		if _, err := f.Step(ctx); err == nil {
			b.reset()
		} else if ctx.Err() == nil {
			f.Log.Warn("warehouse: rows are not published, trying again", "error", err)
			b.sleep(ctx)
		}
	}
	return nil
}

// Step takes one batch: rows first, the ack last, so that a crash in between
// repeats rows with the ids they had. It returns the number of messages.
func (f Rows) Step(ctx context.Context) (int, error) {
	batch, err := f.Source.Fetch(ctx, fetchRows, idle)
	if err != nil {
		return 0, fmt.Errorf("warehouse: fetch: %w", err)
	}
	if len(batch.Messages) == 0 {
		return 0, nil
	}
	var out []row.Envelope
	for _, m := range batch.Messages {
		rows, err := envelopes(m)
		if err == nil {
			out = append(out, rows...)
			continue
		}
		if err := f.Refuser.Refuse(ctx, m, err); err != nil {
			return 0, fmt.Errorf("warehouse: refuse message %s: %w", m.Origin, err)
		}
	}
	if len(out) > 0 {
		if err := f.Publisher.Publish(ctx, out); err != nil {
			return 0, fmt.Errorf("warehouse: publish %d rows: %w", len(out), err)
		}
	}
	crash.Point(crash.WarehousePublished)
	if batch.Ack == nil {
		return len(batch.Messages), nil
	}
	if err := batch.Ack(ctx); err != nil {
		f.Log.Warn("warehouse: ack is lost, the messages will come again", "error", err)
	}
	return len(batch.Messages), nil
}

// envelopes makes all rows of a message or none.
func envelopes(m Message) ([]row.Envelope, error) {
	rows, err := row.FromMessage(m.Origin, m.Data)
	if err != nil {
		return nil, err
	}
	out := make([]row.Envelope, len(rows))
	for i, r := range rows {
		if out[i], err = r.Envelope(m.Origin); err != nil {
			return nil, err
		}
	}
	return out, nil
}
