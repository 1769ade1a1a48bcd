package stripe

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// refund is Stripe's. One that succeeded can still fail, when the bank sends
// the money back.
type refund struct {
	identity
	Amount   int64                `json:"amount"`
	Currency string               `json:"currency"`
	Status   string               `json:"status"`
	Reason   string               `json:"reason"`
	Created  int64                `json:"created"`
	Charge   expandable[charge]   `json:"charge"`
	Intent   expandable[identity] `json:"payment_intent"`
	Method   struct {
		Type string `json:"type"`
	} `json:"destination_details"`
}

// dispute is Stripe's.
type dispute struct {
	identity
	Amount   int64                `json:"amount"`
	Currency string               `json:"currency"`
	Status   string               `json:"status"`
	Reason   string               `json:"reason"`
	Created  int64                `json:"created"`
	Charge   expandable[charge]   `json:"charge"`
	Intent   expandable[identity] `json:"payment_intent"`
	Evidence struct {
		DueBy int64 `json:"due_by"`
	} `json:"evidence_details"`
	// Transactions are the movements on the account: withdrawn, reinstated.
	Transactions []struct {
		Amount int64 `json:"amount"`
	} `json:"balance_transactions"`
}

// disputeStatus is the canonical state. A warning is an inquiry: no money has
// moved. A state that Stripe may add one day passes as it is.
func disputeStatus(status string) string {
	switch status {
	case "warning_needs_response", "warning_under_review":
		return "inquiry"
	case "needs_response", "under_review", "appeal_needs_response", "appeal_under_review":
		return "open"
	case "warning_closed", "prevented", "charge_refunded":
		return "closed"
	default: // won, lost
		return status
	}
}

// withdrawn reports whether the money is away: what was withdrawn was not given
// back.
func (d dispute) withdrawn() bool {
	sum := int64(0)
	for _, t := range d.Transactions {
		sum += t.Amount
	}
	return sum < 0
}

func (r *reader) refundChanges(ctx context.Context, raw json.RawMessage, at time.Time) ([]events.Change, error) {
	x, err := decode[refund]("read refund", raw)
	if err != nil {
		return nil, err
	}
	f, err := x.fields()
	if err != nil {
		return nil, err
	}
	f.Set("refundedOn", day(x.Created))
	f.Set("method", x.Method.Type)
	if err := r.addPayment(ctx, f, x.Intent.ID, x.Charge); err != nil {
		return nil, err
	}
	return []events.Change{r.snapshot(objectRefund, events.EntityRefund, x.identity, at, f)}, nil
}

// fields are those that an answer to a write tells too.
func (x refund) fields() (events.Fields, error) {
	amount, err := fromMinor(x.Amount, x.Currency)
	if err != nil {
		return nil, unknownAmount("amount", err)
	}
	f := events.Fields{}
	f.Set("amount", amount)
	f.Set("status", x.Status)
	f.Set("reason", x.Reason)
	f.Set("reference", x.ID)
	return f, nil
}

func (r *reader) disputeChanges(ctx context.Context, raw json.RawMessage, at time.Time) ([]events.Change, error) {
	d, err := decode[dispute]("read dispute", raw)
	if err != nil {
		return nil, err
	}
	amount, err := fromMinor(d.Amount, d.Currency)
	if err != nil {
		return nil, unknownAmount("amount", err)
	}
	f := events.Fields{}
	f.Set("amount", amount)
	f.Set("status", disputeStatus(d.Status))
	f.Set("reason", d.Reason)
	f.Set("openedOn", day(d.Created))
	f.Set("respondBy", day(d.Evidence.DueBy))
	f.Set("fundsTaken", d.withdrawn())
	f.Set("reference", d.ID)
	if err := r.addPayment(ctx, f, d.Intent.ID, d.Charge); err != nil {
		return nil, err
	}
	return []events.Change{r.snapshot(objectDispute, events.EntityDispute, d.identity, at, f)}, nil
}

// addPayment says which payment a refund or dispute is about, and whose it was.
// The invoice is told where the payment had only one.
func (r *reader) addPayment(ctx context.Context, f events.Fields, intent string, c expandable[charge]) error {
	f.Set("payment", r.link(objectPayment, orElse(intent, c.ID)))
	customer := ""
	if c.Object != nil {
		customer = c.Object.Customer.ID
	}
	link := events.Link{}
	if intent != "" {
		parts, err := r.parts(ctx, paymentFilter(typeIntent, intent))
		if err != nil {
			return err
		}
		if len(parts) == 1 {
			link = r.invoiceLink(parts[0].Invoice)
		}
		for _, p := range parts {
			if p.Invoice.Object != nil {
				customer = orElse(customer, p.Invoice.Object.Customer.ID)
			}
		}
	}
	f.Set("invoice", link)
	f.Set("company", r.link(objectCustomer, customer))
	return nil
}

// unknownAmount is an amount whose decimals Spoke does not know.
func unknownAmount(field string, err error) error {
	return fault.New(fault.Malformed, "stripe: read amount", "%w", err).WithField(field).
		WithHint("Spoke does not guess how many decimals it has; tell the maintainers of this currency")
}

// creditNote is Stripe's.
type creditNote struct {
	identity
	Number    string               `json:"number"`
	Status    string               `json:"status"`
	Amount    int64                `json:"amount"`
	Pre       int64                `json:"pre_payment_amount"`
	Currency  string               `json:"currency"`
	Reason    string               `json:"reason"`
	Memo      string               `json:"memo"`
	Created   int64                `json:"created"`
	Effective int64                `json:"effective_at"`
	Customer  expandable[identity] `json:"customer"`
	Invoice   expandable[invoice]  `json:"invoice"`
	Refunds   []struct {
		Refund expandable[identity] `json:"refund"`
	} `json:"refunds"`
}

// creditStatus is the canonical state: Stripe uses a credit note up as it is
// issued.
func creditStatus(status string) string {
	if status == "issued" {
		return "applied"
	}
	return status
}

func (n creditNote) fields() (events.Fields, error) {
	total, err := fromMinor(n.Amount, n.Currency)
	if err != nil {
		return nil, unknownAmount("total", err)
	}
	f := events.Fields{}
	f.Set("number", n.Number)
	f.Set("status", creditStatus(n.Status))
	f.Set("total", total)
	f.Set("remaining", events.Money{Currency: total.Currency})
	f.Set("reason", n.Reason)
	issued := n.Effective
	if issued == 0 {
		issued = n.Created
	}
	f.Set("issuedOn", day(issued))
	return f, nil
}

func (s speaker) creditNote(raw json.RawMessage, at time.Time) (events.Change, error) {
	var n creditNote
	if err := json.Unmarshal(raw, &n); err != nil {
		return events.Change{}, fmt.Errorf("credit_note: %w", err)
	}
	f, err := n.fields()
	if err != nil {
		return events.Change{}, err
	}
	f.Set("company", s.link(objectCustomer, n.Customer.ID))
	link := s.invoiceLink(n.Invoice)
	f.Set("invoice", link)
	refund := ""
	if len(n.Refunds) > 0 {
		refund = n.Refunds[0].Refund.ID
	}
	f.Set("refund", s.link(objectRefund, refund))
	applied := []events.Applied{}
	if n.Pre > 0 {
		part, err := fromMinor(n.Pre, n.Currency)
		if err != nil {
			return events.Change{}, unknownAmount("applied", err)
		}
		applied = append(applied, events.Applied{Invoice: link, Amount: part})
	}
	f.Set("applied", applied)
	c := s.snapshot(objectCreditNote, events.EntityCreditNote, n.identity, at, f)
	c.Number = n.Number
	return c, nil
}
