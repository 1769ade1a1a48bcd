package netsuite

import (
	"context"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
)

// transaction fills in an order, invoice, payment, credit memo or refund.
func (b snapshot) transaction(lines []events.Line, links []link) {
	who := b.link(typeCustomer, b.row.text("entity"))
	day := b.row.text("trandate")
	status := canonicalStatus(b.object, b.row.text("status"))
	if status != "" {
		b.fields.Set("status", status)
	}
	b.fields.Set("company", who)
	switch b.object {
	case typeOrder:
		b.fields.Set("number", b.row.text("tranid"))
		b.fields.Set("placedOn", day)
		b.amount("total", b.row.text("foreigntotal"))
		b.fields.Set("lines", lines)
	case typeInvoice:
		b.invoice(day, lines, links)
	case typePayment:
		b.amount("amount", b.row.text("foreigntotal"))
		b.fields.Set("receivedOn", day)
		b.applied(links)
	case typeCredit:
		b.fields.Set("number", b.row.text("tranid"))
		b.fields.Set("issuedOn", day)
		b.amount("total", b.row.text("foreigntotal"))
		b.amount("remaining", b.row.text("foreignamountunpaid"))
		b.fields.Set("lines", lines)
		b.applied(links)
	case typeRefund:
		b.amount("amount", b.row.text("foreigntotal"))
		b.fields.Set("refundedOn", day)
	}
}

func (b snapshot) invoice(day string, lines []events.Line, links []link) {
	b.fields.Set("number", b.row.text("tranid"))
	b.fields.Set("issuedOn", day)
	b.fields.Set("dueOn", b.row.text("duedate"))
	b.fields.Set("memo", b.row.text("memo"))
	b.fields.Set("lines", lines)
	b.amount("total", b.row.text("foreigntotal"))
	due := first(b.row.text("foreignamountunpaid"), "0") // null when nothing is
	b.amount("amountDue", due)
	total, err := events.ParseDecimal(b.row.text("foreigntotal"))
	if left, errDue := events.ParseDecimal(due); err == nil && errDue == nil {
		if paid, err := total.Sub(left); err == nil {
			b.amount("amountPaid", paid.String())
		}
	}
	for _, l := range links {
		if l.kind == linkBill {
			b.fields.Set("order", b.link(typeOrder, l.previous))
			break
		}
	}
}

// applied sets what a payment or credit settles.
func (b snapshot) applied(links []link) {
	var all []events.Applied
	for _, l := range links {
		if l.kind != linkPayment || l.previousType != "CustInvc" {
			continue
		}
		m, err := events.NewMoney(strings.TrimPrefix(l.amount, "-"), b.iso)
		if err != nil {
			b.unread("applied")
			continue
		}
		all = append(all, events.Applied{Invoice: b.link(typeInvoice, l.previous), Amount: m})
	}
	b.fields.Set("applied", all)
	if len(all) == 1 {
		b.fields.Set("invoice", all[0].Invoice)
	}
}

// canonicalStatus is a status in canonical terms. SuiteQL writes "CustInvc:A"
// or "A". One that is not known is "", and left out.
func canonicalStatus(object, status string) string {
	code := status[strings.LastIndexByte(status, ':')+1:]
	code = strings.TrimSpace(code)
	names := map[string]map[string]string{
		typeOrder: {
			"A": "Pending Approval", "B": "Pending Fulfillment", "C": "Cancelled", "D": "Partially Fulfilled",
			"E": "Pending Billing/Partially Fulfilled", "F": "Pending Billing", "G": "Billed", "H": "Closed",
		},
		typeInvoice: {"A": "open", "B": "paid", "V": "void", "D": "draft", "E": "draft"},
		typeCredit:  {"A": "open", "B": "applied", "V": "void"},
		typePayment: {"A": "pending", "B": "succeeded", "C": "succeeded", "R": "failed", "V": "canceled"},
		typeRefund:  {"R": "succeeded", "A": "succeeded", "V": "canceled"},
	}
	return names[object][code]
}

// lines reads the items of transactions. Quantities and amounts are negative
// where goods go out.
func (r *reader) lines(ctx context.Context, ids []string, iso map[string]string) (map[string][]events.Line, error) {
	rows, err := r.api.query(ctx, "read lines",
		"SELECT l.transaction, l.id, l.item, l.quantity, l.rate, l.foreignamount, l.memo FROM transactionline l"+
			conditions(in("l.transaction", ids), "l.mainline = 'F'", "l.taxline = 'F'")+" ORDER BY l.transaction, l.id")
	if err != nil {
		return nil, err
	}
	all := map[string][]events.Line{}
	for _, row := range rows {
		id := row.text("transaction")
		if row.text("item") == "" {
			continue // a subtotal, or a description
		}
		line := events.Line{
			ID: row.text("id"), Name: row.text("memo"),
			Product: events.Link{Connection: r.connection, Object: typeItem, ID: row.text("item")},
		}
		if d, err := events.ParseDecimal(strings.TrimPrefix(row.text("quantity"), "-")); err == nil {
			line.Quantity = d
		}
		if m, err := events.NewMoney(row.text("rate"), iso[id]); err == nil {
			line.Price = m
		}
		if m, err := events.NewMoney(strings.TrimPrefix(row.text("foreignamount"), "-"), iso[id]); err == nil {
			line.Amount = m
		}
		all[id] = append(all[id], line)
	}
	return all, nil
}

// The kinds of links between transactions.
const (
	linkPayment = "Payment" // a payment or credit settles the earlier one
	linkBill    = "OrdBill" // an invoice bills an order
)

// links reads what transactions were made from or settle. There is a row for
// each pair of lines; those of one pair of transactions are added up.
func (r *reader) links(ctx context.Context, ids []string) (map[string][]link, error) {
	rows, err := r.api.query(ctx, "read links",
		"SELECT l.nextdoc, l.previousdoc, l.previoustype, l.linktype, l.foreignamount FROM nexttransactionlinelink l"+
			conditions(in("l.nextdoc", ids), "l.linktype IN ("+quote(linkPayment)+", "+quote(linkBill)+")")+
			" ORDER BY l.nextdoc, l.previousdoc, l.linktype, l.nextline, l.previousline")
	if err != nil {
		return nil, err
	}
	all := map[string][]link{}
	for _, row := range rows {
		next := row.text("nextdoc")
		l := link{previous: row.text("previousdoc"), previousType: row.text("previoustype"), kind: row.text("linktype"), amount: row.text("foreignamount")}
		if !digits.MatchString(l.previous) {
			continue
		}
		i := slices.IndexFunc(all[next], func(o link) bool { return o.previous == l.previous && o.kind == l.kind })
		if i < 0 {
			all[next] = append(all[next], l)
			continue
		}
		a, errA := events.ParseDecimal(all[next][i].amount)
		b, errB := events.ParseDecimal(l.amount)
		if sum, err := a.Add(b); errA == nil && errB == nil && err == nil {
			all[next][i].amount = sum.String()
		}
	}
	return all, nil
}
