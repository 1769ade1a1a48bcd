package hubspot

import (
	"context"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// status sets a canonical status and keeps HubSpot's own word as a custom
// field. A word that is not known here, such as one of a later version, is so
// kept without being taken for one that it may not mean.
func status(f events.Fields, rec record, property string, known map[string]string) {
	raw := rec.text(property)
	f.Set("status", known[strings.ToLower(raw)])
	f.SetCustom(property, raw)
}

// parties sets the links that commerce objects have.
func (r *reader) parties(f events.Fields, rec record, s source, kinds ...kind) {
	for _, k := range kinds {
		f.Set(k.name, r.link(k, first(s.links[k.name][rec.ID])))
	}
}

// amounts reads several amounts in one currency.
func (r *reader) amounts(ctx context.Context, f events.Fields, rec record, currency string, fields map[string]string) error {
	for field, property := range fields {
		v, err := r.money.amount(ctx, rec, property, currency)
		if err != nil {
			return err
		}
		f.Set(field, v)
	}
	return nil
}

// days reads several days.
func (r *reader) days(f events.Fields, rec record, fields map[string]string) error {
	for field, property := range fields {
		v, err := r.day(rec, property)
		if err != nil {
			return err
		}
		f.Set(field, v)
	}
	return nil
}

// quoteStates: a quote that is published waits for its buyer.
var quoteStates = map[string]string{
	"draft": "draft", "pending_approval": "draft", "approval_not_needed": "open", "approved": "open", "rejected": "rejected",
}

func (r *reader) quoteFields(ctx context.Context, f events.Fields, rec record, s source, at time.Time) (time.Time, error) {
	currency := rec.text("hs_currency")
	lines, at, err := r.lines(ctx, rec, s, currency, at)
	if err == nil {
		err = r.amounts(ctx, f, rec, currency, map[string]string{"total": "hs_quote_amount"})
	}
	if err == nil {
		err = r.days(f, rec, map[string]string{"expiresOn": "hs_expiration_date"})
	}
	f.Set("number", rec.text("hs_quote_number"))
	f.Set("name", rec.text("hs_title"))
	f.Set("url", rec.text("hs_quote_link"))
	f.Set("lines", lines)
	status(f, rec, "hs_status", quoteStates)
	r.parties(f, rec, s, company, contact, deal)
	return at, err
}

var invoiceStates = map[string]string{"draft": "draft", "open": "open", "paid": "paid", "voided": "void"}

func (r *reader) invoiceFields(ctx context.Context, f events.Fields, rec record, s source, at time.Time) (time.Time, error) {
	currency := rec.text("hs_currency")
	lines, at, err := r.lines(ctx, rec, s, currency, at)
	if err == nil {
		err = r.amounts(ctx, f, rec, currency, map[string]string{
			"total": "hs_amount_billed", "amountPaid": "hs_amount_paid", "amountDue": "hs_balance_due",
		})
	}
	if err == nil {
		err = r.days(f, rec, map[string]string{"issuedOn": "hs_invoice_date", "dueOn": "hs_due_date"})
	}
	f.Set("number", rec.text("hs_number"))
	f.Set("memo", rec.text("hs_comments"))
	f.Set("url", rec.text("hs_invoice_link"))
	f.Set("lines", lines)
	status(f, rec, "hs_invoice_status", invoiceStates)
	r.parties(f, rec, s, company, contact, deal, order)
	return at, err
}

func (r *reader) orderFields(ctx context.Context, f events.Fields, rec record, s source, at time.Time) (time.Time, error) {
	currency := rec.text("hs_currency_code")
	lines, at, err := r.lines(ctx, rec, s, currency, at)
	if err == nil {
		err = r.amounts(ctx, f, rec, currency, map[string]string{"total": "hs_total_price", "tax": "hs_tax"})
	}
	if err == nil {
		err = r.days(f, rec, map[string]string{"placedOn": "hs_external_created_date"})
	}
	// An order's status is a word of the shop that it came from.
	state := rec.text("hs_external_order_status")
	if state == "" {
		state = rec.text("hs_fulfillment_status")
	}
	f.Set("number", rec.text("hs_order_name"))
	f.Set("status", state)
	f.Set("lines", lines)
	r.parties(f, rec, s, company, contact, deal)
	return at, err
}

// paymentStates: a payment that was refunded or is disputed had succeeded;
// refunds and disputes are objects of their own.
var paymentStates = map[string]string{
	"processing": "pending", "succeeded": "succeeded", "failed": "failed", "canceled": "canceled",
	"refunded": "succeeded", "partially_refunded": "succeeded", "processing_refund": "succeeded",
}

// paymentFields: HubSpot does not tell how much of a payment settles each of
// several invoices.
func (r *reader) paymentFields(ctx context.Context, f events.Fields, rec record, s source) error {
	err := r.amounts(ctx, f, rec, rec.text("hs_currency_code"), map[string]string{"amount": "hs_initial_amount"})
	if err == nil {
		err = r.days(f, rec, map[string]string{"receivedOn": "hs_initiated_date"})
	}
	f.Set("method", rec.text("hs_payment_method"))
	f.Set("reference", rec.text("hs_reference_number"))
	status(f, rec, "hs_latest_status", paymentStates)
	if strings.HasPrefix(strings.ToLower(rec.text("hs_latest_status")), "disputed") {
		f.Set("status", "succeeded")
	}
	r.parties(f, rec, s, company)
	invoices := s.links[invoice.name][rec.ID]
	one, several := events.Link{}, []events.Applied{}
	if len(invoices) == 1 {
		one = r.link(invoice, invoices[0].id)
	}
	for _, e := range invoices {
		several = append(several, events.Applied{Invoice: r.link(invoice, e.id)})
	}
	f.Set("invoice", one)
	f.Set("applied", several)
	return err
}

// intervals are the billing frequencies that have a canonical word.
var intervals = map[string]string{"daily": "day", "weekly": "week", "monthly": "month", "annually": "year"}

func (r *reader) subscriptionFields(ctx context.Context, f events.Fields, rec record, s source, at time.Time) (time.Time, error) {
	currency := rec.text("hs_currency_code")
	lines, at, err := r.lines(ctx, rec, s, currency, at)
	if err == nil {
		err = r.amounts(ctx, f, rec, currency, map[string]string{"amount": "hs_next_payment_amount"})
	}
	if err == nil {
		err = r.days(f, rec, map[string]string{
			"startedOn": "hs_recurring_billing_start_date", "periodEndOn": "hs_next_payment_due_date",
		})
	}
	f.Set("status", rec.text("hs_status"))
	f.Set("interval", intervals[rec.text("hs_recurring_billing_frequency")])
	f.SetCustom("hs_recurring_billing_frequency", rec.text("hs_recurring_billing_frequency"))
	f.Set("lines", lines)
	r.parties(f, rec, s, company)
	return at, err
}

// customFields reads a custom object. What is particular to it is read like
// any additional property.
func (r *reader) customFields(f events.Fields, k kind, rec record, s source) {
	f.Set("name", rec.text(k.title))
	r.parties(f, rec, s, company, contact, deal)
}
