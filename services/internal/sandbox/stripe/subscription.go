package stripebox

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

type subscription struct {
	ID          string            `json:"id"`
	Object      string            `json:"object"`
	CancelAtEnd bool              `json:"cancel_at_period_end"`
	CanceledAt  *int64            `json:"canceled_at"`
	Collection  string            `json:"collection_method"`
	Created     int64             `json:"created"`
	Currency    string            `json:"currency"`
	Customer    string            `json:"customer"`
	Days        int64             `json:"days_until_due"`
	Description *string           `json:"description"`
	Items       subscriptionItems `json:"items"`
	Latest      *string           `json:"latest_invoice"`
	Livemode    bool              `json:"livemode"`
	Metadata    map[string]string `json:"metadata"`
	Start       int64             `json:"start_date"`
	Status      string            `json:"status"`
}

type subscriptionItems struct {
	Object string              `json:"object"`
	Data   []*subscriptionItem `json:"data"`
}

type subscriptionItem struct {
	ID       string `json:"id"`
	Object   string `json:"object"`
	Start    int64  `json:"current_period_start"`
	End      int64  `json:"current_period_end"`
	Price    *price `json:"price"`
	Quantity int64  `json:"quantity"`
}

func (s *subscription) when() int64 { return s.Created }

func (b *Box) subscriptionRoutes() {
	items := param{kind: rows, fields: params{
		"id": {kind: text}, "price": {kind: text}, "quantity": {kind: integer}, "deleted": {kind: boolean},
	}}
	update := params{
		"items": items, "description": {kind: clearable, max: 500}, "days_until_due": {kind: integer}, "metadata": {kind: metadata},
		"cancel_at_period_end": {kind: boolean},
	}
	create := params{
		"customer": {kind: text}, "trial_period_days": {kind: integer},
		"collection_method": {kind: text, enum: []string{"charge_automatically", "send_invoice"}},
	}
	for name, p := range update {
		create[name] = p
	}
	b.op("create subscription", "POST /v1/subscriptions", create, b.createSubscription)
	b.op("update subscription", "POST /v1/subscriptions/{id}", update, b.updateSubscription)
	b.op("cancel subscription", "DELETE /v1/subscriptions/{id}", nil, b.cancelSubscription)
	b.op("get subscription", "GET /v1/subscriptions/{id}", nil, func(c *call) (any, *problem) {
		if x := b.state.Subs.Rows[c.id]; x != nil {
			return x, nil
		}
		return nil, noSuch("subscription", c.id)
	})
	by := params{"customer": {kind: text}, "status": {kind: text}}
	b.op("list subscriptions", "GET /v1/subscriptions", paging(by), func(c *call) (any, *problem) {
		match := func(x *subscription) bool {
			// Canceled ones only come when they are asked for.
			status := c.form.get("status")
			return (!c.form.has("customer") || c.form.is("customer", x.Customer)) &&
				(status == "all" || status == x.Status || status == "" && x.Status != "canceled")
		}
		return pageOf(c, &b.state.Subs, match, func(x *subscription) any { return x })
	})
}

func (b *Box) createSubscription(c *call) (any, *problem) {
	cus, p := b.customer(c.form.get("customer"))
	if p != nil {
		return nil, p
	}
	x := &subscription{
		ID: newID("sub"), Object: "subscription", Collection: c.form.get("collection_method"), Created: b.now(), Customer: cus.ID,
		Items: subscriptionItems{Object: "list"}, Start: b.now(), Status: "active",
	}
	if x.Collection != "send_invoice" {
		return nil, &problem{Status: 400, Code: "resource_missing", Message: "This customer has no attached payment source or default payment method."}
	}
	if p := b.setSubscription(x, c.form); p != nil {
		return nil, p
	}
	if len(x.Items.Data) == 0 {
		return nil, invalid("items", "parameter_missing", "Missing required param: items.")
	}
	x.Currency = x.Items.Data[0].Price.Currency
	if c.form.number("trial_period_days") > 0 {
		x.Status = "trialing"
	}
	b.state.Subs.add(x.ID, x)
	b.Effect("subscription created", keyOf(x.Metadata, x.ID))
	b.tell("customer.subscription.created", x, nil)
	if x.Status == "active" {
		b.bill(c, x, "subscription_create")
	}
	return x, nil
}

// bill makes the invoice of the running period.
func (b *Box) bill(c *call, x *subscription, reason string) {
	var lines []soldLine
	for _, it := range x.Items.Data {
		lines = append(lines, soldLine{it.Price, it.Quantity})
	}
	parent := &invoiceParent{Type: "subscription_details"}
	parent.Subscription.ID = x.ID
	i := b.issue(c.r, x.Customer, reason, lines, x.Days, parent)
	x.Latest = &i.ID
}

func (b *Box) setSubscription(x *subscription, f form) (p *problem) {
	x.Items.Data = slices.Clone(x.Items.Data)
	for n := 0; ; n++ {
		row, ok := f.row("items", n)
		if !ok {
			break
		}
		if p := b.setItem(x, row, "items["+strconv.Itoa(n)+"]"); p != nil {
			return p
		}
	}
	if f.has("days_until_due") {
		x.Days = f.number("days_until_due")
	}
	if f.has("cancel_at_period_end") {
		x.CancelAtEnd = f.is("cancel_at_period_end", "true")
	}
	setText(f, map[string]**string{"description": &x.Description})
	x.Metadata, p = f.metadata(x.Metadata)
	return p
}

func (b *Box) setItem(x *subscription, row form, name string) *problem {
	at := slices.IndexFunc(x.Items.Data, func(it *subscriptionItem) bool { return it.ID == row.get("id") })
	switch {
	case row.has("id") && at < 0:
		return invalid(name+"[id]", "resource_missing", "No such subscription_item: '"+row.get("id")+"'")
	case row.is("deleted", "true"):
		x.Items.Data = slices.Delete(x.Items.Data, at, at+1)
		return nil
	case at >= 0:
		it := *x.Items.Data[at]
		it.Quantity = row.number("quantity")
		x.Items.Data[at] = &it
		return nil
	}
	pr := b.state.Prices.Rows[row.get("price")]
	switch {
	case pr == nil:
		return noSuchParam("price", name+"[price]", row.get("price"))
	case pr.Recurring == nil:
		return invalid(name+"[price]", "", "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.")
	case !pr.Active:
		return invalid(name+"[price]", "", "The price specified is inactive. This field only accepts active prices.")
	}
	it := &subscriptionItem{ID: newID("si"), Object: "subscription_item", Price: pr, Quantity: 1, Start: b.now()}
	if row.has("quantity") {
		it.Quantity = row.number("quantity")
	}
	it.End = pr.Recurring.after(b.opt.Now()).Unix()
	x.Items.Data = append(x.Items.Data, it)
	return nil
}

func (r recurring) after(t time.Time) time.Time {
	n := int(r.Count)
	switch r.Interval {
	case "day":
		return t.AddDate(0, 0, n)
	case "week":
		return t.AddDate(0, 0, 7*n)
	case "year":
		return t.AddDate(n, 0, 0)
	default:
		return t.AddDate(0, n, 0)
	}
}

func (b *Box) updateSubscription(c *call) (any, *problem) {
	x := b.state.Subs.Rows[c.id]
	if x == nil || x.Status == "canceled" {
		return nil, noSuch("subscription", c.id)
	}
	changed := *x
	if p := b.setSubscription(&changed, c.form); p != nil {
		return nil, p
	}
	if b.tellUpdated("customer.subscription.updated", x, &changed) {
		b.Effect("subscription updated", keyOf(changed.Metadata, x.ID))
	}
	*x = changed
	return x, nil
}

func (b *Box) cancelSubscription(c *call) (any, *problem) {
	x := b.state.Subs.Rows[c.id]
	if x == nil || x.Status == "canceled" {
		return nil, noSuch("subscription", c.id)
	}
	now := b.now()
	x.Status, x.CanceledAt = "canceled", &now
	b.Effect("subscription canceled", keyOf(x.Metadata, x.ID))
	b.tell("customer.subscription.deleted", x, nil)
	return x, nil
}

// Renew begins the next period of a subscription, which makes an invoice.
func (b *Box) Renew(id string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.state.Subs.Rows[id]
	if x == nil || x.Status == "canceled" {
		return "", fmt.Errorf("stripe sandbox: no running subscription %s", id)
	}
	for _, it := range x.Items.Data {
		it.Start = it.End
		it.End = it.Price.Recurring.after(time.Unix(it.End, 0)).Unix()
	}
	x.Status = "active"
	b.bill(&call{}, x, "subscription_cycle")
	b.tell("customer.subscription.updated", x, nil)
	return *x.Latest, nil
}
