package feeder

import (
	"context"
	"encoding/json"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// counts are what became of the changes of a page.
type counts struct{ stored, leftOut, setApart int }

// maxBytes bounds the data of one publish: the server stages a batch as a whole
// before it stores it.
const maxBytes = 4 << 20

// publish stores the changes of a page. It returns once all are on disk. What
// no event can be made of is set apart in QUARANTINE, and the rest goes on.
func (p *pass) publish(ctx context.Context, changes []events.Change) (n counts, err error) {
	began := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, began)
	var msgs []bus.Message
	size := 0
	flush := func() error {
		defer func() { msgs, size = msgs[:0], 0 }()
		if err := p.Publisher.Publish(ctx, msgs...); err != nil {
			return fault.New(fault.Transient, "feeder", "store a page of %s %s: %w", p.conn.Name, p.feed.Name, err)
		}
		return nil
	}
	for _, c := range changes {
		if !p.wanted(c) {
			n.leftOut++
			continue
		}
		m, err := p.message(ctx, c, began)
		if err != nil {
			n.setApart++
			if err := p.setApart(ctx, c, err); err != nil {
				return n, err
			}
			continue
		}
		if len(msgs) == bus.MaxBatch || len(msgs) > 0 && size+len(m.Data) > maxBytes {
			if err := flush(); err != nil {
				return n, err
			}
		}
		msgs, size = append(msgs, m), size+len(m.Data)
		n.stored++
	}
	return n, flush()
}

// message makes the event of a change. Its id comes from what the change says.
func (p *pass) message(ctx context.Context, c events.Change, began propagation.MapCarrier) (bus.Message, error) {
	if err := p.check(c); err != nil {
		return bus.Message{}, err
	}
	e := events.NewChange(p.conn.Kind.Name, c.Digest(), c)
	e.TraceParent, e.TraceState = began["traceparent"], began["tracestate"]
	m, err := bus.EncodeEvent(ctx, events.EventSubject(p.Tenant, p.conn.Name, c.Entity, c.Op, c.ID), e)
	if err != nil {
		return m, fault.New(fault.Internal, "feeder", "%w", err)
	}
	if int64(len(m.Data)) > p.maxEvent {
		return m, fault.New(fault.Rejected, "feeder", "%s %s has %d bytes, more than the %d that a message holds", c.Object, c.ID, len(m.Data), p.maxEvent).
			WithHint("shorten its longest fields at the vendor, or raise max_payload of the NATS server")
	}
	return m, nil
}

// check refuses what a connector must never say.
func (p *pass) check(c events.Change) error {
	_, known := p.conn.Kind.Object(c.Object)
	y := c.At.UTC().Year()
	switch {
	case c.Connection != p.conn.Name, !known, !c.Entity.Known(), c.ID == "", c.Op == "", y <= 0, y >= 10_000:
		return fault.New(fault.Internal, "feeder", "the connector of %s yields a %q without connection, type, id or time", p.conn.Name, c.Object).
			WithHint("this is a bug in the connector")
	}
	return nil
}

// setApart keeps what can't be published where an operator finds it. It is
// without the object's content when that is what does not fit.
func (p *pass) setApart(ctx context.Context, c events.Change, cause error) error {
	q := events.Quarantined{
		Service: service, Connection: p.conn.Name, Entity: c.Entity, Problem: *fault.Problem(cause), Attempts: 1,
		Trace: trace.SpanContextFromContext(ctx).TraceID().String(), At: now(),
	}
	c.Fields = nil
	original, err := json.Marshal(c)
	if err == nil {
		q.Original = original
		original, err = json.Marshal(q)
	}
	if err != nil {
		return fault.New(fault.Internal, "feeder", "set apart: %w", err)
	}
	subject := events.QuarantineSubject(service, p.conn.Name, q.Problem.Kind, c.Entity, c.Object+"/"+c.ID)
	if _, err := p.Bus.Publish(ctx, bus.Message{Subject: subject, Data: original}); err != nil {
		return fault.New(fault.Transient, "feeder", "set apart: %w", err)
	}
	p.Log.Error("feeder: set apart", "connection", p.conn.Name, "feed", p.feed.Name, "object", c.Object, "id", c.ID, "problem", q.Problem.Message)
	p.alert(ctx, events.Alert{
		Severity: "warning", Kind: q.Problem.Kind, Connection: p.conn.Name, About: c.Object + "/" + c.ID,
		Message: q.Problem.Message, Hint: q.Problem.Hint,
	})
	return nil
}

// service is the name under which it is quarantined.
const service = "ingest"
