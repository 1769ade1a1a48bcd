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
	o["TotalAmt"] = amount(total)
	o["UnappliedAmt"] = amount(new(big.Rat).Sub(total, sum))
	return nil
}

// paymentLines checks what each line pays and returns their sum.
func (b *Box) paymentLines(o, before object) (*big.Rat, *problem) {
	sum := new(big.Rat)
	for _, l := range o.lines() {
		a, ok := amountOf(l["Amount"])
		if !ok || a.Sign() < 0 {
			return nil, missingParam("Line.Amount")
		}
		id, typ := linked(l)
		if typ != "Invoice" {
			return nil, missingParam("Line.LinkedTxn")
		}
		invoice, ok := b.state.Objects["Invoice"][id]
		switch {
		case !ok:
			return nil, badReference("LinkedTxn", id)
		case invoice.ref("CustomerRef") != o.ref("CustomerRef"):
			return nil, business("The invoice belongs to another customer")
		case invoice.ref("CurrencyRef") != o.ref("CurrencyRef"):
			return nil, business("The invoice is in another currency")
		}
		free := orZero(invoice["Balance"])
		if before != nil {
			free.Add(free, paidBy(before, id))
		}
		if a.Cmp(free) > 0 {
			return nil, business("The amount applied exceeds the balance of the invoice")
		}
		l["Amount"] = amount(a)
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

// paidBy is what a payment pays on an invoice.
func paidBy(payment object, invoice string) *big.Rat {
	sum := new(big.Rat)
	for _, l := range payment.lines() {
		if id, _ := linked(l); id == invoice {
			sum.Add(sum, orZero(l["Amount"]))
		}
	}
	return sum
}

// applied is what all payments pay on an invoice.
func (b *Box) applied(invoice string) *big.Rat {
	sum := new(big.Rat)
	for _, p := range b.state.Objects["Payment"] {
		sum.Add(sum, paidBy(p, invoice))
	}
	return sum
}

// settle works out anew the balance of every invoice that a payment paid
// before or pays now.
func (b *Box) settle(e entity, o, before object) {
	if e.name != "Payment" {
		return
	}
	var ids []string
	for _, p := range []object{o, before} {
		for _, l := range p.lines() {
			if id, _ := linked(l); id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	for _, id := range ids {
		b.rebalance(id)
	}
}

// rebalance gives an invoice its next version with the balance that its
// payments leave.
func (b *Box) rebalance(id string) {
	current, ok := b.state.Objects["Invoice"][id]
	if !ok {
		return
	}
	o := clone(current)
	o["Balance"] = amount(new(big.Rat).Sub(orZero(o["TotalAmt"]), b.applied(id)))
	links := []any{}
	for _, pid := range sortedIDs(b.state.Objects["Payment"]) {
		if paidBy(b.state.Objects["Payment"][pid], id).Sign() > 0 {
			links = append(links, object{"TxnId": pid, "TxnType": "Payment"})
		}
	}
	o["LinkedTxn"] = links
	b.bump(o, current)
	b.state.Objects["Invoice"][id] = o
	b.notify("Invoice", id, "Update")
}

// unlink takes an invoice out of all payments, whose money is free again.
func (b *Box) unlink(invoice string) {
	for _, pid := range sortedIDs(b.state.Objects["Payment"]) {
		current := b.state.Objects["Payment"][pid]
		if paidBy(current, invoice).Sign() == 0 {
			continue
		}
		o := clone(current)
		var kept []any
		sum := new(big.Rat)
		for _, l := range o.lines() {
			if id, _ := linked(l); id != invoice {
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
