package main

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/spoke-sync/spoke/events"
)

// latencySeconds is how long the load of half the rate lasts.
const latencySeconds = 10

// latency posts at half the measured rate and takes the time from each POST to
// the desired document that holds it, or a later change of the same record.
func latency(ctx context.Context, p *process, l *load, r *report) error {
	r.LoadPerSecond = r.EventsPerSecond / 2
	l.sent.Clear()
	first := l.serial.Load()
	var mu sync.Mutex
	var took []time.Duration
	cons, err := p.js.OrderedConsumer(ctx, events.StreamHub, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{"desired.>"}, DeliverPolicy: jetstream.DeliverNewPolicy,
	})
	if err != nil {
		return err
	}
	running, err := cons.Consume(func(m jetstream.Msg) {
		now := time.Now()
		var d struct {
			Fields struct{ Phone string }
		}
		if json.Unmarshal(m.Data(), &d) != nil {
			return
		}
		serial, err := strconv.ParseInt(d.Fields.Phone, 10, 64)
		if err != nil || serial <= first {
			return
		}
		if at, ok := l.sent.Load(serial); ok {
			mu.Lock()
			took = append(took, now.Sub(at.(time.Time))) //nolint:forcetypeassert // only times are stored
			mu.Unlock()
		}
	})
	if err != nil {
		return err
	}
	defer running.Stop()
	if err := l.post(ctx, p.base, int(r.LoadPerSecond*latencySeconds), r.LoadPerSecond); err != nil {
		return err
	}
	if err := p.drained(ctx); err != nil {
		return err
	}
	time.Sleep(200 * time.Millisecond) // the last documents are on their way to us
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(took)
	if n := len(took); n > 0 {
		r.P50, r.P99, r.Max = took[n/2], took[n*99/100], took[n-1]
	}
	return nil
}
