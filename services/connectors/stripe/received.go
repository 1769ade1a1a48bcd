package stripe

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// received records payments that were made outside Stripe: of the whole invoice
// by marking it as paid out of band, of a part by a payment record that is
// attached to it. Nobody is charged.
type received struct{ api *api }

// receipt is what a document says was received.
type receipt struct {
	invoice   string
	amount    int64
	currency  string
	at        int64
	method    string
	reference string
	mark      url.Values
}

func (w received) receipt(doc connector.Document) (receipt, error) {
	f := fieldsOf(doc, "stripe: write payment")
	r := receipt{mark: url.Values{}}
	var err error
	if r.invoice, err = f.required("invoice"); err != nil {
		return r, err
	}
	m, ok, err := f.money("amount")
	if err != nil || !ok {
		return r, orFault(err, f.refuse("amount", "is missing"))
	}
	if r.amount, err = toMinor(m); err != nil {
		return r, f.refuse("amount", "%w", err)
	}
	if r.amount <= 0 {
		return r, f.refuse("amount", "must be more than 0")
	}
	r.currency = strings.ToLower(m.Currency)
	// The time is part of what is sent under the idempotency key, so it is that
	// of the first try.
	r.at = doc.First.Unix()
	if doc.First.IsZero() {
		r.at = w.api.now().Unix()
	}
	if date, _, err := f.text("received_on"); err != nil {
		return r, err
	} else if date != "" {
		t, err := time.Parse(time.DateOnly, date)
		if err != nil {
			return r, f.refuse("received_on", "want a date such as 2026-11-23")
		}
		r.at = t.Unix()
	}
	if r.method, _, err = f.text("method"); err != nil {
		return r, err
	}
	if r.reference, _, err = f.text("reference"); err != nil {
		return r, err
	}
	return r, addMetadata(r.mark, doc, f)
}

// upsert implements writer.
func (w received) upsert(ctx context.Context, doc connector.Document) (connector.Result, error) {
	r, err := w.receipt(doc)
	if err != nil {
		return connector.Result{}, err
	}
	inv, err := w.invoice(ctx, r.invoice)
	if err != nil {
		return connector.Result{}, err
	}
	if inv.Metadata[metaSettled] == doc.Key {
		return w.settle(ctx, inv, doc, r)
	}
	id, attached, err := w.recorded(ctx, doc, inv.ID)
	if err != nil {
		return connector.Result{}, err
	}
	switch {
	case attached:
		return w.result(id, r, events.EffectUnchanged), nil
	case !strings.EqualFold(inv.Currency, r.currency):
		return connector.Result{}, w.refuse("amount", "is in %s, the invoice in %s", strings.ToUpper(r.currency), strings.ToUpper(inv.Currency))
	case inv.Status != statusOpen && inv.Status != statusUncollectible:
		return connector.Result{}, w.refuse("invoice", "invoice %s is %s: nothing can be paid on it", inv.ID, clean(inv.Status))
	case r.amount > inv.AmountRemaining:
		return connector.Result{}, w.refuse("amount", "%d is more than the %d that remain of invoice %s", r.amount, inv.AmountRemaining, inv.ID)
	case id == "" && r.amount == inv.AmountRemaining && inv.AmountPaid == 0:
		return w.settle(ctx, inv, doc, r)
	}
	if id, err = w.report(ctx, doc, inv, r); err != nil {
		return connector.Result{}, err
	}
	path := invoicesPath + "/" + url.PathEscape(inv.ID) + "/attach_payment"
	if _, err := w.api.post(ctx, "attach payment", path, url.Values{"payment_record": {id}}); err != nil {
		return connector.Result{}, err
	}
	return w.result(id, r, events.EffectCreated), nil
}

func (received) refuse(field, format string, args ...any) *fault.Error {
	return fault.New(fault.Rejected, "stripe: write payment", format, args...).WithField(field).
		WithHint("compare the payment with the invoice at Stripe, and correct the one that is wrong")
}

func (w received) invoice(ctx context.Context, id string) (invoice, error) {
	raw, found, err := w.api.get(ctx, "read invoice", invoicesPath+"/"+url.PathEscape(id), nil)
	if err != nil {
		return invoice{}, err
	}
	if !found {
		return invoice{}, w.refuse("invoice", "invoice %s is not at Stripe any more", id)
	}
	return decode[invoice]("read invoice", raw)
}

// settle marks the whole invoice as paid elsewhere. The mark in its metadata,
// written before, tells a later try who did it.
func (w received) settle(ctx context.Context, inv invoice, doc connector.Document, r receipt) (connector.Result, error) {
	path := invoicesPath + "/" + url.PathEscape(inv.ID)
	if inv.Metadata[metaSettled] != doc.Key {
		if _, err := w.api.post(ctx, "mark invoice", path, url.Values{metadata(metaSettled): {doc.Key}}); err != nil {
			return connector.Result{}, err
		}
	}
	if inv.Status == statusPaid {
		return w.result(inv.ID, r, events.EffectUnchanged), nil
	}
	if _, err := w.api.post(ctx, "settle invoice", path+"/pay", url.Values{"paid_out_of_band": {"true"}}); err != nil {
		return connector.Result{}, err
	}
	return w.result(inv.ID, r, events.EffectCreated), nil
}

// recorded looks for the document's payment record among what was attached to
// the invoice. One that was reported and not attached yet is found again by its
// idempotency key: Stripe has no list of payment records, and reporting twice
// what is attached once changes nothing that anybody owes.
func (w received) recorded(ctx context.Context, doc connector.Document, invoiceID string) (id string, attached bool, err error) {
	const op = "find payment"
	err = w.api.list(ctx, op, invoicePaymentsPath, url.Values{"invoice": {invoiceID}}, func(raw json.RawMessage) (bool, error) {
		p, err := decode[invoicePayment](op, raw)
		if err != nil || p.Payment.PaymentRecord.ID == "" {
			return true, err
		}
		raw, found, err := w.api.get(ctx, op, recordsPath+"/"+url.PathEscape(p.Payment.PaymentRecord.ID), nil)
		if err != nil || !found {
			return true, err
		}
		rec, err := decode[identity](op, raw)
		if err == nil && rec.Metadata[metaKey] == doc.Key {
			id, attached = rec.ID, true
		}
		return !attached, err
	})
	return id, attached, err
}

// report makes the payment record.
func (w received) report(ctx context.Context, doc connector.Document, inv invoice, r receipt) (string, error) {
	at := strconv.FormatInt(r.at, 10)
	form := clone(r.mark)
	for name, value := range map[string]string{
		"amount_requested[value]": strconv.FormatInt(r.amount, 10), "amount_requested[currency]": r.currency,
		"initiated_at": at, "outcome": "guaranteed", "guaranteed[guaranteed_at]": at,
		"payment_method_details[type]":                 "custom",
		"payment_method_details[custom][display_name]": orElse(r.method, "Outside Stripe"),
		"customer_details[customer]":                   inv.Customer.ID,
	} {
		form.Set(name, value)
	}
	if r.reference != "" {
		form.Set("processor_details[type]", "custom")
		form.Set("processor_details[custom][payment_reference]", r.reference)
	}
	op := "report payment"
	raw, _, err := w.api.create(ctx, creation{
		op: op, path: recordsPath + "/report_payment", form: withoutEmpty(form), seed: []string{doc.Key, objectPayment, inv.ID},
		current: func(ctx context.Context, id string) (json.RawMessage, bool, error) {
			return w.api.get(ctx, "read payment record", recordsPath+"/"+url.PathEscape(id), nil)
		},
		find: func(context.Context) (json.RawMessage, bool, error) { return nil, false, nil },
	})
	if err != nil {
		return "", err
	}
	made, err := decode[identity](op, raw)
	return made.ID, err
}

func (received) result(id string, r receipt, effect events.Effect) connector.Result {
	f := events.Fields{}
	if m, err := fromMinor(r.amount, r.currency); err == nil {
		f.Set("amount", m)
	}
	f.Set("status", "succeeded")
	return connector.Result{ID: id, Effect: effect, Seen: f}
}

// void implements writer.
func (w received) void(context.Context, connector.Document) (connector.Result, error) {
	return connector.Result{}, fault.New(fault.Rejected, "stripe: void payment", "a payment that was recorded can't be taken back").
		WithHint("set the flow's on_leave to keep; in Stripe, correct the invoice with a credit note")
}

// remove implements writer.
func (w received) remove(ctx context.Context, doc connector.Document) (connector.Result, error) {
	return w.void(ctx, doc)
}

// find implements writer.
func (w received) find(ctx context.Context, doc connector.Document) (connector.Result, bool, error) {
	r, err := w.receipt(doc)
	if err != nil {
		return connector.Result{}, false, err
	}
	inv, err := w.invoice(ctx, r.invoice)
	if err != nil {
		return connector.Result{}, false, err
	}
	if inv.Metadata[metaSettled] == doc.Key {
		return w.result(inv.ID, r, events.EffectUnchanged), inv.Status == statusPaid, nil
	}
	id, attached, err := w.recorded(ctx, doc, inv.ID)
	return w.result(id, r, events.EffectUnchanged), attached, err
}
