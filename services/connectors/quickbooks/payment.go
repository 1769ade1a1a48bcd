package quickbooks

import (
	"context"
	"slices"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

func paymentKind() *kind {
	return &kind{
		name: objectPayment, path: "payment", title: "payment", entity: events.EntityPayment,
		note: "PrivateNote", noteLimit: 4000, page: "/recvpayment?txnId=", voiding: "update",
		build: buildPayment, create: completePayment, patch: patchPayment, find: findPayment,
		read: readPayment, links: linkPayment,
	}
}

func buildPayment(t *target, doc connector.Document) (body, error) {
	f := newFields("payment", doc.Fields)
	b := body{"CustomerRef": reference(f.required("CustomerRef"))}
	b.put("TxnDate", f.date("TxnDate"))
	b.put("PrivateNote", f.text("PrivateNote"))
	putRefNum(f, b)
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
	t.putCurrency(f, b, total.Currency)
	if lines := paymentLines(f, total); lines != nil {
		b["Line"] = lines
	}
	return b, f.failure()
}

// paymentLines says which invoices the money pays: each what its line says,
// or, without lines, one of them all of it.
func paymentLines(f fields, total events.Money) []any {
	invoice := f.text("InvoiceRef")
	lines, _ := f.list("Line")
	switch {
	case invoice != "" && len(lines) > 0:
		if !slices.ContainsFunc(lines, func(l fields) bool { return l.text("InvoiceRef") == invoice }) {
			f.fail("InvoiceRef", "the invoice is in none of the lines")
		}
	case invoice != "":
		return []any{paymentLine(invoice, total.Amount)}
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
		list = append(list, paymentLine(l.required("InvoiceRef"), amount.Amount))
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

func paymentLine(invoice string, amount events.Decimal) body {
	return body{
		"Amount":    number(amount),
		"LinkedTxn": []any{body{"TxnId": invoice, "TxnType": objectInvoice}},
	}
}

// completePayment adds the account that the money goes to.
func completePayment(ctx context.Context, t *target, want body) error {
	if t.settings.DepositAccount == "" {
		return nil
	}
	return t.depositTo(ctx, want, t.settings.DepositAccount)
}

// patchPayment repeats customer, amount and lines with any change: QuickBooks
// takes the money back from invoices that a change leaves out.
func patchPayment(_ *target, _ connector.Document, want, current body) body {
	patch := differing(want, current)
	delete(patch, "CurrencyRef")
	if len(patch) == 0 {
		return patch
	}
	for _, name := range []string{"CustomerRef", "TotalAmt", "Line"} {
		v, ok := want[name]
		if !ok {
			v, ok = current[name]
		}
		if ok {
			patch[name] = v
		}
	}
	return patch
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

func readPayment(s *Settings, b body, f events.Fields) {
	if amount, ok := b.money("TotalAmt", s.HomeCurrency); ok {
		f.Set("amount", amount)
	}
	f.Set("status", statusSucceeded)
	if isVoid(b) {
		f.Set("status", statusCanceled)
	}
	for field, name := range map[string]string{"receivedOn": "TxnDate", "reference": "PaymentRefNum"} {
		if v := b.text(name); v != "" {
			f.Set(field, v)
		}
	}
}

func linkPayment(b body, link func(object, id string) events.Link, f events.Fields) {
	linkCustomer(b, link, f)
	for _, line := range b.list("Line") {
		for _, linked := range line.list("LinkedTxn") {
			if linked.text("TxnType") == objectInvoice && linked.text("TxnId") != "" {
				f.Set("invoice", link(objectInvoice, linked.text("TxnId")))
				return
			}
		}
	}
}
