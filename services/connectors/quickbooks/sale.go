package quickbooks

import (
	"context"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// buildSale makes what all sales forms have in common: invoices, estimates,
// sales receipts, credit memos and refund receipts.
func buildSale(t *target, f fields) body {
	b := body{"CustomerRef": reference(f.required("CustomerRef"))}
	b.put("DocNumber", f.short("DocNumber", maxDocNumber))
	b.put("TxnDate", f.date("TxnDate"))
	b.putIn("BillEmail", "Address", f.text("BillEmail"))
	b.putIn("CustomerMemo", "value", f.text("CustomerMemo"))
	b.put("PrivateNote", f.text("PrivateNote"))
	buildLines(t, f, b)
	return b
}

// putRefNum puts the number under which money moved. One that is too long
// goes to the note: cut, it would find nothing at the processor.
func putRefNum(f fields, b body) {
	number := f.text("PaymentRefNum")
	switch note := b.text("PrivateNote"); {
	case len([]rune(number)) <= maxRefNum:
		b.put("PaymentRefNum", number)
	case note == "":
		b["PrivateNote"] = number
	default:
		b["PrivateNote"] = note + "\n" + number
	}
}

// completeSale gives each line its tax code and says how prices relate to
// tax, which only companies outside the United States are asked.
func completeSale(_ context.Context, t *target, want body) error {
	lines, _ := want["Line"].([]any)
	want["Line"] = t.taxed(lines)
	if !t.settings.Tax.USAutomated {
		want["GlobalTaxCalculation"] = t.settings.Tax.calculation()
	}
	return nil
}

// patchSale sends the lines as a whole or not at all: QuickBooks drops lines
// that are left out of a list.
func patchSale(t *target, _ connector.Document, want, current body) body {
	lines := mergeLines(want.list("Line"), current.list("Line"))
	patch := differing(want, current)
	delete(patch, "CurrencyRef")
	delete(patch, "Line")
	if lines != nil {
		patch["Line"] = t.taxed(lines)
	}
	return patch
}

// findSale looks for the number and then through the customer's forms of the
// type: a company that numbers by itself keeps its own number.
func findSale(object string) func(context.Context, *target, connector.Document, body) (body, error) {
	return func(ctx context.Context, t *target, doc connector.Document, want body) (body, error) {
		k := t.kinds[object]
		if n := want.text("DocNumber"); n != "" {
			ours, err := findNoted(ctx, t, k, doc, "DocNumber = "+quote(n))
			if ours != nil || err != nil {
				return ours, err
			}
		}
		return findNoted(ctx, t, k, doc, "CustomerRef = "+quote(want.ref("CustomerRef")))
	}
}

// depositTo puts the account that money goes to or comes from.
func (t *target) depositTo(ctx context.Context, want body, account string) error {
	id, err := t.accounts.id(ctx, account)
	if err == nil {
		want["DepositToAccountRef"] = reference(id)
	}
	return err
}

// readSale fills in what the canonical kinds of sales forms have in common.
func readSale(s *Settings, b body, f events.Fields, total, day string) {
	if n := b.text("DocNumber"); n != "" && total == "total" {
		f.Set("number", n)
	}
	if amount, ok := b.money("TotalAmt", s.HomeCurrency); ok {
		f.Set(total, amount)
	}
	if v := b.text("TxnDate"); v != "" {
		f.Set(day, v)
	}
}

func estimateKind() *kind {
	return &kind{
		name: objectEstimate, path: "estimate", title: "estimate", entity: events.EntityQuote,
		note: "PrivateNote", noteLimit: 4000, page: "/estimate?txnId=",
		build: buildEstimate, create: completeSale, patch: patchSale, find: findSale(objectEstimate),
		read: readEstimate, links: linkCustomer,
	}
}

// The states of an estimate at QuickBooks.
const (
	estimatePending   = "Pending"
	estimateAccepted  = "Accepted"
	estimateClosed    = "Closed"
	estimateRejected  = "Rejected"
	estimateConverted = "Converted" // QuickBooks's own, once it is invoiced
)

// estimateStates are the states by the canonical ones of a quote.
var estimateStates = map[string]string{
	"draft": estimatePending, "open": estimatePending, "accepted": estimateAccepted,
	"rejected": estimateRejected, "expired": estimateClosed, "canceled": estimateClosed,
}

func buildEstimate(t *target, doc connector.Document) (body, error) {
	f := newFields("estimate", doc.Fields)
	b := buildSale(t, f)
	b.put("ExpirationDate", f.date("ExpirationDate"))
	switch s := f.text("TxnStatus"); s {
	case "", estimatePending, estimateAccepted, estimateClosed, estimateRejected:
		b.put("TxnStatus", s)
	default:
		state, ok := estimateStates[s]
		if !ok {
			f.fail("TxnStatus", "want Pending, Accepted, Closed or Rejected, or the status of a quote")
		}
		b.put("TxnStatus", state)
	}
	return b, f.failure()
}

func readEstimate(s *Settings, b body, f events.Fields) {
	readSale(s, b, f, "total", "issuedOn")
	if v := b.text("ExpirationDate"); v != "" {
		f.Set("expiresOn", v)
	}
	switch b.text("TxnStatus") {
	case estimatePending:
		f.Set("status", "open")
	case estimateAccepted, estimateConverted:
		f.Set("status", "accepted")
	case estimateRejected:
		f.Set("status", "rejected")
	} // Closed is said of what was invoiced as well as of what came to nothing
}

// receiptKind is a sale that is paid at once. It speaks of an order, since it
// has lines and a number; the money is a part of it.
func receiptKind() *kind {
	return &kind{
		name: objectReceipt, path: "salesreceipt", title: "sales receipt", entity: events.EntityOrder,
		note: "PrivateNote", noteLimit: 4000, page: "/salesreceipt?txnId=", voiding: "update",
		build: buildReceipt, create: completeReceipt, patch: patchSale, find: findSale(objectReceipt),
		read: readReceipt, links: linkCustomer,
	}
}

func buildReceipt(t *target, doc connector.Document) (body, error) {
	f := newFields("sales receipt", doc.Fields)
	b := buildSale(t, f)
	putRefNum(f, b)
	return b, f.failure()
}

func completeReceipt(ctx context.Context, t *target, want body) error {
	if t.settings.DepositAccount != "" {
		if err := t.depositTo(ctx, want, t.settings.DepositAccount); err != nil {
			return err
		}
	}
	return completeSale(ctx, t, want)
}

func readReceipt(s *Settings, b body, f events.Fields) {
	readSale(s, b, f, "total", "placedOn")
	f.Set("status", statusPaid)
	if isVoid(b) {
		f.Set("status", statusVoid)
	}
}

// refundKind is money given back, which stands alone: QuickBooks links it to
// no payment.
func refundKind() *kind {
	return &kind{
		name: objectRefund, path: "refundreceipt", title: "refund receipt", entity: events.EntityRefund,
		note: "PrivateNote", noteLimit: 4000, page: "/refundreceipt?txnId=",
		build: buildRefund, create: completeRefund, patch: patchSale, find: findSale(objectRefund),
		read: readRefund, links: linkCustomer,
	}
}

func buildRefund(t *target, doc connector.Document) (body, error) {
	f := newFields("refund receipt", doc.Fields)
	b := buildSale(t, f)
	t.refundLines(f, b)
	putRefNum(f, b)
	return b, f.failure()
}

// completeRefund adds the account that the money comes from, which
// QuickBooks asks for.
func completeRefund(ctx context.Context, t *target, want body) error {
	account := t.settings.RefundAccount
	if account == "" {
		account = t.settings.DepositAccount
	}
	if account == "" {
		return fault.New(fault.Rejected, Name+": create refund receipt", "no account to refund from").WithField("DepositToAccountRef").
			WithHint("set refund_account of the connection to the id or the name of the account that refunds are paid from")
	}
	if err := t.depositTo(ctx, want, account); err != nil {
		return err
	}
	return completeSale(ctx, t, want)
}

func readRefund(s *Settings, b body, f events.Fields) {
	readSale(s, b, f, "amount", "refundedOn")
	f.Set("status", statusSucceeded)
	if v := b.text("PaymentRefNum"); v != "" {
		f.Set("reference", v)
	}
}
