package netsuite

import (
	"context"
	"net/url"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// details are what is read beside the rows of a page.
type details struct {
	iso    map[string]string        // currency codes by row id
	lines  map[string][]events.Line // by transaction
	links  map[string][]link        // by the later transaction
	prices map[string]price         // by item
}

// link is one row of the links between transactions.
type link struct{ previous, previousType, kind, amount string }

// changes makes snapshots of rows.
func (r *reader) changes(ctx context.Context, src source, rows []row, now stand) ([]events.Change, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids := make([]string, 0, len(rows))
	for _, row := range rows {
		if !digits.MatchString(row.text("id")) {
			return nil, unreadable("read " + title(src.object))
		}
		ids = append(ids, row.text("id"))
	}
	d, err := r.details(ctx, src, rows, ids)
	if err != nil {
		return nil, err
	}
	changes := make([]events.Change, 0, len(rows))
	for _, row := range rows {
		c, err := r.change(src, row, now, d)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

func (r *reader) details(ctx context.Context, src source, rows []row, ids []string) (details, error) {
	d := details{iso: map[string]string{}}
	for _, row := range rows {
		if _, has := row["currency"]; !has && r.settings.Currency == "" {
			continue
		}
		iso, err := r.money.iso(ctx, row.text("currency"))
		if err != nil {
			return d, err
		}
		d.iso[row.text("id")] = iso
	}
	var err error
	if src.lines {
		if d.lines, err = r.lines(ctx, ids, d.iso); err != nil {
			return d, err
		}
	}
	if src.links {
		if d.links, err = r.links(ctx, ids); err != nil {
			return d, err
		}
	}
	if src.object == typeItem {
		d.prices, err = r.prices(ctx, ids)
	}
	return d, err
}

// change makes the snapshot of one row.
func (r *reader) change(src source, row row, now stand, d details) (events.Change, error) {
	id := row.text("id")
	at, ok := now.utc(row.text("modified"))
	if !ok {
		return events.Change{}, fault.New(fault.Malformed, "netsuite: read "+title(src.object), "the date of modification can't be read").
			WithField(src.modified).WithHint("give the integration's user a date format that SuiteQL can write, and the setting zone")
	}
	c := events.Change{
		Connection: r.connection, Entity: src.entity, Object: src.object, ID: id, Op: events.OpChanged, At: at, Snapshot: true,
		Fields: events.Fields{}, Number: first(row.text("tranid"), row.text("entityid"), row.text("itemid")),
		URL: r.app + r.pages[src.object] + "?id=" + url.QueryEscape(id),
	}
	// Items may have been made by people before: only a key of ours tells ours.
	if key, ours := events.RecordOf(row.text("externalid")); ours {
		c.Record, c.Marked = key, key.IsZero()
	}
	b := snapshot{reader: r, row: row, fields: c.Fields, iso: d.iso[id], object: src.object}
	switch src.object {
	case typeCustomer:
		b.company()
	case typeContact:
		b.contact()
	case typeItem:
		b.product(d.prices[id])
	default:
		if src.custom != nil {
			b.custom(*src.custom)
			break
		}
		b.transaction(d.lines[id], d.links[id])
	}
	return c, nil
}

// snapshot fills in the canonical fields of one row.
type snapshot struct {
	reader *reader
	object string
	row    row
	fields events.Fields
	iso    string
}

func (b snapshot) copy(names map[string]string) {
	for column, name := range names {
		b.fields.Set(name, b.row.text(column))
	}
}

// amount sets money from a column. One that can't be read is left out, with a
// word to the operator: the rest of the object is as good as it was.
func (b snapshot) amount(name, text string) {
	if text == "" || b.iso == "" {
		return
	}
	m, err := events.NewMoney(strings.TrimPrefix(text, "-"), b.iso) // credits are negative
	if err != nil {
		b.unread(name)
		return
	}
	b.fields.Set(name, m)
}

func (b snapshot) unread(name string) {
	b.reader.log.Warn("a value of NetSuite's can't be read and is left out",
		"connection", b.reader.connection, "object", b.object, "id", b.row.text("id"), "field", name)
}

func (b snapshot) link(object, id string) events.Link {
	if id == "" {
		return events.Link{}
	}
	return events.Link{Connection: b.reader.connection, Object: object, ID: id}
}

func (b snapshot) company() {
	name := b.row.text("companyname")
	if b.row.yes("isperson") {
		name = strings.TrimSpace(b.row.text("firstname") + " " + b.row.text("lastname"))
	}
	b.fields.Set("name", name)
	b.fields.Set("domain", domain(b.row.text("url")))
	b.fields.Set("currency", b.iso)
	b.copy(map[string]string{
		"email": "email", "phone": "phone", "addr1": "street", "city": "city", "state": "state", "zip": "zip", "country": "country",
	})
}

// domain is the host of a web address, without www.
func domain(address string) string {
	if address == "" {
		return ""
	}
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
}

func (b snapshot) contact() {
	b.copy(map[string]string{"firstname": "firstName", "lastname": "lastName", "email": "email", "phone": "phone"})
	b.fields.Set("company", b.link(typeCustomer, b.row.text("company")))
}

// product fills in an item. Its price and cost are in the base currency.
func (b snapshot) product(of price) {
	b.fields.Set("name", first(b.row.text("displayname"), b.row.text("itemid")))
	b.fields.Set("sku", b.row.text("itemid"))
	b.fields.Set("description", b.row.text("description"))
	b.fields.Set("active", !b.row.yes("isinactive"))
	if kind, ok := itemKinds[b.row.text("itemtype")]; ok {
		b.fields.Set("kind", kind)
	}
	b.iso = of.iso
	b.amount("price", of.amount)
	b.amount("cost", b.row.text("cost"))
}

func (b snapshot) custom(c CustomRecord) {
	b.fields.Set("name", b.row.text("name"))
	for _, f := range c.Fields {
		v := b.row.text(strings.ToLower(f.Name))
		switch {
		case f.Type == "ref" && f.Ref == typeCustomer:
			b.fields.Set("company", b.link(f.Ref, v))
		case f.Type == "ref" && f.Ref == typeContact:
			b.fields.Set("contact", b.link(f.Ref, v))
		case f.Type == "bool":
			b.fields.SetCustom(f.Name, v == "T")
		case f.Type == "decimal" && v != "":
			d, err := events.ParseDecimal(v)
			if err != nil {
				b.unread(f.Name)
				continue
			}
			b.fields.SetCustom(f.Name, d)
		default:
			b.fields.SetCustom(f.Name, v)
		}
	}
}
