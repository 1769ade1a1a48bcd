package stripe

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

const subscriptionsPath = "/v1/subscriptions"

// maxItems is how many items Stripe allows in a subscription.
const maxItems = 20

// wantedItem is one item of a subscription as the document asks for it.
type wantedItem struct{ price, quantity string }

// subscriptions writes subscriptions, which Stripe bills by sending invoices.
func subscriptions(a *api, say speaker, daysUntilDue int) plain {
	w := plain{api: a, object: objectSubscription, path: subscriptionsPath, money: true}
	w.plan = func(_ context.Context, doc connector.Document) (plan, error) {
		return subscriptionPlan(doc, daysUntilDue)
	}
	w.stands = func(raw json.RawMessage) bool {
		s, err := decode[subscription]("read subscription", raw)
		return err == nil && !s.over()
	}
	w.result = func(raw json.RawMessage, effect events.Effect) (connector.Result, error) {
		s, err := decode[subscription]("read subscription", raw)
		if err != nil {
			return connector.Result{}, err
		}
		f, err := s.fields(say)
		delete(f, "lines")   // the record's own,
		delete(f, "company") // and links are resolved in changes only
		return answerOf(s.ID, effect, f, err)
	}
	w.change = func(ctx context.Context, doc connector.Document, raw json.RawMessage, _ plan) (json.RawMessage, bool, error) {
		return w.api.changeItems(ctx, doc, raw)
	}
	w.end = func(ctx context.Context, id string, _ json.RawMessage) (json.RawMessage, error) {
		return a.do(ctx, "cancel subscription", http.MethodDelete, w.at(id), nil)
	}
	return w
}

func subscriptionPlan(doc connector.Document, daysUntilDue int) (plan, error) {
	f := fieldsOf(doc, "stripe: write subscription")
	customer, err := f.required("customer")
	if err != nil {
		return plan{}, err
	}
	items, err := itemsOf(f)
	if err != nil {
		return plan{}, err
	}
	update := url.Values{}
	if err := f.copyText(update, same, "description", "cancel_at_period_end"); err != nil {
		return plan{}, err
	}
	if update.Get("cancel_at_period_end") == "" {
		update.Del("cancel_at_period_end")
	}
	days, err := f.whole("days_until_due", daysUntilDue, 10_000)
	if err != nil {
		return plan{}, err
	}
	update.Set("days_until_due", strconv.Itoa(days))
	if err := addMetadata(update, doc, f); err != nil {
		return plan{}, err
	}
	create := clone(update)
	create.Set("customer", customer)
	create.Set("collection_method", "send_invoice")
	for i, it := range items {
		at := "items[" + strconv.Itoa(i) + "]"
		create.Set(at+"[price]", it.price)
		create.Set(at+"[quantity]", it.quantity)
	}
	trial, err := f.whole("trial_days", 0, 730)
	if err != nil {
		return plan{}, err
	}
	if trial > 0 {
		create.Set("trial_period_days", strconv.Itoa(trial))
	}
	return plan{
		create: create, update: update, filter: url.Values{"customer": {customer}, "status": {"all"}},
		differs: func(raw json.RawMessage) (string, string) {
			if s, err := decode[subscription]("", raw); err == nil && s.Customer.ID != customer {
				return "customer", "cancel the subscription in Stripe, then one is made for the other customer"
			}
			return "", ""
		},
	}, nil
}

func itemsOf(f fields) ([]wantedItem, error) {
	list, err := f.list("items")
	if err != nil {
		return nil, err
	}
	if len(list) == 0 || len(list) > maxItems {
		return nil, f.refuse("items", "want 1 to %d items, not %d", maxItems, len(list))
	}
	items := make([]wantedItem, len(list))
	for i, e := range list {
		if items[i].price, err = e.required("price"); err != nil {
			return nil, err
		}
		n, err := e.whole("quantity", 1, 1_000_000)
		if err != nil {
			return nil, err
		}
		items[i].quantity = strconv.Itoa(n)
		for _, other := range items[:i] {
			if other.price == items[i].price {
				return nil, e.refuse("price", "stands in two items").WithHint("add up the quantities")
			}
		}
	}
	return items, nil
}

// changeItems makes the items of a subscription those of the document, by their
// price. Stripe works out what is owed for the running period.
func (a *api) changeItems(ctx context.Context, doc connector.Document, raw json.RawMessage) (json.RawMessage, bool, error) {
	s, err := decode[subscription]("read subscription", raw)
	if err != nil {
		return nil, false, err
	}
	items, err := itemsOf(fieldsOf(doc, "stripe: write subscription"))
	if err != nil {
		return nil, false, err
	}
	have := map[string]subscriptionItem{}
	for _, it := range s.Items.Data {
		have[it.Price.ID] = it
	}
	form := url.Values{}
	n := 0
	add := func(values map[string]string) {
		for name, v := range values {
			form.Set("items["+strconv.Itoa(n)+"]["+name+"]", v)
		}
		n++
	}
	for _, it := range items {
		old, there := have[it.price]
		delete(have, it.price)
		switch {
		case !there:
			add(map[string]string{"price": it.price, "quantity": it.quantity})
		case old.Quantity == nil || old.Quantity.String() != it.quantity:
			add(map[string]string{"id": old.ID, "quantity": it.quantity})
		}
	}
	for _, it := range s.Items.Data { // in Stripe's order, so that a repetition is alike
		if _, surplus := have[it.Price.ID]; surplus {
			add(map[string]string{"id": it.ID, "deleted": "true"})
		}
	}
	if n == 0 {
		return raw, false, nil
	}
	raw, err = a.post(ctx, "change subscription items", subscriptionsPath+"/"+url.PathEscape(s.ID), form)
	return raw, true, err
}
