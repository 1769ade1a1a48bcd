package stripe

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// A payment of Spoke's is one movement of money: a PaymentIntent, a charge
// without one, or money that was reported as received elsewhere (a payment
// record). Stripe ties it to invoices by InvoicePayments: an invoice that is
// paid in parts has several, and one movement that covers several invoices has
// one for each. The movement names the payment and the InvoicePayments make its
// parts, so that in the books, too, the money is received once and applied to
// each invoice.
//
// An invoice that was settled outside Stripe as a whole has no movement; the
// payment that Spoke settled it with goes by the invoice's id.

// associated is an InvoicePayment's movement.
type associated struct {
	Type          string               `json:"type"`
	Intent        expandable[identity] `json:"payment_intent"`
	Charge        expandable[identity] `json:"charge"`
	PaymentRecord expandable[identity] `json:"payment_record"`
}

// id names the movement; other is used where Stripe tells of none that Spoke
// knows.
func (a associated) id(other string) string {
	for _, id := range []string{a.Intent.ID, a.Charge.ID, a.PaymentRecord.ID} {
		if id != "" {
			return id
		}
	}
	return other
}

// invoicePayment is Stripe's link between an invoice and money.
type invoicePayment struct {
	identity
	Status     string              `json:"status"`
	Currency   string              `json:"currency"`
	AmountPaid *int64              `json:"amount_paid"`
	Invoice    expandable[invoice] `json:"invoice"`
	Payment    associated          `json:"payment"`
}

// movement is what the three kinds of movements have in common.
type movement struct {
	identity
	amount   int64
	currency string
	status   string
	received int64
	method   string
	customer string
}

type charge struct {
	identity
	Amount   int64                `json:"amount"`
	Currency string               `json:"currency"`
	Status   string               `json:"status"`
	Created  int64                `json:"created"`
	Customer expandable[identity] `json:"customer"`
	Details  struct {
		Type string `json:"type"` // card, sepa_debit, us_bank_account, …
	} `json:"payment_method_details"`
}

func (c charge) movement() movement {
	return movement{c.identity, c.Amount, c.Currency, paymentStatus(c.Status, false), c.Created, c.Details.Type, c.Customer.ID}
}

type paymentIntent struct {
	identity
	Amount       int64                `json:"amount"`
	Received     int64                `json:"amount_received"`
	Currency     string               `json:"currency"`
	Status       string               `json:"status"`
	Created      int64                `json:"created"`
	Customer     expandable[identity] `json:"customer"`
	LatestCharge expandable[charge]   `json:"latest_charge"`
	LastError    *struct{}            `json:"last_payment_error"`
}

func (p paymentIntent) movement() movement {
	m := movement{p.identity, p.Amount, p.Currency, paymentStatus(p.Status, p.LastError != nil), p.Created, typeIntent, p.Customer.ID}
	if p.Received > 0 {
		m.amount = p.Received
	}
	if c := p.LatestCharge.Object; c != nil {
		m.received = c.Created
		if c.Details.Type != "" {
			m.method = c.Details.Type
		}
	}
	return m
}

type recordAmount struct {
	Value    int64  `json:"value"`
	Currency string `json:"currency"`
}

type paymentRecord struct {
	identity
	Created    int64        `json:"created"`
	Requested  recordAmount `json:"amount_requested"`
	Guaranteed recordAmount `json:"amount_guaranteed"`
	Failed     recordAmount `json:"amount_failed"`
	Canceled   recordAmount `json:"amount_canceled"`
	Details    struct {
		Type   string `json:"type"`
		Custom struct {
			DisplayName string `json:"display_name"`
		} `json:"custom"`
	} `json:"payment_method_details"`
	Customer struct {
		ID string `json:"customer"`
	} `json:"customer_details"`
}

func (p paymentRecord) movement() movement {
	m := movement{p.identity, p.Requested.Value, p.Requested.Currency, "pending", p.Created, p.Details.Type, p.Customer.ID}
	switch {
	case p.Guaranteed.Value > 0:
		m.amount, m.status = p.Guaranteed.Value, "succeeded"
	case p.Failed.Value > 0:
		m.status = "failed"
	case p.Canceled.Value > 0:
		m.status = "canceled"
	}
	if p.Details.Custom.DisplayName != "" {
		m.method = p.Details.Custom.DisplayName
	}
	return m
}

// paymentStatus is the canonical state. A state that Stripe may add one day
// passes as it is.
func paymentStatus(status string, failed bool) string {
	switch status {
	case "succeeded", "failed", "canceled":
		return status
	case "requires_payment_method":
		if failed {
			return "failed"
		}
		return "pending"
	case "processing", "pending", "requires_confirmation", "requires_action", "requires_capture":
		return "pending"
	default:
		return status
	}
}

// readPayment reads the movement that an id stands for: its own, or that of an
// InvoicePayment or a checkout session that it made.
func (r *reader) readPayment(ctx context.Context, id string, at time.Time) ([]events.Change, error) {
	switch {
	case strings.HasPrefix(id, "inpay_"):
		return r.throughInvoice(ctx, id, at)
	case strings.HasPrefix(id, "cs_"):
		raw, found, err := r.api.get(ctx, "read checkout session", sessionsPath+"/"+url.PathEscape(id), nil)
		if err != nil || !found {
			return nil, err
		}
		s, err := decode[carriedObject]("read checkout session", raw)
		if err != nil || s.Intent.ID == "" {
			return nil, err
		}
		return r.readPayment(ctx, s.Intent.ID, at)
	case strings.HasPrefix(id, "in_"):
		return r.settledInvoice(ctx, id, at)
	}
	return r.readMovement(ctx, id, nil, at)
}

// throughInvoice reads the movement of an InvoicePayment. One that is gone says
// nothing of any payment.
func (r *reader) throughInvoice(ctx context.Context, id string, at time.Time) ([]events.Change, error) {
	const op = "read invoice payment"
	raw, found, err := r.api.get(ctx, op, invoicePaymentsPath+"/"+url.PathEscape(id), url.Values{"expand[]": {"invoice"}})
	if err != nil || !found {
		return nil, err
	}
	p, err := decode[invoicePayment](op, raw)
	if err != nil {
		return nil, err
	}
	movement := p.Payment.id("")
	if movement == "" {
		return nil, nil
	}
	var parts []invoicePayment
	if p.Payment.Charge.ID == movement { // Stripe lists no InvoicePayments by charge
		parts = []invoicePayment{p}
	}
	return r.readMovement(ctx, movement, parts, at)
}

// readMovement reads a movement and what it pays. parts are known already where
// they can't be listed.
func (r *reader) readMovement(ctx context.Context, id string, parts []invoicePayment, at time.Time) ([]events.Change, error) {
	const op = "read payment"
	var m movement
	var raw json.RawMessage
	var found bool
	var err error
	filter := url.Values{}
	switch {
	case strings.HasPrefix(id, "pi_"):
		if raw, found, err = r.api.get(ctx, op, intentsPath+"/"+url.PathEscape(id), url.Values{"expand[]": {"latest_charge"}}); found {
			var p paymentIntent
			p, err = decode[paymentIntent](op, raw)
			m = p.movement()
		}
		filter = paymentFilter(typeIntent, id)
	case strings.HasPrefix(id, "ch_"), strings.HasPrefix(id, "py_"):
		if raw, found, err = r.api.get(ctx, op, chargesPath+"/"+url.PathEscape(id), nil); found {
			var c charge
			c, err = decode[charge](op, raw)
			m = c.movement()
		}
	default:
		if raw, found, err = r.api.get(ctx, op, recordsPath+"/"+url.PathEscape(id), nil); found {
			var p paymentRecord
			p, err = decode[paymentRecord](op, raw)
			m = p.movement()
		}
		filter = paymentFilter("payment_record", id)
	}
	switch {
	case err != nil:
		return nil, err
	case !found:
		return []events.Change{r.deleted(objectPayment, events.EntityPayment, id, at)}, nil
	}
	if len(filter) > 0 {
		if parts, err = r.parts(ctx, filter); err != nil {
			return nil, err
		}
	}
	return r.paymentChanges(m, parts, at)
}

func paymentFilter(kind, id string) url.Values {
	return url.Values{"payment[type]": {kind}, "payment[" + kind + "]": {id}}
}

// parts lists the InvoicePayments of a movement, with their invoices.
func (r *reader) parts(ctx context.Context, filter url.Values) ([]invoicePayment, error) {
	const op = "read what a payment pays"
	q := url.Values{"expand[]": {"data.invoice"}}
	for name, v := range filter {
		q[name] = v
	}
	var all []invoicePayment
	err := r.api.list(ctx, op, invoicePaymentsPath, q, func(raw json.RawMessage) (bool, error) {
		p, err := decode[invoicePayment](op, raw)
		all = append(all, p)
		return true, err
	})
	slices.Reverse(all) // the oldest first: a list that grows keeps its beginning
	return all, err
}

// paymentChanges makes the changes of a payment and of the invoices that it
// changed, which the answer holds anyway.
func (s speaker) paymentChanges(m movement, parts []invoicePayment, at time.Time) ([]events.Change, error) {
	amount, err := fromMinor(m.amount, m.currency)
	if err != nil {
		return nil, unknownAmount("amount", err)
	}
	f := events.Fields{}
	f.Set("amount", amount)
	f.Set("status", m.status)
	f.Set("receivedOn", day(m.received))
	f.Set("method", m.method)
	f.Set("reference", m.ID)
	customer := m.customer
	applied := []events.Applied{}
	var invoices []events.Change
	for _, p := range parts {
		inv := p.Invoice.Object
		if inv != nil && inv.Currency != "" {
			c, err := s.invoiceChange(*inv, at)
			if err != nil {
				return nil, err
			}
			invoices = append(invoices, c)
			customer = orElse(customer, inv.Customer.ID)
		}
		if p.Status != "paid" || p.AmountPaid == nil {
			continue
		}
		part, err := fromMinor(*p.AmountPaid, p.Currency)
		if err != nil {
			return nil, unknownAmount("applied", err)
		}
		applied = append(applied, events.Applied{Invoice: s.invoiceLink(p.Invoice), Amount: part})
	}
	f.Set("company", s.link(objectCustomer, customer))
	f.Set("applied", applied)
	link := events.Link{}
	if len(applied) == 1 {
		link = applied[0].Invoice
	} else if k, err := events.ParseKey(m.Metadata[metaFor]); err == nil && len(applied) == 0 {
		link = events.Link{Connection: s.connection, Record: k} // a payment link's, which makes no invoice
	}
	f.Set("invoice", link)
	return append([]events.Change{s.snapshot(objectPayment, events.EntityPayment, m.identity, at, f)}, invoices...), nil
}

// settledInvoice is the payment by which Spoke settled an invoice that was paid
// outside Stripe as a whole.
func (r *reader) settledInvoice(ctx context.Context, id string, at time.Time) ([]events.Change, error) {
	raw, found, err := r.api.get(ctx, "read invoice", invoicesPath+"/"+url.PathEscape(id), nil)
	if err != nil || !found {
		return nil, err
	}
	inv, err := decode[invoice]("read invoice", raw)
	if err != nil {
		return nil, err
	}
	c, err := r.invoiceChange(inv, at)
	return []events.Change{c}, err
}

// link points to an object of the connection.
func (s speaker) link(object, id string) events.Link {
	if id == "" {
		return events.Link{}
	}
	return events.Link{Connection: s.connection, Object: object, ID: id}
}

// invoiceLink points to an invoice, and to the record that it was made for where
// the invoice tells.
func (s speaker) invoiceLink(e expandable[invoice]) events.Link {
	l := s.link(objectInvoice, e.ID)
	if e.Object != nil {
		l.Record = recordOf(e.Object.Metadata)
	}
	return l
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
