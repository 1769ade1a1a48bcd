package stripebox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

type paymentIntent struct {
	ID             string            `json:"id"`
	Object         string            `json:"object"`
	Amount         int64             `json:"amount"`
	AmountReceived int64             `json:"amount_received"`
	Created        int64             `json:"created"`
	Currency       string            `json:"currency"`
	Customer       string            `json:"customer"`
	LatestCharge   string            `json:"latest_charge"`
	Livemode       bool              `json:"livemode"`
	Metadata       map[string]string `json:"metadata"`
	Status         string            `json:"status"`
}

func (p *paymentIntent) when() int64 { return p.Created }

type charge struct {
	ID       string         `json:"id"`
	Object   string         `json:"object"`
	Amount   int64          `json:"amount"`
	Created  int64          `json:"created"`
	Currency string         `json:"currency"`
	Customer string         `json:"customer"`
	Intent   string         `json:"payment_intent"`
	Livemode bool           `json:"livemode"`
	Details  map[string]any `json:"payment_method_details"`
	Refunded int64          `json:"amount_refunded"`
	Disputed bool           `json:"disputed"`
	Status   string         `json:"status"`
}

func (c *charge) when() int64 { return c.Created }

type invoicePayment struct {
	ID              string `json:"id"`
	Object          string `json:"object"`
	AmountPaid      *int64 `json:"amount_paid"`
	AmountRequested int64  `json:"amount_requested"`
	Created         int64  `json:"created"`
	Currency        string `json:"currency"`
	Invoice         string `json:"invoice"`
	IsDefault       bool   `json:"is_default"`
	Livemode        bool   `json:"livemode"`
	Payment         struct {
		Intent string `json:"payment_intent,omitempty"`
		Record string `json:"payment_record,omitempty"`
		Type   string `json:"type"`
	} `json:"payment"`
	Status      string `json:"status"`
	Transitions struct {
		CanceledAt *int64 `json:"canceled_at"`
		PaidAt     *int64 `json:"paid_at"`
	} `json:"status_transitions"`
}

func (p *invoicePayment) when() int64 { return p.Created }

func (b *Box) paymentRoutes() {
	b.op("get invoice_payment", "GET /v1/invoice_payments/{id}", nil, func(c *call) (any, *problem) {
		if x := b.state.Payments.Rows[c.id]; x != nil {
			return x, nil
		}
		return nil, noSuch("invoice_payment", c.id)
	})
	filters := params{
		"invoice": {kind: text}, "status": {kind: text, enum: []string{"open", "paid", "canceled"}},
		"payment": {kind: object, fields: params{
			"type":           {kind: text, enum: []string{"payment_intent", "payment_record"}},
			"payment_intent": {kind: text}, "payment_record": {kind: text},
		}},
	}
	b.op("list invoice_payments", "GET /v1/invoice_payments", paging(filters), func(c *call) (any, *problem) {
		match := func(x *invoicePayment) bool {
			return (!c.form.has("invoice") || c.form.is("invoice", x.Invoice)) && (!c.form.has("status") || c.form.is("status", x.Status)) &&
				(!c.form.has("payment[type]") || c.form.is("payment[type]", x.Payment.Type)) &&
				(!c.form.has("payment[payment_intent]") || c.form.is("payment[payment_intent]", x.Payment.Intent)) &&
				(!c.form.has("payment[payment_record]") || c.form.is("payment[payment_record]", x.Payment.Record))
		}
		return pageOf(c, &b.state.Payments, match, func(x *invoicePayment) any { return x })
	})
	b.op("get payment_intent", "GET /v1/payment_intents/{id}", nil, func(c *call) (any, *problem) {
		if x := b.state.Intents.Rows[c.id]; x != nil {
			return x, nil
		}
		return nil, noSuch("payment_intent", c.id)
	})
	b.op("list payment_intents", "GET /v1/payment_intents", paging(params{"customer": {kind: text}}), func(c *call) (any, *problem) {
		match := func(x *paymentIntent) bool { return !c.form.has("customer") || c.form.is("customer", x.Customer) }
		return pageOf(c, &b.state.Intents, match, func(x *paymentIntent) any { return x })
	})
	b.op("get charge", "GET /v1/charges/{id}", nil, func(c *call) (any, *problem) {
		if x := b.state.Charges.Rows[c.id]; x != nil {
			return x, nil
		}
		return nil, noSuch("charge", c.id)
	})
	b.Control("POST /_sandbox/pay", b.servePay)
	b.Control("GET /invoices/{id}", b.servePage)
}

// Pay pays an invoice as its customer would, by card: wholly when minor is 0,
// else by that many minor units.
func (b *Box) Pay(invoiceID string, minor int64) error {
	_, err := b.pay(invoiceID, minor)
	return err
}

// PayTogether pays several invoices of one customer by one payment, each by so
// many minor units, and returns the PaymentIntent's id.
func (b *Box) PayTogether(parts map[string]int64) (string, error) {
	pays, err := b.payAll(parts)
	if err != nil {
		return "", err
	}
	return pays[0].Payment.Intent, nil
}

func (b *Box) pay(invoiceID string, minor int64) (*invoicePayment, error) {
	pays, err := b.payAll(map[string]int64{invoiceID: minor})
	if err != nil {
		return nil, err
	}
	return pays[0], nil
}

func (b *Box) payAll(parts map[string]int64) ([]*invoicePayment, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := slices.Sorted(maps.Keys(parts))
	total := int64(0)
	for _, id := range ids {
		minor, err := b.payable(id, parts[id])
		if err != nil {
			return nil, err
		}
		parts[id] = minor
		total += minor
	}
	if len(ids) == 0 {
		return nil, errors.New("stripe sandbox: nothing to pay")
	}
	first := b.state.Invoices.Rows[ids[0]]
	intent := b.charge(first.Customer, first.Currency, total, nil)
	var pays []*invoicePayment
	for _, id := range ids {
		i := b.state.Invoices.Rows[id]
		if i.Customer != first.Customer || i.Currency != first.Currency {
			return nil, errors.New("stripe sandbox: the invoices are of several customers or currencies")
		}
		pay := b.newPayment(i, parts[id])
		pay.Payment.Type, pay.Payment.Intent = "payment_intent", intent.ID
		b.book(i, pay)
		pays = append(pays, pay)
	}
	b.save()
	return pays, nil
}

func (b *Box) payable(invoiceID string, minor int64) (int64, error) {
	i := b.state.Invoices.Rows[invoiceID]
	if i == nil {
		return 0, fmt.Errorf("stripe sandbox: no invoice %s", invoiceID)
	}
	if i.Status != "open" {
		return 0, fmt.Errorf("stripe sandbox: invoice %s is %s, not open", invoiceID, i.Status)
	}
	if minor == 0 {
		minor = i.AmountRemaining
	}
	if minor < 0 || minor > i.AmountRemaining {
		return 0, fmt.Errorf("stripe sandbox: %d is not payable, %d remain", minor, i.AmountRemaining)
	}
	if p := chargeable(minor, i.Currency, "amount"); p != nil {
		return 0, errors.New("stripe sandbox: " + p.Message)
	}
	return minor, nil
}

// book ties money to an invoice.
func (b *Box) book(i *invoice, pay *invoicePayment) {
	changed := *i
	changed.AmountPaid += *pay.AmountPaid
	changed.AmountRemaining -= *pay.AmountPaid
	if pay.Payment.Type == "payment_record" {
		changed.OffStripe += *pay.AmountPaid
	}
	if changed.AmountRemaining == 0 {
		now := b.now()
		changed.Status, changed.Transitions.PaidAt = "paid", &now
	}
	b.state.Payments.add(pay.ID, pay)
	b.Effect("invoice_payment created", pay.ID)
	b.tell("invoice_payment.paid", pay, nil)
	b.replace(i, changed)
	if i.Status == "paid" {
		b.tell("invoice.paid", i, nil)
	}
}

func (b *Box) newPayment(i *invoice, minor int64) *invoicePayment {
	now := b.now()
	pay := &invoicePayment{
		ID: newID("inpay"), Object: "invoice_payment", AmountPaid: &minor, AmountRequested: minor, Created: now,
		Currency: i.Currency, Invoice: i.ID, Status: "paid",
	}
	pay.Transitions.PaidAt = &now
	return pay
}

// charge makes the objects of a card payment that succeeded.
func (b *Box) charge(customerID, code string, minor int64, meta map[string]string) *paymentIntent {
	now := b.now()
	if meta == nil {
		meta = map[string]string{}
	}
	intent := &paymentIntent{
		ID: newID("pi"), Object: "payment_intent", Amount: minor, AmountReceived: minor, Created: now, Currency: code,
		Customer: customerID, LatestCharge: newID("ch"), Metadata: meta, Status: "succeeded",
	}
	b.state.Intents.add(intent.ID, intent)
	b.state.Charges.add(intent.LatestCharge, &charge{
		ID: intent.LatestCharge, Object: "charge", Amount: minor, Created: now, Currency: code, Customer: customerID,
		Intent: intent.ID, Status: "succeeded",
		Details: map[string]any{"type": "card", "card": map[string]any{"brand": "visa", "last4": "4242"}},
	})
	b.Effect("payment_intent created", intent.ID)
	b.tell("payment_intent.succeeded", intent, nil)
	return intent
}

// Invoice is an invoice as tests look at it.
type Invoice struct {
	ID, Number, Status, Customer, Currency string
	// Key is metadata spoke_key.
	Key string
	// Amounts are in minor units.
	Total, Paid, Remaining int64
	Lines                  []Line
}

// Line is one item of an Invoice.
type Line struct {
	Product, Description, Quantity, Unit string
	Amount                               int64
}

// Invoices returns all invoices, the oldest first.
func (b *Box) Invoices() []Invoice {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Invoice
	for _, id := range b.state.Invoices.Order {
		i := b.state.Invoices.Rows[id]
		v := Invoice{
			ID: id, Number: deref(i.Number), Status: i.Status, Customer: i.Customer, Currency: i.Currency,
			Key: i.Metadata["spoke_key"], Total: i.Total, Paid: i.AmountPaid, Remaining: i.AmountRemaining,
		}
		for _, x := range b.itemsOf(id) {
			l := Line{Description: deref(x.Description), Quantity: x.QuantityDecimal, Unit: x.Pricing.Unit, Amount: x.Amount}
			if x.Pricing.Details != nil {
				l.Product = x.Pricing.Details.Product
			}
			v.Lines = append(v.Lines, l)
		}
		out = append(out, v)
	}
	return out
}

// servePay pays as JSON asks, or as the form of the invoice's page does.
func (b *Box) servePay(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Invoice string `json:"invoice"`
		Amount  int64  `json:"amount"`
	}
	page := strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	if page {
		in.Invoice = r.FormValue("invoice")
		n, err := strconv.ParseInt(r.FormValue("amount"), 10, 64)
		if err != nil && r.FormValue("amount") != "" {
			http.Error(w, "amount: want a whole number of minor units", http.StatusBadRequest)
			return
		}
		in.Amount = n
	} else if err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	pay, err := b.pay(in.Invoice, in.Amount)
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	if page {
		http.Redirect(w, r, "/invoices/"+pay.Invoice, http.StatusSeeOther)
		return
	}
	sandbox.JSON(w, http.StatusOK, pay)
}
