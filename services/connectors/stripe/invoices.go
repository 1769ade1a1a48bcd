package stripe

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// invoices writes invoices, and always issues them: a draft is only a step on
// the way. The steps are draft, lines, finalize. After a crash the next try
// finds the draft, makes it right and goes on. Once finalized an invoice is a
// document that the customer holds: nothing about it is changed any more.
type invoices struct {
	api          *api
	daysUntilDue int
}

// maxTurns bounds how often a draft that does not serve makes way for another.
const maxTurns = 4

// upsert implements writer.
func (w invoices) upsert(ctx context.Context, doc connector.Document) (connector.Result, error) {
	want, err := billOf(doc, w.daysUntilDue)
	if err != nil {
		return connector.Result{}, err
	}
	inv, fresh, err := w.place(ctx, doc, want)
	if err != nil {
		return connector.Result{}, err
	}
	if inv.Status != statusDraft {
		return w.issued(ctx, inv, want)
	}
	if err := w.fill(ctx, doc, inv.ID, want, fresh); err != nil {
		return connector.Result{}, err
	}
	if inv, err = w.finalize(ctx, inv.ID); err != nil {
		return connector.Result{}, err
	}
	return inv.result(events.EffectCreated), nil
}

// place returns the invoice that stands for the document: a draft to go on
// with, or an issued one. fresh means that the draft was made just now and
// has no lines.
func (w invoices) place(ctx context.Context, doc connector.Document, want bill) (inv invoice, fresh bool, err error) {
	inv, found, err := w.locate(ctx, doc)
	if err != nil {
		return invoice{}, false, err
	}
	before := ""
	for range maxTurns {
		if !found {
			var from origin
			inv, from, err = w.draft(ctx, doc, want, before)
			if err != nil || from == madeNow {
				return inv, true, err
			}
		}
		gives, err := w.givesWay(ctx, inv, want)
		if err != nil {
			return invoice{}, false, err
		}
		if !gives {
			if inv.Status == statusDraft {
				inv, err = w.revise(ctx, inv.ID, want)
			}
			return inv, false, err
		}
		before, found = inv.ID, false
	}
	return invoice{}, false, fault.New(fault.Conflict, "stripe: write invoice", "the drafts of this invoice keep changing")
}

// givesWay decides whether another invoice takes the place of this one. A
// draft for another customer or in another currency is deleted. A void
// invoice that Spoke voided stands for nothing. One that a person voided
// stands: the same demand is not sent again behind that person's back, but a
// corrected one is what voiding asks for.
func (w invoices) givesWay(ctx context.Context, inv invoice, want bill) (bool, error) {
	switch {
	case inv.Status == statusDraft && !want.fits(inv):
		return true, w.api.remove(ctx, "delete draft invoice", invoicesPath+"/"+url.PathEscape(inv.ID))
	case inv.voidedByUs():
		return true, nil
	case inv.Status == statusVoid:
		same, _, err := w.bills(ctx, inv, want)
		return !same, err
	default:
		return false, nil
	}
}

// draft makes a draft. before is the invoice that it takes the place of.
func (w invoices) draft(ctx context.Context, doc connector.Document, want bill, before string) (invoice, origin, error) {
	const op = "create invoice"
	raw, from, err := w.api.create(ctx, creation{
		op: op, path: invoicesPath, form: want.draft(), seed: []string{doc.Key, objectInvoice, before},
		current: func(ctx context.Context, id string) (json.RawMessage, bool, error) {
			raw, found, err := w.api.get(ctx, "read invoice", invoicesPath+"/"+url.PathEscape(id), nil)
			if err != nil || !found {
				return nil, false, err
			}
			inv, err := decode[invoice]("read invoice", raw)
			return raw, inv.Status != statusVoid, err
		},
		find: func(ctx context.Context) (json.RawMessage, bool, error) {
			// The earlier content may have had another customer.
			found, raw, err := w.lookUp(ctx, doc, url.Values{"created[gte]": {w.api.since(doc)}})
			return raw, err == nil && found.ID != "" && found.Status != statusVoid, err
		},
	})
	if err != nil {
		return invoice{}, 0, err
	}
	inv, err := decode[invoice](op, raw)
	return inv, from, err
}

// revise gives an older draft the header of this document.
func (w invoices) revise(ctx context.Context, id string, want bill) (invoice, error) {
	raw, err := w.api.post(ctx, "update draft invoice", invoicesPath+"/"+url.PathEscape(id), want.header)
	if err != nil {
		return invoice{}, err
	}
	return decode[invoice]("update draft invoice", raw)
}

// finalize issues the invoice. It is repeated only for a draft, so that it
// needs no idempotency key.
func (w invoices) finalize(ctx context.Context, id string) (invoice, error) {
	const op = "finalize invoice"
	raw, err := w.api.post(ctx, op, invoicesPath+"/"+url.PathEscape(id)+"/finalize", url.Values{"auto_advance": {"false"}})
	if err != nil {
		return invoice{}, err
	}
	return decode[invoice](op, raw)
}

// issued compares what was issued with what is wanted. Only what is owed
// counts; memo and wording stay as they were sent.
func (w invoices) issued(ctx context.Context, inv invoice, want bill) (connector.Result, error) {
	same, field, err := w.bills(ctx, inv, want)
	if err != nil {
		return connector.Result{}, err
	}
	if same {
		return inv.result(events.EffectUnchanged), nil
	}
	hint := "void the invoice in Stripe, and the corrected one is issued when this document is released"
	if inv.Status == statusPaid {
		hint = "it is paid: correct it in Stripe with a credit note"
	}
	return connector.Result{}, fault.New(fault.Rejected, "stripe: write invoice",
		"invoice %s is finalized (%s) and can't be changed", inv.ID, inv.Status).WithField(field).WithHint(hint)
}

// bills reports whether an invoice asks for what the bill says, and else the
// first field that differs.
func (w invoices) bills(ctx context.Context, inv invoice, want bill) (same bool, field string, err error) {
	switch {
	case inv.Customer.ID != want.customer:
		return false, "customer", nil
	case !want.fits(inv):
		return false, "currency", nil
	case want.due != 0 && day(inv.DueDate) != day(want.due):
		return false, "due_date", nil
	}
	items, err := w.items(ctx, inv.ID)
	if err != nil {
		return false, "", err
	}
	have, surplus := assign(items, want.lines)
	if len(surplus) > 0 || len(have) != len(want.lines) {
		return false, "lines", nil
	}
	return true, "", nil
}
