package stripe

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

const itemsPath = "/v1/invoiceitems"

// items returns what is on an invoice.
func (w invoices) items(ctx context.Context, invoiceID string) ([]item, error) {
	const op = "read invoice items"
	var items []item
	err := w.api.list(ctx, op, itemsPath, url.Values{"invoice": {invoiceID}}, func(raw json.RawMessage) (bool, error) {
		it, err := decode[item](op, raw)
		items = append(items, it)
		return true, err
	})
	return items, err
}

// assign matches items to lines by the position that stands in their
// metadata. What matches no line, or a line a second time, is surplus.
func assign(items []item, lines []line) (have map[int]item, surplus []item) {
	have = make(map[int]item, len(lines))
	for _, it := range items {
		i, err := strconv.Atoi(it.Metadata[metaLine])
		if err != nil || i < 0 || i >= len(lines) || have[i].ID != "" || !lines[i].on(it) {
			surplus = append(surplus, it)
			continue
		}
		have[i] = it
	}
	return have, surplus
}

// fill makes the items of a draft equal to the lines. The draft is Spoke's
// own and minutes old, so what else is on it came from an earlier content.
func (w invoices) fill(ctx context.Context, doc connector.Document, invoiceID string, want bill, fresh bool) error {
	var have map[int]item
	if !fresh {
		items, err := w.items(ctx, invoiceID)
		if err != nil {
			return err
		}
		var surplus []item
		have, surplus = assign(items, want.lines)
		for i, it := range have {
			if it.Description != want.lines[i].description && want.lines[i].description != "" {
				surplus = append(surplus, it)
				delete(have, i)
			}
		}
		for _, it := range surplus {
			if err := w.api.remove(ctx, "delete invoice item", itemsPath+"/"+url.PathEscape(it.ID)); err != nil {
				return err
			}
		}
	}
	for i := range want.lines {
		if have[i].ID != "" {
			continue
		}
		if err := w.add(ctx, doc, invoiceID, want, i); err != nil {
			return err
		}
	}
	return nil
}

// add puts one line on a draft. Its idempotency key holds the content, as the
// same position may get another content, and that is another item.
func (w invoices) add(ctx context.Context, doc connector.Document, invoiceID string, want bill, i int) error {
	const op = "create invoice item"
	l := want.lines[i]
	form := l.form(doc, invoiceID, want.customer, i)
	raw, _, err := w.api.create(ctx, creation{
		op: op, path: itemsPath, form: form, seed: []string{doc.Key, "line" + strconv.Itoa(i), form.Encode()},
		current: func(ctx context.Context, id string) (json.RawMessage, bool, error) {
			return w.api.get(ctx, "read invoice item", itemsPath+"/"+url.PathEscape(id), nil)
		},
		find: func(ctx context.Context) (json.RawMessage, bool, error) { return w.findItem(ctx, invoiceID, want, i) },
	})
	if err != nil {
		return err
	}
	it, err := decode[item](op, raw)
	if err != nil {
		return err
	}
	if !l.on(it) {
		// Better no invoice than one with an amount that nobody asked for.
		return fault.New(fault.Rejected, "stripe: "+op, "Stripe makes %d of a line that should come to %d", it.Amount, l.amount).
			WithField("lines[" + strconv.Itoa(i) + "]").WithHint("give the line a price and quantity that need no rounding")
	}
	return nil
}

func (w invoices) findItem(ctx context.Context, invoiceID string, want bill, i int) (json.RawMessage, bool, error) {
	items, err := w.items(ctx, invoiceID)
	if err != nil {
		return nil, false, err
	}
	have, _ := assign(items, want.lines)
	if have[i].ID == "" {
		return nil, false, nil
	}
	return w.api.get(ctx, "read invoice item", itemsPath+"/"+url.PathEscape(have[i].ID), nil)
}
