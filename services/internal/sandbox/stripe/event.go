package stripebox

import (
	"encoding/json"
	"reflect"
	"slices"
)

type event struct {
	ID         string    `json:"id"`
	Object     string    `json:"object"`
	APIVersion string    `json:"api_version"`
	Created    int64     `json:"created"`
	Data       eventData `json:"data"`
	Livemode   bool      `json:"livemode"`
	Pending    int       `json:"pending_webhooks"`
	Request    struct {
		ID  *string `json:"id"`
		Key *string `json:"idempotency_key"`
	} `json:"request"`
	Type string `json:"type"`
}

type eventData struct {
	Object   map[string]any `json:"object"`
	Previous map[string]any `json:"previous_attributes,omitempty"`
}

func (e *event) when() int64 { return e.Created }

func (b *Box) eventRoutes() {
	b.op("get event", "GET /v1/events/{id}", nil, func(c *call) (any, *problem) {
		if e := b.state.Events.Rows[c.id]; e != nil {
			return e, nil
		}
		return nil, noSuch("event", c.id)
	})
	filters := params{"type": {kind: text}, "types": {kind: list}, "delivery_success": {kind: boolean}}
	b.op("list events", "GET /v1/events", paging(filters), func(c *call) (any, *problem) {
		types := c.form.list("types")
		if len(types) > 20 {
			return nil, invalid("types", "", "You can only specify up to 20 types.")
		}
		oldest := b.now() - 30*day
		match := func(e *event) bool {
			return e.Created >= oldest && (!c.form.has("type") || c.form.is("type", e.Type)) && (len(types) == 0 || slices.Contains(types, e.Type))
		}
		return pageOf(c, &b.state.Events, match, func(e *event) any { return e })
	})
}

// tell records an event and posts it.
func (b *Box) tell(kind string, v any, previous map[string]any) {
	o := toMap(v)
	if i, ok := v.(*invoice); ok {
		o = b.renderInvoice(i)
	}
	e := &event{
		ID: newID("evt"), Object: "event", APIVersion: apiVersion, Created: b.now(), Type: kind, Pending: 1,
		Data: eventData{Object: o, Previous: previous},
	}
	b.state.Events.add(e.ID, e)
	for len(b.state.Events.Order) > maxEvents {
		b.state.Events.remove(b.state.Events.Order[0])
	}
	if body, err := json.Marshal(e); err == nil {
		b.hook.Send(body)
	}
	b.tellThin(e)
}

// tellThin posts the thin twin of an event, which names its object and no more.
func (b *Box) tellThin(e *event) {
	if !b.opt.Thin {
		return
	}
	kind, _ := e.Data.Object["object"].(string)
	id, _ := e.Data.Object["id"].(string)
	body, err := json.Marshal(map[string]any{
		"id": newID("evt_test"), "object": "v2.core.event", "type": "v1." + e.Type, "livemode": e.Livemode,
		"created": b.opt.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "context": b.opt.Account,
		"related_object": map[string]any{"id": id, "type": kind, "url": "/v1/" + kind + "s/" + id},
	})
	if err == nil {
		b.hook.Send(body)
	}
}

// tellUpdated posts an event when something differs, and reports whether it
// does. Stripe says nothing of an update that changes nothing.
func (b *Box) tellUpdated(kind string, before, after any) bool {
	old, now := toMap(before), toMap(after)
	previous := map[string]any{}
	for name, v := range now {
		if !reflect.DeepEqual(old[name], v) {
			previous[name] = old[name]
		}
	}
	if len(previous) == 0 {
		return false
	}
	delete(previous, "x_days_until_due") // the sandbox's own
	b.tell(kind, after, previous)
	return true
}
