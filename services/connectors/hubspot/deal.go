package hubspot

import (
	"context"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// dealFields sets a deal's fields. It returns when the deal or one of its
// lines last changed: editing a line does not touch its deal.
func (r *reader) dealFields(ctx context.Context, f events.Fields, rec record, s source, at time.Time) (time.Time, error) {
	currency := rec.text("deal_currency_code")
	amount, err := r.money.amount(ctx, rec, "amount", currency)
	if err != nil {
		return at, err
	}
	closed, err := r.day(rec, "closedate")
	if err != nil {
		return at, err
	}
	won, lost, err := r.outcome(ctx, rec)
	if err != nil {
		return at, err
	}
	lines, at, err := r.lines(ctx, rec, s, currency, at)
	if err != nil {
		return at, err
	}
	f.Set("name", rec.text("dealname"))
	f.Set("amount", amount)
	f.Set("pipeline", rec.text("pipeline"))
	f.Set("stage", rec.text("dealstage"))
	f.Set("won", won)
	f.Set("lost", lost)
	f.Set("closeDate", closed)
	f.Set("company", r.link(company, first(s.links[company.name][rec.ID])))
	f.Set("contact", r.link(contact, first(s.links[contact.name][rec.ID])))
	f.Set("lines", lines)
	return at, nil
}

// lines reads the line items of a record, and when one of them last changed if
// that is later than the record itself did.
func (r *reader) lines(ctx context.Context, rec record, s source, currency string, at time.Time) ([]events.Line, time.Time, error) {
	lines := []events.Line{}
	for _, e := range s.links[lineItem.name][rec.ID] {
		item, ok := s.lines[e.id]
		if !ok {
			continue // deleted since
		}
		line, err := r.line(ctx, item, currency)
		if err != nil {
			return nil, at, err
		}
		lines = append(lines, line)
		changed, err := modified(lineItem, item)
		if err != nil {
			return nil, at, err
		}
		if changed.After(at) {
			at = changed
		}
	}
	return lines, at, nil
}

// line reads a line item. Its amount is net of discounts, as HubSpot has
// worked it out.
func (r *reader) line(ctx context.Context, item record, currency string) (events.Line, error) {
	if own := item.text("hs_line_item_currency_code"); own != "" {
		currency = own
	}
	price, err := r.money.amount(ctx, item, "price", currency)
	if err != nil {
		return events.Line{}, err
	}
	amount, err := r.money.amount(ctx, item, "amount", currency)
	if err != nil {
		return events.Line{}, err
	}
	var quantity events.Decimal
	if text := item.text("quantity"); text != "" {
		if quantity, err = events.ParseDecimal(text); err != nil {
			return events.Line{}, unreadable(item, "quantity")
		}
	}
	return events.Line{
		ID: item.ID, Product: r.link(product, item.text("hs_product_id")), Name: item.text("name"), SKU: item.text("hs_sku"),
		Quantity: quantity, Price: price, Amount: amount,
	}, nil
}

// outcome tells whether a deal is won or lost. HubSpot works it out from the
// stage; where it does not say, the stage's probability does.
func (r *reader) outcome(ctx context.Context, rec record) (won, lost bool, err error) {
	w, l := rec.text("hs_is_closed_won"), rec.text("hs_is_closed_lost")
	if w != "" && (l != "" || w == "true") {
		return w == "true", l == "true" && w != "true", nil
	}
	p, err := r.stages.probability(ctx, rec.text("pipeline"), rec.text("dealstage"))
	return p == certain, p == hopeless, err
}
