package quickbooks

import (
	"context"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// void makes a transaction count nothing and stay in the books.
func (t *target) void(ctx context.Context, k *kind, doc connector.Document) (*step, connector.Result, error) {
	op := "void " + k.title
	if k.void == "" {
		return nil, connector.Result{}, fault.New(fault.Rejected, Name+": "+op, "a %s can't be voided", k.title).
			WithHint("use on_leave: delete, which deletes a transaction and makes a customer or an item inactive")
	}
	current, err := t.existing(ctx, k, doc)
	if err != nil || current == nil {
		return nil, gone(doc), err
	}
	if isVoid(current) {
		return nil, t.done(k, current, events.EffectUnchanged), nil
	}
	if err := t.removable(ctx, k, current, op); err != nil {
		return nil, connector.Result{}, err
	}
	w := write{op: op, operation: "void", body: identity(current), requestID: requestID(doc, "void "+current.text("SyncToken")), alone: true}
	if k.void == voidByUpdate {
		w.operation, w.include = "update", "void"
		w.body["sparse"] = true
	}
	return &step{kind: k, write: w, then: func(_ context.Context, b body, err error) (*step, connector.Result, error) {
		t.recent.drop(k, current.text("Id"))
		if err != nil {
			return nil, connector.Result{}, err
		}
		r := t.result(k, b, events.EffectVoided)
		r.Seen.Set("status", statusVoid)
		if k.name == objectPayment {
			r.Seen.Set("status", statusCanceled)
		}
		return nil, r, nil
	}}, connector.Result{}, nil
}

// remove deletes a transaction and makes a name inactive, which is as far as
// QuickBooks goes.
func (t *target) remove(ctx context.Context, k *kind, doc connector.Document) (*step, connector.Result, error) {
	op := "delete " + k.title
	current, err := t.existing(ctx, k, doc)
	if err != nil || current == nil {
		return nil, gone(doc), err
	}
	w := write{op: op, body: identity(current), requestID: requestID(doc, "delete "+current.text("SyncToken")), alone: true}
	if k.transaction() {
		if err := t.removable(ctx, k, current, op); err != nil {
			return nil, connector.Result{}, err
		}
		w.operation = "delete"
	} else {
		if current["Active"] == false {
			return nil, t.done(k, current, events.EffectUnchanged), nil
		}
		w.body["sparse"], w.body["Active"] = true, false
	}
	return &step{kind: k, write: w, then: func(_ context.Context, b body, err error) (*step, connector.Result, error) {
		t.recent.drop(k, current.text("Id"))
		switch {
		case err == nil:
			return nil, connector.Result{ID: b.text("Id"), Effect: events.EffectDeleted}, nil
		case fault.As(err).Code == codeNotFound:
			return nil, gone(doc), nil
		}
		return nil, connector.Result{}, err
	}}, connector.Result{}, nil
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

// removable refuses to touch closed books, and to take an invoice or a credit
// memo away from under what is applied to it.
func (t *target) removable(ctx context.Context, k *kind, current body, op string) error {
	if err := t.open(ctx, k, op, current.text("TxnDate")); err != nil {
		return err
	}
	if k.name != objectInvoice && k.name != objectCreditMemo {
		return nil
	}
	total, hasTotal := current.decimal("TotalAmt")
	due, hasBalance := current.decimal("Balance")
	if !hasTotal || !hasBalance || total.Cmp(due) == 0 {
		return nil
	}
	return fault.New(fault.Rejected, Name+": "+op, "%s %s is applied: payments or credits hang on it", k.title, current.text("Id")).
		WithHint("take the payments off the invoice, or the credit off its invoices, in QuickBooks first, or settle it by hand")
}
