package quickbooksbox

import "math/big"

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
	paid, credited, p := b.paymentLines(o, before)
	if p != nil {
		return p
	}
	free := new(big.Rat).Add(total, credited)
	free.Sub(free, paid)
	if free.Sign() < 0 {
		return business("The amount applied exceeds the amount received")
	}
	if free.Cmp(total) > 0 {
		return business("The credits exceed what they are applied to")
	}
	o["TotalAmt"] = amount(total)
	o["UnappliedAmt"] = amount(free)
	return nil
}

// paymentLines checks what each line pays, or which credit it pays with, and
// returns the sums of both.
func (b *Box) paymentLines(o, before object) (paid, credited *big.Rat, p *problem) {
	paid, credited = new(big.Rat), new(big.Rat)
	for _, l := range o.lines() {
		a, ok := amountOf(l["Amount"])
		if !ok || a.Sign() < 0 {
			return nil, nil, missingParam("Line.Amount")
		}
		id, typ := linked(l)
		sum, open := paid, "Balance"
		switch typ {
		case "Invoice":
		case "CreditMemo":
			sum, open = credited, "RemainingCredit"
		default:
			return nil, nil, missingParam("Line.LinkedTxn")
		}
		t, ok := b.state.Objects[typ][id]
		switch {
		case !ok:
			return nil, nil, badReference("LinkedTxn", id)
		case t.ref("CustomerRef") != o.ref("CustomerRef"):
			return nil, nil, business("The " + typ + " belongs to another customer")
		case t.ref("CurrencyRef") != o.ref("CurrencyRef"):
			return nil, nil, business("The " + typ + " is in another currency")
		}
		free := orZero(t[open])
		if before != nil {
			free.Add(free, paidBy(before, typ, id))
		}
		if a.Cmp(free) > 0 {
			return nil, nil, business("The amount applied exceeds the balance of the " + typ)
		}
		l["Amount"] = amount(a)
		sum.Add(sum, a)
	}
	return paid, credited, nil
}

// linked returns the transaction that a line pays, or pays with.
func linked(l object) (id, typ string) {
	list, _ := l["LinkedTxn"].([]any)
	if len(list) != 1 {
		return "", ""
	}
	t := object{"": list[0]}.inside("")
	return t.text("TxnId"), t.text("TxnType")
}

// paidBy is what a payment moves of an invoice or a credit memo.
func paidBy(payment object, entity, id string) *big.Rat {
	sum := new(big.Rat)
	for _, l := range payment.lines() {
		if of, typ := linked(l); of == id && typ == entity {
			sum.Add(sum, orZero(l["Amount"]))
		}
	}
	return sum
}

// applied is what all payments move of an invoice or a credit memo.
func (b *Box) applied(entity, id string) *big.Rat {
	sum := new(big.Rat)
	for _, p := range b.state.Objects["Payment"] {
		sum.Add(sum, paidBy(p, entity, id))
	}
	return sum
}

// settle works out anew what is open of every transaction that a payment paid
// before or pays now.
func (b *Box) settle(e entity, o, before object) {
	if e.name != "Payment" {
		return
	}
	done := map[[2]string]bool{}
	for _, p := range []object{o, before} {
		for _, l := range p.lines() {
			id, typ := linked(l)
			if key := [2]string{typ, id}; id != "" && !done[key] {
				done[key] = true
				b.rebalance(typ, id)
			}
		}
	}
}

// rebalance gives an invoice or a credit memo its next version with what its
// payments leave of it.
func (b *Box) rebalance(entity, id string) {
	current, ok := b.state.Objects[entity][id]
	if !ok {
		return
	}
	o := clone(current)
	left := amount(new(big.Rat).Sub(orZero(o["TotalAmt"]), b.applied(entity, id)))
	o["Balance"] = left
	if entity == "CreditMemo" {
		o["RemainingCredit"] = left
	}
	links := []any{}
	for _, pid := range sortedIDs(b.state.Objects["Payment"]) {
		if paidBy(b.state.Objects["Payment"][pid], entity, id).Sign() > 0 {
			links = append(links, object{"TxnId": pid, "TxnType": "Payment"})
		}
	}
	o["LinkedTxn"] = links
	b.bump(o, current)
	b.state.Objects[entity][id] = o
	b.notify(entity, id, "Update")
}

// unlink takes a transaction out of all payments, whose money is free again. A
// payment without money is only there to apply a credit and ends with it.
func (b *Box) unlink(entity, id string) {
	for _, pid := range sortedIDs(b.state.Objects["Payment"]) {
		current := b.state.Objects["Payment"][pid]
		if paidBy(current, entity, id).Sign() == 0 {
			continue
		}
		e, _ := entityOf("Payment")
		if orZero(current["TotalAmt"]).Sign() == 0 {
			delete(b.state.Objects["Payment"], pid)
			b.settle(e, nil, current)
			b.notify("Payment", pid, "Delete")
			continue
		}
		o := clone(current)
		var kept []any
		sum := new(big.Rat)
		for _, l := range o.lines() {
			if of, typ := linked(l); of != id || typ != entity {
				kept = append(kept, l)
				sum.Add(sum, orZero(l["Amount"]))
			}
		}
		o["Line"] = kept
		o["UnappliedAmt"] = amount(new(big.Rat).Sub(orZero(o["TotalAmt"]), sum))
		b.bump(o, current)
		b.state.Objects["Payment"][pid] = o
		b.notify("Payment", pid, "Update")
	}
}
