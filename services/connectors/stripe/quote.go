package stripe

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// quote is Stripe's.
type quote struct {
	identity
	Number   string               `json:"number"`
	Name     string               `json:"description"`
	Status   string               `json:"status"`
	Total    int64                `json:"amount_total"`
	Currency string               `json:"currency"`
	Customer expandable[identity] `json:"customer"`
	Expires  int64                `json:"expires_at"`
	Lines    struct {
		Data []quoteLine `json:"data"`
	} `json:"line_items"`
	Transitions struct {
		FinalizedAt int64 `json:"finalized_at"`
	} `json:"status_transitions"`
}

// quoteLine is one position. Stripe shows at most ten with the quote.
type quoteLine struct {
	identity
	Amount      int64          `json:"amount_subtotal"`
	Currency    string         `json:"currency"`
	Description string         `json:"description"`
	Quantity    events.Decimal `json:"quantity"`
	Price       price          `json:"price"`
}

// fields are those that an answer to a write tells too. Stripe knows no
// currency of a quote without lines.
func (q quote) fields() (events.Fields, error) {
	f := events.Fields{}
	f.Set("number", q.Number)
	f.Set("name", q.Name)
	f.Set("status", q.Status)
	f.Set("issuedOn", day(q.Transitions.FinalizedAt))
	f.Set("expiresOn", day(q.Expires))
	if q.Currency != "" {
		total, err := fromMinor(q.Total, q.Currency)
		if err != nil {
			return nil, err
		}
		f.Set("total", total)
	}
	return f, nil
}

func (s speaker) quote(raw json.RawMessage, at time.Time) (events.Change, error) {
	var q quote
	if err := json.Unmarshal(raw, &q); err != nil {
		return events.Change{}, fmt.Errorf("quote: %w", err)
	}
	f, err := q.fields()
	if err != nil {
		return events.Change{}, unknownAmount("total", err)
	}
	f.Set("company", s.link(objectCustomer, q.Customer.ID))
	if recordOf(q.Metadata).IsZero() && len(q.Lines.Data) > 0 {
		lines := make([]events.Line, len(q.Lines.Data))
		for i, l := range q.Lines.Data {
			amount, err := fromMinor(l.Amount, l.Currency)
			if err != nil {
				return events.Change{}, unknownAmount("lines", err)
			}
			lines[i] = events.Line{
				ID: l.ID, Name: l.Description, Quantity: l.Quantity, Amount: amount, Product: s.link(objectProduct, l.Price.Product.ID),
			}
			if l.Price.UnitAmount != nil {
				if lines[i].Price, err = fromMinorDecimal(*l.Price.UnitAmount, l.Currency); err != nil {
					return events.Change{}, unknownAmount("lines", err)
				}
			}
		}
		f.Set("lines", lines)
	}
	c := s.snapshot(objectQuote, events.EntityQuote, q.identity, at, f)
	c.Number = q.Number
	return c, nil
}

// paymentLink is Stripe's: a page where anybody who has the link pays. For the
// record that it was made for it is a demand for money, so it is shown as an
// invoice is.
type paymentLink struct {
	identity
	Active bool   `json:"active"`
	URL    string `json:"url"`
}

func (p paymentLink) fields() events.Fields {
	f := events.Fields{}
	f.Set("url", p.URL)
	status := statusOpen
	if !p.Active {
		status = statusVoid
	}
	f.Set("status", status)
	return f
}

func (s speaker) paymentLink(raw json.RawMessage, at time.Time) (events.Change, error) {
	var p paymentLink
	if err := json.Unmarshal(raw, &p); err != nil {
		return events.Change{}, fmt.Errorf("payment_link: %w", err)
	}
	c := s.snapshot(objectPaymentLink, events.EntityInvoice, p.identity, at, p.fields())
	c.URL = p.URL
	return c, nil
}
