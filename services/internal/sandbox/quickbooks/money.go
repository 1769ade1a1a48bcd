package quickbooksbox

import (
	"encoding/json"
	"math/big"
)

// places is how many decimals amounts have. The sandbox has no currency with
// another number.
const places = 2

// amountOf reads a JSON number; ok is false for anything else.
func amountOf(v any) (*big.Rat, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return nil, false
	}
	// A huge exponent would cost a huge number of digits.
	if len(n) > 40 {
		return nil, false
	}
	for _, c := range n {
		if c == 'e' || c == 'E' {
			return nil, false
		}
	}
	return new(big.Rat).SetString(n.String())
}

// orZero reads an amount that may be absent.
func orZero(v any) *big.Rat {
	if r, ok := amountOf(v); ok {
		return r
	}
	return new(big.Rat)
}

// amount writes a number with the decimals of the currency, rounded half away
// from zero.
func amount(r *big.Rat) json.Number { return json.Number(r.FloatString(places)) }
