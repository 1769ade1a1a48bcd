package quickbooksbox

import (
	"math/big"
	"slices"
)

// taxCode checks a line's tax code: a pseudo code in the United States, where
// it may be left out, one of the company's elsewhere, where it may not.
func (b *Box) taxCode(detail object) *problem {
	code := detail.ref("TaxCodeRef")
	if code == "" && b.opts.Country == "US" {
		detail["TaxCodeRef"] = object{"value": "NON"}
		return nil
	}
	if code == "" {
		return nil // tax says whether that is allowed
	}
	if _, ok := b.state.Objects["TaxCode"][code]; !ok {
		return badReference("TaxCode", code)
	}
	return nil
}

// tax works out the tax of a sales form and returns what it adds to the sum of
// the lines.
func (b *Box) tax(o object) (*big.Rat, *problem) {
	none := o.text("GlobalTaxCalculation") == "NotApplicable"
	if b.opts.Country != "US" {
		setDefault(o, "GlobalTaxCalculation", "TaxExcluded")
		if !slices.Contains([]string{"TaxExcluded", "TaxInclusive", "NotApplicable"}, o.text("GlobalTaxCalculation")) {
			return nil, invalid("2170", "Invalid Enumeration", "Invalid Enumeration : "+o.text("GlobalTaxCalculation"), "GlobalTaxCalculation")
		}
	} else {
		delete(o, "GlobalTaxCalculation") // companies in the United States have none
		none = false
	}
	sum := new(big.Rat)
	for _, l := range o.lines() {
		d := l.inside("SalesItemLineDetail")
		if d == nil || l.text("DetailType") != "SalesItemLineDetail" {
			continue
		}
		code := d.ref("TaxCodeRef")
		if code == "" && !none {
			return nil, business("Make sure all your transactions have a VAT rate before you save.")
		}
		line := new(big.Rat).Mul(orZero(l["Amount"]), b.rate(code))
		sum.Add(sum, mustRat(line.FloatString(places)))
	}
	if none {
		return new(big.Rat), nil
	}
	detail := o.inside("TxnTaxDetail")
	if given, ok := amountOf(detail["TotalTax"]); ok && b.opts.Country == "US" {
		sum = given // what the caller worked out is honoured
	}
	if sum.Sign() != 0 || detail != nil {
		o["TxnTaxDetail"] = object{"TotalTax": amount(sum)}
	}
	return sum, nil
}

// rate is the part of an amount that a tax code asks for.
func (b *Box) rate(code string) *big.Rat {
	percent := b.opts.TaxRates[code]
	if code == "TAX" {
		percent = b.opts.SalesTax
	}
	r, ok := new(big.Rat).SetString(percent)
	if !ok {
		return new(big.Rat)
	}
	return r.Quo(r, big.NewRat(100, 1))
}
