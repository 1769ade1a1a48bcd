package quickbooks

import (
	"maps"
	"slices"

	"github.com/spoke-sync/spoke/events"
)

// mergeLines returns the whole list of lines that makes a form hold the wanted
// ones, or nil when it does already. A line that says what is wanted stays as
// it is, whatever its kind. One for the same item keeps its id and what people
// or QuickBooks added, its tax code among it. Lines that no flow can write,
// such as a discount, stay too.
func mergeLines(want, current []body) []any {
	left := slices.DeleteFunc(slices.Clone(current), func(l body) bool { return l.text("DetailType") == subtotalLine })
	take := func(fits func(body) bool) body {
		i := slices.IndexFunc(left, fits)
		if i < 0 {
			return nil
		}
		l := left[i]
		left = slices.Delete(left, i, i+1)
		return l
	}
	merged := make([]body, len(want))
	same := true
	for i, w := range want {
		merged[i] = take(func(l body) bool { return says(l, w) })
	}
	for i, w := range want {
		if merged[i] != nil {
			continue
		}
		same = false
		merged[i] = w
		l := take(func(l body) bool {
			return l.text("DetailType") == salesLine && l.inside(salesLine).ref("ItemRef") == w.inside(salesLine).ref("ItemRef")
		})
		if l != nil {
			merged[i] = overlay(w, l)
		}
	}
	for _, l := range left {
		if l.text("DetailType") == salesLine {
			same = false // nobody wants it any more
			continue
		}
		merged = append(merged, l)
	}
	if same {
		return nil
	}
	all := make([]any, len(merged))
	for i, l := range merged {
		all[i] = l
	}
	return all
}

// says reports whether a line of QuickBooks's is to the records what is
// wanted: see readLines, which tells discounts and bundles as plain lines.
func says(line, want body) bool {
	amount, _ := line.decimal("Amount")
	wanted, ok := want.decimal("Amount")
	item := want.inside(salesLine).ref("ItemRef")
	switch line.text("DetailType") {
	case salesLine:
		return line.inside(salesLine).ref("ItemRef") == item && holds(line, overlay(want, line))
	case discountLine:
		amount, err := amount.Mul(events.DecimalFromInt(-1))
		return ok && err == nil && item == "" && amount.Cmp(wanted) == 0
	case groupLine:
		return ok && item != "" && item == line.inside(groupLine).ref("GroupItemRef") && amount.Cmp(wanted) == 0
	}
	return false
}

// overlay puts a wanted line over the current one.
func overlay(want, current body) body {
	line := maps.Clone(current)
	maps.Copy(line, want)
	detail := maps.Clone(current.inside(salesLine))
	if detail == nil {
		detail = body{}
	}
	for _, computed := range []string{"Qty", "UnitPrice", "TaxInclusiveAmt", "DiscountRate", "DiscountAmt"} {
		delete(detail, computed)
	}
	maps.Copy(detail, want.inside(salesLine))
	line[salesLine] = detail
	return line
}

// taxed returns the lines with the connection's tax code where a sales line
// has none, unless the form has no tax at all. The given lines are not changed.
func (t *target) taxed(lines []any, form body) []any {
	code := t.settings.Tax.lineCode()
	if code == "" || !t.settings.Tax.USAutomated && form.text("GlobalTaxCalculation") == taxNotApplicable {
		return lines
	}
	out := make([]any, 0, len(lines))
	for _, l := range (body{"": lines}).list("") {
		if detail := l.inside(salesLine); l.text("DetailType") == salesLine && detail.ref("TaxCodeRef") == "" {
			detail = maps.Clone(detail)
			detail["TaxCodeRef"] = reference(code)
			l = maps.Clone(l)
			l[salesLine] = detail
		}
		out = append(out, l)
	}
	return out
}

// readLines tells the lines of a sales form as records have them. A discount
// is a line of less than nothing, a bundle one line of its own item. Subtotals
// and lines of text count nothing and are left out.
func readLines(s *Settings, b body, link linker) []events.Line {
	currency := b.currency(s.HomeCurrency)
	money := func(d events.Decimal) events.Money {
		m, err := events.NewMoney(d.String(), currency)
		if err != nil {
			return events.Money{}
		}
		return m
	}
	var lines []events.Line
	for _, l := range b.list("Line") {
		amount, ok := l.decimal("Amount")
		if !ok {
			continue
		}
		line := events.Line{ID: l.text("Id"), Name: l.text("Description"), Amount: money(amount)}
		switch l.text("DetailType") {
		case salesLine:
			detail := l.inside(salesLine)
			if item := detail.ref("ItemRef"); isID(item) { // not SHIPPING_ITEM_ID
				line.Product = link(objectItem, item)
			}
			line.TaxCode = detail.ref("TaxCodeRef")
			if qty, ok := detail.decimal("Qty"); ok {
				line.Quantity = qty
			}
			if price, ok := detail.decimal("UnitPrice"); ok {
				line.Price = money(price)
			}
		case discountLine:
			less, err := amount.Mul(events.DecimalFromInt(-1))
			if err != nil {
				continue
			}
			line.Amount = money(less)
			if line.Name == "" {
				line.Name = "Discount"
			}
		case groupLine:
			detail := l.inside(groupLine)
			if item := detail.ref("GroupItemRef"); isID(item) {
				line.Product = link(objectItem, item)
			}
			if qty, ok := detail.decimal("Quantity"); ok {
				line.Quantity = qty
			}
		default:
			continue
		}
		lines = append(lines, line)
	}
	return lines
}
