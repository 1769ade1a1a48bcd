package stripe

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// Where Stripe keeps the objects that are read but not written.
const (
	invoicePaymentsPath = "/v1/invoice_payments"
	intentsPath         = "/v1/payment_intents"
	chargesPath         = "/v1/charges"
	recordsPath         = "/v1/payment_records"
	sessionsPath        = "/v1/checkout/sessions"
	disputesPath        = "/v1/disputes"
	eventsPath          = "/v1/events"
)

// reader implements connector.Reader.
type reader struct {
	speaker
	api *api
}

// BatchSize implements connector.Reader: Stripe reads one object a call.
func (*reader) BatchSize() int { return 1 }

// source is where objects of one type are read, one by one and as a list.
type source struct {
	path string
	// expand are what comes along, below the object.
	expand []string
	decode func(ctx context.Context, raw json.RawMessage, at time.Time) ([]events.Change, error)
}

// query asks for what comes along, below a prefix.
func (s source) query(prefix string) url.Values {
	q := url.Values{}
	for _, e := range s.expand {
		q.Add("expand[]", prefix+e)
	}
	return q
}

// Read implements connector.Reader.
func (r *reader) Read(ctx context.Context, object string, ids []string) ([]events.Change, error) {
	var changes []events.Change
	if _, ok := r.source(object); !ok && object != objectPayment {
		return nil, fault.New(fault.Rejected, "stripe: read "+object, "object %q can't be read", object)
	}
	for _, id := range ids {
		got, err := r.one(ctx, object, id)
		if err != nil {
			return nil, err
		}
		changes = append(changes, got...)
	}
	return changes, nil
}

func (r *reader) one(ctx context.Context, object, id string) ([]events.Change, error) {
	// The clock is read before the call: whatever happens at Stripe during it
	// is later than what the answer shows, never earlier.
	at := r.api.now().UTC()
	if object == objectPayment {
		return r.readPayment(ctx, id, at)
	}
	src, _ := r.source(object)
	if object == objectProduct && strings.HasPrefix(id, "price_") {
		owner, err := r.productOf(ctx, id)
		if err != nil {
			return nil, err
		}
		id = orElse(owner, id)
	}
	raw, found, err := r.api.get(ctx, "read "+object, src.path+"/"+url.PathEscape(id), src.query(""))
	if err != nil {
		return nil, err
	}
	if !found {
		return []events.Change{r.deleted(object, entityOf(object), id, at)}, nil
	}
	return src.decode(ctx, raw, at)
}

// productOf returns the product of a price, of which a thin event tells no more
// than the id.
func (r *reader) productOf(ctx context.Context, id string) (string, error) {
	raw, found, err := r.api.get(ctx, "read price", pricesPath+"/"+url.PathEscape(id), nil)
	if err != nil || !found {
		return "", err
	}
	p, err := decode[price]("read price", raw)
	return p.Product.ID, err
}

func (r *reader) source(object string) (source, bool) {
	one := func(f func(json.RawMessage, time.Time) (events.Change, error)) func(context.Context, json.RawMessage, time.Time) ([]events.Change, error) {
		return func(_ context.Context, raw json.RawMessage, at time.Time) ([]events.Change, error) {
			c, err := f(raw, at)
			if err != nil {
				return nil, asFault("read "+object, err)
			}
			return []events.Change{c}, nil
		}
	}
	switch object {
	case objectCustomer:
		return source{customersPath, nil, one(r.customer)}, true
	case objectProduct:
		return source{productsPath, []string{"default_price"}, one(r.product)}, true
	case objectInvoice:
		return source{invoicesPath, nil, r.invoiceChanges}, true
	case objectSubscription:
		return source{subscriptionsPath, nil, one(r.subscription)}, true
	case objectQuote:
		return source{quotesPath, []string{"line_items"}, one(r.quote)}, true
	case objectPaymentLink:
		return source{linksPath, nil, one(r.paymentLink)}, true
	case objectRefund:
		return source{refundsPath, []string{"charge"}, r.refundChanges}, true
	case objectDispute:
		return source{disputesPath, []string{"charge"}, r.disputeChanges}, true
	case objectCreditNote:
		return source{creditNotesPath, []string{"invoice"}, one(r.creditNote)}, true
	default:
		return source{}, false
	}
}

// asFault gives an error about an object's content its kind.
func asFault(op string, err error) error {
	if fault.Is(err, fault.Internal) { // it has none yet
		return fault.New(fault.Malformed, "stripe: "+op, "%w", err)
	}
	return err
}

// invoiceChanges completes the lines of an invoice that began at Stripe: others
// may book it, and an answer holds ten lines at most. Of an invoice that Spoke
// made, the record knows the lines.
func (r *reader) invoiceChanges(ctx context.Context, raw json.RawMessage, at time.Time) ([]events.Change, error) {
	inv, err := decode[invoice]("read invoice", raw)
	if err != nil {
		return nil, err
	}
	if inv.Lines.HasMore && recordOf(inv.Metadata).IsZero() {
		inv.Lines.Data = nil
		path := invoicesPath + "/" + url.PathEscape(inv.ID) + "/lines"
		err := r.api.list(ctx, "read invoice lines", path, nil, func(raw json.RawMessage) (bool, error) {
			l, err := decode[invoiceLine]("read invoice lines", raw)
			inv.Lines.Data = append(inv.Lines.Data, l)
			return true, err
		})
		if err != nil {
			return nil, err
		}
	}
	c, err := r.invoiceChange(inv, at)
	if err != nil {
		return nil, asFault("read invoice", err)
	}
	return []events.Change{c}, nil
}

func (s speaker) deleted(object string, entity events.Entity, id string, at time.Time) events.Change {
	return events.Change{
		Connection: s.connection, Object: object, Entity: entity, ID: id, Op: events.OpDeleted, At: at.UTC(),
	}
}
