package events_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spoke-sync/spoke/events"
)

func TestParseDecimal(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "-0.00": "0.00", "0e5": "0", "-0e-2": "0.00", "12.30": "12.30", "-1": "-1", "+7": "7", "1e3": "1000", "15E-1": "1.5",
		".5": "0.5", " 1 ": "1", "1e30": "1" + strings.Repeat("0", 30), "1e-30": "0." + strings.Repeat("0", 29) + "1",
		strings.Repeat("9", 38): strings.Repeat("9", 38),
	} {
		d, err := events.ParseDecimal(in)
		require.NoError(t, err, in)
		require.Equal(t, want, d.String(), in)
	}
	for _, in := range []string{
		"", " ", "x", "1,5", "1_000", "0x10", "NaN", "sNaN", "Infinity", "-inf", "1e31", "1e-31", "1e999999999",
		strings.Repeat("9", 39), strings.Repeat("0", 77), "1 2", "--1", "true",
	} {
		_, err := events.ParseDecimal(in)
		require.Error(t, err, in)
	}
	require.Panics(t, func() { events.MustDecimal("x") })
}

func decimals() *rapid.Generator[events.Decimal] {
	return rapid.Custom(func(t *rapid.T) events.Decimal {
		digits := rapid.StringMatching(`-?[1-9][0-9]{0,17}`).Draw(t, "digits")
		places := rapid.StringMatching(`[0-9]{0,12}`).Draw(t, "places")
		return events.MustDecimal(strings.TrimSuffix(digits+"."+places, "."))
	})
}

func rat(t require.TestingT, d events.Decimal) *big.Rat {
	r, ok := new(big.Rat).SetString(d.String())
	require.True(t, ok)
	return r
}

// Arithmetic is that of rational numbers: nothing is ever rounded.
func TestDecimalArithmeticIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := decimals().Draw(t, "a"), decimals().Draw(t, "b")
		for _, op := range []struct {
			name string
			ours func(events.Decimal) (events.Decimal, error)
			want *big.Rat
		}{
			{"add", a.Add, new(big.Rat).Add(rat(t, a), rat(t, b))},
			{"sub", a.Sub, new(big.Rat).Sub(rat(t, a), rat(t, b))},
			{"mul", a.Mul, new(big.Rat).Mul(rat(t, a), rat(t, b))},
		} {
			got, err := op.ours(b)
			require.NoError(t, err, op.name)
			require.Zero(t, op.want.Cmp(rat(t, got)), "%s: %s", op.name, got)
		}
		require.Equal(t, rat(t, a).Cmp(rat(t, b)), a.Cmp(b))
		require.Equal(t, rat(t, a).Sign(), a.Sign())
		require.Zero(t, a.Cmp(a.Reduced()))
		require.False(t, strings.Contains(a.Reduced().String(), ".") && strings.HasSuffix(a.Reduced().String(), "0"))
	})
}

// Half a unit goes away from zero, whatever the number of decimals.
func TestDecimalRound(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"1.005": "1.01", "-1.005": "-1.01", "1.004999": "1.00", "2": "2.00", "0.001": "0.00", "-0.001": "0.00", "99.995": "100.00",
	} {
		require.Equal(t, want, events.MustDecimal(in).Round(2).String(), in)
	}
	rapid.Check(t, func(t *rapid.T) {
		d, places := decimals().Draw(t, "d"), rapid.Int32Range(0, 6).Draw(t, "places")
		half := big.NewRat(1, 2)
		unit := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil))
		off := new(big.Rat).Sub(rat(t, d.Round(places)), rat(t, d))
		require.LessOrEqual(t, off.Abs(off).Cmp(new(big.Rat).Mul(half, unit)), 0)
		require.Zero(t, d.Round(places).Cmp(d.Round(places).Round(places)))
	})
}

// Zero is written the same way however it came about, and always as a number
// of JSON.
func TestDecimalZero(t *testing.T) {
	t.Parallel()
	thousand, none := events.MustDecimal("-1e3"), events.MustDecimal("0")
	product, err := thousand.Mul(none)
	require.NoError(t, err)
	difference, err := thousand.Sub(thousand)
	require.NoError(t, err)
	for _, d := range []events.Decimal{product, difference, none, {}} {
		require.Equal(t, "0", d.String())
		require.True(t, d.IsZero())
	}
}

func TestDecimalInt64(t *testing.T) {
	t.Parallel()
	n, err := events.MustDecimal("-12.00").Int64()
	require.NoError(t, err)
	require.Equal(t, int64(-12), n)
	for _, in := range []string{"1.5", "9223372036854775808", "1e30"} {
		_, err := events.MustDecimal(in).Int64()
		require.Error(t, err, in)
	}
}

func TestMoneyMinorUnits(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		currency, amount string
		minor            int64
	}{{"EUR", "12.30", 1230}, {"jpy", "500", 500}, {"BHD", "1.005", 1005}, {"CLF", "0.0001", 1}, {"USD", "-0.01", -1}} {
		m, err := events.NewMoney(tc.amount, tc.currency)
		require.NoError(t, err)
		n, err := m.Minor()
		require.NoError(t, err)
		require.Equal(t, tc.minor, n)
		back, err := events.MoneyFromMinor(n, tc.currency)
		require.NoError(t, err)
		require.True(t, m.Equal(back), "%s %s", m, back)
	}
	fine, err := events.NewMoney("0.005", "USD")
	require.NoError(t, err)
	_, err = fine.Minor()
	require.ErrorContains(t, err, "0.005 USD has more than the 2 decimals of its currency")
	require.Equal(t, "0.01 USD", fine.Rounded().String())
	for _, code := range []string{"", "EURO", "XXX", "BTC", "us"} {
		_, err := events.NewMoney("1", code)
		require.ErrorIs(t, err, events.ErrCurrency, code)
		_, err = events.MoneyFromMinor(1, code)
		require.ErrorIs(t, err, events.ErrCurrency, code)
	}
	_, err = events.Money{Currency: "?"}.Minor()
	require.ErrorIs(t, err, events.ErrCurrency)
	require.Equal(t, events.Money{Currency: "?"}, events.Money{Currency: "?"}.Rounded())
	_, err = events.NewMoney("x", "USD")
	require.Error(t, err)
}

// Minor units and amounts are two ways to write one sum, for every currency.
func TestMoneyMinorRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.SampledFrom([]string{"USD", "JPY", "KWD", "UYW", "CHF", "XPF"}).Draw(t, "currency")
		n, other := rapid.Int64().Draw(t, "n"), rapid.Int64Range(-1<<40, 1<<40).Draw(t, "other")
		m, err := events.MoneyFromMinor(n, code)
		require.NoError(t, err)
		back, err := m.Minor()
		require.NoError(t, err)
		require.Equal(t, n, back)

		o, err := events.MoneyFromMinor(other, code)
		require.NoError(t, err)
		sum, err := m.Add(o)
		require.NoError(t, err)
		again, err := sum.Sub(o)
		require.NoError(t, err)
		require.True(t, again.Equal(m))
		require.True(t, sum.Rounded().Equal(sum))

		encoded, err := json.Marshal(m)
		require.NoError(t, err)
		var decoded events.Money
		require.NoError(t, json.Unmarshal(encoded, &decoded))
		require.True(t, decoded.Equal(m))
	})
}

func TestMoneyCurrenciesDoNotMix(t *testing.T) {
	t.Parallel()
	eur, err := events.NewMoney("1", "EUR")
	require.NoError(t, err)
	usd, err := events.NewMoney("1", "USD")
	require.NoError(t, err)
	_, err = eur.Add(usd)
	require.ErrorIs(t, err, events.ErrCurrency)
	_, err = eur.Sub(usd)
	require.ErrorIs(t, err, events.ErrCurrency)
	require.False(t, eur.Equal(usd))
	require.False(t, eur.IsZero())
	require.True(t, events.Money{}.IsZero())
}

func FuzzDecimalJSON(f *testing.F) {
	for _, seed := range []string{`"12.30"`, `1e3`, `-0`, `"NaN"`, `1E400`, `""`, `"\u0031"`, `null`, `{}`, `"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var d events.Decimal
		if d.UnmarshalJSON(raw) != nil {
			return
		}
		text := d.String()
		require.LessOrEqual(t, len(text), 80)
		require.True(t, json.Valid([]byte(text)), "%s is no number of JSON", text)
		require.NotContains(t, text, "E")
		encoded, err := json.Marshal(d)
		require.NoError(t, err)
		var back events.Decimal
		require.NoError(t, back.UnmarshalJSON(encoded))
		require.Zero(t, d.Cmp(back))
		require.Equal(t, text, back.String())
	})
}

// FuzzMoneyJSON: an amount that is read is written in a form that reads as the
// same amount, digit by digit.
func FuzzMoneyJSON(f *testing.F) {
	f.Add(`{"amount":"12.30","currency":"EUR"}`)
	f.Add(`{"amount":1e-9,"currency":"JPY"}`)
	f.Add(`{"amount":"-0","currency":"usd"}`)
	f.Add(`7`)
	f.Fuzz(func(t *testing.T, text string) {
		var m events.Money
		if json.Unmarshal([]byte(text), &m) != nil {
			return
		}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("%s can't be written: %v", text, err)
		}
		var again events.Money
		if err := json.Unmarshal(b, &again); err != nil {
			t.Fatalf("%s is written as %s, which can't be read: %v", text, b, err)
		}
		if !m.Equal(again) {
			t.Fatalf("%s becomes %s", text, b)
		}
	})
}
