package quickbooksbox

import (
	"math/big"
	"slices"
)

// checkEstimate completes an estimate.
func checkEstimate(b *Box, o, before object) *problem {
	if _, p := b.sale(o, before, "Estimate"); p != nil {
		return p
	}
	setDefault(o, "TxnStatus", "Pending")
	if !slices.Contains(words("Pending Accepted Closed Rejected Converted"), o.text("TxnStatus")) {
		return invalid("2170", "Invalid Enumeration", "Invalid Enumeration : "+o.text("TxnStatus"), "TxnStatus")
	}
	return nil
}

// checkReceipt completes a sales receipt, which is paid at once.
func checkReceipt(b *Box, o, before object) *problem {
	if _, p := b.sale(o, before, "SalesReceipt"); p != nil {
		return p
	}
	o["Balance"] = amount(new(big.Rat))
	return b.deposit(o, "4")
}

// checkRefundReceipt completes a refund, for which somebody must say where the
// money comes from.
func checkRefundReceipt(b *Box, o, before object) *problem {
	if _, p := b.sale(o, before, "RefundReceipt"); p != nil {
		return p
	}
	o["Balance"] = amount(new(big.Rat))
	return b.deposit(o, "")
}

// deposit checks the account of the money.
func (b *Box) deposit(o object, without string) *problem {
	if len([]rune(o.text("PaymentRefNum"))) > 21 {
		return tooLong("PaymentRefNum")
	}
	id := o.ref("DepositToAccountRef")
	if id == "" {
		id = without
	}
	if id == "" {
		return missingParam("DepositToAccountRef")
	}
	if _, ok := b.state.Objects["Account"][id]; !ok {
		return badReference("Accounts", id)
	}
	o["DepositToAccountRef"] = object{"value": id}
	return nil
}

// checkCreditMemo completes a credit memo.
func checkCreditMemo(b *Box, o, before object) *problem {
	total, p := b.sale(o, before, "CreditMemo")
	if p == nil {
		p = b.balance(o, before, total, "CreditMemo")
	}
	o["RemainingCredit"] = o["Balance"]
	return p
}

// balance is what payments leave of a new total.
func (b *Box) balance(o, before object, total *big.Rat, entity string) *problem {
	applied := new(big.Rat)
	if before != nil {
		applied = b.applied(before.text("Id"), entity)
	}
	left := new(big.Rat).Sub(total, applied)
	if left.Sign() < 0 && applied.Sign() > 0 {
		return business("The payments applied exceed the new total")
	}
	o["Balance"] = amount(left)
	return nil
}

// sale checks what every sales form has: numbers, dates, lines, tax and total.
func (b *Box) sale(o, before object, entity string) (*big.Rat, *problem) {
	for _, check := range []func() *problem{
		func() *problem { return b.customerOf(o, before) },
		func() *problem { return b.dates(o, before) },
		func() *problem { return b.number(o, before, entity) },
	} {
		if p := check(); p != nil {
			return nil, p
		}
	}
	if len(o.text("PrivateNote")) > 4000 {
		return nil, tooLong("PrivateNote")
	}
	sum, p := b.saleLines(o)
	if p != nil {
		return nil, p
	}
	tax, p := b.tax(o)
	if p != nil {
		return nil, p
	}
	total := sum.Add(sum, tax)
	if total.Sign() < 0 {
		return nil, business("Transaction amount must be 0 or greater")
	}
	o["TotalAmt"] = amount(total)
	for _, name := range []string{"BillAddr", "ShipAddr"} {
		if addr := o.inside(name); addr != nil && addr.text("Country") != "" {
			addr["Country"] = isoCountry(addr.text("Country"))
		}
	}
	return total, nil
}
