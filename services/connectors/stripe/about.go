package stripe

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// thing is an object of this connector's that an event is about.
type thing struct{ object, id string }

// eventTypes are the events that tell of what Spoke uses, by the object type
// that they carry. All others are left out, as is what Stripe adds one day.
var eventTypes = map[string][]string{
	objectCustomer:     {"customer.created", "customer.updated", "customer.deleted"},
	objectProduct:      {"product.created", "product.updated", "product.deleted"},
	objectPrice:        {"price.created", "price.updated", "price.deleted"},
	objectSubscription: subscriptionEvents(),
	objectQuote:        {"quote.created", "quote.finalized", "quote.accepted", "quote.canceled"},
	objectInvoice: {
		"invoice.created", "invoice.updated", "invoice.deleted", "invoice.finalized", "invoice.sent", "invoice.paid", "invoice.overdue",
		"invoice.overpaid", "invoice.payment_failed", "invoice.payment_succeeded", "invoice.voided", "invoice.marked_uncollectible",
	},
	typeInvoicePayment: {"invoice_payment.paid", "invoice_payment.detached"},
	typeIntent: {
		"payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled", "payment_intent.processing",
		"payment_intent.partially_funded",
	},
	objectRefund: {"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"},
	objectDispute: {
		"charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed", "charge.dispute.funds_withdrawn",
		"charge.dispute.funds_reinstated",
	},
	objectCreditNote:  {"credit_note.created", "credit_note.updated", "credit_note.voided"},
	objectPaymentLink: {"payment_link.created", "payment_link.updated"},
	typeSession: {
		"checkout.session.completed", "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed",
	},
}

func subscriptionEvents() []string {
	verbs := []string{"created", "updated", "deleted", "paused", "resumed", "pending_update_applied", "pending_update_expired"}
	for i, v := range verbs {
		verbs[i] = "customer.subscription." + v
	}
	return verbs
}

// Object types of Stripe's that stand for a payment or a product of Spoke's.
const (
	typeInvoicePayment = "invoice_payment"
	typeIntent         = "payment_intent"
	typeSession        = "checkout.session"
)

// carrier returns the type of the object that an event carries.
func carrier(eventType string) (string, bool) {
	for object, types := range eventTypes {
		if slices.Contains(types, eventType) {
			return object, true
		}
	}
	return "", false
}

// about returns what must be read because of the event: nothing when it is of
// no use.
func (n notice) about() ([]thing, error) {
	switch n.Object {
	case styleSnapshot:
		carried, ok := carrier(n.Type)
		if !ok {
			return nil, nil
		}
		return inside(carried, n.Data.Object)
	case styleThin:
		// A thin event of the first version's API is named as its snapshot, with
		// "v1." before it.
		carried, ok := carrier(strings.TrimPrefix(n.Type, "v1."))
		if !ok || n.Related == nil || n.Related.Type != carried {
			return nil, nil
		}
		return []thing{named(carried, n.Related.ID)}, nil
	default:
		return nil, fmt.Errorf("object %q is no event", clean(n.Object))
	}
}

// named is what is read for an object of which only the id is known. The
// reader finds the payment or product that it belongs to.
func named(carried, id string) thing {
	switch carried {
	case objectPrice:
		return thing{objectProduct, id}
	case typeInvoicePayment, typeIntent, typeSession:
		return thing{objectPayment, id}
	default:
		return thing{carried, id}
	}
}

// carriedObject is what is needed of the object in an event.
type carriedObject struct {
	identity
	Product     expandable[identity] `json:"product"`
	Payment     associated           `json:"payment"`
	Intent      expandable[identity] `json:"payment_intent"`
	PaymentLink expandable[identity] `json:"payment_link"`
}

// inside returns what must be read because of the object that an event
// carries.
func inside(carried string, raw json.RawMessage) ([]thing, error) {
	var o carriedObject
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, fmt.Errorf("%s: %w", carried, err)
	}
	if o.Object != carried {
		return nil, fmt.Errorf("a %s where a %s is due", clean(o.Object), carried)
	}
	switch carried {
	case objectPrice:
		return []thing{{objectProduct, o.Product.ID}}, nil
	case typeInvoicePayment:
		return []thing{{objectPayment, o.Payment.id(o.ID)}}, nil
	case typeSession:
		var all []thing
		if o.Intent.ID != "" { // a subscription's is paid by its invoice
			all = append(all, thing{objectPayment, o.Intent.ID})
		}
		if o.PaymentLink.ID != "" {
			all = append(all, thing{objectPaymentLink, o.PaymentLink.ID})
		}
		return all, nil
	default:
		return []thing{named(carried, o.ID)}, nil
	}
}
