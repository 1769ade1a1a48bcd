package quickbooks

import (
	"strconv"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// The kinds of lines that are told apart.
const (
	salesLine    = "SalesItemLineDetail"
	discountLine = "DiscountLineDetail"
	groupLine    = "GroupLineDetail"    // a bundle of items
	subtotalLine = "SubTotalLineDetail" // made by QuickBooks
)

// buildLines puts the lines and the currency that their amounts share into
// a sales form.
func buildLines(t *target, f fields, b body) {
	lines := f.list("Line")
	if len(lines) == 0 {
		f.fail("Line", "a line is needed")
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
	if currency != t.settings.HomeCurrency {
		b["CurrencyRef"] = reference(currency)
	}
	list := make([]any, 0, len(lines))
	for _, l := range lines {
		list = append(list, buildLine(l, currency, t.settings.Tax))
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
func buildLine(f fields, currency string, tax Tax) body {
	detail := body{}
	if item := f.text("ItemRef"); item != "" {
		detail["ItemRef"] = reference(item)
	}
	detail.put("ServiceDate", f.date("ServiceDate"))
	if source := f.text("TaxCodeRef"); source != "" && (tax.USAutomated || tax.calculation() != taxNotApplicable) {
		code, ok := tax.code(source)
		// What QuickBooks told of an object of its own may come back; guessed
		// looks at what is changed.
		if !ok && (!f.exists || !tax.native(source)) {
			f.reject("TaxCodeRef", mapCode(tax), "nobody said which tax code this is")
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

// mapCode is the remedy for a tax code that nobody mapped.
func mapCode(tax Tax) string {
	return "add the source's code to tax.codes of the connection, with " + tax.form() + " of the company"
}

// guessed refuses lines with a tax code that neither the settings nor the
// object as it stands know.
func (t *target) guessed(op string, patch, current body) error {
	known := map[string]bool{"": true}
	for _, l := range current.list("Line") {
		known[l.inside(salesLine).ref("TaxCodeRef")] = true
	}
	for i, l := range patch.list("Line") {
		code := l.inside(salesLine).ref("TaxCodeRef")
		if _, ok := t.settings.Tax.code(code); !ok && !known[code] {
			return fault.New(fault.Rejected, Name+": "+op, "nobody said which tax code this is").
				WithField("Line[" + strconv.Itoa(i) + "].TaxCodeRef").WithHint(mapCode(t.settings.Tax))
		}
	}
	return nil
}
