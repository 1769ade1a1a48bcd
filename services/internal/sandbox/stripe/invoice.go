package stripebox

import (
	"fmt"
	"math/big"
	"net/http"
	"slices"
)

type invoice struct {
	ID               string            `json:"id"`
	Object           string            `json:"object"`
	AmountDue        int64             `json:"amount_due"`
	AmountOverpaid   int64             `json:"amount_overpaid"`
	AmountPaid       int64             `json:"amount_paid"`
	OffStripe        int64             `json:"amount_paid_off_stripe"`
	PreCredit        int64             `json:"pre_payment_credit_notes_amount"`
	PostCredit       int64             `json:"post_payment_credit_notes_amount"`
	Parent           *invoiceParent    `json:"parent"`
	AmountRemaining  int64             `json:"amount_remaining"`
	AutoAdvance      bool              `json:"auto_advance"`
	BillingReason    string            `json:"billing_reason"`
	CollectionMethod string            `json:"collection_method"`
	Created          int64             `json:"created"`
	Currency         string            `json:"currency"`
	Customer         string            `json:"customer"`
	CustomerEmail    *string           `json:"customer_email"`
	CustomerName     *string           `json:"customer_name"`
	Description      *string           `json:"description"`
	DueDate          *int64            `json:"due_date"`
	EffectiveAt      *int64            `json:"effective_at"`
	HostedURL        *string           `json:"hosted_invoice_url"`
	Livemode         bool              `json:"livemode"`
	Metadata         map[string]string `json:"metadata"`
	Number           *string           `json:"number"`
	Status           string            `json:"status"`
	Transitions      transitions       `json:"status_transitions"`
	Subtotal         int64             `json:"subtotal"`
	Total            int64             `json:"total"`
	// Term is days_until_due, which Stripe turns into the due date when the
	// invoice is finalized. The renderer leaves it out.
	Term *int64 `json:"x_days_until_due,omitempty"`
}

type invoiceParent struct {
	Type         string `json:"type"`
	Subscription struct {
		ID string `json:"subscription"`
	} `json:"subscription_details"`
}

type transitions struct {
	FinalizedAt         *int64 `json:"finalized_at"`
	MarkedUncollectible *int64 `json:"marked_uncollectible_at"`
	PaidAt              *int64 `json:"paid_at"`
	VoidedAt            *int64 `json:"voided_at"`
}

func (i *invoice) when() int64 { return i.Created }

const day = 24 * 60 * 60

func (b *Box) invoiceRoutes() {
	update := params{
		"description": {kind: clearable, max: 1500}, "due_date": {kind: unixtime}, "days_until_due": {kind: integer},
		"auto_advance": {kind: boolean}, "metadata": {kind: metadata},
		"collection_method": {kind: text, enum: []string{"charge_automatically", "send_invoice"}},
	}
	create := params{
		"customer": {kind: text}, "currency": {kind: currency},
		"pending_invoice_items_behavior": {kind: text, enum: []string{"exclude", "include"}},
	}
	for name, p := range update {
		create[name] = p
	}
	b.op("create invoice", "POST /v1/invoices", create, b.createInvoice)
	b.op("update invoice", "POST /v1/invoices/{id}", update, b.updateInvoice)
	b.op("get invoice", "GET /v1/invoices/{id}", nil, b.onInvoice(func(i *invoice, _ *call) (any, *problem) {
		return b.renderInvoice(i), nil
	}))
	b.op("delete invoice", "DELETE /v1/invoices/{id}", nil, b.onInvoice(b.deleteInvoice))
	b.op("finalize invoice", "POST /v1/invoices/{id}/finalize", params{"auto_advance": {kind: boolean}}, b.onInvoice(b.finalizeInvoice))
	pay := params{"paid_out_of_band": {kind: boolean}}
	b.op("pay invoice", "POST /v1/invoices/{id}/pay", pay, b.onInvoice(b.payOutOfBand))
	attach := params{"payment_record": {kind: text}, "payment_intent": {kind: text}}
	b.op("attach payment", "POST /v1/invoices/{id}/attach_payment", attach, b.onInvoice(b.attachPayment))
	b.op("list invoice lines", "GET /v1/invoices/{id}/lines", paging(nil), b.onInvoice(func(i *invoice, c *call) (any, *problem) {
		return linesPage(c, linesOf(i.ID, b.itemsOf(i.ID)))
	}))
	b.op("void invoice", "POST /v1/invoices/{id}/void", nil, b.onInvoice(b.voidInvoice))
	filters := params{
		"customer": {kind: text}, "status": {kind: text, enum: []string{"draft", "open", "paid", "uncollectible", "void"}},
	}
	b.op("list invoices", "GET /v1/invoices", paging(filters), func(c *call) (any, *problem) {
		match := func(x *invoice) bool {
			return (!c.form.has("customer") || c.form.is("customer", x.Customer)) && (!c.form.has("status") || c.form.is("status", x.Status))
		}
		return pageOf(c, &b.state.Invoices, match, func(x *invoice) any { return b.renderInvoice(x) })
	})
}

// onInvoice finds the invoice of the path.
func (b *Box) onInvoice(run func(*invoice, *call) (any, *problem)) func(*call) (any, *problem) {
	return func(c *call) (any, *problem) {
		i := b.state.Invoices.Rows[c.id]
		if i == nil {
			return nil, noSuch("invoice", c.id)
		}
		return run(i, c)
	}
}

func (b *Box) createInvoice(c *call) (any, *problem) {
	f := c.form
	if !f.has("customer") {
		return nil, invalid("customer", "parameter_missing", "Missing required param: customer.")
	}
	cus, p := b.customer(f.get("customer"))
	if p != nil {
		return nil, p
	}
	i := &invoice{
		ID: newID("in"), Object: "invoice", BillingReason: "manual", CollectionMethod: "charge_automatically",
		Created: b.now(), Currency: f.get("currency"), Customer: cus.ID, CustomerEmail: cus.Email, CustomerName: cus.Name,
		Status: "draft",
	}
	if i.Currency == "" {
		i.Currency = "usd"
	}
	if p := b.takes(i.Currency, "currency"); p != nil {
		return nil, p
	}
	if p := b.setInvoice(i, f); p != nil {
		return nil, p
	}
	b.state.Invoices.add(i.ID, i)
	b.Effect("invoice created", keyOf(i.Metadata, i.ID))
	b.tell("invoice.created", i, nil)
	return b.renderInvoice(i), nil
}

// setInvoice sets what a draft can be given at any time.
func (b *Box) setInvoice(i *invoice, f form) (p *problem) {
	if f.has("collection_method") {
		i.CollectionMethod = f.get("collection_method")
	}
	send := i.CollectionMethod == "send_invoice"
	for _, name := range []string{"due_date", "days_until_due"} {
		if f.has(name) && !send {
			return invalid(name, "", "You can only specify "+name+" if collection_method is send_invoice.")
		}
	}
	if f.has("due_date") && f.has("days_until_due") {
		return invalid("due_date", "", "You may only specify one of these parameters: due_date, days_until_due.")
	}
	if f.has("due_date") {
		at := f.number("due_date")
		if at <= b.now() {
			return invalid("due_date", "", "The due date must be in the future.")
		}
		i.DueDate, i.Term = &at, nil
	}
	if f.has("days_until_due") {
		n := f.number("days_until_due")
		if n < 0 {
			return invalid("days_until_due", "parameter_invalid_integer", "Invalid non-negative integer")
		}
		i.Term, i.DueDate = &n, nil
	}
	if send && i.DueDate == nil && i.Term == nil {
		return invalid("due_date", "", "If invoice collection method is 'send_invoice', you must specify due_date or days_until_due.")
	}
	if f.has("auto_advance") {
		i.AutoAdvance = f.is("auto_advance", "true")
	}
	setText(f, map[string]**string{"description": &i.Description})
	i.Metadata, p = f.metadata(i.Metadata)
	return p
}

func (b *Box) updateInvoice(c *call) (any, *problem) {
	return b.onInvoice(func(i *invoice, c *call) (any, *problem) {
		if i.Status != "draft" {
			for _, name := range []string{"description", "due_date", "days_until_due", "collection_method"} {
				if c.form.has(name) {
					return nil, invalid(name, "invoice_not_editable", "Finalized invoices can't be updated in this way")
				}
			}
		}
		changed := *i
		if p := b.setInvoice(&changed, c.form); p != nil {
			return nil, p
		}
		b.replace(i, changed)
		return b.renderInvoice(i), nil
	})(c)
}

// replace sets the invoice and tells what changed.
func (b *Box) replace(i *invoice, changed invoice) {
	before := *i
	*i = changed
	if b.tellUpdated("invoice.updated", &before, i) {
		b.Effect("invoice updated", keyOf(i.Metadata, i.ID))
	}
}

// retotal adds the items of a draft up.
func (b *Box) retotal(i *invoice) {
	changed := *i
	changed.Total = 0
	for _, x := range b.itemsOf(i.ID) {
		changed.Total += x.Amount
	}
	changed.Subtotal = changed.Total
	changed.AmountDue = max(changed.Total, 0)
	changed.AmountRemaining = changed.AmountDue
	b.replace(i, changed)
}

func (b *Box) deleteInvoice(i *invoice, _ *call) (any, *problem) {
	if i.Status != "draft" {
		return nil, invalid("", "invoice_not_editable", "You can only delete draft invoices. Finalized invoices can be voided.")
	}
	for _, x := range b.itemsOf(i.ID) {
		b.state.Items.remove(x.ID)
	}
	b.state.Invoices.remove(i.ID)
	b.Effect("invoice deleted", keyOf(i.Metadata, i.ID))
	b.tell("invoice.deleted", i, nil)
	return map[string]any{"id": i.ID, "object": "invoice", "deleted": true}, nil
}

func (b *Box) finalizeInvoice(i *invoice, c *call) (any, *problem) {
	if i.Status != "draft" {
		return nil, invalid("", "", "This invoice is already finalized, you can't re-finalize a non-draft invoice.")
	}
	if len(b.itemsOf(i.ID)) == 0 {
		return nil, invalid("", "invoice_no_customer_line_items", "Nothing to invoice for customer")
	}
	changed := *i
	now := b.now()
	changed.Status = "open"
	changed.Transitions.FinalizedAt, changed.EffectiveAt = &now, &now
	if changed.Term != nil {
		due := now + *changed.Term*day
		changed.DueDate, changed.Term = &due, nil
	}
	if cus := b.state.Customers.Rows[i.Customer]; cus != nil {
		number := fmt.Sprintf("%s-%04d", cus.InvoicePrefix, cus.NextSequence)
		cus.NextSequence++
		changed.Number = &number
	}
	hosted := b.base(c.r) + "/invoices/" + i.ID
	changed.HostedURL = &hosted
	if changed.AmountDue == 0 {
		changed.Status, changed.Transitions.PaidAt = "paid", &now
	}
	b.replace(i, changed)
	b.Effect("invoice finalized", keyOf(i.Metadata, i.ID))
	b.tell("invoice.finalized", i, nil)
	if i.Status == "paid" {
		b.tell("invoice.paid", i, nil)
	}
	return b.renderInvoice(i), nil
}

func (b *Box) base(r *http.Request) string {
	if b.opt.PublicURL != "" {
		return b.opt.PublicURL
	}
	if r == nil { // what happens by itself has no caller
		return "http://localhost"
	}
	return "http://" + r.Host
}

func (b *Box) voidInvoice(i *invoice, _ *call) (any, *problem) {
	if i.Status != "open" && i.Status != "uncollectible" {
		return nil, invalid("", "", "You can only pass in open or uncollectible invoices. This invoice is "+i.Status+".")
	}
	if i.AmountPaid > 0 {
		return nil, invalid("", "", "You can't void an invoice that has been partially paid.")
	}
	changed := *i
	now := b.now()
	changed.Status, changed.Transitions.VoidedAt = "void", &now
	b.replace(i, changed)
	b.Effect("invoice voided", keyOf(i.Metadata, i.ID))
	b.tell("invoice.voided", i, nil)
	return b.renderInvoice(i), nil
}

// renderInvoice is the invoice as Stripe answers it, with its lines.
func (b *Box) renderInvoice(i *invoice) map[string]any {
	m := toMap(i)
	delete(m, "x_days_until_due")
	lines := linesOf(i.ID, b.itemsOf(i.ID))
	// As at Stripe only the first lines come along.
	more := len(lines) > 10
	m["lines"] = map[string]any{
		"object": "list", "data": lines[:min(len(lines), 10)], "has_more": more, "total_count": len(lines),
		"url": "/v1/invoices/" + i.ID + "/lines",
	}
	return m
}

func linesOf(invoice string, items []*item) []any {
	lines := []any{}
	for _, x := range items {
		lines = append(lines, map[string]any{
			"id": "il_" + x.ID[len("ii_"):], "object": "line_item", "amount": x.Amount, "currency": x.Currency,
			"description": x.Description, "invoice": invoice, "metadata": x.Metadata, "pricing": x.Pricing,
			"quantity": x.Quantity, "quantity_decimal": x.QuantityDecimal, "subtotal": x.Amount,
			"parent": map[string]any{"type": "invoice_item_details", "invoice_item_details": map[string]any{"invoice_item": x.ID}},
		})
	}
	return lines
}

// linesPage answers a page of lines, in their own order.
func linesPage(c *call, lines []any) (any, *problem) {
	limit := 10
	if c.form.has("limit") {
		limit = int(c.form.number("limit"))
	}
	start := 0
	for i, l := range lines {
		if m, ok := l.(map[string]any); ok && m["id"] == c.form.get("starting_after") {
			start = i + 1
		}
	}
	end := min(len(lines), start+limit)
	return page{Object: "list", Data: lines[start:end], HasMore: end < len(lines), URL: c.r.URL.Path}, nil
}

// takes refuses a currency that the account does not have.
func (b *Box) takes(code, param string) *problem {
	if len(b.opt.Currencies) > 0 && !slices.Contains(b.opt.Currencies, code) {
		return invalid(param, "currency_not_supported", "The currency provided ("+code+") is not supported by this account.")
	}
	return nil
}

// issue makes a finalized invoice of lines, as subscriptions and quotes do.
func (b *Box) issue(r *http.Request, customerID, reason string, lines []soldLine, days int64, parent *invoiceParent) *invoice {
	i := &invoice{
		ID: newID("in"), Object: "invoice", BillingReason: reason, CollectionMethod: "send_invoice", Created: b.now(),
		Currency: lines[0].price.Currency, Customer: customerID, Status: "draft", Metadata: map[string]string{}, Term: &days, Parent: parent,
	}
	b.state.Invoices.add(i.ID, i)
	b.tell("invoice.created", i, nil)
	for _, l := range lines {
		unit, _ := new(big.Rat).SetString(l.price.UnitDecimal)
		q := new(big.Rat).SetInt64(l.quantity)
		name := ""
		if p := b.state.Products.Rows[l.price.Product]; p != nil {
			name = p.Name
		}
		x := &item{
			ID: newID("ii"), Object: "invoiceitem", Customer: customerID, Currency: i.Currency, Date: b.now(), Invoice: &i.ID,
			Description: opt(name), Metadata: map[string]string{}, Quantity: l.quantity, QuantityDecimal: plain(q),
			Amount:  round(new(big.Rat).Mul(unit, q)),
			Pricing: &pricing{Type: "price_details", Unit: plain(unit), Details: &priceDetails{Price: l.price.ID, Product: l.price.Product}},
		}
		b.state.Items.add(x.ID, x)
	}
	b.retotal(i)
	if _, p := b.finalizeInvoice(i, &call{r: r}); p != nil {
		b.opt.Log.Error("stripebox: invoice not issued", "problem", p.Message)
	}
	return i
}

// soldLine is a price and how many of it.
type soldLine struct {
	price    *price
	quantity int64
}
