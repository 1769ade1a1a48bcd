package stripe

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

const (
	invoicesPath        = "/v1/invoices"
	invoicePaymentsPath = "/v1/invoice_payments"
)

// reader implements connector.Reader.
type reader struct {
	speaker
	api *api
}

// BatchSize implements connector.Reader: Stripe reads one object a call.
func (*reader) BatchSize() int { return 1 }

// source is where objects of one type are read.
type source struct {
	path   string
	entity events.Entity
	query  url.Values
	decode func(raw json.RawMessage, at time.Time) ([]events.Change, error)
}

// Read implements connector.Reader.
func (r *reader) Read(ctx context.Context, object string, ids []string) ([]events.Change, error) {
	src, ok := r.source(object)
	if !ok {
		return nil, fault.New(fault.Rejected, "stripe: read "+object, "object %q can't be read", object)
	}
	var changes []events.Change
	for _, id := range ids {
		// The clock is read before the call: whatever happens at Stripe
		// during it is later than what the answer shows, never earlier.
		at := r.api.now().UTC()
		raw, found, err := r.api.get(ctx, "read "+object, src.path+"/"+url.PathEscape(id), src.query)
		if err != nil {
			return nil, err
		}
		if !found {
			changes = append(changes, r.deleted(object, src.entity, id, at))
			continue
		}
		got, err := src.decode(raw, at)
		if err != nil {
			return nil, fault.New(fault.Malformed, "stripe: read "+object, "%s: %w", id, err)
		}
		changes = append(changes, got...)
	}
	return changes, nil
}

func (r *reader) source(object string) (source, bool) {
	one := func(f func(json.RawMessage, time.Time) (events.Change, error)) func(json.RawMessage, time.Time) ([]events.Change, error) {
		return func(raw json.RawMessage, at time.Time) ([]events.Change, error) {
			c, err := f(raw, at)
			return []events.Change{c}, err
		}
	}
	switch object {
	case objectCustomer:
		return source{path: customersPath, entity: events.EntityCompany, decode: one(r.customer)}, true
	case objectProduct:
		return source{path: productsPath, entity: events.EntityProduct, query: withPrice(), decode: one(r.product)}, true
	case objectInvoice:
		return source{path: invoicesPath, entity: events.EntityInvoice, decode: one(r.invoice)}, true
	case objectInvoicePayment:
		return source{
			path: invoicePaymentsPath, entity: events.EntityPayment, decode: r.paymentAndInvoice,
			query: url.Values{"expand[]": {"invoice", "payment.payment_intent.latest_charge"}},
		}, true
	default:
		return source{}, false
	}
}

// paymentAndInvoice adds the invoice, which the payment has changed and the
// answer holds anyway.
func (r *reader) paymentAndInvoice(raw json.RawMessage, at time.Time) ([]events.Change, error) {
	p, c, err := r.payment(raw, at)
	if err != nil {
		return nil, err
	}
	changes := []events.Change{c}
	if inv := p.Invoice.Object; inv != nil && inv.Currency != "" {
		c, err := r.invoiceChange(*inv, at)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

func (s speaker) deleted(object string, entity events.Entity, id string, at time.Time) events.Change {
	return events.Change{
		Connection: s.connection, Object: object, Entity: entity, ID: id, Op: events.OpDeleted, At: at.UTC(),
	}
}
