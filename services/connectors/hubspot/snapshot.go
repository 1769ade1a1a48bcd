package hubspot

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// snapshot puts a record together as a change.
func (r *reader) snapshot(ctx context.Context, k kind, rec record, s source) (events.Change, error) {
	at, err := modified(k, rec)
	if err != nil {
		return events.Change{}, err
	}
	c := said{r.connection, at}.change(k, rec.ID, events.OpChanged)
	c.Snapshot, c.URL = true, r.portal.link(k, rec.ID)
	if of, ours := events.RecordOf(rec.text(keyProperty)); ours {
		c.Record = of // none for a key that does not tell its record
	}
	c.Fields = make(events.Fields, len(k.properties)+len(r.custom[k.name]))
	switch k.name {
	case company.name:
		companyFields(c.Fields, rec)
	case contact.name:
		contactFields(c.Fields, rec)
		c.Fields.Set("company", r.link(company, first(s.links[company.name][rec.ID])))
	case product.name:
		err = r.productFields(ctx, c.Fields, rec)
	case deal.name:
		c.At, err = r.dealFields(ctx, c.Fields, rec, s, at)
	case quote.name:
		c.Number = rec.text("hs_quote_number")
		c.At, err = r.quoteFields(ctx, c.Fields, rec, s, at)
	case invoice.name:
		c.Number = rec.text("hs_number")
		c.At, err = r.invoiceFields(ctx, c.Fields, rec, s, at)
	case order.name:
		c.Number = rec.text("hs_order_name")
		c.At, err = r.orderFields(ctx, c.Fields, rec, s, at)
	case payment.name:
		err = r.paymentFields(ctx, c.Fields, rec, s)
	case subscription.name:
		c.At, err = r.subscriptionFields(ctx, c.Fields, rec, s, at)
	default:
		r.customFields(c.Fields, k, rec, s)
	}
	if err != nil {
		return events.Change{}, err
	}
	for _, name := range r.custom[k.name] {
		c.Fields.SetCustom(name, rec.text(name))
	}
	return c, nil
}

func companyFields(f events.Fields, rec record) {
	f.Set("name", rec.text("name"))
	f.Set("domain", strings.ToLower(rec.text("domain")))
	f.Set("phone", rec.text("phone"))
	f.Set("street", rec.text("address"))
	f.Set("city", rec.text("city"))
	f.Set("state", rec.text("state"))
	f.Set("zip", rec.text("zip"))
	f.Set("country", rec.text("country"))
}

func contactFields(f events.Fields, rec record) {
	f.Set("firstName", rec.text("firstname"))
	f.Set("lastName", rec.text("lastname"))
	f.Set("email", rec.text("email"))
	f.Set("phone", rec.text("phone"))
}

// productFields: a product that can be read is on offer; one that no longer
// is gets archived.
func (r *reader) productFields(ctx context.Context, f events.Fields, rec record) error {
	price, err := r.money.amount(ctx, rec, "price", "")
	if err != nil {
		return err
	}
	cost, err := r.money.amount(ctx, rec, "hs_cost_of_goods_sold", "")
	if err != nil {
		return err
	}
	f.Set("name", rec.text("name"))
	f.Set("sku", rec.text("hs_sku"))
	f.Set("description", rec.text("description"))
	f.Set("price", price)
	f.Set("cost", cost)
	f.Set("active", true)
	return nil
}

// link points to another record of the portal.
func (r *reader) link(k kind, id string) events.Link {
	if id == "" {
		return events.Link{}
	}
	return events.Link{Connection: r.connection, Object: k.name, ID: id}
}

// modified is when the record last changed.
func modified(k kind, rec record) (time.Time, error) {
	text := rec.text(k.modified)
	if text == "" {
		text = rec.UpdatedAt
	}
	at, err := parseTime(text)
	if err != nil || at.Before(earliest) || at.Year() > 9999 { // which has no JSON form
		return time.Time{}, unreadable(rec, k.modified)
	}
	return at, nil
}

// parseTime reads a date with time, or a date alone, or milliseconds as older
// records have them.
func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	return time.UnixMilli(ms).UTC(), err
}

// day is the calendar day of a time property in the portal's time zone. A
// date alone is that day anywhere.
func (r *reader) day(rec record, property string) (string, error) {
	text := rec.text(property)
	if text == "" {
		return "", nil
	}
	if _, err := time.Parse(time.DateOnly, text); err == nil {
		return text, nil
	}
	t, err := parseTime(text)
	if err != nil {
		return "", unreadable(rec, property)
	}
	return t.In(r.api.zone).Format(time.DateOnly), nil
}

// unreadable is a value that HubSpot itself would not have accepted.
func unreadable(rec record, property string) *fault.Error {
	return fault.New(fault.Malformed, "hubspot: read", "record %s has a value of another form than its property", rec.ID).
		WithField(property).WithHint("correct the value in HubSpot")
}

// complete reads what the records of a kind need besides their own
// properties: their lines.
func (r *reader) complete(ctx context.Context, k kind, s *source) error {
	if !holds(k, lineItem) {
		return nil
	}
	var ids []string
	for _, rec := range s.records {
		for _, e := range s.links[lineItem.name][rec.ID] {
			ids = append(ids, e.id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var err error
	if s.lines, err = r.api.read(ctx, lineItem, ids, r.names(lineItem), false); err != nil {
		return err
	}
	return r.checkLines(ctx, ids, s.lines)
}

// checkLines fails while a line that belongs to a record can't be read: an
// invoice without it would be wrong. A line that was deleted just now is
// none.
func (r *reader) checkLines(ctx context.Context, ids []string, lines map[string]record) error {
	var missing []string
	for _, id := range ids {
		if _, ok := lines[id]; !ok {
			missing = append(missing, id)
		}
	}
	deleted, err := r.archived(ctx, lineItem, missing)
	if err != nil {
		return err
	}
	for _, id := range missing {
		if _, ok := deleted[id]; !ok {
			return fault.New(fault.Transient, "hubspot: read "+lineItem.plural,
				"line item %s belongs to a record but can't be read yet", id).WithCode("LINE_NOT_READABLE")
		}
	}
	return nil
}
