package jet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/warehouse/feed"
	"github.com/spoke-sync/spoke/services/warehouse/row"
)

// Source delivers the messages of a durable consumer. Replicas of a service
// share the durable, each with a Source of its own; a Source belongs to one
// goroutine.
type Source struct {
	bus             *bus.Bus
	stream, durable string

	puller *bus.Puller // nil until the durable is opened
	id     row.Stream
	held   []bus.Delivered // delivered, not acked yet
}

var _ feed.Source = (*Source)(nil)

// NewSource returns the Source of an existing durable, which it opens on
// first use and again after a failure.
func NewSource(b *bus.Bus, stream, durable string) *Source {
	return &Source{bus: b, stream: stream, durable: durable}
}

// Fetch implements feed.Source. Messages of a Batch that was not acked when
// the next one is fetched are given back, to be delivered again at once.
func (s *Source) Fetch(ctx context.Context, limit int, wait time.Duration) (feed.Batch, error) {
	s.giveBack()
	if ctx.Err() != nil {
		return feed.Batch{}, nil //nolint:nilerr // a stop is no failure
	}
	if err := s.open(ctx); err != nil {
		return feed.Batch{}, unlessStopped(ctx, err)
	}
	got, err := s.puller.Pull(ctx, limit, wait)
	s.held = got
	if err == nil && len(got) > 0 {
		err = s.confirm(ctx)
	}
	if err != nil || ctx.Err() != nil {
		s.giveBack()
		if err != nil {
			s.puller = nil
		}
		return feed.Batch{}, unlessStopped(ctx, err)
	}
	b := feed.Batch{Messages: make([]feed.Message, 0, len(got)), Ack: s.ack}
	for _, m := range got {
		if !bus.IsReplay(m.Stored) { // its row was made when it came first
			b.Messages = append(b.Messages, message(s.id, m.Stored))
		}
	}
	if len(b.Messages) == 0 && len(got) > 0 {
		return feed.Batch{}, s.ack(ctx)
	}
	return b, nil
}

func (s *Source) open(ctx context.Context) error {
	if s.puller != nil {
		return nil
	}
	id, err := identify(ctx, s.bus, s.stream)
	if err != nil {
		return err
	}
	if s.puller, err = s.bus.Puller(ctx, s.stream, s.durable); err != nil {
		return err
	}
	s.id = id
	return nil
}

// confirm makes sure that what was pulled comes from the stream that was
// opened. A stream that was made anew since has the same name and durable,
// and its messages must not pass for those of the old one: their rows would
// have the ids of other rows.
func (s *Source) confirm(ctx context.Context) error {
	now, err := identify(ctx, s.bus, s.stream)
	if err != nil {
		return err
	}
	if !now.Equal(s.id) {
		return fmt.Errorf("stream %s is now %s", s.id.ID(), now.ID())
	}
	return nil
}

// ack acks what the last Fetch brought. It works on after ctx ends: those
// rows are stored, and not to ack them would only make them once more.
func (s *Source) ack(context.Context) error {
	held := s.held
	s.held = nil
	var errs []error
	for _, m := range held {
		errs = append(errs, m.Ack())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return s.bus.Flush()
}

func (s *Source) giveBack() {
	for _, m := range s.held {
		_ = m.Again(0) // without it they come back when their ack time is over
	}
	s.held = nil
}

// identify returns the stream as rows name it.
func identify(ctx context.Context, b *bus.Bus, stream string) (row.Stream, error) {
	id, err := b.Identify(ctx, stream)
	return row.Stream{Name: id.Name, Created: id.Created}, err
}

// message makes what feed works on.
func message(of row.Stream, m bus.Stored) feed.Message {
	return feed.Message{Data: m.Data, Origin: row.Origin{
		Stream: of, Seq: m.Seq, Time: m.Time, Subject: m.Subject,
		TraceParent: m.Header.Get("traceparent"), TraceState: m.Header.Get("tracestate"),
	}}
}

// unlessStopped drops an error that comes of ctx having ended.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // a stop is no failure
	}
	return err
}
