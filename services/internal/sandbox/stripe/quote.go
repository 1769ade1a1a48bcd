package stripebox

import (
	"fmt"
	"math/big"
	"strconv"
)

type quote struct {
	ID          string            `json:"id"`
	Object      string            `json:"object"`
	Subtotal    int64             `json:"amount_subtotal"`
	Total       int64             `json:"amount_total"`
	Collection  string            `json:"collection_method"`
	Created     int64             `json:"created"`
	Currency    *string           `json:"currency"`
	Customer    string            `json:"customer"`
	Description *string           `json:"description"`
	Expires     int64             `json:"expires_at"`
	Invoice     *string           `json:"invoice"`
	Settings    map[string]any    `json:"invoice_settings"`
	Lines       []*offerLine      `json:"x_lines"`
	Livemode    bool              `json:"livemode"`
	Metadata    map[string]string `json:"metadata"`
	Number      *string           `json:"number"`
	Status      string            `json:"status"`
	Transitions struct {
		AcceptedAt  *int64 `json:"accepted_at"`
		CanceledAt  *int64 `json:"canceled_at"`
		FinalizedAt *int64 `json:"finalized_at"`
	} `json:"status_transitions"`
}

// offerLine is a line of a quote, a payment link or a checkout session.
type offerLine struct {
	ID          string `json:"id"`
	Object      string `json:"object"`
	Subtotal    int64  `json:"amount_subtotal"`
	Total       int64  `json:"amount_total"`
	Currency    string `json:"currency"`
	Description string `json:"description"`
	Price       *price `json:"price"`
	Quantity    int64  `json:"quantity"`
}

func (q *quote) when() int64 { return q.Created }

// lineParams are the lines that quotes and payment links take.
func lineParams() param {
	return param{kind: rows, fields: params{
		"price": {kind: text}, "quantity": {kind: integer}, "price_data": {kind: object, fields: params{
			"currency": {kind: currency}, "product": {kind: text}, "unit_amount": {kind: integer}, "unit_amount_decimal": {kind: decimal},
			"recurring": {kind: object, fields: params{"interval": {kind: text}, "interval_count": {kind: integer}}},
		}},
	}}
}

func (b *Box) quoteRoutes() {
	set := params{
		"customer": {kind: text}, "description": {kind: clearable, max: 500}, "expires_at": {kind: unixtime}, "line_items": lineParams(),
		"metadata": {kind: metadata}, "collection_method": {kind: text}, "invoice_settings": {kind: object, fields: params{
			"days_until_due": {kind: integer},
		}},
	}
	b.op("create quote", "POST /v1/quotes", set, b.createQuote)
	b.op("update quote", "POST /v1/quotes/{id}", set, b.updateQuote)
	for verb, run := range map[string]func(*call, *quote) *problem{
		"finalize": b.finalizeQuote, "accept": b.acceptQuote, "cancel": b.cancelQuote,
	} {
		b.op(verb+" quote", "POST /v1/quotes/{id}/"+verb, params{"expires_at": {kind: unixtime}}, func(c *call) (any, *problem) {
			x := b.state.Quotes.Rows[c.id]
			if x == nil {
				return nil, noSuch("quote", c.id)
			}
			if p := run(c, x); p != nil {
				return nil, p
			}
			return renderQuote(x), nil
		})
	}
	b.op("get quote", "GET /v1/quotes/{id}", nil, func(c *call) (any, *problem) {
		if x := b.state.Quotes.Rows[c.id]; x != nil {
			return renderQuote(x), nil
		}
		return nil, noSuch("quote", c.id)
	})
	by := paging(params{"customer": {kind: text}, "status": {kind: text}})
	delete(by, "created") // Stripe lists quotes by no time
	b.op("list quotes", "GET /v1/quotes", by, func(c *call) (any, *problem) {
		match := func(x *quote) bool {
			return (!c.form.has("customer") || c.form.is("customer", x.Customer)) && (!c.form.has("status") || c.form.is("status", x.Status))
		}
		return pageOf(c, &b.state.Quotes, match, func(x *quote) any { return renderQuote(x) })
	})
}

func renderQuote(x *quote) map[string]any {
	m := toMap(x)
	delete(m, "x_lines")
	m["line_items"] = offerList(x.Lines)
	return m
}

func offerList(lines []*offerLine) map[string]any {
	return map[string]any{"object": "list", "data": lines[:min(len(lines), 10)], "has_more": len(lines) > 10}
}

func (b *Box) createQuote(c *call) (any, *problem) {
	x := &quote{
		ID: newID("qt"), Object: "quote", Created: b.now(), Status: "draft", Collection: "charge_automatically", Expires: b.now() + 30*day,
		Settings: map[string]any{"days_until_due": nil},
	}
	if p := b.setQuote(x, c.form); p != nil {
		return nil, p
	}
	b.state.Quotes.add(x.ID, x)
	b.Effect("quote created", keyOf(x.Metadata, x.ID))
	b.tell("quote.created", renderQuote(x), nil)
	return renderQuote(x), nil
}

func (b *Box) updateQuote(c *call) (any, *problem) {
	x := b.state.Quotes.Rows[c.id]
	if x == nil {
		return nil, noSuch("quote", c.id)
	}
	if x.Status != "draft" {
		for _, name := range []string{"customer", "description", "expires_at", "collection_method", "line_items[0][quantity]"} {
			if c.form.has(name) {
				return nil, invalid(name, "", "This quote is "+x.Status+" and can't be changed.")
			}
		}
	}
	changed := *x
	if p := b.setQuote(&changed, c.form); p != nil {
		return nil, p
	}
	*x = changed
	b.Effect("quote updated", keyOf(x.Metadata, x.ID))
	return renderQuote(x), nil
}

func (b *Box) setQuote(x *quote, f form) (p *problem) {
	if f.has("customer") {
		cus, p := b.customer(f.get("customer"))
		if p != nil {
			return p
		}
		x.Customer = cus.ID
	}
	if lines, p := b.offerLines(f); p != nil {
		return p
	} else if len(lines) > 0 {
		x.Lines, x.Total = lines, 0
		for _, l := range lines {
			x.Total += l.Total
		}
		x.Subtotal, x.Currency = x.Total, &lines[0].Currency
	}
	if f.has("collection_method") {
		x.Collection = f.get("collection_method")
	}
	if f.has("expires_at") {
		x.Expires = f.number("expires_at")
	}
	if f.has("invoice_settings[days_until_due]") {
		x.Settings = map[string]any{"days_until_due": f.number("invoice_settings[days_until_due]")}
	}
	setText(f, map[string]**string{"description": &x.Description})
	x.Metadata, p = f.metadata(x.Metadata)
	return p
}

// offerLines reads line_items.
func (b *Box) offerLines(f form) ([]*offerLine, *problem) {
	var lines []*offerLine
	for n := 0; ; n++ {
		row, ok := f.row("line_items", n)
		if !ok {
			return lines, nil
		}
		at := "line_items[" + strconv.Itoa(n) + "]"
		pr := b.state.Prices.Rows[row.get("price")]
		if !row.has("price") {
			var p *problem
			if pr, p = b.inlinePrice(row); p != nil {
				p.Param = at + "[" + p.Param + "]"
				return nil, p
			}
			b.state.Prices.add(pr.ID, pr)
		}
		if pr == nil {
			return nil, noSuchParam("price", at+"[price]", row.get("price"))
		}
		l := &offerLine{ID: newID("li"), Object: "item", Currency: pr.Currency, Price: pr, Quantity: 1}
		if row.has("quantity") {
			l.Quantity = row.number("quantity")
		}
		if owner := b.state.Products.Rows[pr.Product]; owner != nil {
			l.Description = owner.Name
		}
		unit, _ := new(big.Rat).SetString(pr.UnitDecimal)
		l.Total = round(new(big.Rat).Mul(unit, new(big.Rat).SetInt64(l.Quantity)))
		l.Subtotal = l.Total
		if len(lines) > 0 && lines[0].Currency != l.Currency {
			return nil, invalid(at, "", "All lines must have one currency.")
		}
		lines = append(lines, l)
	}
}

func (b *Box) finalizeQuote(_ *call, x *quote) *problem {
	switch {
	case x.Status != "draft":
		return invalid("", "", "This quote is "+x.Status+", not draft.")
	case len(x.Lines) == 0:
		return invalid("", "", "A quote needs line items.")
	}
	now := b.now()
	number := fmt.Sprintf("QT-%04d-1", len(b.state.Quotes.Order))
	x.Status, x.Transitions.FinalizedAt, x.Number = "open", &now, &number
	b.Effect("quote finalized", keyOf(x.Metadata, x.ID))
	b.tell("quote.finalized", renderQuote(x), nil)
	return nil
}

func (b *Box) acceptQuote(c *call, x *quote) *problem {
	if x.Status != "open" {
		return invalid("", "", "This quote is "+x.Status+", not open.")
	}
	now := b.now()
	x.Status, x.Transitions.AcceptedAt = "accepted", &now
	var lines []soldLine
	for _, l := range x.Lines {
		lines = append(lines, soldLine{l.Price, l.Quantity})
	}
	days, _ := x.Settings["days_until_due"].(int64)
	i := b.issue(c.r, x.Customer, "manual", lines, days, nil)
	x.Invoice = &i.ID
	b.Effect("quote accepted", keyOf(x.Metadata, x.ID))
	b.tell("quote.accepted", renderQuote(x), nil)
	return nil
}

func (b *Box) cancelQuote(_ *call, x *quote) *problem {
	if x.Status != "draft" && x.Status != "open" {
		return invalid("", "", "This quote is "+x.Status+" and can't be canceled.")
	}
	now := b.now()
	x.Status, x.Transitions.CanceledAt = "canceled", &now
	b.Effect("quote canceled", keyOf(x.Metadata, x.ID))
	b.tell("quote.canceled", renderQuote(x), nil)
	return nil
}
