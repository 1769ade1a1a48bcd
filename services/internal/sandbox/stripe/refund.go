package stripebox

import (
	"fmt"
	"slices"
)

type refund struct {
	ID       string            `json:"id"`
	Object   string            `json:"object"`
	Amount   int64             `json:"amount"`
	Charge   string            `json:"charge"`
	Created  int64             `json:"created"`
	Currency string            `json:"currency"`
	Details  map[string]any    `json:"destination_details"`
	Failure  *string           `json:"failure_reason,omitempty"`
	Intent   *string           `json:"payment_intent"`
	Metadata map[string]string `json:"metadata"`
	Reason   *string           `json:"reason"`
	Status   string            `json:"status"`
}

func (r *refund) when() int64 { return r.Created }

type dispute struct {
	ID           string            `json:"id"`
	Object       string            `json:"object"`
	Amount       int64             `json:"amount"`
	Charge       string            `json:"charge"`
	Created      int64             `json:"created"`
	Currency     string            `json:"currency"`
	Evidence     map[string]any    `json:"evidence_details"`
	Intent       string            `json:"payment_intent"`
	Livemode     bool              `json:"livemode"`
	Metadata     map[string]string `json:"metadata"`
	Reason       string            `json:"reason"`
	Refundable   bool              `json:"is_charge_refundable"`
	Status       string            `json:"status"`
	Transactions []map[string]any  `json:"balance_transactions"`
}

func (d *dispute) when() int64 { return d.Created }

func (b *Box) refundRoutes() {
	create := params{
		"payment_intent": {kind: text}, "charge": {kind: text}, "amount": {kind: integer}, "metadata": {kind: metadata},
		"reason": {kind: text, enum: []string{"duplicate", "fraudulent", "requested_by_customer"}},
	}
	b.op("create refund", "POST /v1/refunds", create, b.createRefund)
	b.op("update refund", "POST /v1/refunds/{id}", params{"metadata": {kind: metadata}}, b.updateRefund)
	b.op("cancel refund", "POST /v1/refunds/{id}/cancel", nil, b.cancelRefund)
	b.op("get refund", "GET /v1/refunds/{id}", nil, func(c *call) (any, *problem) {
		if x := b.state.Refunds.Rows[c.id]; x != nil {
			return x, nil
		}
		return nil, noSuch("refund", c.id)
	})
	by := params{"payment_intent": {kind: text}, "charge": {kind: text}}
	b.op("list refunds", "GET /v1/refunds", paging(by), func(c *call) (any, *problem) {
		match := func(x *refund) bool {
			return (!c.form.has("charge") || c.form.is("charge", x.Charge)) &&
				(!c.form.has("payment_intent") || c.form.is("payment_intent", deref(x.Intent)))
		}
		return pageOf(c, &b.state.Refunds, match, func(x *refund) any { return x })
	})
	b.op("get dispute", "GET /v1/disputes/{id}", nil, func(c *call) (any, *problem) {
		if x := b.state.Disputes.Rows[c.id]; x != nil {
			return x, nil
		}
		return nil, noSuch("dispute", c.id)
	})
	b.op("list disputes", "GET /v1/disputes", paging(by), func(c *call) (any, *problem) {
		return pageOf(c, &b.state.Disputes, nil, func(x *dispute) any { return x })
	})
}

func (b *Box) createRefund(c *call) (any, *problem) {
	f := c.form
	ch := b.state.Charges.Rows[f.get("charge")]
	if id := f.get("payment_intent"); id != "" {
		pi := b.state.Intents.Rows[id]
		if pi == nil {
			return nil, noSuchParam("payment_intent", "payment_intent", id)
		}
		ch = b.state.Charges.Rows[pi.LatestCharge]
	}
	if ch == nil {
		return nil, noSuchParam("charge", "charge", f.get("charge"))
	}
	left := ch.Amount - ch.Refunded
	x := &refund{
		ID: newID("re"), Object: "refund", Amount: left, Charge: ch.ID, Created: b.now(), Currency: ch.Currency, Intent: opt(ch.Intent),
		Reason: opt(f.get("reason")), Status: "succeeded", Details: map[string]any{"type": "card"},
	}
	if f.has("amount") {
		x.Amount = f.number("amount")
	}
	switch {
	case left == 0:
		return nil, invalid("", "charge_already_refunded", "Charge "+ch.ID+" has already been refunded.")
	case x.Amount <= 0 || x.Amount > left:
		return nil, invalid("amount", "", fmt.Sprintf("Refund amount (%d) is greater than unrefunded amount on charge (%d)", x.Amount, left))
	case ch.Disputed:
		return nil, invalid("", "charge_disputed", "Charge "+ch.ID+" has been charged back; cannot issue a refund.")
	}
	var p *problem
	if x.Metadata, p = f.metadata(nil); p != nil {
		return nil, p
	}
	ch.Refunded += x.Amount
	b.state.Refunds.add(x.ID, x)
	b.Effect("refund created", keyOf(x.Metadata, x.ID))
	b.tell("refund.created", x, nil)
	b.tell("charge.refunded", ch, nil)
	return x, nil
}

func (b *Box) updateRefund(c *call) (any, *problem) {
	x := b.state.Refunds.Rows[c.id]
	if x == nil {
		return nil, noSuch("refund", c.id)
	}
	changed := *x
	var p *problem
	if changed.Metadata, p = c.form.metadata(x.Metadata); p != nil {
		return nil, p
	}
	if b.tellUpdated("refund.updated", x, &changed) {
		b.Effect("refund updated", keyOf(changed.Metadata, x.ID))
	}
	*x = changed
	return x, nil
}

func (b *Box) cancelRefund(c *call) (any, *problem) {
	x := b.state.Refunds.Rows[c.id]
	if x == nil {
		return nil, noSuch("refund", c.id)
	}
	if x.Status != "requires_action" {
		return nil, invalid("", "", "Refund "+x.ID+" cannot be canceled in the status "+x.Status+".")
	}
	b.turnRefund(x, "canceled", "refund.updated")
	return x, nil
}

// RefundFails makes a refund that had succeeded fail: the bank has sent the
// money back.
func (b *Box) RefundFails(id string) error { return b.RefundTurns(id, "failed") }

// RefundTurns gives a refund another status.
func (b *Box) RefundTurns(id, status string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.state.Refunds.Rows[id]
	if x == nil {
		return fmt.Errorf("stripe sandbox: no refund %s", id)
	}
	event := "refund.updated"
	if status == "failed" {
		event = "refund.failed"
		reason := "lost_or_stolen_card"
		x.Failure = &reason
	}
	b.turnRefund(x, status, event)
	return nil
}

func (b *Box) turnRefund(x *refund, status, event string) {
	if slices.Contains([]string{"failed", "canceled"}, status) {
		b.state.Charges.Rows[x.Charge].Refunded -= x.Amount
	}
	before := x.Status
	x.Status = status
	b.tell(event, x, map[string]any{"status": before})
}

// Dispute opens a dispute of a payment over so many minor units; 0 is the whole.
// An inquiry moves no money.
func (b *Box) Dispute(intent string, minor int64, inquiry bool) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	pi := b.state.Intents.Rows[intent]
	if pi == nil {
		return "", fmt.Errorf("stripe sandbox: no payment %s", intent)
	}
	if minor == 0 {
		minor = pi.Amount
	}
	d := &dispute{
		ID: newID("du"), Object: "dispute", Amount: minor, Charge: pi.LatestCharge, Created: b.now(), Currency: pi.Currency,
		Evidence: map[string]any{"due_by": b.now() + 7*day}, Intent: intent, Metadata: map[string]string{}, Reason: "product_not_received",
		Status: "needs_response", Transactions: []map[string]any{},
	}
	if inquiry {
		d.Status, d.Refundable = "warning_needs_response", true
	}
	b.state.Disputes.add(d.ID, d)
	b.Effect("dispute created", d.ID)
	b.tell("charge.dispute.created", d, nil)
	if !inquiry {
		b.withdraw(d, -minor, "charge.dispute.funds_withdrawn")
	}
	return d.ID, nil
}

// CloseDispute ends a dispute: won, lost or warning_closed.
func (b *Box) CloseDispute(id, status string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.state.Disputes.Rows[id]
	if d == nil {
		return fmt.Errorf("stripe sandbox: no dispute %s", id)
	}
	d.Status = status
	b.tell("charge.dispute.closed", d, nil)
	if status == "won" {
		b.withdraw(d, d.Amount, "charge.dispute.funds_reinstated")
	}
	return nil
}

func (b *Box) withdraw(d *dispute, minor int64, event string) {
	d.Transactions = append(d.Transactions, map[string]any{
		"id": newID("txn"), "object": "balance_transaction", "amount": minor, "currency": d.Currency, "type": "adjustment",
	})
	b.state.Charges.Rows[d.Charge].Disputed = minor < 0
	b.tell(event, d, nil)
}
