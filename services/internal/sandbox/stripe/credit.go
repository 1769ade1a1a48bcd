package stripebox

import "fmt"

type creditNote struct {
	ID       string            `json:"id"`
	Object   string            `json:"object"`
	Amount   int64             `json:"amount"`
	Created  int64             `json:"created"`
	Currency string            `json:"currency"`
	Customer string            `json:"customer"`
	Invoice  string            `json:"invoice"`
	Livemode bool              `json:"livemode"`
	Memo     *string           `json:"memo"`
	Metadata map[string]string `json:"metadata"`
	Number   string            `json:"number"`
	Outside  int64             `json:"out_of_band_amount"`
	Pre      int64             `json:"pre_payment_amount"`
	Post     int64             `json:"post_payment_amount"`
	Reason   *string           `json:"reason"`
	Refunds  []map[string]any  `json:"refunds"`
	Status   string            `json:"status"`
	Total    int64             `json:"total"`
}

func (n *creditNote) when() int64 { return n.Created }

func (b *Box) creditRoutes() {
	create := params{
		"invoice": {kind: text}, "amount": {kind: integer}, "credit_amount": {kind: integer}, "refund_amount": {kind: integer},
		"out_of_band_amount": {kind: integer}, "memo": {kind: clearable}, "metadata": {kind: metadata},
		"reason": {kind: text, enum: []string{"duplicate", "fraudulent", "order_change", "product_unsatisfactory"}},
	}
	b.op("create credit_note", "POST /v1/credit_notes", create, b.createCredit)
	update := params{"memo": {kind: clearable}, "metadata": {kind: metadata}}
	b.op("update credit_note", "POST /v1/credit_notes/{id}", update, b.updateCredit)
	b.op("void credit_note", "POST /v1/credit_notes/{id}/void", nil, b.voidCredit)
	b.op("get credit_note", "GET /v1/credit_notes/{id}", nil, func(c *call) (any, *problem) {
		if x := b.state.Credits.Rows[c.id]; x != nil {
			return x, nil
		}
		return nil, noSuch("credit_note", c.id)
	})
	by := params{"invoice": {kind: text}, "customer": {kind: text}}
	b.op("list credit_notes", "GET /v1/credit_notes", paging(by), func(c *call) (any, *problem) {
		match := func(x *creditNote) bool {
			return (!c.form.has("invoice") || c.form.is("invoice", x.Invoice)) && (!c.form.has("customer") || c.form.is("customer", x.Customer))
		}
		return pageOf(c, &b.state.Credits, match, func(x *creditNote) any { return x })
	})
}

func (b *Box) createCredit(c *call) (any, *problem) {
	f := c.form
	i := b.state.Invoices.Rows[f.get("invoice")]
	switch {
	case i == nil:
		return nil, noSuchParam("invoice", "invoice", f.get("invoice"))
	case i.Status != "open" && i.Status != "paid":
		return nil, invalid("invoice", "", "You can only create credit notes for open or paid invoices. This invoice is "+i.Status+".")
	}
	x := &creditNote{
		ID: newID("cn"), Object: "credit_note", Amount: f.number("amount"), Created: b.now(), Currency: i.Currency, Customer: i.Customer,
		Invoice: i.ID, Memo: opt(f.get("memo")), Reason: opt(f.get("reason")), Refunds: []map[string]any{}, Status: "issued",
		Number: fmt.Sprintf("%s-CN-%02d", deref(i.Number), len(b.state.Credits.Order)+1), Outside: f.number("out_of_band_amount"),
	}
	x.Total, x.Pre = x.Amount, min(x.Amount, i.AmountRemaining)
	x.Post = x.Amount - x.Pre
	credited := i.PreCredit + i.PostCredit
	settled := f.number("refund_amount") + f.number("credit_amount") + x.Outside
	switch {
	case x.Amount <= 0 || x.Amount > i.Total-credited:
		return nil, invalid("amount", "", "The amount must be more than 0 and at most what is left of the invoice.")
	case settled != x.Post:
		return nil, invalid("", "", fmt.Sprintf("The sum of credit amount, refund amount and out of band amount (%d) must equal the post-payment amount (%d).", settled, x.Post))
	}
	var p *problem
	if x.Metadata, p = f.metadata(nil); p != nil {
		return nil, p
	}
	b.state.Credits.add(x.ID, x)
	b.Effect("credit_note created", keyOf(x.Metadata, x.ID))
	changed := *i
	changed.PreCredit += x.Pre
	changed.PostCredit += x.Post
	changed.AmountRemaining -= x.Pre
	changed.AmountDue -= x.Pre
	if i.Status == "open" && changed.AmountRemaining == 0 {
		now := b.now()
		changed.Status, changed.Transitions.PaidAt = "paid", &now
	}
	b.tell("credit_note.created", x, nil)
	b.replace(i, changed)
	return x, nil
}

func (b *Box) updateCredit(c *call) (any, *problem) {
	x := b.state.Credits.Rows[c.id]
	if x == nil {
		return nil, noSuch("credit_note", c.id)
	}
	changed := *x
	setText(c.form, map[string]**string{"memo": &changed.Memo})
	var p *problem
	if changed.Metadata, p = c.form.metadata(x.Metadata); p != nil {
		return nil, p
	}
	if b.tellUpdated("credit_note.updated", x, &changed) {
		b.Effect("credit_note updated", keyOf(changed.Metadata, x.ID))
	}
	*x = changed
	return x, nil
}

func (b *Box) voidCredit(c *call) (any, *problem) {
	x := b.state.Credits.Rows[c.id]
	switch {
	case x == nil:
		return nil, noSuch("credit_note", c.id)
	case x.Status == "void":
		return nil, invalid("", "", "This credit note is void already.")
	case x.Post > 0:
		return nil, invalid("", "", "You can't void a credit note of an invoice that was paid.")
	}
	i := b.state.Invoices.Rows[x.Invoice]
	if i.Status != "open" {
		return nil, invalid("", "", "You can only void credit notes of open invoices.")
	}
	changed := *i
	changed.PreCredit -= x.Pre
	changed.AmountRemaining += x.Pre
	changed.AmountDue += x.Pre
	x.Status = "void"
	b.Effect("credit_note voided", keyOf(x.Metadata, x.ID))
	b.tell("credit_note.voided", x, nil)
	b.replace(i, changed)
	return x, nil
}
