package quickbooks

import (
	"github.com/cockroachdb/apd/v3"

	"github.com/spoke-sync/spoke/events"
)

// product is quantity times price, rounded as QuickBooks does: half away from
// zero, to the decimals of the currency.
func product(quantity, price events.Decimal, currency string) (events.Decimal, error) {
	exact, err := quantity.Mul(price)
	if err != nil {
		return events.Decimal{}, err
	}
	return events.Money{Amount: exact, Currency: currency}.Rounded().Amount, nil
}

// quotientDigits is enough for any amount and the decimals of a unit price.
const quotientDigits = 34

// unitPrice is the price of one unit that makes the quantity cost the amount,
// as with a line that has a discount. ok is false when no price with the
// decimals that QuickBooks keeps does so.
func unitPrice(amount, quantity events.Decimal, currency string) (price events.Decimal, ok bool) {
	if quantity.IsZero() {
		return events.Decimal{}, false
	}
	a, _, errA := apd.NewFromString(amount.String())
	q, _, errQ := apd.NewFromString(quantity.String())
	if errA != nil || errQ != nil {
		return events.Decimal{}, false
	}
	ctx := apd.BaseContext.WithPrecision(quotientDigits)
	if _, err := ctx.Quo(a, a, q); err != nil {
		return events.Decimal{}, false
	}
	if _, err := ctx.Quantize(a, a, -maxUnitPlaces); err != nil {
		return events.Decimal{}, false
	}
	price, err := events.ParseDecimal(a.Text('f'))
	if err != nil {
		return events.Decimal{}, false
	}
	price = price.Reduced()
	back, err := product(quantity, price, currency)
	return price, err == nil && back.Cmp(amount) == 0
}
