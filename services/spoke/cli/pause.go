package cli

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/breaker"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

type pauseCmd struct {
	where      `embed:""`
	Connection string `arg:"" help:"Connection as in the configuration."`
	Reason     string `help:"Why, for whoever looks at it."`
}

type resumeCmd struct {
	where      `embed:""`
	Connection string `arg:"" help:"Connection as in the configuration."`
}

// Run implements the command.
func (c *pauseCmd) Run(s *session) error {
	return c.operate(s, c.Connection, func(ctx context.Context, kv jetstream.KeyValue) (events.Condition, error) {
		return breaker.Pause(ctx, kv, c.Connection, c.Reason)
	})
}

// Run implements the command.
func (c *resumeCmd) Run(s *session) error {
	return c.operate(s, c.Connection, func(ctx context.Context, kv jetstream.KeyValue) (events.Condition, error) {
		return breaker.Resume(ctx, kv, c.Connection)
	})
}

// operate changes a connection's state and prints what it is then. It works on
// a stopped Spoke too: the state is kept.
func (w where) operate(s *session, connection string, f func(context.Context, jetstream.KeyValue) (events.Condition, error)) error {
	st, err := w.open(s.ctx)
	if err != nil {
		return err
	}
	defer st.close()
	js := st.bus.JetStream()
	if _, err := js.KeyValue(s.ctx, bus.LedgerBucket(connection)); err != nil {
		return fmt.Errorf("no connection is named %q; spoke status lists them", connection)
	}
	kv, err := js.KeyValue(s.ctx, bus.BucketConnections)
	if err != nil {
		return fmt.Errorf("connections: %w", err)
	}
	now, err := f(s.ctx, kv)
	if err != nil {
		return err
	}
	if w.JSON {
		return s.json(now)
	}
	s.printf("%s is %s\n", connection, now.State)
	return nil
}
