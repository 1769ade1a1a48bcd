package stripebox

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// The currencies with rules of their own. Source: docs.stripe.com/currencies.
const (
	zeroDecimal  = "bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf"
	threeDecimal = "bhd jod kwd omr tnd"
	twoDecimal   = "aed all amd ang aoa ars aud awg azn bam bbd bdt bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny " +
		"cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr isk jmd " +
		"kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd " +
		"pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs " +
		"uah usd uyu uzs wst xcd yer zar zmw"
)

func among(list, code string) bool { return slices.Contains(strings.Fields(list), code) }

func known(code string) bool {
	return among(zeroDecimal, code) || among(threeDecimal, code) || among(twoDecimal, code)
}

// chargeable refuses amounts that can't be charged in a currency.
func chargeable(n int64, code, name string) *problem {
	step := int64(1)
	switch {
	case code == "isk":
		step = 100
	case among(threeDecimal, code):
		step = 10
	}
	if n%step != 0 {
		return invalid(name, "", fmt.Sprintf("Invalid amount: amounts in %s must be evenly divisible by %d.", code, step))
	}
	return nil
}

// round returns r as a whole number, half away from zero.
func round(r *big.Rat) int64 {
	half := big.NewRat(1, 2)
	if r.Sign() < 0 {
		half.Neg(half)
	}
	sum := new(big.Rat).Add(r, half)
	return new(big.Int).Quo(sum.Num(), sum.Denom()).Int64()
}

// plain writes a rational with at most 12 decimals and no zeros at its end.
func plain(r *big.Rat) string {
	s := r.FloatString(12)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// show is an amount for people.
func show(n int64, code string) string {
	places := 2
	switch {
	case among(zeroDecimal, code):
		places = 0
	case among(threeDecimal, code):
		places = 3
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)
	return new(big.Rat).SetFrac(big.NewInt(n), scale).FloatString(places) + " " + strings.ToUpper(code)
}
