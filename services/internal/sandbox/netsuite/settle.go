package netsuitebox

import (
	"fmt"
	"maps"

	"github.com/spoke-sync/spoke/events"
)

// What settles what: payments and credit memos settle invoices, refunds pay
// out credit memos. What is still open is computed from the apply lists, so
// that it can't part ways with them. As in a real account's worst case, being
// settled does not touch a record's date of modification.

func (b *Box) completeInvoice(r *row) error {
	if err := b.completeLines(r, "INV"); err != nil {
		return err
	}
	if r.Fields["total"] != nil && dec(r.Fields["total"]).Cmp(b.settled(r.ID, "")) < 0 {
		return problem{Code: "USER_ERROR", Path: "item", Detail: "The total is less than what has been paid."}
	}
	return nil
}

func (b *Box) completeCredit(r *row) error {
	if err := b.completeLines(r, "CM"); err != nil {
		return err
	}
	return b.checkApplied(r, "entity", "total")
}

func (b *Box) completePayment(r *row) error {
	if dec(r.Fields["payment"]).Sign() <= 0 {
		return missing("payment")
	}
	if err := b.transaction(r, "PYMT", "customer"); err != nil {
		return err
	}
	r.Fields["total"] = r.Fields["payment"]
	b.fill(r, "status", "B")
	return b.checkApplied(r, "customer", "payment")
}

func (b *Box) completeRefund(r *row) error {
	if err := b.transaction(r, "RF", "customer"); err != nil {
		return err
	}
	switch {
	case r.Fields["account"] == nil:
		return missing("account")
	case r.Fields["paymentOption"] == nil:
		return missing("paymentOption")
	}
	total := applied(r)
	if total.Sign() <= 0 {
		return problem{Code: "USER_ERROR", Path: "apply", Detail: "You must apply the refund to at least one transaction."}
	}
	r.Fields["total"] = num(total)
	b.fill(r, "status", "R")
	return b.checkApplied(r, "customer", "total")
}

// checkApplied checks the apply list of a record that has so much to give.
func (b *Box) checkApplied(r *row, who, total string) error {
	lines, _ := r.Fields["apply"].([]any)
	for i, l := range lines {
		line := l.(map[string]any)
		path := fmt.Sprintf("apply.items[%d]", i)
		doc := b.state.ids[identity(line["doc"])]
		if doc == nil {
			return missing(path + ".doc")
		}
		if identity(doc.Fields["entity"]) != identity(r.Fields[who]) {
			return problem{Code: "INVALID_KEY_OR_REF", Path: path + ".doc", Detail: "The transaction is another customer's."}
		}
		if identity(doc.Fields["currency"]) != identity(r.Fields["currency"]) {
			return problem{Code: "INVALID_KEY_OR_REF", Path: path + ".doc", Detail: "The transaction has another currency."}
		}
		if line["amount"] == nil {
			line["amount"] = num(b.remaining(doc, r.ID))
		}
		if dec(line["amount"]).Cmp(b.remaining(doc, r.ID)) > 0 {
			return problem{Code: "USER_ERROR", Path: path + ".amount", Detail: "The amount applied exceeds the amount due."}
		}
	}
	if dec(r.Fields[total]).Cmp(applied(r)) < 0 {
		return problem{Code: "USER_ERROR", Path: "apply", Detail: "The total can't be less than what is applied."}
	}
	return nil
}

// applied is what a record's own apply list adds up to.
func applied(r *row) events.Decimal {
	sum := events.Decimal{}
	lines, _ := r.Fields["apply"].([]any)
	for _, l := range lines {
		if next, err := sum.Add(dec(l.(map[string]any)["amount"])); err == nil {
			sum = next
		}
	}
	return sum
}

// settled is what other records, but the one of an id, apply to a record.
func (b *Box) settled(id, without string) events.Decimal {
	sum := events.Decimal{}
	for _, p := range b.state.settling[id] {
		lines, _ := p.Fields["apply"].([]any)
		for _, l := range lines {
			line := l.(map[string]any)
			if p.ID == without || identity(line["doc"]) != id {
				continue
			}
			if next, err := sum.Add(dec(line["amount"])); err == nil {
				sum = next
			}
		}
	}
	return sum
}

// remaining is what is open of a record without what the one of an id applies.
func (b *Box) remaining(r *row, without string) events.Decimal {
	left, err := dec(r.Fields["total"]).Sub(b.settled(r.ID, without))
	if err == nil && r.Type == "creditMemo" {
		left, err = left.Sub(applied(r))
	}
	if err != nil {
		return events.Decimal{}
	}
	return left
}

// billed is how much of an order's line stands on invoices.
func (b *Box) billed(orderID, line string) events.Decimal {
	sum := events.Decimal{}
	for _, inv := range b.state.billing[orderID] {
		lines, _ := inv.Fields["item"].([]any)
		for _, l := range lines {
			m := l.(map[string]any)
			if identity(m["orderLine"]) != line {
				continue
			}
			if next, err := sum.Add(dec(m["quantity"])); err == nil {
				sum = next
			}
		}
	}
	return sum
}

func (b *Box) billedAt(order *row) bool {
	lines, _ := order.Fields["item"].([]any)
	for _, l := range lines {
		if b.billed(order.ID, identity(l.(map[string]any)["line"])).Sign() > 0 {
			return true
		}
	}
	return false
}

func (b *Box) closedOrder(r row) bool { return b.orderStatus(&r) == "H" }

// orderStatus follows from what is closed and billed of the lines.
func (b *Box) orderStatus(r *row) string {
	lines, _ := r.Fields["item"].([]any)
	open, some, left := 0, false, false
	for _, l := range lines {
		line := l.(map[string]any)
		if line["isClosed"] == true {
			continue
		}
		open++
		billed := b.billed(r.ID, identity(line["line"]))
		some = some || billed.Sign() > 0
		left = left || billed.Cmp(dec(line["quantity"])) < 0
	}
	switch {
	case open == 0 && len(lines) > 0:
		return "H"
	case !left:
		return "G"
	case some:
		return "E"
	default:
		return str(r.Fields["orderStatus"])
	}
}

// derived are the fields of a record with what NetSuite computes when it is
// read.
func (b *Box) derived(r *row) map[string]any {
	out := maps.Clone(r.Fields)
	switch r.Type {
	case "salesOrder":
		out["status"] = b.orderStatus(r)
		var lines []any
		for _, l := range r.Fields["item"].([]any) {
			line := maps.Clone(l.(map[string]any))
			line["quantityBilled"] = num(b.billed(r.ID, identity(line["line"])))
			lines = append(lines, line)
		}
		out["item"] = lines
	case "invoice":
		left := b.remaining(r, "")
		out["amountRemaining"], out["amountPaid"], out["status"] = num(left), num(b.settled(r.ID, "")), "A"
		if left.Sign() == 0 {
			out["status"] = "B"
		}
	case "creditMemo", "customerPayment":
		left := b.remaining(r, "")
		if r.Type == "customerPayment" {
			left, _ = dec(r.Fields["total"]).Sub(applied(r))
		}
		out["applied"], out["unapplied"] = num(applied(r)), num(left)
		if r.Type == "creditMemo" {
			out["amountRemaining"], out["status"] = num(left), "A"
			if left.Sign() == 0 {
				out["status"] = "B"
			}
		}
	}
	return out
}
