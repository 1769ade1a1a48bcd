package stripe

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// ownPrices writes prices that flows make by themselves, beside the list price
// that belongs to a product. A price is found by its lookup key, a natural key
// that no lost answer can double. Amount and interval of a price are fixed at
// Stripe: another amount is another price, which takes the key over, and the old
// one is archived.
type ownPrices struct{ api *api }

// ownKey keeps it apart from the list price of the same record.
func ownKey(doc connector.Document) string { return doc.Key + "-price" }

// wantedPrice is what a document asks for.
type wantedPrice struct {
	listPrice
	product  string
	interval string
	count    int
	nickname string
	extra    url.Values // metadata
}

func wantedPriceOf(doc connector.Document) (wantedPrice, error) {
	f := fieldsOf(doc, "stripe: write price")
	p := wantedPrice{extra: url.Values{}}
	var err error
	if p.product, err = f.required("product"); err != nil {
		return p, err
	}
	m, ok, err := f.money("amount")
	if err != nil || !ok {
		return p, orFault(err, f.refuse("amount", "is missing"))
	}
	if p.unit, err = toMinorDecimal(m); err != nil {
		return p, f.refuse("amount", "%w", err)
	}
	p.currency = m.Currency
	if p.unit.Sign() < 0 {
		return p, f.refuse("amount", "must not be negative")
	}
	if p.interval, _, err = f.text("interval"); err != nil {
		return p, err
	}
	switch p.interval {
	case "", "day", "week", "month", "year":
	default:
		return p, f.refuse("interval", "want day, week, month or year")
	}
	if p.count, err = f.whole("interval_count", 1, 365); err != nil {
		return p, err
	}
	if p.nickname, _, err = f.text("nickname"); err != nil {
		return p, err
	}
	if err := addMetadata(p.extra, doc, f); err != nil {
		return p, err
	}
	p.extra.Set(metadata(metaKey), ownKey(doc))
	return p, nil
}

func (p wantedPrice) is(have price) bool {
	recurs := have.Recurring != nil
	return have.costs(p.listPrice) && have.Product.ID == p.product && recurs == (p.interval != "") &&
		(!recurs || have.Recurring.Interval == p.interval && have.Recurring.Count == int64(p.count))
}

// upsert implements writer.
func (w ownPrices) upsert(ctx context.Context, doc connector.Document) (connector.Result, error) {
	want, err := wantedPriceOf(doc)
	if err != nil {
		return connector.Result{}, err
	}
	raw, have, err := w.byKey(ctx, doc)
	if err != nil {
		return connector.Result{}, err
	}
	if have.ID != "" && want.is(have) {
		return w.update(ctx, raw, have, want)
	}
	made, from, err := w.make(ctx, doc, want, have.ID)
	if err != nil {
		return connector.Result{}, err
	}
	// A crash may have left one behind that lost the key and is still sold.
	if err := w.archiveOthers(ctx, doc, want.product, made.ID); err != nil {
		return connector.Result{}, err
	}
	effect := events.EffectCreated
	switch {
	case have.ID != "":
		effect = events.EffectUpdated
	case from == madeBefore:
		effect = events.EffectUnchanged
	}
	return connector.Result{ID: made.ID, Effect: effect}, nil
}

func (w ownPrices) update(ctx context.Context, raw json.RawMessage, have price, want wantedPrice) (connector.Result, error) {
	form := clone(want.extra)
	form.Set("active", "true")
	if want.nickname != have.Nickname {
		form.Set("nickname", want.nickname)
	}
	if holds(raw, form) {
		return connector.Result{ID: have.ID, Effect: events.EffectUnchanged}, nil
	}
	_, err := w.api.post(ctx, "update price", pricesPath+"/"+url.PathEscape(have.ID), form)
	return connector.Result{ID: have.ID, Effect: events.EffectUpdated}, err
}

func (w ownPrices) make(ctx context.Context, doc connector.Document, want wantedPrice, before string) (price, origin, error) {
	form := clone(want.extra)
	form.Set("product", want.product)
	form.Set("currency", strings.ToLower(want.currency))
	form.Set("lookup_key", ownKey(doc))
	form.Set("transfer_lookup_key", "true")
	form.Set("nickname", want.nickname)
	setUnit(form, "", want.unit)
	if want.interval != "" {
		form.Set("recurring[interval]", want.interval)
		form.Set("recurring[interval_count]", strconv.Itoa(want.count))
	}
	raw, from, err := w.api.create(ctx, creation{
		op: "create price", path: pricesPath, form: withoutEmpty(form),
		seed: []string{doc.Key, "ownprice", before, form.Encode()},
		current: func(ctx context.Context, id string) (json.RawMessage, bool, error) {
			raw, found, err := w.api.get(ctx, "read price", pricesPath+"/"+url.PathEscape(id), nil)
			return raw, found && holds(raw, url.Values{"lookup_key": {ownKey(doc)}}), err
		},
		find: func(ctx context.Context) (json.RawMessage, bool, error) {
			raw, have, err := w.byKey(ctx, doc)
			return raw, have.ID != "" && want.is(have), err
		},
	})
	if err != nil {
		return price{}, 0, err
	}
	made, err := decode[price]("create price", raw)
	return made, from, err
}

func (w ownPrices) byKey(ctx context.Context, doc connector.Document) (raw json.RawMessage, have price, err error) {
	const op = "find price"
	err = w.api.list(ctx, op, pricesPath, url.Values{"lookup_keys[]": {ownKey(doc)}}, func(o json.RawMessage) (bool, error) {
		have, err = decode[price](op, o)
		raw = o
		return false, err
	})
	return raw, have, err
}

func (w ownPrices) archiveOthers(ctx context.Context, doc connector.Document, product, keep string) error {
	const op = "read prices"
	var stale []string
	query := url.Values{"product": {product}, "active": {"true"}}
	err := w.api.list(ctx, op, pricesPath, query, func(o json.RawMessage) (bool, error) {
		p, err := decode[price](op, o)
		if err == nil && p.ID != keep && p.Metadata[metaKey] == ownKey(doc) {
			stale = append(stale, p.ID)
		}
		return true, err
	})
	if err != nil {
		return err
	}
	for _, id := range stale {
		if err := w.archive(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (w ownPrices) archive(ctx context.Context, id string) error {
	_, err := w.api.post(ctx, "archive price", pricesPath+"/"+url.PathEscape(id), url.Values{"active": {"false"}})
	return err
}

// void implements writer: an archived price is sold no more, and stays where it
// was sold.
func (w ownPrices) void(ctx context.Context, doc connector.Document) (connector.Result, error) {
	_, have, err := w.byKey(ctx, doc)
	if err != nil {
		return connector.Result{}, err
	}
	if have.ID == "" || !have.Active {
		return connector.Result{ID: orElse(have.ID, doc.ExternalID), Effect: events.EffectUnchanged}, nil
	}
	err = w.archive(ctx, have.ID)
	if fault.Is(err, fault.Rejected) {
		err = fault.As(err).WithHint("Stripe keeps a product's default price: give the product another one first")
	}
	return connector.Result{ID: have.ID, Effect: events.EffectVoided}, err
}

// remove implements writer: Stripe deletes no price.
func (w ownPrices) remove(ctx context.Context, doc connector.Document) (connector.Result, error) {
	return w.void(ctx, doc)
}

// find implements writer.
func (w ownPrices) find(ctx context.Context, doc connector.Document) (connector.Result, bool, error) {
	_, have, err := w.byKey(ctx, doc)
	return connector.Result{ID: have.ID, Effect: events.EffectUnchanged}, have.ID != "" && have.Active, err
}
