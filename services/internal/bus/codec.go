package bus

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
)

// Headers that Spoke sets. Lower case, as the CloudEvents binding for NATS
// writes them.
const (
	headerContentType = "Content-Type"
	headerID          = "ce-id"
	headerType        = "ce-type"
	headerSource      = "ce-source"
)

// EncodeEvent makes the message of an event: structured JSON, with id, type
// and source repeated as headers for routing, and the trace context of ctx.
func EncodeEvent(ctx context.Context, subject string, e events.Event) (Message, error) {
	data, err := e.MarshalJSON() // json.Marshal would check the result once more
	if err != nil {
		return Message{}, fmt.Errorf("event %s: %w", e.ID, err)
	}
	h := nats.Header{
		headerContentType: {events.ContentType},
		headerID:          {e.ID}, headerType: {e.Type}, headerSource: {e.Source},
	}
	Inject(ctx, h)
	return Message{Subject: subject, Data: data, Header: h}, nil
}

// EncodeRoute makes the message that asks transform to derive a record's
// documents again.
func EncodeRoute(ctx context.Context, tenant string, r events.Route) (Message, error) {
	subject := events.EventSubject(tenant, events.Operators, r.Record.Entity, events.OpRoute, r.Record.ID)
	return EncodeEvent(ctx, subject, events.NewRoute(nuid.Next(), time.Now().UTC(), r))
}

// IsRoute reports by its header whether a stored event is a Route.
func IsRoute(m Stored) bool {
	t := m.Header[headerType]
	return len(t) > 0 && events.Event{Type: t[0]}.IsRoute()
}

// DecodeEvent reads the event in a message.
func DecodeEvent(m Stored) (events.Event, error) {
	var e events.Event
	if err := e.UnmarshalJSON(m.Data); err != nil {
		return events.Event{}, fmt.Errorf("message %d on %s: %w", m.Seq, m.Subject, err)
	}
	return e, nil
}

// HeadingOf reads what the message repeats of an event that can't be read
// itself.
func HeadingOf(m Stored) (events.Event, error) {
	e := events.Event{ID: m.Header.Get(headerID), Type: m.Header.Get(headerType), Source: m.Header.Get(headerSource)}
	if e.ID == "" || e.Type == "" || e.Source == "" {
		return events.Event{}, fmt.Errorf("message %d on %s is no event", m.Seq, m.Subject)
	}
	return e, nil
}

// carrier lets the W3C propagator use NATS headers, which are case-sensitive.
type carrier nats.Header

func (c carrier) Get(key string) string {
	if v := c[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}
func (c carrier) Set(key, value string) { c[key] = []string{value} }

func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	return keys
}

// Inject writes the trace context of this hop.
func Inject(ctx context.Context, h nats.Header) {
	otel.GetTextMapPropagator().Inject(ctx, carrier(h))
}

// Extract returns ctx with the trace context of the hop before.
func Extract(ctx context.Context, h nats.Header) context.Context {
	return otel.GetTextMapPropagator().Extract(ctx, carrier(h))
}

// Origin returns the span that an event continues: of the hop before, or, when
// the message has none, the one that the event began in.
func Origin(ctx context.Context, h nats.Header, e events.Heading) trace.SpanContext {
	if len(h["traceparent"]) > 0 {
		return trace.SpanContextFromContext(Extract(ctx, h))
	}
	if e.TraceParent == "" {
		return trace.SpanContext{}
	}
	began := propagation.MapCarrier{"traceparent": e.TraceParent, "tracestate": e.TraceState}
	return trace.SpanContextFromContext(otel.GetTextMapPropagator().Extract(ctx, began))
}

// ExtractEvent returns ctx with the span that an event continues; see Origin.
func ExtractEvent(ctx context.Context, h nats.Header, e events.Event) context.Context {
	origin := Origin(ctx, h, events.Heading{TraceParent: e.TraceParent, TraceState: e.TraceState})
	return trace.ContextWithRemoteSpanContext(ctx, origin)
}

// IsOutcome reports by its header whether a stored event is an outcome.
func IsOutcome(m Stored) bool {
	t := m.Header[headerType]
	return len(t) > 0 && events.Event{Type: t[0]}.IsOutcome()
}

// headerReplay marks an event that is published again as it stood.
const headerReplay = "spoke-replay"

// ReplayOf makes the message that publishes a stored event again.
func ReplayOf(m Stored) Message {
	h := OwnHeader(m.Header)
	h[headerReplay] = []string{strconv.FormatUint(m.Seq, 10)}
	return Message{Subject: m.Subject, Data: m.Data, Header: h}
}

// IsReplay reports whether a message is an event published again by ReplayOf.
func IsReplay(m Stored) bool { return len(m.Header[headerReplay]) > 0 }

// OwnHeader keeps the trace context of a stored message for publishing it
// again, and leaves out what the server added.
func OwnHeader(h nats.Header) nats.Header {
	own := nats.Header{}
	for _, k := range []string{headerContentType, headerID, headerType, headerSource, "traceparent", "tracestate"} {
		if v := h[k]; len(v) > 0 {
			own[k] = v
		}
	}
	return own
}
