package receiver

import (
	"net/http"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// serveWebhook takes one call of a vendor: verify over the raw bytes (rule
// 2), decode, store.
func (r *Receiver) serveWebhook(w http.ResponseWriter, call *request) *refusal {
	name := call.PathValue("connection")
	hooks := r.webhooks[name]
	if hooks == nil {
		return refuse(codeNotFound, "no connection of this name takes webhooks")
	}
	call.speaker = name
	body, release, refused := r.read(w, call, r.config.MaxBody)
	if refused != nil {
		return refused
	}
	defer release()
	d := connector.Delivery{Method: call.Method, URL: r.urlOf(call.Request), Header: call.Header, Body: body, Received: r.now()}
	if err := hooks.Verify(d); err != nil {
		return refuseFault(err)
	}
	said, err := hooks.Decode(d)
	if err != nil {
		if refused := r.poison(call.Context(), name, d, err); refused != nil {
			return refused
		}
	}
	items := make([]item, 0, len(said))
	for _, e := range said {
		it, err := r.store.spoken(name, e)
		if err != nil {
			return refuse(codeInternal, "this is a bug in Spoke").because(err)
		}
		if r.hears(name, it.entity, it.op) {
			items = append(items, it)
		}
	}
	r.meter.events(name, resultLeftOut, len(said)-len(items))
	if _, refused := r.store.put(call.Context(), name, items); refused != nil {
		return refused
	}
	call.answer = func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) }
	return nil
}

// urlOf is the URL as the vendor called it: behind a proxy only the
// configured one is right.
func (r *Receiver) urlOf(req *http.Request) string {
	target := req.RequestURI
	if !strings.HasPrefix(target, "/") {
		target = req.URL.RequestURI() // "POST http://host/path", or built by a test
	}
	if r.public != "" {
		return r.public + target
	}
	scheme := "http://"
	if req.TLS != nil {
		scheme = "https://"
	}
	return scheme + req.Host + target
}

// spoken prepares a connector's event. Its type and subject tell where it is
// stored; see events.NewChange.
func (s *store) spoken(connection string, e events.Event) (item, error) {
	_, entity, op, ok := events.ParseType(e.Type)
	_, id, named := strings.Cut(e.Subject, "/")
	if !ok || !named || e.ID == "" || id == "" || !entity.Known() {
		return item{}, &strangeEvent{connection, e.Type}
	}
	return item{event: e, entity: entity, op: op, object: id, sum: s.digest(e.Data, e.Type, e.Subject)}, nil
}

// strangeEvent is a connector's bug.
type strangeEvent struct{ connection, typ string }

func (s *strangeEvent) Error() string {
	return "connector of " + s.connection + ": event of type " + s.typ + " names no object"
}
