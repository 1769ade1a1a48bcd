package stripe

import (
	"encoding/json"
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
	Transitions     struct {
		FinalizedAt int64 `json:"finalized_at"`
	} `json:"status_transitions"`
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

func (s speaker) invoice(raw json.RawMessage, at time.Time) (events.Change, error) {
	var i invoice
	if err := json.Unmarshal(raw, &i); err != nil {
		return events.Change{}, fmt.Errorf("invoice: %w", err)
	}
	return s.invoiceChange(i, at)
}

func (s speaker) invoiceChange(i invoice, at time.Time) (events.Change, error) {
	f, err := i.seen()
	if err != nil {
		return events.Change{}, fmt.Errorf("invoice: %w", err)
	}
	f.Set("company", s.customerLink(i))
	c := s.snapshot(objectInvoice, events.EntityInvoice, i.identity, at, f)
	c.Number, c.URL = i.Number, i.HostedURL
	return c, nil
}

func (s speaker) customerLink(i invoice) events.Link {
	if i.Customer.ID == "" {
		return events.Link{}
	}
	return events.Link{Connection: s.connection, Object: objectCustomer, ID: i.Customer.ID}
}

// rank orders the states of an invoice by its life.
func rank(status string) int {
	switch status {
	case statusOpen:
		return 1
	case statusUncollectible:
		return 2
	case statusPaid:
		return 3
	case statusVoid:
		return 4
	default:
		return 0
	}
}
