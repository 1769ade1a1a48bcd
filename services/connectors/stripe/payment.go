package stripe

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// invoicePayment is Stripe's link between an invoice and money: an invoice
// paid in parts has several, and one payment that covers several invoices has
// one for each. It is what Spoke calls a payment.
type invoicePayment struct {
	identity
	Status          string              `json:"status"`
	Currency        string              `json:"currency"`
	AmountPaid      *int64              `json:"amount_paid"`
	AmountRequested int64               `json:"amount_requested"`
	Invoice         expandable[invoice] `json:"invoice"`
	Transitions     struct {
		PaidAt int64 `json:"paid_at"`
	} `json:"status_transitions"`
	Payment struct {
		Type          string                    `json:"type"`
		Intent        expandable[paymentIntent] `json:"payment_intent"`
		Charge        expandable[charge]        `json:"charge"`
		PaymentRecord expandable[identity]      `json:"payment_record"`
	} `json:"payment"`
}

type paymentIntent struct {
	LatestCharge expandable[charge] `json:"latest_charge"`
}

type charge struct {
	Details struct {
		Type string `json:"type"` // card, sepa_debit, us_bank_account, …
	} `json:"payment_method_details"`
}

// payment makes the change of an invoice payment that was read with its
// invoice expanded.
func (s speaker) payment(raw json.RawMessage, at time.Time) (invoicePayment, events.Change, error) {
	var p invoicePayment
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, events.Change{}, fmt.Errorf("invoice_payment: %w", err)
	}
	paid := p.AmountRequested
	if p.AmountPaid != nil {
		paid = *p.AmountPaid // may be less than what was requested
	}
	amount, err := fromMinor(paid, p.Currency)
	if err != nil {
		return p, events.Change{}, fmt.Errorf("invoice_payment: amount: %w", err)
	}
	f := events.Fields{}
	f.Set("amount", amount)
	f.Set("status", paymentStatus(p.Status))
	f.Set("receivedOn", day(p.Transitions.PaidAt))
	method, reference := p.money()
	f.Set("method", method)
	f.Set("reference", reference)
	if inv := p.Invoice.Object; inv != nil {
		f.Set("company", s.customerLink(*inv))
	}
	if p.Invoice.ID != "" {
		link := events.Link{Connection: s.connection, Object: objectInvoice, ID: p.Invoice.ID}
		if inv := p.Invoice.Object; inv != nil {
			link.Record = recordOf(inv.Metadata)
		}
		f.Set("invoice", link)
	}
	return p, s.snapshot(objectInvoicePayment, events.EntityPayment, p.identity, at, f), nil
}

// money names the way that the money took, and the object to look for at
// Stripe.
func (p invoicePayment) money() (method, reference string) {
	method = p.Payment.Type
	use := func(c *charge) {
		if c != nil && c.Details.Type != "" {
			method = c.Details.Type
		}
	}
	switch {
	case p.Payment.Intent.ID != "":
		if pi := p.Payment.Intent.Object; pi != nil {
			use(pi.LatestCharge.Object)
		}
		return method, p.Payment.Intent.ID
	case p.Payment.Charge.ID != "":
		use(p.Payment.Charge.Object)
		return method, p.Payment.Charge.ID
	default:
		return method, p.Payment.PaymentRecord.ID
	}
}

// paymentStatus is the canonical state. A state that Stripe may add one day
// passes as it is.
func paymentStatus(status string) string {
	switch status {
	case "paid":
		return "succeeded"
	case statusOpen:
		return "pending"
	default:
		return status
	}
}
