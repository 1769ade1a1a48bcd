package stripe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// webhooks implements connector.Webhooks for snapshot and thin events.
type webhooks struct {
	speaker
	secrets  [][]byte
	now      func() time.Time
	account  string
	livemode *bool
}

// notice is an event as Stripe posts it, of either style.
type notice struct {
	ID       string          `json:"id"`
	Object   string          `json:"object"`
	Type     string          `json:"type"`
	Created  json.RawMessage `json:"created"`
	Livemode *bool           `json:"livemode"`
	Account  string          `json:"account"` // of events from a Connect platform's endpoint
	Data     struct {
		Object json.RawMessage `json:"object"`
	} `json:"data"`
	Related *struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	} `json:"related_object"`
}

// The two styles of events.
const (
	styleSnapshot = "event"
	styleThin     = "v2.core.event"
)

// Decode implements connector.Webhooks. Stripe posts one event a delivery,
// with an id that stays the same however often it is delivered.
func (w *webhooks) Decode(d connector.Delivery) ([]events.Event, error) {
	var n notice
	if err := json.Unmarshal(d.Body, &n); err != nil {
		return nil, malformed("", "event: %w", err)
	}
	if n.ID == "" || n.Type == "" {
		return nil, malformed("id", "event has no id or no type")
	}
	at, err := n.time()
	if err != nil {
		return nil, malformed("created", "event %s: %w", n.ID, err)
	}
	if !w.concerns(n) {
		return nil, nil
	}
	var c events.Change
	var ok bool
	switch n.Object {
	case styleSnapshot:
		c, ok, err = w.snapshotOf(n, at)
	case styleThin:
		c, ok = w.signalOf(n, at)
	default:
		err = fmt.Errorf("object %q is no event", n.Object)
	}
	if err != nil {
		return nil, malformed("data.object", "event %s: %w", n.ID, err)
	}
	if !ok {
		return nil, nil
	}
	if c.ID == "" {
		return nil, malformed("data.object.id", "event %s: the object has no id", n.ID)
	}
	return []events.Event{events.NewChange(KindName, n.ID, c)}, nil
}

func malformed(field, format string, args ...any) error {
	return fault.New(fault.Malformed, "stripe: decode webhook", format, args...).WithField(field)
}

// concerns reports whether the event is of this connection's account and
// mode. An endpoint of a platform gets those of all its accounts, and a live
// one test events as well.
func (w *webhooks) concerns(n notice) bool {
	if w.livemode != nil && n.Livemode != nil && *w.livemode != *n.Livemode {
		return false
	}
	return w.account == "" || n.Account == "" || n.Account == w.account
}

// time reads when the event was made: Unix seconds, or RFC 3339 in a thin one.
func (n notice) time() (time.Time, error) {
	if bytes.HasPrefix(n.Created, []byte{'"'}) {
		var t time.Time
		if err := json.Unmarshal(n.Created, &t); err != nil {
			return time.Time{}, fmt.Errorf("created: %w", err)
		}
		return checkTime(t)
	}
	var seconds int64
	if err := json.Unmarshal(n.Created, &seconds); err != nil {
		return time.Time{}, fmt.Errorf("created: %w", err)
	}
	return checkTime(time.Unix(seconds, 0))
}

// checkTime refuses years that have no RFC 3339 form.
func checkTime(t time.Time) (time.Time, error) {
	if y := t.UTC().Year(); y < 2000 || y > 9999 {
		return time.Time{}, fmt.Errorf("created: the year %d is out of range", y)
	}
	return t.UTC(), nil
}

// within places an event inside its second. Stripe's time has whole seconds,
// and an invoice is often finalized and paid within one; the events arrive in
// any order. The milliseconds, which Stripe leaves open, carry the order of
// the states instead, so that the later state of a life wins.
func within(at time.Time, order int) time.Time {
	return at.Truncate(time.Second).Add(time.Duration(order) * time.Millisecond)
}

// last is after all states of an object.
const last = 999

// snapshotOf reads an event that carries its object. ok is false for what
// Spoke does not use.
func (w *webhooks) snapshotOf(n notice, at time.Time) (c events.Change, ok bool, err error) {
	family, verb, _ := strings.Cut(n.Type, ".")
	switch {
	case strings.Contains(verb, "."), verb == "upcoming", verb == "will_be_due":
		return c, false, nil // customer.subscription.…, and notes of what does not exist yet
	case family != objectCustomer && family != objectProduct && family != objectPrice &&
		family != objectInvoice && family != objectInvoicePayment:
		return c, false, nil
	}
	var id identity
	if err := json.Unmarshal(n.Data.Object, &id); err != nil {
		return c, false, fmt.Errorf("%s: %w", family, err)
	}
	if id.Object != family {
		return c, false, fmt.Errorf("a %s where a %s is due", id.Object, family)
	}
	if verb == "deleted" && family != objectPrice {
		return w.gone(family, id.ID, within(at, last))
	}
	switch family {
	case objectCustomer:
		c, err = w.customer(n.Data.Object, at)
	case objectProduct:
		c, err = w.product(n.Data.Object, at)
	case objectPrice:
		return w.priceOf(n, at)
	case objectInvoice:
		if c, err = w.invoice(n.Data.Object, at); err == nil {
			c.At = within(at, rank(c.Fields.Text("status")))
		}
	default:
		// The event does not say who paid: the payment is read.
		c = w.signal(objectInvoicePayment, events.EntityPayment, id.ID, at)
	}
	return c, err == nil, err
}

// priceOf says that the price's product changed.
func (w *webhooks) priceOf(n notice, at time.Time) (events.Change, bool, error) {
	var p struct {
		Product expandable[identity] `json:"product"`
	}
	if err := json.Unmarshal(n.Data.Object, &p); err != nil {
		return events.Change{}, false, fmt.Errorf("price: %w", err)
	}
	c := w.signal(objectProduct, events.EntityProduct, p.Product.ID, at)
	c.Properties = []string{"price"}
	return c, true, nil
}

// signalOf reads a thin event, which only names its object.
func (w *webhooks) signalOf(n notice, at time.Time) (events.Change, bool) {
	if n.Related == nil {
		return events.Change{}, false
	}
	entity, ok := entityOf(n.Related.Type)
	family, verb, _ := strings.Cut(strings.TrimPrefix(n.Type, "v1."), ".")
	if !ok || family != n.Related.Type || strings.Contains(verb, ".") {
		return events.Change{}, false
	}
	if verb == "deleted" {
		return w.deleted(n.Related.Type, entity, n.Related.ID, within(at, last)), true
	}
	return w.signal(n.Related.Type, entity, n.Related.ID, at), true
}

func (w *webhooks) gone(object, id string, at time.Time) (events.Change, bool, error) {
	entity, ok := entityOf(object)
	return w.deleted(object, entity, id, at), ok, nil
}

func (s speaker) signal(object string, entity events.Entity, id string, at time.Time) events.Change {
	return events.Change{
		Connection: s.connection, Object: object, Entity: entity, ID: id,
		Op: events.OpChanged, At: at.UTC(), Signal: true,
	}
}

func entityOf(object string) (events.Entity, bool) {
	switch object {
	case objectCustomer:
		return events.EntityCompany, true
	case objectProduct:
		return events.EntityProduct, true
	case objectInvoice:
		return events.EntityInvoice, true
	case objectInvoicePayment:
		return events.EntityPayment, true
	default:
		return "", false
	}
}
