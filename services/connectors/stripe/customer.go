package stripe

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

const customersPath = "/v1/customers"

// customers writes customers.
type customers struct{ api *api }

// upsert implements writer.
func (w customers) upsert(ctx context.Context, doc connector.Document) (connector.Result, error) {
	form, err := w.form(doc)
	if err != nil {
		return connector.Result{}, err
	}
	raw, found, err := w.locate(ctx, doc)
	if err != nil {
		return connector.Result{}, err
	}
	if found {
		return w.update(ctx, raw, form)
	}
	raw, from, err := w.api.create(ctx, creation{
		op: "create customer", path: customersPath, form: withoutEmpty(form),
		seed: []string{doc.Key, objectCustomer},
		current: func(ctx context.Context, id string) (json.RawMessage, bool, error) {
			return w.get(ctx, id)
		},
		find: func(ctx context.Context) (json.RawMessage, bool, error) { return w.lookUp(ctx, doc) },
	})
	if err != nil {
		return connector.Result{}, err
	}
	if from == foundThere {
		return w.update(ctx, raw, form)
	}
	effect := events.EffectCreated
	if from == madeBefore {
		effect = events.EffectUnchanged
	}
	return customerResult(raw, effect)
}

// locate returns the customer that stands for the document, as far as that
// can be known before a create. A customer that was deleted at Stripe is made
// anew: deleted ones can't be restored.
func (w customers) locate(ctx context.Context, doc connector.Document) (json.RawMessage, bool, error) {
	if doc.ExternalID != "" {
		raw, found, err := w.get(ctx, doc.ExternalID)
		if found || err != nil {
			return raw, found, err
		}
	}
	if w.api.lookFirst(doc) {
		return w.lookUp(ctx, doc)
	}
	return nil, false, nil
}

func (w customers) update(ctx context.Context, raw json.RawMessage, form url.Values) (connector.Result, error) {
	if holds(raw, form) {
		return customerResult(raw, events.EffectUnchanged)
	}
	c, err := decode[identity]("read customer", raw)
	if err != nil {
		return connector.Result{}, err
	}
	raw, err = w.api.post(ctx, "update customer", customersPath+"/"+url.PathEscape(c.ID), form)
	if err != nil {
		return connector.Result{}, err
	}
	return customerResult(raw, events.EffectUpdated)
}

// void implements writer.
func (customers) void(context.Context, connector.Document) (connector.Result, error) {
	return connector.Result{}, fault.New(fault.Rejected, "stripe: void customer", "a customer can't be voided").
		WithHint("set the flow's on_leave to keep, or to delete if the customer's subscriptions may end")
}

// remove implements writer. Deleting a customer can't be undone and ends its
// subscriptions; only a flow that says so asks for it.
func (w customers) remove(ctx context.Context, doc connector.Document) (connector.Result, error) {
	r, found, err := w.find(ctx, doc)
	if err != nil {
		return connector.Result{}, err
	}
	if !found {
		return connector.Result{ID: doc.ExternalID, Effect: events.EffectUnchanged}, nil
	}
	if err := w.api.remove(ctx, "delete customer", customersPath+"/"+url.PathEscape(r.ID)); err != nil {
		return connector.Result{}, err
	}
	return connector.Result{ID: r.ID, Effect: events.EffectDeleted}, nil
}

// find implements writer.
func (w customers) find(ctx context.Context, doc connector.Document) (connector.Result, bool, error) {
	var raw json.RawMessage
	var found bool
	var err error
	if doc.ExternalID != "" {
		raw, found, err = w.get(ctx, doc.ExternalID)
	}
	if err == nil && !found {
		raw, found, err = w.lookUp(ctx, doc)
	}
	if err != nil || !found {
		return connector.Result{}, false, err
	}
	r, err := customerResult(raw, events.EffectUnchanged)
	return r, err == nil, err
}

func (w customers) get(ctx context.Context, id string) (json.RawMessage, bool, error) {
	return w.api.get(ctx, "read customer", customersPath+"/"+url.PathEscape(id), nil)
}

// lookUp reads lists, which show every write at once, unlike Stripe's search.
// The email finds a customer of any age; the time of creation one whose email
// was changed since.
func (w customers) lookUp(ctx context.Context, doc connector.Document) (raw json.RawMessage, found bool, err error) {
	filters := []url.Values{{"created[gte]": {w.api.since(doc)}}}
	if email, _, _ := fieldsOf(doc, "").text("email"); email != "" {
		filters = append([]url.Values{{"email": {email}}}, filters...)
	}
	for _, filter := range filters {
		err = w.api.list(ctx, "find customer", customersPath, filter, func(o json.RawMessage) (bool, error) {
			c, err := decode[identity]("find customer", o)
			if err == nil && c.Metadata[metaKey] == doc.Key {
				raw, found = o, true
			}
			return !found, err
		})
		if err != nil || found {
			return raw, found, err
		}
	}
	return nil, false, nil
}

func (customers) form(doc connector.Document) (url.Values, error) {
	const op = "stripe: write customer"
	form := url.Values{}
	f := fieldsOf(doc, op)
	if err := f.copyText(form, same, "name", "email", "phone"); err != nil {
		return nil, err
	}
	if address, ok := f.object("address"); ok {
		param := func(name string) string { return "address[" + name + "]" }
		if err := address.copyText(form, param, "line1", "line2", "city", "state", "postal_code", "country"); err != nil {
			return nil, err
		}
		if name := form.Get("address[country]"); name != "" {
			code, ok := countryCode(name)
			if !ok {
				return nil, address.refuse("country", "is no country that Stripe knows").
					WithHint("write the country's English name or its code of two letters, such as DE")
			}
			form.Set("address[country]", code)
		}
	}
	return form, addMetadata(form, doc, f)
}
