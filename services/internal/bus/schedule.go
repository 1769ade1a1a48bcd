package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/spoke-sync/spoke/events"
)

// Schedule makes the server publish an empty message, once or again and again.
type Schedule struct {
	// Subject is where the schedule stands, Target where it publishes.
	Subject, Target string
	// Every is the pause between two messages, at least a second; 0 for one
	// message at At. The server cuts both to whole seconds.
	Every time.Duration
	At    time.Time
}

const (
	headerSchedule       = "Nats-Schedule"
	headerScheduleTarget = "Nats-Schedule-Target"
)

func (s Schedule) pattern() string {
	if s.Every > 0 {
		return "@every " + s.Every.String()
	}
	return "@at " + s.At.UTC().Format(time.RFC3339)
}

// SetSchedules makes the schedules that match a filter those that are wanted:
// it sets what is missing or differs, and removes what is not wanted. What
// stands as it should is not touched, so that its time does not begin anew.
func (b *Bus) SetSchedules(ctx context.Context, filter string, want []Schedule) error {
	known := map[string]Stored{}
	for m, err := range b.Scan(ctx, events.StreamSchedules, filter) {
		if err != nil {
			return err
		}
		known[m.Subject] = m
	}
	for _, s := range want {
		m, stands := known[s.Subject]
		delete(known, s.Subject)
		if stands && m.Header.Get(headerSchedule) == s.pattern() && m.Header.Get(headerScheduleTarget) == s.Target {
			continue
		}
		if err := b.setSchedule(ctx, s, m.Seq); err != nil {
			return err
		}
	}
	for _, m := range known {
		if err := b.Delete(ctx, events.StreamSchedules, m.Seq); err != nil {
			return err
		}
	}
	return nil
}

// setSchedule replaces the schedule of a sequence, 0 for none. When another
// replica was faster, it wanted the same.
func (b *Bus) setSchedule(ctx context.Context, s Schedule, seq uint64) error {
	_, err := b.Publish(ctx, Message{
		Subject: s.Subject, Expect: Seq(seq),
		Header: nats.Header{headerSchedule: {s.pattern()}, headerScheduleTarget: {s.Target}},
	})
	if err != nil && !errors.Is(err, ErrStale) {
		return fmt.Errorf("bus: schedule %s: %w", s.Subject, err)
	}
	return nil
}
