package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// Decimal is an exact decimal number. Its JSON form is a string in plain
// notation ("12.30"); reading also accepts a JSON number, taken digit by
// digit. The zero value is 0.
type Decimal struct{ d apd.Decimal }

// limits on outside input: enough for any amount of money and any quantity,
// and small enough that "1e999999999" can't make a gigabyte of zeros.
const (
	maxDigits   = 38
	maxExponent = 30
)

// exact is the context for arithmetic; it reports inexact results as errors.
var exact = apd.Context{Precision: 2 * maxDigits, MaxExponent: 1000, MinExponent: -1000, Traps: apd.DefaultTraps | apd.Inexact}

// ParseDecimal reads plain or scientific notation. It refuses NaN, infinities,
// more than 38 digits and exponents beyond ±30.
func ParseDecimal(s string) (Decimal, error) {
	if len(s) > 2*maxDigits {
		return Decimal{}, fmt.Errorf("decimal: %d characters are too many", len(s))
	}
	var d Decimal
	if _, _, err := d.d.SetString(strings.TrimSpace(s)); err != nil {
		return Decimal{}, fmt.Errorf("decimal: %q is not a number", s)
	}
	if d.d.Form != apd.Finite {
		return Decimal{}, fmt.Errorf("decimal: %q is not a finite number", s)
	}
	if d.d.NumDigits() > maxDigits || d.d.Exponent > maxExponent || d.d.Exponent < -maxExponent {
		return Decimal{}, fmt.Errorf("decimal: %q is out of range (38 digits, exponent ±30)", s)
	}
	if d.d.IsZero() {
		d.d.Negative = false
	}
	return d, nil
}

// MustDecimal is ParseDecimal for constants; it panics on a bad literal.
func MustDecimal(s string) Decimal {
	d, err := ParseDecimal(s)
	if err != nil {
		panic(err)
	}
	return d
}

// DecimalFromInt returns n as a Decimal.
func DecimalFromInt(n int64) Decimal { return Decimal{*apd.New(n, 0)} }

// String returns plain notation, never an exponent. Zero has neither a sign
// nor zeros in front, as "-0.00" and "00" are no numbers to many readers.
func (d Decimal) String() string { return string(d.appendTo(nil)) }

func (d Decimal) appendTo(b []byte) []byte {
	if !d.IsZero() {
		return d.d.Append(b, 'f')
	}
	zero := apd.New(0, min(d.d.Exponent, 0))
	return zero.Append(b, 'f')
}

// IsZero reports whether d is 0.
func (d Decimal) IsZero() bool { return d.d.IsZero() }

// Cmp returns -1, 0 or 1; 1.0 and 1.00 are equal.
func (d Decimal) Cmp(o Decimal) int { return d.d.Cmp(&o.d) }

// Sign returns -1, 0 or 1.
func (d Decimal) Sign() int { return d.d.Sign() }

// Add returns d+o, exactly.
func (d Decimal) Add(o Decimal) (Decimal, error) { return d.do(exact.Add, o) }

// Sub returns d-o, exactly.
func (d Decimal) Sub(o Decimal) (Decimal, error) { return d.do(exact.Sub, o) }

// Mul returns d*o, exactly.
func (d Decimal) Mul(o Decimal) (Decimal, error) { return d.do(exact.Mul, o) }

func (d Decimal) do(op func(r, x, y *apd.Decimal) (apd.Condition, error), o Decimal) (Decimal, error) {
	var r Decimal
	if _, err := op(&r.d, &d.d, &o.d); err != nil {
		return Decimal{}, fmt.Errorf("decimal: %w", err)
	}
	return r, nil
}

// Reduced returns d without trailing zeros, the form to compare as text.
func (d Decimal) Reduced() Decimal {
	var r Decimal
	r.d.Reduce(&d.d)
	return r
}

// Int64 returns d as a whole number, or an error when it has a fraction or
// does not fit.
func (d Decimal) Int64() (int64, error) {
	r := d.Reduced()
	n, err := r.d.Int64()
	if err != nil {
		return 0, fmt.Errorf("decimal: %s is not a whole number that fits 64 bits", d)
	}
	return n, nil
}

// Round returns d with exactly the given number of decimals, half away from
// zero (the rule of commercial rounding).
func (d Decimal) Round(places int32) Decimal {
	ctx := apd.Context{Precision: 3 * maxDigits, MaxExponent: 1000, MinExponent: -1000, Rounding: apd.RoundHalfUp}
	var r Decimal
	if _, err := ctx.Quantize(&r.d, &d.d, -places); err != nil {
		return d
	}
	return r
}

// MarshalJSON writes a string.
func (d Decimal) MarshalJSON() ([]byte, error) { return []byte(`"` + d.String() + `"`), nil }

// UnmarshalJSON reads a string or a number.
func (d *Decimal) UnmarshalJSON(b []byte) error {
	s := string(b)
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
	}
	v, err := ParseDecimal(s)
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// Money is an exact amount with its ISO 4217 currency.
type Money struct {
	Amount   Decimal `json:"amount"`
	Currency string  `json:"currency"`
}

// ErrCurrency is returned when two currencies meet in one operation or a
// code is not an ISO 4217 currency.
var ErrCurrency = errors.New("money: currency")

// NewMoney checks the currency and returns the amount in it. Any number of
// decimals is allowed, since unit prices may be finer than the minor unit.
func NewMoney(amount, currency string) (Money, error) {
	d, err := ParseDecimal(amount)
	if err != nil {
		return Money{}, err
	}
	c := strings.ToUpper(currency)
	if _, ok := MinorUnits(c); !ok {
		return Money{}, fmt.Errorf("%w %q is not an ISO 4217 code", ErrCurrency, currency)
	}
	return Money{Amount: d, Currency: c}, nil
}

// MoneyFromMinor returns n minor units (cents, fils, yen) of the currency.
func MoneyFromMinor(n int64, currency string) (Money, error) {
	c := strings.ToUpper(currency)
	places, ok := MinorUnits(c)
	if !ok {
		return Money{}, fmt.Errorf("%w %q is not an ISO 4217 code", ErrCurrency, currency)
	}
	return Money{Amount: Decimal{*apd.New(n, -places)}, Currency: c}, nil
}

// IsZero reports whether m is the zero value: no amount and no currency.
func (m Money) IsZero() bool { return m.Currency == "" && m.Amount.IsZero() }

// Minor returns the amount in minor units. It refuses an amount that is finer
// than the currency's minor unit; nothing is rounded in silence.
func (m Money) Minor() (int64, error) {
	places, ok := MinorUnits(m.Currency)
	if !ok {
		return 0, fmt.Errorf("%w %q is not an ISO 4217 code", ErrCurrency, m.Currency)
	}
	r := Decimal{m.Amount.d}
	r.d.Exponent += places
	n, err := r.Int64()
	if err != nil {
		return 0, fmt.Errorf("money: %s %s has more than the %d decimals of its currency", m.Amount, m.Currency, places)
	}
	return n, nil
}

// Rounded returns m with exactly the decimals of its currency.
func (m Money) Rounded() Money {
	places, ok := MinorUnits(m.Currency)
	if !ok {
		return m
	}
	return Money{Amount: m.Amount.Round(places), Currency: m.Currency}
}

// Add returns m+o; the currencies must be equal.
func (m Money) Add(o Money) (Money, error) { return m.do(Decimal.Add, o) }

// Sub returns m-o; the currencies must be equal.
func (m Money) Sub(o Money) (Money, error) { return m.do(Decimal.Sub, o) }

func (m Money) do(op func(a, b Decimal) (Decimal, error), o Money) (Money, error) {
	if m.Currency != o.Currency {
		return Money{}, fmt.Errorf("%w %s and %s do not mix", ErrCurrency, m.Currency, o.Currency)
	}
	d, err := op(m.Amount, o.Amount)
	return Money{Amount: d, Currency: m.Currency}, err
}

// Equal reports whether both are the same amount in the same currency.
func (m Money) Equal(o Money) bool { return m.Currency == o.Currency && m.Amount.Cmp(o.Amount) == 0 }

// String returns "12.30 EUR".
func (m Money) String() string { return m.Amount.String() + " " + m.Currency }
