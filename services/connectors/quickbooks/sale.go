package quickbooks

import (
	"context"
	"maps"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// saleKind is what all sales forms have in common: a customer, lines, tax, a
// number and a note.
func saleKind(name, path, title string, entity events.Entity, more func(t *target, f fields, b body)) *kind {
	return &kind{
		name: name, path: path, title: title, entity: entity,
		note: "PrivateNote", noteLimit: 4000, page: "/" + path + "?txnId=",
		build: func(t *target, doc connector.Document) (body, error) {
			f := newFields(title, doc)
			b := buildSale(t, f)
			if more != nil {
				more(t, f, b)
			}
			return b, f.failure()
		},
		create: completeSale, patch: patchSale,
		find: func(ctx context.Context, t *target, doc connector.Document, want body) (body, error) {
			return findSale(ctx, t, t.kinds[name], doc, want)
		},
		links: linkSale,
	}
}

func buildSale(t *target, f fields) body {
	b := body{"CustomerRef": reference(f.required("CustomerRef"))}
	b.put("DocNumber", f.short("DocNumber", maxDocNumber))
	b.put("TxnDate", f.date("TxnDate"))
	b.putIn("BillEmail", "Address", f.text("BillEmail"))
	b.putIn("CustomerMemo", "value", f.text("CustomerMemo"))
	b.put("PrivateNote", f.text("PrivateNote"))
	putAddress(f, b, "ShipAddr")
	buildLines(t, f, b)
	buildRate(f, b)
	buildTax(t, f, b)
	return b
}

// buildRate puts in how many units of the home currency one of the
// transaction's is worth.
func buildRate(f fields, b body) {
	rate, ok := f.decimal("ExchangeRate")
	switch {
	case !ok:
	case rate.Sign() <= 0:
		f.fail("ExchangeRate", "a rate is more than nothing")
	case b.ref("CurrencyRef") != "": // the home currency has none
		b["ExchangeRate"] = number(rate)
	}
}

// buildTax puts in how prices relate to tax, and the tax that a flow has
// worked out itself, which QuickBooks takes in the place of its own.
func buildTax(t *target, f fields, b body) {
	if how := f.text("GlobalTaxCalculation"); how != "" && !t.settings.Tax.USAutomated {
		if how != taxExcluded && how != taxNotApplicable {
			f.fail("GlobalTaxCalculation", "want TaxExcluded or NotApplicable: lines come without tax")
		}
		b["GlobalTaxCalculation"] = how
	}
	if tax, ok := f.money("TotalTax"); ok {
		sharedCurrency(f, b.currency(t.settings.HomeCurrency), "TotalTax")
		b["TxnTaxDetail"] = body{"TotalTax": number(tax.Amount)}
	}
}

// completeSale gives each line its tax code and says how prices relate to
// tax, which only companies outside the United States are asked.
func completeSale(_ context.Context, t *target, want body) error {
	lines, _ := want["Line"].([]any)
	want["Line"] = t.taxed(lines, want)
	if !t.settings.Tax.USAutomated && want.text("GlobalTaxCalculation") == "" {
		want["GlobalTaxCalculation"] = t.settings.Tax.calculation()
	}
	return nil
}

// patchSale sends the lines as a whole or not at all: QuickBooks drops lines
// that are left out of a list.
func patchSale(t *target, _ connector.Document, want, current body) body {
	lines := mergeLines(want.list("Line"), current.list("Line"))
	patch := differing(want, current)
	// A transaction keeps its currency and what it was made from.
	for _, fixed := range []string{"CurrencyRef", "ExchangeRate", "LinkedTxn", "Line"} {
		delete(patch, fixed)
	}
	if lines != nil {
		patch["Line"] = t.taxed(lines, current)
		if tax, ok := want["TxnTaxDetail"]; ok {
			patch["TxnTaxDetail"] = tax
		}
	}
	if addr, ok := patch["ShipAddr"]; ok {
		patch["ShipAddr"] = mergedAddress(body{"": addr}.inside(""), current.inside("ShipAddr"))
	}
	return patch
}

// findSale looks for the number and then through the customer's forms: a
// company that numbers by itself keeps its own number.
func findSale(ctx context.Context, t *target, k *kind, doc connector.Document, want body) (body, error) {
	if n := want.text("DocNumber"); n != "" {
		ours, err := findNoted(ctx, t, k, doc, "DocNumber = "+quote(n))
		if ours != nil || err != nil {
			return ours, err
		}
	}
	return findNoted(ctx, t, k, doc, "CustomerRef = "+quote(want.ref("CustomerRef")))
}

// findNoted walks the transactions that meet the condition until one holds
// the document's key.
func findNoted(ctx context.Context, t *target, k *kind, doc connector.Document, where string) (body, error) {
	var ours body
	err := t.client.each(ctx, k, where, func(b body) bool {
		if carries(b.text(k.note), doc.Key) {
			ours = b
		}
		return ours == nil
	})
	return ours, err
}

// addressParts are the parts of an address that flows may set.
var addressParts = [...]string{"Line1", "City", "CountrySubDivisionCode", "PostalCode", "Country"}

func putAddress(f fields, b body, name string) {
	for _, part := range addressParts {
		b.putIn(name, part, f.text(name+part))
	}
}

// mergedAddress puts the wanted parts of an address over those that people
// have filled in.
func mergedAddress(want, current body) body {
	merged := maps.Clone(current)
	if merged == nil {
		merged = body{}
	}
	delete(merged, "Lat") // of the old address
	delete(merged, "Long")
	maps.Copy(merged, want)
	return merged
}

// readTotals fills in what every sales form tells; day is what the entity
// calls its date.
func readTotals(s *Settings, b body, f events.Fields, day string) {
	if n := b.text("DocNumber"); n != "" {
		f.Set("number", n)
	}
	if d := b.text("TxnDate"); d != "" {
		f.Set(day, d)
	}
	if total, ok := b.money("TotalAmt", s.HomeCurrency); ok {
		f.Set("total", total)
	}
}

// readTax fills in the part of the total that is tax.
func readTax(s *Settings, b body, f events.Fields) {
	tax, ok := b.inside("TxnTaxDetail").decimal("TotalTax")
	if !ok {
		return
	}
	if m, err := events.NewMoney(tax.String(), b.currency(s.HomeCurrency)); err == nil {
		f.Set("tax", m)
	}
}

func linkCustomer(b body, link linker, f events.Fields) {
	if id := b.ref("CustomerRef"); id != "" {
		f.Set("company", link(objectCustomer, id))
	}
}

func linkSale(s *Settings, b body, link linker, f events.Fields) {
	linkCustomer(b, link, f)
	if lines := readLines(s, b, link); len(lines) > 0 {
		f.Set("lines", lines)
	}
}
