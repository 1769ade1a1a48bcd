package stripe

import (
	"fmt"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// The states of an invoice at Stripe, which are the canonical ones too.
const (
	statusDraft         = "draft"
	statusOpen          = "open"
	statusPaid          = "paid"
	statusVoid          = "void"
	statusUncollectible = "uncollectible"
)

// invoice is Stripe's.
type invoice struct {
	identity
	Number          string               `json:"number"`
	Status          string               `json:"status"`
	Currency        string               `json:"currency"`
	Customer        expandable[identity] `json:"customer"`
	Total           int64                `json:"total"`
	AmountPaid      int64                `json:"amount_paid"`
	AmountRemaining int64                `json:"amount_remaining"`
	DueDate         int64                `json:"due_date"`
	EffectiveAt     int64                `json:"effective_at"`
	HostedURL       string               `json:"hosted_invoice_url"`
	Memo            string               `json:"description"`
	Taxes           []struct {
		Amount int64 `json:"amount"`
	} `json:"total_taxes"`
	Lines struct {
		Data    []invoiceLine `json:"data"`
		HasMore bool          `json:"has_more"`
	} `json:"lines"`
	Transitions struct {
		FinalizedAt int64 `json:"finalized_at"`
	} `json:"status_transitions"`
}

// invoiceLine is one position of an invoice as Stripe shows it.
type invoiceLine struct {
	identity
	Amount      int64           `json:"amount"`
	Currency    string          `json:"currency"`
	Description string          `json:"description"`
	Quantity    *events.Decimal `json:"quantity_decimal"`
	Whole       *events.Decimal `json:"quantity"`
	Pricing     struct {
		UnitAmount *events.Decimal `json:"unit_amount_decimal"`
		Details    struct {
			Product string `json:"product"`
		} `json:"price_details"`
	} `json:"pricing"`
}

func (l invoiceLine) line(s speaker) (events.Line, error) {
	amount, err := fromMinor(l.Amount, l.Currency)
	if err != nil {
		return events.Line{}, err
	}
	out := events.Line{ID: l.ID, Name: l.Description, Amount: amount, Quantity: events.DecimalFromInt(1)}
	for _, q := range []*events.Decimal{l.Whole, l.Quantity} {
		if q != nil {
			out.Quantity = *q
		}
	}
	if l.Pricing.Details.Product != "" {
		out.Product = s.link(objectProduct, l.Pricing.Details.Product)
	}
	if l.Pricing.UnitAmount != nil {
		out.Price, err = fromMinorDecimal(*l.Pricing.UnitAmount, l.Currency)
	}
	return out, err
}

// voidedByUs reports that Spoke voided it, or was about to, so that another
// invoice may take its place.
func (i invoice) voidedByUs() bool { return i.Status == statusVoid && i.Metadata[metaVoided] != "" }

func (i invoice) issuedOn() events.Date {
	if i.EffectiveAt != 0 {
		return day(i.EffectiveAt)
	}
	return day(i.Transitions.FinalizedAt)
}

// seen are the canonical fields that an answer to a write tells. amountDue is
// what is still to be paid: Stripe's own amount_due stays as it was when
// parts of it have been paid.
func (i invoice) seen() (events.Fields, error) {
	f := events.Fields{}
	f.Set("number", i.Number)
	f.Set("status", i.Status)
	f.Set("url", i.HostedURL)
	f.Set("issuedOn", i.issuedOn())
	f.Set("dueOn", day(i.DueDate))
	for name, n := range map[string]int64{"total": i.Total, "amountPaid": i.AmountPaid, "amountDue": i.AmountRemaining} {
		m, err := fromMinor(n, i.Currency)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		f.Set(name, m)
	}
	return f, nil
}

func (i invoice) result(effect events.Effect) connector.Result {
	r := connector.Result{ID: i.ID, Number: i.Number, URL: i.HostedURL, Effect: effect}
	// An amount in a currency without a known rule is not told at all.
	if f, err := i.seen(); err == nil {
		r.Seen = f
	}
	return r
}

func (s speaker) invoiceChange(i invoice, at time.Time) (events.Change, error) {
	f, err := i.seen()
	if err != nil {
		return events.Change{}, unknownAmount("invoice", err)
	}
	f.Set("company", s.link(objectCustomer, i.Customer.ID))
	f.Set("memo", i.Memo)
	tax := int64(0)
	for _, t := range i.Taxes {
		tax += t.Amount
	}
	if m, err := fromMinor(tax, i.Currency); err == nil {
		f.Set("tax", m)
	}
	if recordOf(i.Metadata).IsZero() && len(i.Lines.Data) > 0 {
		lines := make([]events.Line, len(i.Lines.Data))
		for n, l := range i.Lines.Data {
			if lines[n], err = l.line(s); err != nil {
				return events.Change{}, unknownAmount("lines", err)
			}
		}
		f.Set("lines", lines)
	}
	c := s.snapshot(objectInvoice, events.EntityInvoice, i.identity, at, f)
	c.Number, c.URL = i.Number, i.HostedURL
	return c, nil
}
