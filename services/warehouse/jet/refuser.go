package jet

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/warehouse/feed"
)

// Service is the name under which messages are set apart.
const Service = "warehouse-sink"

// unknown stands for the connection of a message that has none.
const unknown = "unknown"

// Refuser puts messages that make no row into QUARANTINE.
type Refuser struct {
	bus   *bus.Bus
	log   *slog.Logger
	meter *Meter
}

var _ feed.Refuser = Refuser{}

// NewRefuser returns a Refuser. It may be shared. meter may be nil.
func NewRefuser(b *bus.Bus, log *slog.Logger, meter *Meter) Refuser {
	return Refuser{bus: b, log: log, meter: meter}
}

// Refuse implements feed.Refuser. A message that is refused again takes the
// place of its first refusal.
func (r Refuser) Refuse(ctx context.Context, m feed.Message, reason error) error {
	q := events.Quarantined{
		Service: Service, Problem: *fault.Problem(reason), Attempts: 1, Stream: m.Stream.Name,
		Subject: m.Subject, Sequence: m.Seq, Trace: traceID(m.TraceParent), At: time.Now().UTC(),
		Original: events.Original(m.Data),
	}
	describe(&q)
	b, err := r.encode(q)
	if err != nil {
		return err
	}
	connection := q.Connection
	if connection == "" {
		connection = unknown
	}
	// The write outlives ctx: a stop between it and the ack costs nothing.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishLimit)
	defer cancel()
	subject := events.QuarantineSubject(Service, connection, q.Problem.Kind, q.Entity, place(m))
	if _, err := r.bus.Publish(ctx, bus.Message{Subject: subject, Data: b}); err != nil {
		return err
	}
	r.meter.refused()
	r.log.Error("warehouse: set apart", "message", m.String(), "connection", q.Connection,
		"kind", q.Problem.Kind, "problem", q.Problem.Message)
	return nil
}

// encode leaves the original out when the message would be too large with it.
func (r Refuser) encode(q events.Quarantined) ([]byte, error) {
	const headroom = 1 << 10 // for what the protocol adds
	limit := int(r.bus.Conn().MaxPayload()) - headroom
	b, err := json.Marshal(q)
	if err != nil || len(b) <= limit {
		return b, err
	}
	q.Original = nil
	q.Problem.Hint = strings.TrimSpace(fmt.Sprintf("%s The message is too large to be repeated here: it stands in %s at sequence %d.",
		q.Problem.Hint, q.Stream, q.Sequence))
	return json.Marshal(q)
}

// describe takes what the subject tells.
func describe(q *events.Quarantined) {
	t, err := events.SubjectTokens(q.Subject)
	if err != nil {
		return
	}
	switch {
	case t[0] == "events" && len(t) == 6:
		q.Connection, q.Entity = t[2], events.Entity(t[3])
	case t[0] == "record" && len(t) == 4:
		q.Entity = events.Entity(t[2])
		q.Record = events.Key{Entity: q.Entity, ID: t[3]}
	}
}

// place identifies a message in QUARANTINE. HUB holds the latest message of a
// subject only, and so does QUARANTINE of it; the messages of the other
// streams have a place each.
func place(m feed.Message) string {
	if m.Stream.Name == events.StreamHub {
		return m.Subject
	}
	return m.Origin.String() //nolint:staticcheck // a Message is more than its origin
}

// traceID takes the trace id out of a W3C traceparent, or returns "".
func traceID(traceparent string) string {
	if part := strings.Split(traceparent, "-"); len(part) >= 4 {
		return part[1]
	}
	return ""
}
