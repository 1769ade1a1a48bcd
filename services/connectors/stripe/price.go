package stripe

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

const pricesPath = "/v1/prices"

// listPrice is what a product is to cost.
type listPrice struct {
	currency string         // ISO 4217, upper case
	unit     events.Decimal // in Stripe's units
}

// price is Stripe's.
type price struct {
	identity
	Currency  string               `json:"currency"`
	Active    bool                 `json:"active"`
	LookupKey string               `json:"lookup_key"`
	Nickname  string               `json:"nickname"`
	Product   expandable[identity] `json:"product"`
	Recurring *struct {
		Interval string `json:"interval"`
		Count    int64  `json:"interval_count"`
	} `json:"recurring"`
	// UnitAmount is absent where the amount depends on the quantity.
	UnitAmount *events.Decimal `json:"unit_amount_decimal"`
}

func (p price) costs(want listPrice) bool {
	return strings.EqualFold(p.Currency, want.currency) && p.UnitAmount != nil && p.UnitAmount.Cmp(want.unit) == 0
}

// prices keeps the one price of a product that Spoke sets. Stripe's prices
// can't be changed: another amount is another price, which takes over the
// lookup key, and the old one is archived. Whoever sells by the lookup key
// always finds the valid price, and never none.
type prices struct{ api *api }

// ensure gives the product its price. It returns the product as it is then,
// and whether anything changed.
func (w prices) ensure(ctx context.Context, p product, doc connector.Document, want listPrice) (product, bool, error) {
	current, stale, err := w.ours(ctx, p.ID, doc)
	if err != nil {
		return p, false, err
	}
	changed := false
	if current.ID == "" || !current.costs(want) {
		if current.ID != "" {
			stale = append(stale, current)
		}
		if current, err = w.make(ctx, p.ID, doc, want, current.ID); err != nil {
			return p, false, err
		}
		changed = true
	}
	// The price becomes the default one before the old one is archived, which
	// Stripe refuses for a default price.
	if p.DefaultPrice.ID != current.ID {
		form := withPrice()
		form.Set("default_price", current.ID)
		raw, err := w.api.post(ctx, "set default price", productsPath+"/"+url.PathEscape(p.ID), form)
		if err != nil {
			return p, false, err
		}
		if p, err = decode[product]("set default price", raw); err != nil {
			return p, false, err
		}
		changed = true
	}
	return p, changed || len(stale) > 0, w.archive(ctx, stale)
}

func (w prices) archive(ctx context.Context, stale []price) error {
	for _, p := range stale {
		form := url.Values{"active": {"false"}}
		if _, err := w.api.post(ctx, "archive price", pricesPath+"/"+url.PathEscape(p.ID), form); err != nil {
			return err
		}
	}
	return nil
}

// ours returns the product's active prices that Spoke made: the one that has
// the lookup key, and those that a crash left behind.
func (w prices) ours(ctx context.Context, product string, doc connector.Document) (current price, stale []price, err error) {
	const op = "read prices"
	query := url.Values{"product": {product}, "active": {"true"}}
	err = w.api.list(ctx, op, pricesPath, query, func(raw json.RawMessage) (bool, error) {
		p, err := decode[price](op, raw)
		switch {
		case err != nil:
			return false, err
		case p.LookupKey == doc.Key:
			current = p
		case p.Metadata[metaKey] == doc.Key:
			stale = append(stale, p)
		}
		return true, nil
	})
	return current, stale, err
}

func (w prices) make(ctx context.Context, product string, doc connector.Document, want listPrice, before string) (price, error) {
	form := url.Values{
		"product": {product}, "currency": {strings.ToLower(want.currency)},
		"lookup_key": {doc.Key}, "transfer_lookup_key": {"true"},
		metadata(metaRecord): {doc.Record.String()}, metadata(metaKey): {doc.Key},
	}
	setUnit(form, "", want.unit)
	// The price before is part of the seed: a return to an earlier amount is
	// another price, not the answer to the first one.
	seed := []string{doc.Key, objectPrice, product, before, form.Get("currency"), want.unit.String()}
	raw, _, err := w.api.create(ctx, creation{
		op: "create price", path: pricesPath, form: form, seed: seed,
		current: func(ctx context.Context, id string) (json.RawMessage, bool, error) {
			raw, found, err := w.api.get(ctx, "read price", pricesPath+"/"+url.PathEscape(id), nil)
			return raw, found && holds(raw, url.Values{"lookup_key": {doc.Key}, "active": {"true"}}), err
		},
		find: func(ctx context.Context) (raw json.RawMessage, found bool, err error) {
			p, _, err := w.ours(ctx, product, doc)
			if err != nil || p.ID == "" || !p.costs(want) {
				return nil, false, err
			}
			return w.api.get(ctx, "read price", pricesPath+"/"+url.PathEscape(p.ID), nil)
		},
	})
	if err != nil {
		return price{}, err
	}
	return decode[price]("create price", raw)
}

// setUnit writes a unit amount, below prefix where one is given. Stripe takes
// what is finer than its unit in a parameter of its own.
func setUnit(form url.Values, prefix string, unit events.Decimal) {
	name := "unit_amount_decimal"
	if _, err := unit.Int64(); err == nil {
		name = "unit_amount"
	}
	if prefix != "" {
		name = prefix + "[" + name + "]"
	}
	form.Set(name, unit.Reduced().String())
}
