package quickbooksbox

import (
	"math/big"
	"slices"
)

// form completes what all sales forms have in common and returns the total.
func (b *Box) form(entity string, o, before object) (*big.Rat, *problem) {
	if p := b.customerOf(o, before); p != nil {
		return nil, p
	}
	if p := b.dates(o, before); p != nil {
		return nil, p
	}
	if p := b.number(entity, o, before); p != nil {
		return nil, p
	}
	if len(o.text("PrivateNote")) > 4000 {
		return nil, tooLong("PrivateNote")
	}
	total, p := b.saleLines(o)
	if p != nil {
		return nil, p
	}
	tax, p := b.tax(o)
	if p != nil {
		return nil, p
	}
	total.Add(total, tax)
	o["TotalAmt"] = amount(total)
	return total, nil
}

// tax works out the tax of a form by the codes of its lines.
func (b *Box) tax(o object) (*big.Rat, *problem) {
	sum := new(big.Rat)
	calculation := o.text("GlobalTaxCalculation")
	if b.opts.Country != "US" && !slices.Contains(words("TaxExcluded TaxInclusive NotApplicable"), calculation) {
		return nil, invalid("2170", "Invalid Enumeration", "Invalid Enumeration : "+calculation, "GlobalTaxCalculation")
	}
	for _, l := range o.lines() {
		code := l.inside("SalesItemLineDetail").ref("TaxCodeRef")
		if b.opts.Country != "US" && l.text("DetailType") == "SalesItemLineDetail" && calculation != "NotApplicable" && (code == "" || code == "TAX" || code == "NON") {
			return nil, business("Make sure all your transactions have a tax rate before you save")
		}
		rate, ok := new(big.Rat).SetString(b.opts.TaxRates[code])
		if !ok || calculation == "NotApplicable" || calculation == "TaxInclusive" {
			continue
		}
		rate.Mul(rate, orZero(l["Amount"])).Quo(rate, big.NewRat(100, 1))
		sum.Add(sum, mustRat(rate.FloatString(places)))
	}
	if sum.Sign() != 0 {
		o["TxnTaxDetail"] = object{"TotalTax": amount(sum)}
	}
	return sum, nil
}

// checkEstimate completes an estimate, which books nothing.
func checkEstimate(b *Box, o, before object) *problem {
	if _, p := b.form("Estimate", o, before); p != nil {
		return p
	}
	setDefault(o, "TxnStatus", "Pending")
	if s := o.text("TxnStatus"); !slices.Contains(words("Pending Accepted Closed Rejected Converted"), s) {
		return invalid("2170", "Invalid Enumeration", "Invalid Enumeration : "+s, "TxnStatus")
	}
	return nil
}

// checkReceipt completes a sales receipt, which is paid at once.
func checkReceipt(b *Box, o, before object) *problem {
	if _, p := b.form("SalesReceipt", o, before); p != nil {
		return p
	}
	if o.ref("DepositToAccountRef") == "" {
		o["DepositToAccountRef"] = object{"value": "4"}
	}
	o["Balance"] = amount(new(big.Rat))
	return b.moneyAccount(o)
}

// checkRefundReceipt completes a refund, which names the account that the
// money comes from.
func checkRefundReceipt(b *Box, o, before object) *problem {
	if _, p := b.form("RefundReceipt", o, before); p != nil {
		return p
	}
	if o.ref("DepositToAccountRef") == "" {
		return missingParam("DepositToAccountRef")
	}
	o["Balance"] = amount(new(big.Rat))
	return b.moneyAccount(o)
}

// moneyAccount checks the account that money goes to or comes from, and the
// number under which it moved.
func (b *Box) moneyAccount(o object) *problem {
	if len([]rune(o.text("PaymentRefNum"))) > 21 {
		return tooLong("PaymentRefNum")
	}
	if id := o.ref("DepositToAccountRef"); b.state.Objects["Account"][id] == nil {
		return badReference("Accounts", id)
	}
	return nil
}

// checkCreditMemo completes a credit memo: what payments have used up of it is
// no longer remaining.
func checkCreditMemo(b *Box, o, before object) *problem {
	total, p := b.form("CreditMemo", o, before)
	if p != nil {
		return p
	}
	used := new(big.Rat)
	if before != nil {
		used = b.applied("CreditMemo", before.text("Id"))
	}
	left := new(big.Rat).Sub(total, used)
	if left.Sign() < 0 {
		return business("The credit applied exceeds the new total")
	}
	o["RemainingCredit"], o["Balance"] = amount(left), amount(left)
	return nil
}
