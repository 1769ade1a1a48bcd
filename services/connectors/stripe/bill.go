package stripe

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

const invoicesPath = "/v1/invoices"

// maxLines is how many items Stripe allows on an invoice.
const maxLines = 250

// bill is what a document asks an invoice to be.
type bill struct {
	customer string
	currency string // lower case, as Stripe writes it
	due      int64  // Unix time, or 0 for a term of days
	// header are the parameters that a draft can be given later too.
	header url.Values
	lines  []line
}

// billOf reads and checks a document. Nothing has been called yet.
func billOf(doc connector.Document, daysUntilDue int) (bill, error) {
	f := fieldsOf(doc, "stripe: write invoice")
	b := bill{header: url.Values{"auto_advance": {"false"}}}
	var err error
	if b.customer, _, err = f.text("customer"); err != nil {
		return b, err
	}
	if b.customer == "" {
		return b, f.refuse("customer", "an invoice needs a customer").WithHint("give the deal a company")
	}
	if err := f.copyText(b.header, same, "description"); err != nil {
		return b, err
	}
	if err := b.readTerm(f, daysUntilDue); err != nil {
		return b, err
	}
	if err := b.readLines(f); err != nil {
		return b, err
	}
	return b, addMetadata(b.header, doc, f)
}

// readTerm reads until when it is to be paid: to the end of a day in UTC, or
// some days after it is made.
func (b *bill) readTerm(f fields, days int) error {
	date, _, err := f.text("due_date")
	if err != nil {
		return err
	}
	if date != "" {
		t, err := time.Parse(time.DateOnly, date)
		if err != nil {
			return f.refuse("due_date", "want a date such as 2026-11-23")
		}
		b.due = t.AddDate(0, 0, 1).Unix() - 1
		b.header.Set("due_date", strconv.FormatInt(b.due, 10))
		return nil
	}
	d, ok, err := f.decimal("days_until_due")
	if err != nil {
		return err
	}
	if ok {
		n, err := d.Int64()
		if err != nil || n < 0 || n > 10_000 {
			return f.refuse("days_until_due", "want a whole number of days")
		}
		days = int(n)
	}
	b.header.Set("days_until_due", strconv.Itoa(days))
	return nil
}

func (b *bill) readLines(f fields) error {
	code, _, err := f.text("currency")
	if err != nil {
		return err
	}
	list, err := f.list("lines")
	if err != nil {
		return err
	}
	if len(list) == 0 || len(list) > maxLines {
		return f.refuse("lines", "want 1 to %d lines, not %d", maxLines, len(list)).
			WithHint("give the deal line items")
	}
	code = strings.ToUpper(code)
	total := events.Decimal{}
	for _, element := range list {
		l, err := lineOf(element, code)
		if err != nil {
			return err
		}
		code = l.currency
		if total, err = total.Add(events.DecimalFromInt(l.amount)); err != nil {
			return f.refuse("lines", "%w", err)
		}
		b.lines = append(b.lines, l)
	}
	if total.Sign() < 0 {
		return f.refuse("lines", "the invoice comes to less than nothing").
			WithHint("Stripe gives money back with a credit note")
	}
	b.currency = strings.ToLower(code)
	return nil
}

// draft are the parameters that make the invoice. auto_advance is off, so that
// Stripe never issues it before all lines are on it.
func (b bill) draft() url.Values {
	form := withoutEmpty(b.header)
	form.Set("customer", b.customer)
	form.Set("currency", b.currency)
	form.Set("collection_method", "send_invoice")
	form.Set("pending_invoice_items_behavior", "exclude")
	return form
}

// fits reports whether a draft can become this invoice: customer and currency
// of a draft can't be changed.
func (b bill) fits(i invoice) bool {
	return i.Customer.ID == b.customer && strings.EqualFold(i.Currency, b.currency)
}
