package stripe_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/stripe"
)

func TestMinor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		amount, currency string
		minor            int64
		back             string // how it reads again
		refused          string
	}{
		{amount: "12.30", currency: "EUR", minor: 1230, back: "12.30"},
		{amount: "12.3", currency: "USD", minor: 1230, back: "12.30"},
		{amount: "-0.01", currency: "USD", minor: -1, back: "-0.01"},
		{amount: "0", currency: "USD", minor: 0, back: "0.00"},
		{amount: "12.305", currency: "EUR", refused: "finer"},
		{amount: "500", currency: "JPY", minor: 500, back: "500"},
		{amount: "500.5", currency: "JPY", refused: "finer"},
		{amount: "1000", currency: "KRW", minor: 1000, back: "1000"},
		// Two decimals in ISO 4217, none at Stripe.
		{amount: "700", currency: "MGA", minor: 700, back: "700.00"},
		{amount: "700.20", currency: "MGA", refused: "finer"},
		// None in ISO 4217, two zeros at Stripe.
		{amount: "5", currency: "ISK", minor: 500, back: "5"},
		{amount: "5.50", currency: "ISK", refused: "multiple of 100"},
		// Three decimals of which the last is 0.
		{amount: "5.120", currency: "KWD", minor: 5120, back: "5.120"},
		{amount: "5.12", currency: "BHD", minor: 5120, back: "5.120"},
		{amount: "5.124", currency: "KWD", refused: "multiple of 10"},
		{amount: "5.1234", currency: "JOD", refused: "finer"},
		// Payouts in these must divide by 100; amounts need not.
		{amount: "10.45", currency: "HUF", minor: 1045, back: "10.45"},
		{amount: "800.45", currency: "TWD", minor: 80045, back: "800.45"},
		{amount: "5", currency: "UGX", refused: "contradicts"},
		{amount: "5", currency: "IQD", refused: "not one that Stripe takes"},
		{amount: "5", currency: "CLF", refused: "not one that Stripe takes"},
		{amount: "5", currency: "UYI", refused: "not one that Stripe takes"},
		{amount: "99999999999999999999", currency: "EUR", refused: "finer"}, // beyond 64 bits
	} {
		t.Run(c.amount+" "+c.currency, func(t *testing.T) {
			t.Parallel()
			m, err := events.NewMoney(c.amount, c.currency)
			require.NoError(t, err)
			n, err := stripe.ToMinor(m)
			if c.refused != "" {
				require.ErrorContains(t, err, c.refused)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.minor, n)
			back, err := stripe.FromMinor(n, c.currency)
			require.NoError(t, err)
			require.True(t, back.Equal(m), "%s is not %s", back, m)
			require.Equal(t, c.back, back.Amount.String())
		})
	}
}

func TestUnitAmountsMayBeFinerThanTheUnit(t *testing.T) {
	t.Parallel()
	for amount, want := range map[string]string{"0.0125": "1.25", "10": "1000", "0.00000000000001": "0.000000000001"} {
		m, err := events.NewMoney(amount, "EUR")
		require.NoError(t, err)
		d, err := stripe.ToMinorDecimal(m)
		require.NoError(t, err)
		require.Equal(t, want, d.String())
	}
	m, err := events.NewMoney("0.000000000000001", "EUR")
	require.NoError(t, err)
	_, err = stripe.ToMinorDecimal(m)
	require.ErrorContains(t, err, "more than 12 decimals")
}

// Every integer that Stripe can send reads as money and is written as the
// same integer again.
func TestMinorRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		currency := rapid.SampledFrom([]string{
			"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
			"ISK", "BHD", "JOD", "KWD", "OMR", "TND", "EUR", "USD", "GBP", "CHF", "HUF", "TWD", "BRL", "INR",
		}).Draw(t, "currency")
		step := int64(1)
		switch currency {
		case "ISK":
			step = 100
		case "BHD", "JOD", "KWD", "OMR", "TND":
			step = 10
		}
		n := rapid.Int64Range(-99_999_999_999, 99_999_999_999).Draw(t, "units") * step
		m, err := stripe.FromMinor(n, currency)
		require.NoError(t, err)
		back, err := stripe.ToMinor(m)
		require.NoError(t, err)
		require.Equal(t, n, back)
		if step > 1 {
			off, err := stripe.FromMinor(n+1, currency)
			require.NoError(t, err)
			_, err = stripe.ToMinor(off)
			require.Error(t, err)
		}
	})
}

func TestCountryCode(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"DE": "DE", "de": "DE", "DEU": "DE", "Germany": "DE", " germany ": "DE", "United States": "US", "USA": "US",
		"U.S.A.": "US", "UK": "GB", "Great Britain": "GB", "Czech Republic": "CZ", "Czechia": "CZ", "Switzerland": "CH",
		"South Korea": "KR", "Côte d’Ivoire": "CI",
	} {
		got, ok := stripe.CountryCode(name)
		require.True(t, ok, name)
		require.Equal(t, want, got, name)
	}
	for _, name := range []string{"", "Atlantis", "Europe", "001"} {
		_, ok := stripe.CountryCode(name)
		require.False(t, ok, name)
	}
}
