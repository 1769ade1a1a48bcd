package receiver

import (
	"context"
	"errors"
	"hash/maphash"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/crash"
)

// item is one event with what its subject is made of.
type item struct {
	event  events.Event
	entity events.Entity
	op     events.Op
	object string
	// sum is over all that was said, without what Spoke added itself.
	sum uint64
}

// identity names an event that stands on the stream. Its content is part of it:
// a source that uses an id twice for two things must not lose one of them.
type identity struct {
	speaker, id string
	sum         uint64
}

// store puts events on the stream. It remembers the latest of them, so that
// most repeated deliveries cost nothing further; those that slip through are
// the same to merge.
type store struct {
	tenant     string
	publisher  Publisher
	timeout    time.Duration
	maxMessage int64
	meter      *meter
	seed       maphash.Seed
	known      *lru.Cache[identity, struct{}]
}

// headerRoom is kept free of the largest message for NATS headers: id, type
// and source with at most 255 bytes each, the trace context with 600, and
// what the server needs for a batch.
const headerRoom = 4 << 10

func newStore(c Config, p Publisher, m *meter) *store {
	known, err := lru.New[identity, struct{}](c.Remember)
	if err != nil {
		panic("receiver: " + err.Error()) // validated: Remember is positive
	}
	return &store{
		tenant: c.Tenant, publisher: p, timeout: c.PublishTimeout, maxMessage: c.MaxMessage - headerRoom,
		meter: m, seed: maphash.MakeSeed(), known: known,
	}
}

func (s *store) digest(data []byte, parts ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	_, _ = h.Write(data)
	_ = h.WriteByte(0)
	for _, p := range parts {
		_, _ = h.WriteString(p) // never fails
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

// tally counts what became of the events of one request.
type tally struct {
	Stored   int `json:"stored"`
	Repeated int `json:"repeated"`
}

// put returns when every event is on disk. Up to MaxEvents are stored whole
// or not at all; more, which only a vendor may send, in parts, and a repeated
// call stores what is missing.
func (s *store) put(ctx context.Context, speaker string, items []item) (t tally, refused *refusal) {
	msgs, keys, refused := s.encode(ctx, speaker, items)
	if refused != nil {
		return tally{}, refused
	}
	t = tally{Stored: len(msgs), Repeated: len(items) - len(msgs)}
	// A caller that hangs up does not take back what it said: the publish goes
	// on, and its result is worth remembering.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	for len(msgs) > 0 {
		n := min(len(msgs), MaxEvents)
		crash.Point(crash.IngestReceived)
		started := time.Now()
		err := s.publisher.Publish(ctx, msgs[:n]...)
		s.meter.published(time.Since(started))
		if err != nil {
			return tally{}, unstored(err)
		}
		crash.Point(crash.IngestStored)
		for _, k := range keys[:n] {
			s.known.Add(k, struct{}{})
		}
		s.meter.events(speaker, resultStored, n)
		msgs, keys = msgs[n:], keys[n:]
	}
	s.meter.events(speaker, resultRepeated, t.Repeated)
	return t, nil
}

// encode makes the messages of all events that are not known yet.
func (s *store) encode(ctx context.Context, speaker string, items []item) ([]bus.Message, []identity, *refusal) {
	began := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, began)
	msgs := make([]bus.Message, 0, len(items))
	keys := make([]identity, 0, len(items))
	here := make(map[identity]struct{}, len(items))
	for i, it := range items {
		key := identity{speaker, it.event.ID, it.sum}
		_, again := here[key]
		if _, known := s.known.Get(key); known || again {
			continue
		}
		here[key] = struct{}{}
		if it.event.TraceParent == "" {
			it.event.TraceParent, it.event.TraceState = began["traceparent"], began["tracestate"]
		}
		m, err := bus.EncodeEvent(ctx, events.EventSubject(s.tenant, speaker, it.entity, it.op, it.object), it.event)
		if err != nil {
			return nil, nil, refuse(codeInternal, "this is a bug in Spoke").because(err)
		}
		if int64(len(m.Data)) > s.maxMessage {
			return nil, nil, refuse(codeTooLarge, "the event is too large").
				advise("an event may have " + size(s.maxMessage) + " with all that Spoke adds").at(i)
		}
		msgs, keys = append(msgs, m), append(keys, key)
	}
	return msgs, keys, nil
}

// How long callers are told to wait.
const (
	retryBusy        = time.Second
	retryUnavailable = 2 * time.Second
	retryFull        = 30 * time.Second // an operator has to make room
)

func busy(err error) *refusal {
	p := refuse(codeBusy, "too much is coming in at once").because(err)
	p.after = retryBusy
	return p
}

// unstored is the refusal after a failed publish. Whether the events are
// stored may be unknown; they count as not stored, and are harmless twice.
func unstored(err error) *refusal {
	switch {
	case errors.Is(err, bus.ErrBusy):
		return busy(err)
	case errors.Is(err, bus.ErrFull):
		p := refuse(codeFull, "the event store is full").because(err)
		p.after = retryFull
		return p
	default:
		p := refuse(codeUnavailable, "the event store does not answer").because(err)
		p.after = retryUnavailable
		return p
	}
}
