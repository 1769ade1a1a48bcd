package stripebox

import (
	"fmt"
	"strings"
)

type paymentLink struct {
	ID       string            `json:"id"`
	Object   string            `json:"object"`
	Active   bool              `json:"active"`
	Currency string            `json:"currency"`
	Data     map[string]any    `json:"payment_intent_data"`
	Limit    map[string]any    `json:"restrictions"`
	Lines    []*offerLine      `json:"x_lines"`
	Created  int64             `json:"x_created"`
	Used     int64             `json:"x_used"`
	Livemode bool              `json:"livemode"`
	Metadata map[string]string `json:"metadata"`
	URL      string            `json:"url"`
}

func (l *paymentLink) when() int64 { return l.Created }

type session struct {
	ID       string            `json:"id"`
	Object   string            `json:"object"`
	Total    int64             `json:"amount_total"`
	Created  int64             `json:"created"`
	Currency string            `json:"currency"`
	Intent   *string           `json:"payment_intent"`
	Link     *string           `json:"payment_link"`
	Metadata map[string]string `json:"metadata"`
	Mode     string            `json:"mode"`
	Paid     string            `json:"payment_status"`
	Status   string            `json:"status"`
}

func (s *session) when() int64 { return s.Created }

func (b *Box) linkRoutes() {
	update := params{"active": {kind: boolean}, "metadata": {kind: metadata}}
	create := params{
		"line_items": lineParams(), "metadata": {kind: metadata}, "payment_intent_data": {kind: object, fields: params{
			"metadata": {kind: metadata}, "description": {kind: text},
		}}, "restrictions": {kind: object, fields: params{"completed_sessions": {kind: object, fields: params{"limit": {kind: integer}}}}},
	}
	b.op("create payment_link", "POST /v1/payment_links", create, b.createLink)
	b.op("update payment_link", "POST /v1/payment_links/{id}", update, b.updateLink)
	b.op("get payment_link", "GET /v1/payment_links/{id}", nil, func(c *call) (any, *problem) {
		if x := b.state.Links.Rows[c.id]; x != nil {
			return renderLink(x), nil
		}
		return nil, noSuch("payment_link", c.id)
	})
	by := paging(params{"active": {kind: boolean}})
	delete(by, "created") // Stripe lists payment links by no time
	b.op("list payment_links", "GET /v1/payment_links", by, func(c *call) (any, *problem) {
		match := func(x *paymentLink) bool { return !c.form.has("active") || x.Active == c.form.is("active", "true") }
		return pageOf(c, &b.state.Links, match, func(x *paymentLink) any { return renderLink(x) })
	})
	b.op("get session", "GET /v1/checkout/sessions/{id}", nil, func(c *call) (any, *problem) {
		if x := b.state.Sessions.Rows[c.id]; x != nil {
			return x, nil
		}
		return nil, noSuch("checkout.session", c.id)
	})
}

func renderLink(x *paymentLink) map[string]any {
	m := toMap(x)
	for name := range m {
		if strings.HasPrefix(name, "x_") {
			delete(m, name)
		}
	}
	return m
}

func (b *Box) createLink(c *call) (any, *problem) {
	f := c.form
	lines, p := b.offerLines(f)
	if p != nil {
		return nil, p
	}
	if len(lines) == 0 {
		return nil, invalid("line_items", "parameter_missing", "Missing required param: line_items.")
	}
	x := &paymentLink{ID: newID("plink"), Object: "payment_link", Active: true, Created: b.now(), Currency: lines[0].Currency, Lines: lines}
	x.URL = "https://buy.stripe.com/test_" + x.ID
	if x.Metadata, p = f.metadata(nil); p != nil {
		return nil, p
	}
	meta := map[string]string{}
	for name, v := range f.values {
		if key, ok := strings.CutPrefix(name, "payment_intent_data[metadata]["); ok {
			meta[strings.TrimSuffix(key, "]")] = v
		}
	}
	x.Data = map[string]any{"metadata": meta}
	if f.has("restrictions[completed_sessions][limit]") {
		x.Limit = map[string]any{"completed_sessions": map[string]any{"limit": f.number("restrictions[completed_sessions][limit]")}}
	}
	b.state.Links.add(x.ID, x)
	b.Effect("payment_link created", keyOf(x.Metadata, x.ID))
	b.tell("payment_link.created", renderLink(x), nil)
	return renderLink(x), nil
}

func (b *Box) updateLink(c *call) (any, *problem) {
	x := b.state.Links.Rows[c.id]
	if x == nil {
		return nil, noSuch("payment_link", c.id)
	}
	changed := *x
	var p *problem
	if changed.Metadata, p = c.form.metadata(x.Metadata); p != nil {
		return nil, p
	}
	if c.form.has("active") {
		changed.Active = c.form.is("active", "true")
	}
	what := "payment_link updated"
	if x.Active && !changed.Active {
		what = "payment_link closed"
	}
	*x = changed
	b.Effect(what, keyOf(x.Metadata, x.ID))
	b.tell("payment_link.updated", renderLink(x), nil)
	return renderLink(x), nil
}

// PayLink pays a payment link as somebody who has it would, and returns the
// PaymentIntent's id.
func (b *Box) PayLink(id string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.state.Links.Rows[id]
	if x == nil || !x.Active {
		return "", fmt.Errorf("stripe sandbox: payment link %s is closed", id)
	}
	total := int64(0)
	for _, l := range x.Lines {
		total += l.Total
	}
	meta, _ := x.Data["metadata"].(map[string]string)
	pi := b.charge("", x.Currency, total, meta)
	s := &session{
		ID: newID("cs_test"), Object: "checkout.session", Total: total, Created: b.now(), Currency: x.Currency, Intent: &pi.ID, Link: &x.ID,
		Metadata: x.Metadata, Mode: "payment", Paid: "paid", Status: "complete",
	}
	b.state.Sessions.add(s.ID, s)
	x.Used++
	if limit, ok := x.Limit["completed_sessions"].(map[string]any); ok && limit["limit"] == x.Used {
		x.Active = false
	}
	b.tell("checkout.session.completed", s, nil)
	return pi.ID, nil
}
