package stripe

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// writer makes Stripe hold documents of one object type.
type writer interface {
	upsert(ctx context.Context, doc connector.Document) (connector.Result, error)
	void(ctx context.Context, doc connector.Document) (connector.Result, error)
	remove(ctx context.Context, doc connector.Document) (connector.Result, error)
	find(ctx context.Context, doc connector.Document) (connector.Result, bool, error)
}

// target implements connector.Target.
type target struct {
	api     *api
	writers map[string]writer
}

func newTarget(a *api, say speaker, daysUntilDue int) *target {
	return &target{a, map[string]writer{
		objectCustomer: customers{a}, objectProduct: products{a}, objectPrice: ownPrices{a}, objectInvoice: invoices{a, daysUntilDue},
		objectSubscription: subscriptions(a, say, daysUntilDue), objectQuote: quotes(a, daysUntilDue), objectPaymentLink: paymentLinks(a),
		objectPayment: received{a}, objectRefund: refunds(a), objectCreditNote: creditNotes(a),
	}}
}

// BatchSize implements connector.Target: Stripe's API takes one object a call.
func (*target) BatchSize() int { return 1 }

// Apply implements connector.Target.
func (t *target) Apply(ctx context.Context, docs []connector.Document) []connector.Result {
	results := make([]connector.Result, len(docs))
	for i, doc := range docs {
		r, err := t.apply(ctx, doc)
		r.Err = err
		results[i] = r
	}
	return results
}

func (t *target) apply(ctx context.Context, doc connector.Document) (connector.Result, error) {
	w, err := t.writer(doc)
	if err != nil {
		return connector.Result{}, err
	}
	switch doc.Op {
	case events.DesiredUpsert:
		return w.upsert(ctx, doc)
	case events.DesiredVoid:
		return w.void(ctx, doc)
	case events.DesiredDelete:
		return w.remove(ctx, doc)
	default:
		return connector.Result{}, fault.New(fault.Rejected, "stripe: apply "+doc.Object, "operation %q is unknown", doc.Op).
			WithHint("known are upsert, void and delete")
	}
}

// Find implements connector.Target.
func (t *target) Find(ctx context.Context, doc connector.Document) (connector.Result, bool, error) {
	w, err := t.writer(doc)
	if err != nil {
		return connector.Result{}, false, err
	}
	return w.find(ctx, doc)
}

func (t *target) writer(doc connector.Document) (writer, error) {
	if w, ok := t.writers[doc.Object]; ok {
		return w, nil
	}
	return nil, fault.New(fault.Rejected, "stripe: apply document", "object %q can't be written", doc.Object).
		WithHint("writable are " + strings.Join(slices.Sorted(maps.Keys(t.writers)), ", "))
}

// Check implements connector.Target. Reading the account needs a permission
// that a restricted key can do without, so it is read only to be compared.
func (t *target) Check(ctx context.Context) error {
	a := t.api
	if a.account == "" || a.context != "" { // a shared key's own account is another one
		_, err := a.do(ctx, "check the key", "GET", "/v1/customers", url.Values{"limit": {"1"}})
		return err
	}
	raw, err := a.do(ctx, "check the account", "GET", "/v1/account", nil)
	if err != nil {
		return err
	}
	got, err := decode[identity]("check the account", raw)
	if err != nil {
		return err
	}
	if got.ID != a.account {
		return fault.New(fault.Unauthorized, "stripe: check the account", "the key belongs to %s, not to %s", got.ID, a.account).
			WithField("account").WithHint("set the key of the account, or correct the account")
	}
	return nil
}
