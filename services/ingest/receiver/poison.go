package receiver

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// service is the name under which ingest sets apart what it can't use.
const service = "ingest"

// poison keeps a genuine webhook that can't be read, or not all of it, where an
// operator finds it. Its vendor is then told 2xx: to hear of it again would
// change nothing, and some hold back everything that follows until they are
// told so.
func (r *Receiver) poison(ctx context.Context, name string, d connector.Delivery, cause error) *refusal {
	if r.apart == nil || fault.KindOf(cause) != fault.Malformed {
		return refuseFault(cause)
	}
	q := events.Quarantined{
		Service: service, Connection: name, Problem: *fault.Problem(cause), Attempts: 1,
		Stream: "webhook", Subject: "/webhooks/" + name,
		Trace: trace.SpanContextFromContext(ctx).TraceID().String(), At: r.now().UTC(),
		Original: events.Original(d.Body),
	}
	data, err := json.Marshal(q)
	if err == nil && int64(len(data)) > r.store.maxMessage {
		// A message holds no more: its beginning shows what it is.
		q.Original = events.Original(d.Body[:min(len(d.Body), int(r.store.maxMessage)/8)])
		data, err = json.Marshal(q)
	}
	if err != nil {
		return refuse(codeInternal, "this is a bug in Spoke").because(err)
	}
	sum := sha256.Sum256(d.Body) // the same body again takes the same place
	id := base64.RawURLEncoding.EncodeToString(sum[:18])
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.config.PublishTimeout)
	defer cancel()
	m := bus.Message{Subject: events.QuarantineSubject(service, name, q.Problem.Kind, "", id), Data: data}
	if err := r.apart(ctx, m); err != nil {
		return unstored(err)
	}
	r.meter.events(name, resultApart, 1)
	r.log.ErrorContext(ctx, "webhook set apart", "connection", name, "error", cause)
	return nil
}
