package stripe

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// void implements writer. A draft is deleted, which is all that Stripe allows
// for one.
func (w invoices) void(ctx context.Context, doc connector.Document) (connector.Result, error) {
	inv, found, err := w.locate(ctx, doc)
	if err != nil {
		return connector.Result{}, err
	}
	path := invoicesPath + "/" + url.PathEscape(inv.ID)
	switch {
	case !found:
		return connector.Result{ID: doc.ExternalID, Effect: events.EffectUnchanged}, nil
	case inv.Status == statusDraft:
		if err := w.api.remove(ctx, "delete draft invoice", path); err != nil {
			return connector.Result{}, err
		}
		return connector.Result{ID: inv.ID, Effect: events.EffectVoided}, nil
	case inv.Status == statusVoid:
		return inv.result(events.EffectUnchanged), nil
	case inv.Status == statusPaid:
		return connector.Result{}, fault.New(fault.Rejected, "stripe: void invoice", "invoice %s is paid", inv.ID).
			WithHint("give the money back in Stripe: a refund or a credit note")
	}
	// Metadata can't be given to the call that voids. Written before it, the
	// mark tells a later try who did it.
	if _, err := w.api.post(ctx, "mark invoice", path, url.Values{metadata(metaVoided): {"true"}}); err != nil {
		return connector.Result{}, err
	}
	raw, err := w.api.post(ctx, "void invoice", path+"/void", nil)
	if err != nil {
		return connector.Result{}, err
	}
	if inv, err = decode[invoice]("void invoice", raw); err != nil {
		return connector.Result{}, err
	}
	return inv.result(events.EffectVoided), nil
}

// remove implements writer.
func (w invoices) remove(ctx context.Context, doc connector.Document) (connector.Result, error) {
	inv, found, err := w.locate(ctx, doc)
	if err != nil {
		return connector.Result{}, err
	}
	switch {
	case !found:
		return connector.Result{ID: doc.ExternalID, Effect: events.EffectUnchanged}, nil
	case inv.Status == statusVoid:
		return inv.result(events.EffectUnchanged), nil
	case inv.Status != statusDraft:
		return connector.Result{}, fault.New(fault.Rejected, "stripe: delete invoice",
			"invoice %s is finalized: it can be voided, not deleted", inv.ID).WithHint("set the flow's on_leave to void")
	}
	if err := w.api.remove(ctx, "delete draft invoice", invoicesPath+"/"+url.PathEscape(inv.ID)); err != nil {
		return connector.Result{}, err
	}
	return connector.Result{ID: inv.ID, Effect: events.EffectDeleted}, nil
}

// find implements writer.
func (w invoices) find(ctx context.Context, doc connector.Document) (connector.Result, bool, error) {
	inv, found, err := w.locate(ctx, doc)
	if err != nil || !found || inv.voidedByUs() {
		return connector.Result{}, false, err
	}
	return inv.result(events.EffectUnchanged), true, nil
}

// locate returns the invoice that stands for the document. It looks through
// the customer's invoices whenever no id is known, also before the very first
// create: idempotency keys guard one content for a day, and a second demand
// for money must not come from a change of the deal or a long outage either.
func (w invoices) locate(ctx context.Context, doc connector.Document) (invoice, bool, error) {
	var known invoice
	if doc.ExternalID != "" {
		raw, found, err := w.api.get(ctx, "read invoice", invoicesPath+"/"+url.PathEscape(doc.ExternalID), nil)
		if err != nil {
			return invoice{}, false, err
		}
		if found {
			if known, err = decode[invoice]("read invoice", raw); err != nil || known.Status != statusVoid {
				return known, err == nil, err
			}
		}
	}
	// A void invoice may have a successor whose outcome was lost.
	filter := url.Values{"created[gte]": {w.api.since(doc)}}
	if customer, _, err := fieldsOf(doc, "stripe: find invoice").text("customer"); err != nil {
		return invoice{}, false, err
	} else if customer != "" {
		filter = url.Values{"customer": {customer}}
	}
	inv, _, err := w.lookUp(ctx, doc, filter)
	if err != nil {
		return invoice{}, false, err
	}
	if inv.ID == "" {
		inv = known
	}
	return inv, inv.ID != "", nil
}

// lookUp goes through a list, newest first. A list shows every write at once;
// Stripe's search does not and is of no use here. Copies that people make in
// the dashboard keep the metadata, so the oldest that is not void is ours,
// else the latest void one.
func (w invoices) lookUp(ctx context.Context, doc connector.Document, filter url.Values) (best invoice, raw json.RawMessage, err error) {
	const op = "find invoice"
	err = w.api.list(ctx, op, invoicesPath, filter, func(o json.RawMessage) (bool, error) {
		inv, err := decode[invoice](op, o)
		if err != nil {
			return false, err
		}
		if inv.Metadata[metaKey] == doc.Key && (inv.Status != statusVoid || best.ID == "") {
			best, raw = inv, o
		}
		return true, nil
	})
	return best, raw, err
}
