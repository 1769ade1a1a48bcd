package breaker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/spoke-sync/spoke/events"
)

// Pause stops all calls of a connection, in every process, until Resume. It
// lasts over restarts.
func Pause(ctx context.Context, kv jetstream.KeyValue, connection, reason string) (events.Condition, error) {
	return operate(ctx, kv, connection, func(r record, now time.Time) record { return r.pause(reason, now) })
}

// Resume ends a pause. A connection that is not paused stays as it is.
func Resume(ctx context.Context, kv jetstream.KeyValue, connection string) (events.Condition, error) {
	return operate(ctx, kv, connection, record.resume)
}

func operate(ctx context.Context, kv jetstream.KeyValue, connection string, f func(record, time.Time) record) (events.Condition, error) {
	key := events.Token(connection)
	for {
		var r record
		var rev uint64
		e, err := kv.Get(ctx, key)
		if err == nil {
			rev, err = e.Revision(), json.Unmarshal(e.Value(), &r)
		}
		if err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
			return r.Condition, fmt.Errorf("connection %s: %w", connection, err)
		}
		r = f(r, time.Now().UTC())
		_, err = put(ctx, kv, key, r, rev)
		if err == nil || !lost(err) {
			return r.Condition, err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return r.Condition, ctx.Err()
		}
	}
}
