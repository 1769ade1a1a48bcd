package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// Follow prints each event from now on as one line, until ctx ends.
func Follow(ctx context.Context, b *bus.Bus, tenant string, say func(string, ...any)) error {
	cons, err := b.JetStream().OrderedConsumer(ctx, events.StreamEvents, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{"events." + events.Token(tenant) + ".>"}, DeliverPolicy: jetstream.DeliverNewPolicy,
	})
	if err != nil {
		return err
	}
	running, err := cons.Consume(func(m jetstream.Msg) {
		e, err := bus.DecodeEvent(bus.Stored{Data: m.Data()})
		if err != nil {
			return
		}
		if line := describe(e); line != "" {
			say("  %s", line)
		}
	})
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, running.Stop)
	return nil
}

// describe tells an event in one line; "" for what is not worth one.
func describe(e events.Event) string {
	if !e.IsOutcome() {
		c, err := e.Change()
		if err != nil {
			return ""
		}
		what := "changed"
		if c.Op != events.OpChanged {
			what = string(c.Op)
		}
		if len(c.Properties) > 0 {
			what += " (" + strings.Join(c.Properties, ", ") + ")"
		}
		return fmt.Sprintf("%-10s → %s %s %s", c.Connection, c.Object, c.ID, what)
	}
	o, err := e.Outcome()
	if err != nil {
		return ""
	}
	switch o.State {
	case events.StateHeld:
		return fmt.Sprintf("%-10s ‖ %s for %s waits: %s", o.Connection, o.Object, o.Record, o.Error.Message)
	case events.StateQuarantined:
		return fmt.Sprintf("%-10s ✗ %s for %s: %s", o.Connection, o.Object, o.Record, o.Error.Message)
	default:
		name := o.Number
		if name == "" {
			name = o.ID
		}
		return fmt.Sprintf("%-10s ← %s %s %s for %s", o.Connection, o.Object, name, o.Effect, o.Record)
	}
}

// effects lists what a sandbox counted, in order.
func effects(c sandbox.Counts) string {
	if len(c.Effects) == 0 {
		return "none"
	}
	parts := make([]string, 0, len(c.Effects))
	for _, what := range slices.Sorted(maps.Keys(c.Effects)) {
		parts = append(parts, fmt.Sprintf("%d %s", c.Total(what), what))
	}
	return strings.Join(parts, ", ")
}
