package quickbooks

import (
	"maps"

	"github.com/spoke-sync/spoke/events"
)

// The kinds of invoice lines that are told apart.
const (
	salesLine    = "SalesItemLineDetail"
	subtotalLine = "SubTotalLineDetail" // made by QuickBooks
)

// buildLines puts the lines and the currency that their amounts share into
// the invoice.
func buildLines(t *target, f fields, b body) {
	lines, ok := f.list("Line")
	if !ok || len(lines) == 0 {
		f.fail("Line", "an invoice needs a line")
		return
	}
	currency := f.text("CurrencyRef")
	for _, l := range lines {
		currency = sharedCurrency(l, currency, "UnitPrice")
		currency = sharedCurrency(l, currency, "Amount")
	}
	if currency == "" {
		currency = t.settings.HomeCurrency
	}
	if _, known := events.MinorUnits(currency); !known {
		f.fail("CurrencyRef", "the currency is no ISO 4217 code")
		return
	}
	t.putCurrency(f, b, currency)
	list := make([]any, 0, len(lines))
	for _, l := range lines {
		list = append(list, t.buildLine(l, currency))
	}
	b["Line"] = list
}

// sharedCurrency refuses a second currency within one transaction.
func sharedCurrency(f fields, currency, name string) string {
	m, ok := f.money(name)
	switch {
	case !ok || m.Currency == "":
		return currency
	case currency != "" && m.Currency != currency:
		f.fail(name, "the amount is in %s, the transaction in %s", m.Currency, currency)
	}
	return m.Currency
}

// buildLine makes one sales line of which the amount is exactly quantity
// times price, as QuickBooks checks. An amount that is another one, because
// of a discount, changes the price; where no price fits the line has only its
// amount.
func (t *target) buildLine(f fields, currency string) body {
	detail := body{}
	if item := f.text("ItemRef"); item != "" {
		detail["ItemRef"] = reference(item)
	}
	detail.put("ServiceDate", f.date("ServiceDate"))
	if source := f.text("TaxCodeRef"); source != "" {
		code, ok := t.settings.Tax.code(source)
		if !ok {
			f.reject("TaxCodeRef", "add the source's code to tax.codes of the connection, with "+t.settings.Tax.form()+" of the company",
				"nobody said which tax code of the company %q is", source)
		}
		detail["TaxCodeRef"] = reference(code)
	}
	line := body{"DetailType": salesLine, salesLine: detail}
	line.put("Description", f.text("Description"))

	quantity, hasQuantity := f.decimal("Qty")
	price, hasPrice := f.money("UnitPrice")
	amount, hasAmount := f.money("Amount")
	if !hasQuantity && hasPrice {
		quantity, hasQuantity = events.DecimalFromInt(1), true
	}
	if !hasAmount && !hasPrice {
		f.fail("Amount", "a line needs an amount, or a quantity and a price")
		return line
	}
	if hasAmount {
		amount.Amount = events.Money{Amount: amount.Amount, Currency: currency}.Rounded().Amount
	}
	if hasPrice {
		exact, err := product(quantity, price.Amount, currency)
		if err != nil {
			f.fail("UnitPrice", "%w", err)
		}
		if !hasAmount {
			amount.Amount = exact
		}
		hasPrice = exact.Cmp(amount.Amount) == 0
	}
	if !hasPrice && hasQuantity {
		price.Amount, hasPrice = unitPrice(amount.Amount, quantity, currency)
	}
	if hasPrice {
		detail["Qty"], detail["UnitPrice"] = number(quantity), number(price.Amount)
	}
	line["Amount"] = number(amount.Amount)
	return line
}

// mergeLines returns the whole list of lines that makes the invoice hold the
// wanted ones, or nil when it does already. A line for the same item keeps
// its id and what people or QuickBooks added, its tax code among it, and so
// do lines of other kinds, such as a discount.
func mergeLines(want, current []body) []any {
	var sales []body
	var others []any
	for _, l := range current {
		switch l.text("DetailType") {
		case salesLine:
			sales = append(sales, l)
		case subtotalLine:
		default:
			others = append(others, l)
		}
	}
	same := len(sales) == len(want)
	merged := make([]any, 0, len(want)+len(others))
	for i, w := range want {
		if i >= len(sales) || sales[i].inside(salesLine).ref("ItemRef") != w.inside(salesLine).ref("ItemRef") {
			same = false
			merged = append(merged, w)
			continue
		}
		l := overlay(w, sales[i])
		same = same && holds(sales[i], l)
		merged = append(merged, l)
	}
	if same {
		return nil
	}
	return append(merged, others...)
}

// overlay puts a wanted line over the current one.
func overlay(want, current body) body {
	line := maps.Clone(current)
	maps.Copy(line, want)
	detail := maps.Clone(current.inside(salesLine))
	for _, computed := range []string{"Qty", "UnitPrice", "TaxInclusiveAmt", "DiscountRate", "DiscountAmt"} {
		delete(detail, computed)
	}
	maps.Copy(detail, want.inside(salesLine))
	line[salesLine] = detail
	return line
}

// taxed returns the lines with the connection's tax code where a sales line
// has none. The given lines are not changed.
func (t *target) taxed(lines []any) []any {
	out := make([]any, 0, len(lines))
	code := t.settings.Tax.lineCode()
	for _, l := range (body{"": lines}).list("") {
		if detail := l.inside(salesLine); code != "" && l.text("DetailType") == salesLine && detail.ref("TaxCodeRef") == "" {
			detail = maps.Clone(detail)
			detail["TaxCodeRef"] = reference(code)
			l = maps.Clone(l)
			l[salesLine] = detail
		}
		out = append(out, l)
	}
	return out
}
