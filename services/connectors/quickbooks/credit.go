package quickbooks

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// applyField is a field of ours in what build makes: the lines, by invoice, of
// the payment of nothing that applies a credit memo.
const applyField = "spoke:apply"

// creditMemoKind takes back what was invoiced. What it is applied to is a
// payment of nothing with a line for the credit and one for each invoice.
func creditMemoKind() *kind {
	k := saleKind(objectCreditMemo, "creditmemo", "credit memo", events.EntityCreditNote, func(t *target, f fields, b body) {
		if f.record.Entity == events.EntityRefund {
			t.refundLines(f, b)
		}
		if lines := applyLines(t, f, b); lines != nil {
			b[applyField] = lines
		}
	})
	k.create = func(ctx context.Context, t *target, want body) error {
		if err := settleable(ctx, t, want.list(applyField)); err != nil {
			return err
		}
		delete(want, applyField)
		return completeSale(ctx, t, want)
	}
	k.patch = func(t *target, doc connector.Document, want, current body) body {
		patch := patchSale(t, doc, want, current)
		delete(patch, applyField)
		return patch
	}
	k.after, k.read = applyCredit, readCredit
	return k
}

func applyLines(t *target, f fields, b body) []any {
	list := f.list("Apply")
	var lines []any
	for _, p := range list {
		amount, ok := p.money("Amount")
		if !ok || amount.Amount.Sign() <= 0 {
			p.fail("Amount", "an amount above nothing is required")
			return nil
		}
		sharedCurrency(p, b.currency(t.settings.HomeCurrency), "Amount")
		lines = append(lines, paymentLine(objectInvoice, p.required("InvoiceRef"), amount.Amount))
	}
	return lines
}

// settleable refuses a credit for invoices that are not there, before it is
// made: it would stand in the books and settle nothing.
func settleable(ctx context.Context, t *target, lines []body) error {
	var ids []string
	for _, l := range lines {
		for _, linked := range l.list("LinkedTxn") {
			if id := quote(linked.text("TxnId")); !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := t.client.query(ctx, t.kinds[objectInvoice], "Id IN ("+strings.Join(ids, ", ")+")", 1)
	if err != nil || len(found) == len(ids) {
		return err
	}
	return fault.New(fault.Rejected, Name+": create credit memo", "QuickBooks has only %d of its %d invoices", len(found), len(ids)).
		WithCode(codeNotFound).WithField("Apply").WithHint("an invoice was deleted there: restore it, or take it out of what the credit settles")
}

// applyCredit makes the credit memo be applied as the document says. A
// document that says nothing leaves it as it is. How much is left of it is
// QuickBooks's word: a company may apply credits by itself.
func applyCredit(ctx context.Context, t *target, doc connector.Document, want, memo body) (*step, error) {
	lines, _ := want[applyField].([]any)
	if len(lines) == 0 {
		return nil, nil
	}
	sum, err := sumOf(want.list(applyField))
	total, _ := memo.decimal("TotalAmt")
	if err != nil || sum.Cmp(total) > 0 {
		return nil, fault.New(fault.Rejected, opApply, "more is applied than the credit memo is worth").WithField("Apply").
			WithHint("lower the amounts, or raise the credit memo's")
	}
	payment := body{
		"CustomerRef": reference(memo.ref("CustomerRef")), "TotalAmt": number(events.Decimal{}),
		"Line": append(slices.Clone(lines), paymentLine(objectCreditMemo, memo.text("Id"), sum)),
	}
	k := t.kinds[objectPayment]
	w := write{op: "apply credit memo", field: "Apply", requestID: requestID(doc, partApply), body: payment, alone: true}
	if left, ok := memo.decimal("RemainingCredit"); ok && left.Cmp(total) != 0 {
		ours, done, err := t.application(ctx, memo, payment)
		switch {
		case err != nil || done:
			return nil, err
		case ours != nil:
			w.requestID = requestID(doc, partApply+" "+ours.text("SyncToken"))
			maps.Copy(payment, identity(ours))
			payment["sparse"] = true
			return &step{kind: k, write: w}, nil
		}
	}
	if c := memo.currency(t.settings.HomeCurrency); c != t.settings.HomeCurrency {
		payment["CurrencyRef"] = reference(c)
	}
	payment["PrivateNote"] = applicationKey(memo)
	payment.put("TxnDate", memo.text("TxnDate"))
	return &step{kind: k, write: w}, nil
}

const opApply = Name + ": apply credit memo"

// applicationKey marks a payment as Spoke's that stands for no record.
func applicationKey(memo body) string { return "spoke-payment--credit-" + memo.text("Id") }

// application follows a credit memo of which something is applied already. It
// returns Spoke's payment that is to be changed, or done where everything is
// as wanted, whoever did it.
func (t *target) application(ctx context.Context, memo, payment body) (ours body, done bool, err error) {
	var other body
	err = t.client.each(ctx, t.kinds[objectPayment], "CustomerRef = "+quote(memo.ref("CustomerRef")), func(b body) bool {
		switch {
		case carries(b.text("PrivateNote"), applicationKey(memo)):
			ours = b
		case pays(b, objectCreditMemo, memo.text("Id")):
			other = b
		}
		return ours == nil
	})
	switch {
	case err != nil:
		return nil, false, err
	case ours != nil:
		return ours, sameParts(ours, payment), nil
	case other == nil:
		return nil, false, nil
	case sameParts(other, payment):
		return nil, true, nil // QuickBooks or a person did it already
	}
	return nil, false, fault.New(fault.Rejected, opApply, "credit memo %s is applied by payment %s, which is not Spoke's", memo.text("Id"), other.text("Id")).
		WithField("Apply").WithHint("take the credit off there, apply the rest by hand, or switch off the automatic application of credits")
}

// pays reports whether a payment has a line for the transaction.
func pays(payment body, typ, id string) bool {
	_, ok := parts(payment)[typ+" "+id]
	return ok
}

// sameParts reports whether two payments settle the same.
func sameParts(have, want body) bool {
	return maps.EqualFunc(parts(have), parts(want), func(a, b events.Decimal) bool { return a.Cmp(b) == 0 })
}

// parts are the amounts of a payment by what they are linked to, whatever the
// order and the form of the lines.
func parts(payment body) map[string]events.Decimal {
	all := map[string]events.Decimal{}
	for _, l := range payment.list("Line") {
		amount, _ := l.decimal("Amount")
		for _, linked := range l.list("LinkedTxn") {
			part := linked.text("TxnType") + " " + linked.text("TxnId")
			if sum, err := all[part].Add(amount); err == nil {
				all[part] = sum
			}
		}
	}
	return all
}

func sumOf(lines []body) (sum events.Decimal, err error) {
	for _, l := range lines {
		amount, _ := l.decimal("Amount")
		if sum, err = sum.Add(amount); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

func readCredit(s *Settings, b body, f events.Fields) {
	readTotals(s, b, f, "issuedOn")
	left, ok := b.money("RemainingCredit", s.HomeCurrency)
	if !ok {
		left, ok = b.money("Balance", s.HomeCurrency)
	}
	if ok {
		f.Set("remaining", left)
		f.Set("status", statusOpen)
		if left.Amount.Sign() <= 0 {
			f.Set("status", "applied")
		}
	}
	if isVoid(b) {
		f.Set("status", statusVoid)
	}
	if reason := b.inside("CustomerMemo").text("value"); reason != "" {
		f.Set("reason", reason)
	}
}
