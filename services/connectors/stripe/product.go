package stripe

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

const (
	productsPath = "/v1/products"
	metaSKU      = "sku"
)

// products writes products, each with one price. The product's id at Stripe
// is the document's key: a natural key, which no lost answer can double.
type products struct{ api *api }

// withPrice asks for the default price along with a product.
func withPrice() url.Values { return url.Values{"expand[]": {"default_price"}} }

// upsert implements writer.
func (w products) upsert(ctx context.Context, doc connector.Document) (connector.Result, error) {
	form, err := w.form(doc)
	if err != nil {
		return connector.Result{}, err
	}
	price, priced, err := w.price(doc)
	if err != nil {
		return connector.Result{}, err
	}
	p, effect, err := w.put(ctx, doc, form)
	if err != nil {
		return connector.Result{}, err
	}
	if priced {
		var changed bool
		if p, changed, err = prices(w).ensure(ctx, p, doc, price); err != nil {
			return connector.Result{}, err
		}
		if changed && effect == events.EffectUnchanged {
			effect = events.EffectUpdated
		}
	}
	return productResult(p, effect), nil
}

// put makes or updates the product without its price.
func (w products) put(ctx context.Context, doc connector.Document, form url.Values) (product, events.Effect, error) {
	if doc.ExternalID != "" {
		raw, found, err := w.get(ctx, doc.ExternalID)
		if err != nil {
			return product{}, "", err
		}
		if found {
			return w.update(ctx, doc.ExternalID, raw, form)
		}
		// Deleted at Stripe: it is made anew under its key.
	}
	p, err := w.create(ctx, doc.Key, form)
	if err == nil || fault.As(err).Code != codeExists {
		return p, events.EffectCreated, err
	}
	raw, found, err := w.get(ctx, doc.Key)
	if err != nil {
		return product{}, "", err
	}
	if !found {
		return product{}, "", fault.New(fault.Conflict, "stripe: write product", "the product was deleted meanwhile")
	}
	return w.update(ctx, doc.Key, raw, form)
}

func (w products) create(ctx context.Context, id string, form url.Values) (product, error) {
	form = withoutEmpty(form)
	form.Set("id", id)
	raw, err := w.api.post(ctx, "create product", productsPath, form)
	if err != nil {
		return product{}, err
	}
	return decode[product]("create product", raw)
}

func (w products) update(ctx context.Context, id string, raw json.RawMessage, form url.Values) (product, events.Effect, error) {
	effect := events.EffectUnchanged
	if !holds(raw, form) {
		form.Set("expand[]", "default_price")
		var err error
		if raw, err = w.api.post(ctx, "update product", productsPath+"/"+url.PathEscape(id), form); err != nil {
			return product{}, "", err
		}
		effect = events.EffectUpdated
	}
	p, err := decode[product]("write product", raw)
	return p, effect, err
}

// void implements writer: an archived product can't be sold any more, and
// stays on the invoices it was sold on.
func (w products) void(ctx context.Context, doc connector.Document) (connector.Result, error) {
	raw, found, err := w.locate(ctx, doc)
	if err != nil {
		return connector.Result{}, err
	}
	archived := url.Values{"active": {"false"}}
	if !found || holds(raw, archived) {
		return connector.Result{ID: w.id(doc), Effect: events.EffectUnchanged}, nil
	}
	raw, err = w.api.post(ctx, "archive product", productsPath+"/"+url.PathEscape(w.id(doc)), archived)
	if err != nil {
		return connector.Result{}, err
	}
	p, err := decode[product]("archive product", raw)
	if err != nil {
		return connector.Result{}, err
	}
	return productResult(p, events.EffectVoided), nil
}

// remove implements writer.
func (w products) remove(ctx context.Context, doc connector.Document) (connector.Result, error) {
	_, found, err := w.locate(ctx, doc)
	if err != nil {
		return connector.Result{}, err
	}
	if !found {
		return connector.Result{ID: w.id(doc), Effect: events.EffectUnchanged}, nil
	}
	err = w.api.remove(ctx, "delete product", productsPath+"/"+url.PathEscape(w.id(doc)))
	if fault.Is(err, fault.Rejected) {
		return connector.Result{}, fault.As(err).
			WithHint("Stripe keeps products that have prices: set the flow's on_leave to void, which archives them")
	}
	if err != nil {
		return connector.Result{}, err
	}
	return connector.Result{ID: w.id(doc), Effect: events.EffectDeleted}, nil
}

// find implements writer.
func (w products) find(ctx context.Context, doc connector.Document) (connector.Result, bool, error) {
	raw, found, err := w.locate(ctx, doc)
	if err != nil || !found {
		return connector.Result{}, false, err
	}
	p, err := decode[product]("read product", raw)
	if err != nil {
		return connector.Result{}, false, err
	}
	return productResult(p, events.EffectUnchanged), true, nil
}

func (products) id(doc connector.Document) string {
	if doc.ExternalID != "" {
		return doc.ExternalID
	}
	return doc.Key
}

func (w products) locate(ctx context.Context, doc connector.Document) (json.RawMessage, bool, error) {
	return w.get(ctx, w.id(doc))
}

func (w products) get(ctx context.Context, id string) (json.RawMessage, bool, error) {
	return w.api.get(ctx, "read product", productsPath+"/"+url.PathEscape(id), withPrice())
}

func (products) form(doc connector.Document) (url.Values, error) {
	form := url.Values{}
	f := fieldsOf(doc, "stripe: write product")
	if err := f.copyText(form, same, "name", "description", "active"); err != nil {
		return nil, err
	}
	if form.Get("active") == "" {
		form.Del("active") // unlike a text it can't be cleared
	}
	if err := f.copyText(form, metadata, metaSKU); err != nil {
		return nil, err
	}
	return form, addMetadata(form, doc, f)
}

// price reads the list price of the document.
func (products) price(doc connector.Document) (listPrice, bool, error) {
	f := fieldsOf(doc, "stripe: write product")
	m, ok, err := f.money("price")
	if err != nil || !ok {
		return listPrice{}, false, err
	}
	unit, err := toMinorDecimal(m)
	if err != nil {
		return listPrice{}, false, f.refuse("price", "%w", err)
	}
	if unit.Sign() < 0 {
		return listPrice{}, false, f.refuse("price", "must not be negative")
	}
	return listPrice{currency: m.Currency, unit: unit}, true, nil
}
