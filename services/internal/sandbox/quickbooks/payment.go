package quickbooksbox

import (
	"math/big"
	"slices"
)

// checkPayment completes a payment: who paid, how much, and for what.
func checkPayment(b *Box, o, before object) *problem {
	if p := b.customerOf(o, before); p != nil {
		return p
	}
	total, ok := amountOf(o["TotalAmt"])
	if !ok {
		return missingParam("TotalAmt")
	}
	if len([]rune(o.text("PaymentRefNum"))) > 21 {
		return tooLong("PaymentRefNum")
	}
	if p := b.dates(o, before); p != nil {
		return p
	}
	if id := o.ref("DepositToAccountRef"); id != "" {
		if _, ok := b.state.Objects["Account"][id]; !ok {
			return badReference("Accounts", id)
		}
	} else {
		o["DepositToAccountRef"] = object{"value": "4"}
	}
	sum, p := b.paymentLines(o, before)
	if p != nil {
		return p
	}
	if sum.Cmp(total) > 0 {
		return business("The amount applied exceeds the amount received")
	}
	if sum.Sign() < 0 {
		return business("The credits exceed what they are applied to")
	}
	o["TotalAmt"] = amount(total)
	o["UnappliedAmt"] = amount(new(big.Rat).Sub(total, sum))
	return nil
}

// paymentLines checks what each line pays and returns what they take of the
// payment: invoices take from it, credit memos add to it.
func (b *Box) paymentLines(o, before object) (*big.Rat, *problem) {
	sum := new(big.Rat)
	for _, l := range o.lines() {
		a, ok := amountOf(l["Amount"])
		if !ok || a.Sign() < 0 {
			return nil, missingParam("Line.Amount")
		}
		id, typ := linked(l)
		if typ != "Invoice" && typ != "CreditMemo" {
			return nil, missingParam("Line.LinkedTxn")
		}
		other, ok := b.state.Objects[typ][id]
		switch {
		case !ok:
			return nil, badReference("LinkedTxn", id)
		case other.ref("CustomerRef") != o.ref("CustomerRef"):
			return nil, business("The " + typ + " belongs to another customer")
		case other.ref("CurrencyRef") != o.ref("CurrencyRef"):
			return nil, business("The " + typ + " is in another currency")
		}
		free := orZero(other["Balance"])
		if before != nil {
			free.Add(free, paidBy(before, id, typ))
		}
		if a.Cmp(free) > 0 {
			return nil, business("The amount applied exceeds the balance of the " + typ)
		}
		l["Amount"] = amount(a)
		if typ == "CreditMemo" {
			a = new(big.Rat).Neg(a)
		}
		sum.Add(sum, a)
	}
	return sum, nil
}

// linked returns the transaction that a line pays.
func linked(l object) (id, typ string) {
	list, _ := l["LinkedTxn"].([]any)
	if len(list) != 1 {
		return "", ""
	}
	t := object{"": list[0]}.inside("")
	return t.text("TxnId"), t.text("TxnType")
}

// paidBy is what a payment settles of an invoice or uses up of a credit memo.
func paidBy(payment object, id, typ string) *big.Rat {
	sum := new(big.Rat)
	for _, l := range payment.lines() {
		if i, t := linked(l); i == id && t == typ {
			sum.Add(sum, orZero(l["Amount"]))
		}
	}
	return sum
}

// applied is what all payments settle or use up of a transaction.
func (b *Box) applied(id, typ string) *big.Rat {
	sum := new(big.Rat)
	for _, p := range b.state.Objects["Payment"] {
		sum.Add(sum, paidBy(p, id, typ))
	}
	return sum
}

// settle works out anew the balance of everything that a payment is about, or
// was before.
func (b *Box) settle(e entity, o, before object) {
	if e.name != "Payment" {
		return
	}
	var about [][2]string
	for _, p := range []object{o, before} {
		for _, l := range p.lines() {
			id, typ := linked(l)
			if t := [2]string{id, typ}; id != "" && !slices.Contains(about, t) {
				about = append(about, t)
			}
		}
	}
	for _, t := range about {
		b.rebalance(t[0], t[1])
	}
}

// rebalance gives an invoice or a credit memo its next version with the
// balance that its payments leave.
func (b *Box) rebalance(id, typ string) {
	current, ok := b.state.Objects[typ][id]
	if !ok {
		return
	}
	o := clone(current)
	o["Balance"] = amount(new(big.Rat).Sub(orZero(o["TotalAmt"]), b.applied(id, typ)))
	if typ == "CreditMemo" {
		o["RemainingCredit"] = o["Balance"]
	}
	links := []any{}
	for _, l := range o.listOf("LinkedTxn") {
		if l.text("TxnType") != "Payment" {
			links = append(links, l)
		}
	}
	for _, pid := range sortedIDs(b.state.Objects["Payment"]) {
		if paidBy(b.state.Objects["Payment"][pid], id, typ).Sign() > 0 {
			links = append(links, object{"TxnId": pid, "TxnType": "Payment"})
		}
	}
	o["LinkedTxn"] = links
	b.bump(o, current)
	b.state.Objects[typ][id] = o
	b.notify(typ, id, "Update")
}

// unlink takes a transaction out of all payments, whose money is free again. A
// payment without money is only there to apply a credit and ends with it.
func (b *Box) unlink(id, typ string) {
	for _, pid := range sortedIDs(b.state.Objects["Payment"]) {
		current := b.state.Objects["Payment"][pid]
		if paidBy(current, id, typ).Sign() == 0 {
			continue
		}
		if orZero(current["TotalAmt"]).Sign() == 0 {
			delete(b.state.Objects["Payment"], pid)
			b.gone("Payment", pid)
			e, _ := entityOf("Payment")
			b.settle(e, nil, current)
			b.notify("Payment", pid, "Delete")
			continue
		}
		o := clone(current)
		var kept []any
		sum := new(big.Rat)
		for _, l := range o.lines() {
			i, t := linked(l)
			if i == id && t == typ {
				continue
			}
			kept = append(kept, l)
			a := orZero(l["Amount"])
			if t == "CreditMemo" {
				a.Neg(a)
			}
			sum.Add(sum, a)
		}
		o["Line"] = kept
		o["UnappliedAmt"] = amount(new(big.Rat).Sub(orZero(o["TotalAmt"]), sum))
		b.bump(o, current)
		b.state.Objects["Payment"][pid] = o
		b.notify("Payment", pid, "Update")
	}
}
