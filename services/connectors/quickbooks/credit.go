package quickbooks

import (
	"context"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// creditKind takes back what was invoiced. What it is applied to is a payment
// of nothing with a line for the credit and one for each invoice.
func creditKind() *kind {
	return &kind{
		name: objectCredit, path: "creditmemo", title: "credit memo", entity: events.EntityCreditNote,
		note: "PrivateNote", noteLimit: 4000, page: "/creditmemo?txnId=",
		build: buildCredit, create: completeSale, patch: patchSale, find: findSale(objectCredit),
		after: applyCredit, read: readCredit, links: linkCustomer,
	}
}

func buildCredit(t *target, doc connector.Document) (body, error) {
	f := newFields("credit memo", doc.Fields)
	b := buildSale(t, f)
	if doc.Record.Entity == events.EntityRefund {
		t.refundLines(f, b)
	}
	currency := b.currency(t.settings.HomeCurrency)
	creditParts(f, currency)
	return b, f.failure()
}

// creditParts returns a line for each invoice that the credit is applied to,
// and their sum.
func creditParts(f fields, currency string) (lines []any, sum events.Decimal) {
	parts, _ := f.list("Apply")
	for _, p := range parts {
		amount, ok := p.money("Amount")
		if !ok || amount.Amount.Sign() <= 0 {
			p.fail("Amount", "an amount above nothing is required")
			return nil, sum
		}
		sharedCurrency(p, currency, "Amount")
		lines = append(lines, paymentLine(p.required("InvoiceRef"), amount.Amount))
		var err error
		if sum, err = sum.Add(amount.Amount); err != nil {
			p.fail("Amount", "%w", err)
			return nil, sum
		}
	}
	return lines, sum
}

// applyCredit makes the credit memo be applied as the document says. A
// document that says nothing leaves it as it is.
func applyCredit(ctx context.Context, t *target, doc connector.Document, memo body) (body, bool, error) {
	const op = Name + ": apply credit memo"
	f := newFields("credit memo", doc.Fields)
	lines, sum := creditParts(f, memo.currency(t.settings.HomeCurrency))
	if err := f.failure(); err != nil || len(lines) == 0 {
		return memo, false, err
	}
	total, _ := memo.decimal("TotalAmt")
	if sum.Cmp(total) > 0 {
		return nil, false, fault.New(fault.Rejected, op, "more is applied than the credit memo is worth").WithField("Apply").
			WithHint("lower the amounts, or raise the credit memo's")
	}
	payment := body{
		"CustomerRef": reference(memo.ref("CustomerRef")), "TotalAmt": number(events.Decimal{}),
		"Line": append(lines, body{
			"Amount":    number(sum),
			"LinkedTxn": []any{body{"TxnId": memo.text("Id"), "TxnType": objectCredit}},
		}),
	}
	if c := memo.currency(t.settings.HomeCurrency); c != t.settings.HomeCurrency {
		payment["CurrencyRef"] = reference(c)
	}
	if left, ok := memo.decimal("RemainingCredit"); ok && left.Cmp(total) != 0 {
		now, changed, err := t.reapplyCredit(ctx, doc, memo, payment)
		if err != nil || now != nil {
			return now, changed, err
		}
	}
	payment["PrivateNote"] = applicationKey(memo)
	payment.put("TxnDate", memo.text("TxnDate"))
	return t.postApplication(ctx, memo, write{op: "apply credit memo", requestID: requestID(doc, "apply"), body: payment})
}

// applicationKey marks a payment as Spoke's that stands for no record.
func applicationKey(memo body) string { return "spoke-payment--credit-" + memo.text("Id") }

// postApplication writes the payment and returns the credit memo as it then
// is.
func (t *target) postApplication(ctx context.Context, memo body, w write) (body, bool, error) {
	if _, err := t.client.post(ctx, t.kinds[objectPayment], w); err != nil {
		return nil, false, fault.As(err).WithField("Apply")
	}
	k := t.kinds[objectCredit]
	t.recent.drop(k, memo.text("Id"))
	now, err := t.client.get(ctx, k, memo.text("Id"))
	if now == nil {
		return memo, true, err
	}
	t.recent.put(k, now)
	return now, true, nil
}

// reapplyCredit follows a credit memo of which something is applied already,
// and returns it as it then is; nil when no payment is found that applies it.
func (t *target) reapplyCredit(ctx context.Context, doc connector.Document, memo, payment body) (body, bool, error) {
	var ours, other body
	err := t.client.each(ctx, t.kinds[objectPayment], "CustomerRef = "+quote(memo.ref("CustomerRef")), func(b body) bool {
		switch {
		case carries(b.text("PrivateNote"), applicationKey(memo)):
			ours = b
		case pays(b, objectCredit, memo.text("Id")):
			other = b
		}
		return ours == nil
	})
	switch {
	case err != nil:
		return nil, false, err
	case ours == nil && other != nil && sameLines(other, payment):
		return memo, false, nil // QuickBooks or a person did it already
	case ours == nil && other != nil:
		return nil, false, fault.New(fault.Rejected, Name+": apply credit memo", "credit memo %s is applied by payment %s, which is not Spoke's", memo.text("Id"), other.text("Id")).
			WithField("Apply").WithHint("take the credit off there, or apply the rest by hand")
	case ours == nil:
		return nil, false, nil
	case sameLines(ours, payment):
		return memo, false, nil
	}
	full := body{"sparse": true}
	for _, b := range []body{payment, identity(ours)} {
		for name, v := range b {
			full[name] = v
		}
	}
	return t.postApplication(ctx, memo, write{op: "apply credit memo", requestID: requestID(doc, "apply "+ours.text("SyncToken")), body: full})
}

// pays reports whether a payment has a line for the transaction.
func pays(payment body, typ, id string) bool {
	_, ok := parts(payment)[typ+" "+id]
	return ok
}

func sameLines(have, want body) bool {
	h, w := parts(have), parts(want)
	for part, amount := range w {
		if got, ok := h[part]; !ok || got.Cmp(amount) != 0 {
			return false
		}
	}
	return len(h) == len(w)
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

// The canonical states of a credit note.
const statusApplied = "applied"

func readCredit(s *Settings, b body, f events.Fields) {
	readSale(s, b, f, "total", "issuedOn")
	left, ok := b.money("RemainingCredit", s.HomeCurrency)
	if !ok {
		return
	}
	f.Set("remaining", left)
	f.Set("status", statusOpen)
	if left.Amount.IsZero() {
		f.Set("status", statusApplied)
	}
}
