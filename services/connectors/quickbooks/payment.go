package quickbooks

import (
	"context"
	"slices"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

func paymentKind() *kind {
	return &kind{
		name: objectPayment, path: "payment", title: "payment", entity: events.EntityPayment, void: voidByUpdate,
		note: "PrivateNote", noteLimit: 4000, page: "/recvpayment?txnId=",
		build: buildPayment, create: completeDeposit, patch: patchPayment, repeats: repeatPayment, find: findPayment,
		read: readPayment, links: linkPayment,
	}
}

func buildPayment(t *target, doc connector.Document) (body, error) {
	f := newFields("payment", doc)
	b := body{"CustomerRef": reference(f.required("CustomerRef"))}
	b.put("TxnDate", f.date("TxnDate"))
	b.put("PrivateNote", f.text("PrivateNote"))
	buildMoneyMove(t, f, b)
	total, ok := f.money("TotalAmt")
	if !ok {
		f.fail("TotalAmt", "the field is required")
		return b, f.failure()
	}
	if total.Currency == "" {
		total.Currency = t.settings.HomeCurrency
	}
	if total.Amount.Sign() <= 0 {
		f.fail("TotalAmt", "a payment is more than nothing")
	}
	if total.Rounded().Amount.Cmp(total.Amount) != 0 {
		f.fail("TotalAmt", "the amount is finer than its currency")
	}
	b["TotalAmt"] = number(total.Amount)
	if total.Currency != t.settings.HomeCurrency {
		b["CurrencyRef"] = reference(total.Currency)
	}
	buildRate(f, b)
	if lines := paymentLines(f, total); lines != nil {
		b["Line"] = lines
	}
	return b, f.failure()
}

// paymentLines says which invoices the money pays: each what its line says,
// or without lines one of them all of it.
func paymentLines(f fields, total events.Money) []any {
	lines := f.list("Line")
	switch invoice := f.text("InvoiceRef"); {
	case invoice == "":
	case len(lines) == 0:
		return []any{paymentLine(objectInvoice, invoice, total.Amount)}
	case !slices.ContainsFunc(lines, func(l fields) bool { return l.text("InvoiceRef") == invoice }):
		f.fail("InvoiceRef", "the invoice is in none of the lines")
	}
	var list []any
	var sum events.Decimal
	for _, l := range lines {
		amount, ok := l.money("Amount")
		if !ok {
			l.fail("Amount", "the field is required")
			return nil
		}
		sharedCurrency(l, total.Currency, "Amount")
		list = append(list, paymentLine(objectInvoice, l.required("InvoiceRef"), amount.Amount))
		var err error
		if sum, err = sum.Add(amount.Amount); err != nil {
			l.fail("Amount", "%w", err)
			return nil
		}
	}
	if sum.Cmp(total.Amount) > 0 {
		f.fail("Line", "the lines sum to more than TotalAmt")
	}
	return list
}

// paymentLine is how much of a payment settles or uses up a transaction.
func paymentLine(object, id string, amount events.Decimal) body {
	return body{
		"Amount":    number(amount),
		"LinkedTxn": []any{body{"TxnId": id, "TxnType": object}},
	}
}

// completeDeposit adds the account that money goes to.
func completeDeposit(ctx context.Context, t *target, want body) error {
	if t.settings.DepositAccount == "" {
		return nil
	}
	id, err := t.accounts.id(ctx, t.settings.DepositAccount)
	if err == nil {
		want["DepositToAccountRef"] = reference(id)
	}
	return err
}

func patchPayment(_ *target, _ connector.Document, want, current body) body {
	patch := differing(want, current)
	delete(patch, "CurrencyRef")
	delete(patch, "ExchangeRate")
	if sameParts(current, want) {
		delete(patch, "Line") // in another order
	}
	if len(patch) > 0 {
		repeatPayment(patch, want, current)
	}
	return patch
}

// repeatPayment repeats customer, amount and lines with any change: QuickBooks
// takes the money back from invoices that a change leaves out.
func repeatPayment(patch, want, current body) {
	for _, name := range []string{"CustomerRef", "TotalAmt", "Line"} {
		v, ok := want[name]
		if !ok {
			v, ok = current[name]
		}
		if ok {
			patch[name] = v
		}
	}
}

// findPayment looks through the customer's payments: QuickBooks can't filter
// payments by number or note.
func findPayment(ctx context.Context, t *target, doc connector.Document, want body) (body, error) {
	return findNoted(ctx, t, t.kinds[objectPayment], doc, "CustomerRef = "+quote(want.ref("CustomerRef")))
}

// The canonical states of a payment that QuickBooks can tell.
const (
	statusSucceeded = "succeeded"
	statusCanceled  = "canceled"
)

// readPayment fills in a payment. One of nothing only applies credits: no
// money was received, so that it has no state.
func readPayment(s *Settings, b body, f events.Fields) {
	amount, ok := b.money("TotalAmt", s.HomeCurrency)
	if ok {
		f.Set("amount", amount)
	}
	switch {
	case isVoid(b):
		f.Set("status", statusCanceled)
	case ok && !amount.Amount.IsZero():
		f.Set("status", statusSucceeded)
	}
	values := map[string]string{
		"receivedOn": b.text("TxnDate"), "reference": b.text("PaymentRefNum"), "method": b.inside("PaymentMethodRef").text("name"),
	}
	for field, v := range values {
		if v != "" {
			f.Set(field, v)
		}
	}
}

func linkPayment(s *Settings, b body, link linker, f events.Fields) {
	linkCustomer(b, link, f)
	var all []events.Applied
	for _, line := range b.list("Line") {
		for _, linked := range line.list("LinkedTxn") {
			if linked.text("TxnType") != objectInvoice || linked.text("TxnId") == "" {
				continue
			}
			a := events.Applied{Invoice: link(objectInvoice, linked.text("TxnId"))}
			if d, ok := line.decimal("Amount"); ok {
				if m, err := events.NewMoney(d.String(), b.currency(s.HomeCurrency)); err == nil {
					a.Amount = m
				}
			}
			all = append(all, a)
		}
	}
	if len(all) == 1 {
		f.Set("invoice", all[0].Invoice)
	}
	if len(all) > 0 {
		f.Set("applied", all)
	}
}
