package stripe

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spoke-sync/spoke/events"
)

// minorRule is how Stripe writes amounts of a currency, which is not always
// what ISO 4217 says. Source: docs.stripe.com/currencies. The further rule
// that payouts in HUF and TWD must divide by 100 concerns no amount here.
type minorRule struct {
	// scale is how many of Stripe's units make one of the currency.
	scale int64
	// step: every amount is a multiple of it.
	step int64
}

// maxPlaces is how many decimals Stripe takes in unit_amount_decimal and
// quantity_decimal.
const maxPlaces = 12

var errCurrency = errors.New("currency")

func ruleOf(currency string) (minorRule, error) {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF":
		return minorRule{scale: 1, step: 1}, nil
	case "ISK": // has no decimals, but is sent as if it had two
		return minorRule{scale: 100, step: 100}, nil
	case "BHD", "JOD", "KWD", "OMR", "TND": // the last of the three decimals is 0
		return minorRule{scale: 1000, step: 10}, nil
	case "UGX": // stands under both rules: a guess is wrong by a factor of 100
		return minorRule{}, fmt.Errorf("%w UGX: Stripe's documentation contradicts itself about its decimals", errCurrency)
	}
	if places, ok := events.MinorUnits(currency); !ok || places != 2 {
		return minorRule{}, fmt.Errorf("%w %q: is not one that Stripe takes", errCurrency, currency)
	}
	return minorRule{scale: 100, step: 1}, nil
}

// toMinor returns the amount as Stripe's integer. It refuses what the integer
// can't hold; nothing is rounded in silence.
func toMinor(m events.Money) (int64, error) {
	d, err := toMinorDecimal(m)
	if err != nil {
		return 0, err
	}
	n, err := d.Int64()
	if err != nil {
		return 0, fmt.Errorf("%s is finer than Stripe's smallest unit of the currency", m)
	}
	return n, payable(n, m.Currency)
}

// payable reports whether Stripe can charge n of its units.
func payable(n int64, currency string) error {
	r, err := ruleOf(currency)
	if err != nil {
		return err
	}
	if n%r.step != 0 {
		return fmt.Errorf("an amount in %s must be a multiple of %d at Stripe, %d is not", currency, r.step, n)
	}
	return nil
}

// toMinorDecimal returns the amount in Stripe's units with what is finer than
// those, as unit_amount_decimal takes it.
func toMinorDecimal(m events.Money) (events.Decimal, error) {
	r, err := ruleOf(m.Currency)
	if err != nil {
		return events.Decimal{}, err
	}
	d, err := m.Amount.Mul(events.DecimalFromInt(r.scale))
	if err != nil {
		return events.Decimal{}, err
	}
	if d.Round(maxPlaces).Cmp(d) != 0 {
		return events.Decimal{}, fmt.Errorf("%s has more than %d decimals in Stripe's unit", m, maxPlaces)
	}
	return d.Reduced(), nil
}

// fromMinor reads Stripe's integer.
func fromMinor(n int64, currency string) (events.Money, error) {
	return fromMinorDecimal(events.DecimalFromInt(n), currency)
}

// fromMinorDecimal reads unit_amount_decimal.
func fromMinorDecimal(d events.Decimal, currency string) (events.Money, error) {
	code := strings.ToUpper(currency)
	r, err := ruleOf(code)
	if err != nil {
		return events.Money{}, err
	}
	inverse := map[int64]string{1: "1", 100: "0.01", 1000: "0.001"}[r.scale]
	amount, err := d.Mul(events.MustDecimal(inverse))
	if err != nil {
		return events.Money{}, err
	}
	m := events.Money{Amount: amount, Currency: code}
	if rounded := m.Rounded(); rounded.Equal(m) {
		return rounded, nil // "12.30 EUR" and "5 ISK", as everybody writes them
	}
	return m, nil
}
