package receiver

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"github.com/spoke-sync/spoke/events"
)

// maxAhead is how far in the future an event's time may lie. A wrong clock
// would otherwise win over every other system until its hour comes.
const maxAhead = 5 * time.Minute

// epoch is the earliest time that an event may have.
const epoch = 1970

// heard makes the stored form of an upstream's event.
func (r *Receiver) heard(upstream string, ce *cloudEvent) (item, *refusal) {
	entity, op, refused := typeOf(ce.typ)
	if refused != nil {
		return item{}, refused
	}
	id, refused := idOf(ce.subject, entity)
	if refused != nil {
		return item{}, refused
	}
	at, refused := r.timeOf(upstream, ce.time)
	if refused != nil {
		return item{}, refused
	}
	fields, refused := fieldsOf(entity, op, ce.data)
	if refused != nil {
		return item{}, refused
	}
	e := events.NewChange("", ce.id, events.Change{
		Connection: upstream, Entity: entity, Object: string(entity), ID: id, Op: op, At: at, Fields: fields,
	})
	e.Source, e.Type = "/upstreams/"+upstream, ce.typ
	if ce.partitionKey != "" {
		e.PartitionKey = ce.partitionKey
	}
	e.TraceParent, e.TraceState = beginning(ce)
	return item{
		event: e, entity: entity, op: op, object: id,
		sum: r.store.digest(ce.data, ce.source, ce.typ, ce.subject, ce.time),
	}, nil
}

func typeOf(typ string) (events.Entity, events.Op, *refusal) {
	system, entity, op, ok := events.ParseType(typ)
	bad := func(detail string) (events.Entity, events.Op, *refusal) {
		names := make([]string, 0, 9)
		for _, e := range events.Entities() {
			names = append(names, string(e))
		}
		return "", "", refuseField("type", detail,
			"write com.<system>.<entity>.<changed|deleted|restored>.v1 with one of the entities "+strings.Join(names, ", "))
	}
	switch {
	case !ok || !validSystem(system):
		return bad("has another form")
	case !entity.Known():
		return bad("names no entity")
	case op != events.OpChanged && op != events.OpDeleted && op != events.OpRestored:
		return bad("says nothing that can happen to an object")
	}
	return entity, op, nil
}

// validSystem keeps to what may stand in a header: letters, digits, '-', '_'
// and single dots.
func validSystem(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || events.Token(part) != part {
			return false
		}
	}
	return true
}

// idOf reads "<id>" or "<entity>/<id>".
func idOf(subject string, entity events.Entity) (string, *refusal) {
	const form = `write "<id>" or "<entity>/<id>"`
	prefix, rest, ok := strings.Cut(subject, "/")
	id := subject
	if ok && events.Entity(prefix).Known() {
		if events.Entity(prefix) != entity {
			return "", refuseField("subject", "names another entity than the type", form)
		}
		id = rest
	}
	if id == "" {
		return "", refuseField("subject", "names no object", form)
	}
	return id, nil
}

func (r *Receiver) timeOf(upstream, text string) (time.Time, *refusal) {
	now := r.now().UTC()
	if text == "" {
		return now, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if at = at.UTC(); err != nil || at.Year() < epoch {
		return time.Time{}, refuseField("time", "is before 1970", "")
	}
	if at.After(now.Add(maxAhead)) {
		r.meter.clockAhead(upstream)
		return now, nil
	}
	return at, nil
}

// fieldsOf checks the data. A deleted or restored object may come without.
func fieldsOf(entity events.Entity, op events.Op, data []byte) (events.Fields, *refusal) {
	if events.IsNull(data) {
		if op == events.OpChanged {
			return nil, refuseField("data", "is missing", "send the fields of the "+string(entity)+" that have changed")
		}
		return nil, nil
	}
	fields, err := events.CanonicalObject(entity, data)
	if err != nil {
		return nil, refuseFields(err)
	}
	return fields, nil
}

// beginning returns the trace that the event began in, written anew, if it
// names a valid one.
func beginning(ce *cloudEvent) (parent, state string) {
	if ce.traceParent == "" {
		return "", ""
	}
	w3c := propagation.TraceContext{}
	ctx := w3c.Extract(context.Background(), propagation.MapCarrier{"traceparent": ce.traceParent, "tracestate": ce.traceState})
	out := propagation.MapCarrier{}
	w3c.Inject(ctx, out)
	return out["traceparent"], out["tracestate"]
}
