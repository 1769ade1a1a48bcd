package stripebox

import "net/http"

// paymentRecord is money that was received elsewhere.
type paymentRecord struct {
	ID         string            `json:"id"`
	Object     string            `json:"object"`
	Created    int64             `json:"created"`
	Livemode   bool              `json:"livemode"`
	Metadata   map[string]string `json:"metadata"`
	Requested  amount            `json:"amount_requested"`
	Guaranteed amount            `json:"amount_guaranteed"`
	Failed     amount            `json:"amount_failed"`
	Canceled   amount            `json:"amount_canceled"`
	Customer   map[string]any    `json:"customer_details"`
	Details    map[string]any    `json:"payment_method_details"`
	Processor  map[string]any    `json:"processor_details"`
	Attached   int64             `json:"x_attached,omitempty"`
}

type amount struct {
	Currency string `json:"currency"`
	Value    int64  `json:"value"`
}

func (p *paymentRecord) when() int64 { return p.Created }

func (b *Box) recordRoutes() {
	report := params{
		"amount_requested": {kind: object, fields: params{"currency": {kind: currency}, "value": {kind: integer}}},
		"initiated_at":     {kind: unixtime}, "outcome": {kind: text, enum: []string{"failed", "guaranteed"}},
		"guaranteed": {kind: object, fields: params{"guaranteed_at": {kind: unixtime}}},
		"payment_method_details": {kind: object, fields: params{
			"type":   {kind: text, enum: []string{"custom"}},
			"custom": {kind: object, fields: params{"display_name": {kind: text}, "type": {kind: text}}},
		}},
		"processor_details": {kind: object, fields: params{
			"type": {kind: text}, "custom": {kind: object, fields: params{"payment_reference": {kind: text}}},
		}},
		"customer_details": {kind: object, fields: params{"customer": {kind: text}}}, "metadata": {kind: metadata},
		"description": {kind: text},
	}
	b.op("report payment", "POST /v1/payment_records/report_payment", report, b.reportPayment)
	b.op("get payment_record", "GET /v1/payment_records/{id}", nil, func(c *call) (any, *problem) {
		if x := b.state.Records.Rows[c.id]; x != nil {
			return renderRecord(x), nil
		}
		return nil, noSuch("payment_record", c.id)
	})
}

func renderRecord(x *paymentRecord) map[string]any {
	m := toMap(x)
	delete(m, "x_attached")
	return m
}

func (b *Box) reportPayment(c *call) (any, *problem) {
	f := c.form
	for _, name := range []string{
		"amount_requested[currency]", "amount_requested[value]", "initiated_at", "payment_method_details[type]",
	} {
		if !f.has(name) {
			return nil, invalid(name, "parameter_missing", "Missing required param: "+name+".")
		}
	}
	x := &paymentRecord{
		ID: newID("prec"), Object: "payment_record", Created: b.now(),
		Requested: amount{f.get("amount_requested[currency]"), f.number("amount_requested[value]")},
		Details: map[string]any{
			"type": "custom", "custom": map[string]any{"display_name": f.get("payment_method_details[custom][display_name]")},
		},
		Customer:  map[string]any{"customer": opt(f.get("customer_details[customer]"))},
		Processor: map[string]any{"type": "custom", "custom": map[string]any{"payment_reference": opt(f.get("processor_details[custom][payment_reference]"))}},
	}
	if x.Requested.Value <= 0 {
		return nil, invalid("amount_requested[value]", "parameter_invalid_integer", "Invalid positive integer")
	}
	zero := amount{Currency: x.Requested.Currency}
	x.Guaranteed, x.Failed, x.Canceled = zero, zero, zero
	if f.is("outcome", "guaranteed") {
		x.Guaranteed = x.Requested
	}
	var p *problem
	if x.Metadata, p = f.metadata(nil); p != nil {
		return nil, p
	}
	b.state.Records.add(x.ID, x)
	b.Effect("payment_record created", keyOf(x.Metadata, x.ID))
	return renderRecord(x), nil
}

// attachPayment ties money to an invoice that was received elsewhere.
func (b *Box) attachPayment(i *invoice, c *call) (any, *problem) {
	x := b.state.Records.Rows[c.form.get("payment_record")]
	if x == nil {
		return nil, noSuchParam("payment_record", "payment_record", c.form.get("payment_record"))
	}
	for _, id := range b.state.Payments.Order {
		if p := b.state.Payments.Rows[id]; p.Payment.Record == x.ID && p.Invoice == i.ID {
			return b.renderInvoice(i), nil // attached before
		}
	}
	left := x.Guaranteed.Value - x.Attached
	switch {
	case i.Status != "open" && i.Status != "uncollectible":
		return nil, invalid("", "invoice_not_open", "You can only attach payments to open or uncollectible invoices.")
	case x.Requested.Currency != i.Currency:
		return nil, invalid("payment_record", "", "The currency of the payment must be that of the invoice.")
	case left > i.AmountRemaining:
		return nil, invalid("payment_record", "", "The payment is larger than what remains of the invoice.")
	case left <= 0:
		return nil, invalid("payment_record", "", "Nothing of the payment is left.")
	}
	x.Attached += left
	pay := b.newPayment(i, left)
	pay.Payment.Type, pay.Payment.Record = "payment_record", x.ID
	b.Effect("payment attached", keyOf(x.Metadata, x.ID))
	b.book(i, pay)
	return b.renderInvoice(i), nil
}

// payOutOfBand marks an invoice as paid elsewhere.
func (b *Box) payOutOfBand(i *invoice, c *call) (any, *problem) {
	if i.Status == "paid" {
		return nil, invalid("", "", "Invoice is already paid")
	}
	if i.Status != "open" && i.Status != "uncollectible" {
		return nil, invalid("", "invoice_not_open", "This invoice is "+i.Status+" and can't be paid.")
	}
	if !c.form.is("paid_out_of_band", "true") {
		return nil, &problem{Status: http.StatusPaymentRequired, Type: "card_error", Code: "invoice_payment_intent_requires_action", Message: "The customer has no payment method."}
	}
	changed := *i
	now := b.now()
	changed.OffStripe += changed.AmountRemaining
	changed.AmountPaid += changed.AmountRemaining
	changed.AmountRemaining = 0
	changed.Status, changed.Transitions.PaidAt = "paid", &now
	b.replace(i, changed)
	b.Effect("invoice settled", keyOf(i.Metadata, i.ID))
	b.tell("invoice.paid", i, nil)
	return b.renderInvoice(i), nil
}
