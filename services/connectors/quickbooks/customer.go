package quickbooks

import (
	"context"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

func customerKind() *kind {
	return &kind{
		name: objectCustomer, path: "customer", title: "customer", entity: events.EntityCompany,
		note: "Notes", noteLimit: 1024, hidden: true, page: "/customerdetail?nameId=",
		build: buildCustomer, patch: patchCustomer, find: findCustomer, read: readCustomer,
	}
}

func buildCustomer(t *target, doc connector.Document) (body, error) {
	f := newFields("customer", doc)
	b := body{}
	name := f.required("DisplayName")
	b.put("DisplayName", cleanName(name))
	company := f.text("CompanyName")
	if company == "" {
		company = name
	}
	b.put("CompanyName", company)
	b.putIn("PrimaryEmailAddr", "Address", f.text("PrimaryEmailAddr"))
	b.putIn("PrimaryPhone", "FreeFormNumber", f.text("PrimaryPhone"))
	b.putIn("WebAddr", "URI", webAddress(f.text("WebAddr")))
	putAddress(f, b, "BillAddr")
	putAddress(f, b, "ShipAddr")
	if c := f.text("CurrencyRef"); c != "" && c != t.settings.HomeCurrency {
		b["CurrencyRef"] = reference(c)
	}
	b.put("Notes", f.text("Notes"))
	if active, ok := f.flag("Active"); ok {
		b["Active"] = active
	}
	return b, f.failure()
}

func webAddress(s string) string {
	if s == "" || strings.Contains(s, "://") {
		return s
	}
	return "https://" + s
}

// cleanName takes out what names must not hold: a colon divides levels, and
// tabs and line breaks are refused.
func cleanName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == ':' || r < ' ' {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// renamed is the name for a record whose own name is taken. It is the same at
// every try, so that a customer made by a lost call is recognised.
func renamed(name string, doc connector.Document, limit int) string {
	suffix := " (" + cleanName(doc.Record.ID) + ")"
	r := []rune(name)
	if room := max(limit-len([]rune(suffix)), 0); len(r) > room {
		r = r[:room]
	}
	return strings.TrimSpace(string(r)) + suffix
}

// patchCustomer leaves out what can't change, the rename that QuickBooks
// forced on us, and merges the address, of which people may have filled in
// more.
func patchCustomer(_ *target, doc connector.Document, want, current body) body {
	patch := differing(want, current)
	delete(patch, "CurrencyRef")
	if current.text("DisplayName") == renamed(want.text("DisplayName"), doc, maxName) {
		delete(patch, "DisplayName")
	}
	for _, name := range []string{"BillAddr", "ShipAddr"} {
		if ours, ok := patch[name]; ok {
			patch[name] = mergedAddress(body{"": ours}.inside(""), current.inside(name))
		}
	}
	return patch
}

// findCustomer looks under both names that the record may have got. Notes
// can't be queried, but tell which one is ours.
func findCustomer(ctx context.Context, t *target, doc connector.Document, want body) (body, error) {
	names := []string{want.text("DisplayName"), renamed(want.text("DisplayName"), doc, maxName)}
	var ours body
	err := t.client.each(ctx, t.kinds[objectCustomer], t.kinds[objectCustomer].where("DisplayName IN ("+quote(names[0])+", "+quote(names[1])+")"),
		func(b body) bool {
			if carries(b.text("Notes"), doc.Key) {
				ours = b
			}
			return ours == nil
		})
	return ours, err
}

// adoptable reports whether a customer with the wanted name stands for the
// same company: it has the same mail address and belongs to no other record.
func adoptable(doc connector.Document, want, found body) bool {
	email := want.inside("PrimaryEmailAddr").text("Address")
	return email != "" && found["Active"] != false &&
		strings.EqualFold(email, found.inside("PrimaryEmailAddr").text("Address")) &&
		!foreign(found.text("Notes"), doc.Key)
}

// readCustomer fills in a company. What QuickBooks leaves empty is left out:
// it was never told, or it does not apply. A country is told by its name, for
// QuickBooks puts a code in the place of what was written.
func readCustomer(s *Settings, b body, f events.Fields) {
	name := b.text("CompanyName")
	if name == "" {
		name = b.text("DisplayName")
	}
	addr := b.inside("BillAddr")
	values := map[string]string{
		"name": name, "email": b.inside("PrimaryEmailAddr").text("Address"),
		"phone":  b.inside("PrimaryPhone").text("FreeFormNumber"),
		"street": addr.text("Line1"), "city": addr.text("City"), "state": addr.text("CountrySubDivisionCode"),
		"zip": addr.text("PostalCode"), "country": countryName(addr.text("Country")), "currency": b.currency(s.HomeCurrency),
	}
	for field, v := range values {
		if v != "" {
			f.Set(field, v)
		}
	}
}
