package quickbooks

import (
	"context"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// void makes a transaction count nothing and stay in the books.
func (t *target) void(ctx context.Context, k *kind, doc connector.Document) (connector.Result, error) {
	op := "void " + k.title
	if !k.transaction() {
		return connector.Result{}, fault.New(fault.Rejected, Name+": "+op, "a %s can't be voided", k.title).
			WithHint("use on_leave: delete, which makes it inactive")
	}
	if k.voiding == "" {
		return connector.Result{}, fault.New(fault.Rejected, Name+": "+op, "QuickBooks can't void one").
			WithHint("use on_leave: delete, or end it by hand")
	}
	current, err := t.existing(ctx, k, doc)
	if err != nil || current == nil {
		return gone(doc), err
	}
	if isVoid(current) {
		return t.done(k, current, events.EffectUnchanged), nil
	}
	if err := untouched(k, current, op); err != nil {
		return connector.Result{}, err
	}
	w := write{op: op, operation: k.voiding, body: identity(current), requestID: requestID(doc, "void "+current.text("SyncToken"))}
	if k.voiding == "update" {
		w.include, w.body["sparse"] = "void", true
	}
	b, err := t.client.post(ctx, k, w)
	err = t.explain(ctx, k, current, err)
	t.recent.drop(k, current.text("Id"))
	if err != nil {
		return connector.Result{}, err
	}
	r := t.result(k, b, events.EffectVoided)
	r.Seen.Set("status", statusVoid)
	if k.name == objectPayment {
		r.Seen.Set("status", statusCanceled)
	}
	return r, nil
}

// remove deletes a transaction and makes a name inactive, which is as far as
// QuickBooks goes.
func (t *target) remove(ctx context.Context, k *kind, doc connector.Document) (connector.Result, error) {
	op := "delete " + k.title
	current, err := t.existing(ctx, k, doc)
	if err != nil || current == nil {
		return gone(doc), err
	}
	w := write{op: op, body: identity(current), requestID: requestID(doc, "delete "+current.text("SyncToken"))}
	if k.transaction() {
		if err := untouched(k, current, op); err != nil {
			return connector.Result{}, err
		}
		w.operation = "delete"
	} else {
		if current["Active"] == false {
			return t.done(k, current, events.EffectUnchanged), nil
		}
		w.body["sparse"], w.body["Active"] = true, false
	}
	b, err := t.client.post(ctx, k, w)
	err = t.explain(ctx, k, current, err)
	t.recent.drop(k, current.text("Id"))
	if err != nil {
		if fault.As(err).Code == codeNotFound {
			return gone(doc), nil
		}
		return connector.Result{}, err
	}
	return connector.Result{ID: b.text("Id"), Effect: events.EffectDeleted}, nil
}

// existing reads the document's object; nil when there is none.
func (t *target) existing(ctx context.Context, k *kind, doc connector.Document) (body, error) {
	if doc.ExternalID != "" {
		return t.client.get(ctx, k, doc.ExternalID)
	}
	want, err := k.build(t, doc)
	if err != nil {
		return nil, err
	}
	return k.find(ctx, t, doc, want)
}

// gone is the result for an object that is not there, which is what the
// document asks for.
func gone(doc connector.Document) connector.Result {
	return connector.Result{ID: doc.ExternalID, Effect: events.EffectUnchanged}
}

// untouched refuses to take an invoice away from under the money that was
// paid on it, and a credit from the invoices that it settles.
func untouched(k *kind, current body, op string) error {
	open := map[string]string{objectInvoice: "Balance", objectCredit: "RemainingCredit"}[k.name]
	total, hasTotal := current.decimal("TotalAmt")
	due, hasBalance := current.decimal(open)
	if !hasTotal || !hasBalance || total.Cmp(due) == 0 {
		return nil
	}
	return fault.New(fault.Rejected, Name+": "+op, "%s %s is applied: payments or credits hang on it", k.title, current.text("Id")).
		WithHint("take the payments off the invoice, or the credit off its invoices, in QuickBooks first, or settle it by hand")
}
