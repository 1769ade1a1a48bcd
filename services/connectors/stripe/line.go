package stripe

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// line is one position as Stripe is to hold it.
type line struct {
	product     string
	description string
	currency    string         // upper case
	unit        events.Decimal // in Stripe's units
	quantity    events.Decimal
	amount      int64 // what Stripe will make of unit times quantity
}

// item is Stripe's invoice item.
type item struct {
	identity
	Description string `json:"description"`
	Amount      int64  `json:"amount"`
	Currency    string `json:"currency"`
	// Quantity is QuantityDecimal cut to a whole number.
	Quantity        int64           `json:"quantity"`
	QuantityDecimal *events.Decimal `json:"quantity_decimal"`
	Pricing         struct {
		UnitAmount *events.Decimal `json:"unit_amount_decimal"`
		Details    struct {
			Product string `json:"product"`
		} `json:"price_details"`
	} `json:"pricing"`
}

// lineOf reads one line of a document. currency is the invoice's, or empty
// before the first line has told it.
func lineOf(f fields, currency string) (line, error) {
	l := line{quantity: events.DecimalFromInt(1)}
	var err error
	if l.product, _, err = f.text("product"); err != nil {
		return l, err
	}
	if l.description, _, err = f.text("description"); err != nil {
		return l, err
	}
	if q, ok, err := f.decimal("quantity"); err != nil {
		return l, err
	} else if ok {
		l.quantity = q.Reduced()
	}
	if l.quantity.Sign() < 0 || l.quantity.Round(maxPlaces).Cmp(l.quantity) != 0 {
		return l, f.refuse("quantity", "must not be negative nor have more than %d decimals", maxPlaces)
	}
	if l.unit, l.currency, err = unitOf(f, "price", currency); err != nil {
		return l, err
	}
	if l.currency == "" {
		return l, f.refuse("price", "a line needs a price").WithHint("give the line item a price")
	}
	if err := l.settle(f); err != nil {
		return l, err
	}
	return l, nil
}

// unitOf reads an amount in Stripe's units, of the invoice's currency.
func unitOf(f fields, name, currency string) (events.Decimal, string, error) {
	m, ok, err := f.money(name)
	if err != nil || !ok {
		return events.Decimal{}, "", err
	}
	if currency != "" && m.Currency != currency {
		return events.Decimal{}, "", f.refuse(name, "is in %s on an invoice in %s", m.Currency, currency)
	}
	d, err := toMinorDecimal(m)
	if err != nil {
		return events.Decimal{}, "", f.refuse(name, "%w", err)
	}
	return d, m.Currency, nil
}

// settle works out what the line comes to. Stripe rounds price times quantity
// to its unit, half away from zero. Where the document says another amount,
// because of a discount, that amount is billed: as one piece, since Stripe
// has no unit price that would give it.
func (l *line) settle(f fields) error {
	exact, err := l.unit.Mul(l.quantity)
	if err != nil {
		return f.refuse("quantity", "%w", err)
	}
	net, currency, err := unitOf(f, "amount", l.currency)
	if err != nil {
		return err
	}
	if currency != "" && net.Round(0).Cmp(exact.Round(0)) != 0 {
		if l.quantity.Cmp(events.DecimalFromInt(1)) != 0 {
			l.description = strings.TrimSpace(l.description + " × " + l.quantity.String())
		}
		l.unit, l.quantity, exact = net, events.DecimalFromInt(1), net
	}
	if l.amount, err = exact.Round(0).Int64(); err == nil {
		err = payable(l.amount, l.currency)
	}
	if err != nil {
		return f.refuse("price", "%w", err)
	}
	return nil
}

// form are the parameters that put the line on an invoice.
func (l line) form(doc connector.Document, invoice, customer string, index int) url.Values {
	form := url.Values{
		"invoice": {invoice}, "customer": {customer},
		metadata(metaRecord): {doc.Record.String()}, metadata(metaKey): {doc.Key},
		metadata(metaLine): {strconv.Itoa(index)},
	}
	if l.description != "" {
		form.Set("description", l.description)
	}
	currency := strings.ToLower(l.currency)
	if l.product != "" {
		form.Set("price_data[currency]", currency)
		form.Set("price_data[product]", l.product)
		setUnit(form, "price_data", l.unit)
	} else {
		form.Set("currency", currency)
		form.Set("unit_amount_decimal", l.unit.String())
	}
	if _, err := l.quantity.Int64(); err == nil {
		form.Set("quantity", l.quantity.String())
	} else {
		form.Set("quantity_decimal", l.quantity.String())
	}
	return form
}

// on reports whether an item bills this line. The wording is not compared:
// it says nothing about what is owed.
func (l line) on(it item) bool {
	quantity := events.DecimalFromInt(it.Quantity)
	if it.QuantityDecimal != nil {
		quantity = *it.QuantityDecimal
	}
	return it.Amount == l.amount && strings.EqualFold(it.Currency, l.currency) && quantity.Cmp(l.quantity) == 0 &&
		(l.product == "" || it.Pricing.Details.Product == l.product) &&
		it.Pricing.UnitAmount != nil && it.Pricing.UnitAmount.Cmp(l.unit) == 0
}
