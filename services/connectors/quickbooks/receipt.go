package quickbooks

import (
	"context"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// salesReceiptKind is a sale that is paid at once. To the records it is an order
// and no invoice, for which another one would be made.
func salesReceiptKind() *kind {
	k := saleKind(objectSalesReceipt, "salesreceipt", "sales receipt", events.EntityOrder, buildMoneyMove)
	k.void = voidByUpdate
	k.create = func(ctx context.Context, t *target, want body) error {
		if err := completeDeposit(ctx, t, want); err != nil {
			return err
		}
		return completeSale(ctx, t, want)
	}
	k.read = func(s *Settings, b body, f events.Fields) {
		readTotals(s, b, f, "placedOn")
		readTax(s, b, f)
		f.Set("status", statusPaid)
		if isVoid(b) {
			f.Set("status", statusVoid)
		}
	}
	return k
}

// refundReceiptKind is money given back.
func refundReceiptKind() *kind {
	k := saleKind(objectRefundReceipt, "refundreceipt", "refund receipt", events.EntityRefund, buildRefund)
	k.create = func(ctx context.Context, t *target, want body) error {
		account := t.settings.RefundAccount
		if account == "" {
			account = t.settings.DepositAccount
		}
		if account == "" {
			return fault.New(fault.Rejected, Name+": create refund receipt", "no account to pay it from").WithField("DepositToAccountRef").
				WithHint("set refund_account of the connection to the id or the name of the account that refunds are paid from")
		}
		id, err := t.accounts.id(ctx, account)
		if err != nil {
			return err
		}
		want["DepositToAccountRef"] = reference(id)
		delete(want, amountOnly)
		return completeSale(ctx, t, want)
	}
	k.patch = func(t *target, doc connector.Document, want, current body) body {
		patch := patchSale(t, doc, want, current)
		total, _ := current.decimal("TotalAmt")
		if wanted, ok := want.decimal(amountOnly); ok && wanted.Cmp(total) == 0 {
			delete(patch, "Line") // it is the amount that counts, however it is made up
		}
		delete(patch, amountOnly)
		return patch
	}
	k.read = readRefund
	k.links = func(_ *Settings, b body, link linker, f events.Fields) { linkCustomer(b, link, f) }
	return k
}

// amountOnly is a field of ours in what build makes: the money of a refund of
// which nobody says what was given back.
const amountOnly = "spoke:amount"

func buildRefund(t *target, f fields, b body) {
	buildMoneyMove(t, f, b)
	t.refundLines(f, b)
	if given := f.list("Line"); len(given) == 1 && given[0].text("ItemRef") == "" {
		b[amountOnly] = b.list("Line")[0]["Amount"]
	}
}

// buildMoneyMove adds how the money moved.
func buildMoneyMove(_ *target, f fields, b body) {
	putRefNum(f, b)
	if method := f.text("PaymentMethodRef"); method != "" {
		b["PaymentMethodRef"] = reference(method)
	}
}

// putRefNum puts in the id of the money movement at its processor, in the note
// where it is longer than QuickBooks takes: a cut one would find nothing.
func putRefNum(f fields, b body) {
	number := f.text("PaymentRefNum")
	if len([]rune(number)) <= maxRefNum {
		b.put("PaymentRefNum", number)
		return
	}
	if note := b.text("PrivateNote"); note != "" {
		number = note + "\n" + number
	}
	b["PrivateNote"] = number
}

func readRefund(s *Settings, b body, f events.Fields) {
	if amount, ok := b.money("TotalAmt", s.HomeCurrency); ok {
		f.Set("amount", amount)
	}
	f.Set("status", statusSucceeded)
	values := map[string]string{
		"refundedOn": b.text("TxnDate"), "reference": b.text("PaymentRefNum"),
		"method": b.inside("PaymentMethodRef").text("name"), "reason": b.inside("CustomerMemo").text("value"),
	}
	for field, v := range values {
		if v != "" {
			f.Set(field, v)
		}
	}
}
