package quickbooks

import (
	"context"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

func invoiceKind() *kind {
	return &kind{
		name: objectInvoice, path: "invoice", title: "invoice", entity: events.EntityInvoice,
		note: "PrivateNote", noteLimit: 4000, page: "/invoice?txnId=",
		build: buildInvoice, create: completeInvoice, patch: patchInvoice, find: findInvoice,
		read: readInvoice, links: linkCustomer,
	}
}

func buildInvoice(t *target, doc connector.Document) (body, error) {
	f := newFields("invoice", doc.Fields)
	b := body{"CustomerRef": reference(f.required("CustomerRef"))}
	b.put("DocNumber", f.short("DocNumber", maxDocNumber))
	b.put("TxnDate", f.date("TxnDate"))
	b.put("DueDate", f.date("DueDate"))
	b.putIn("BillEmail", "Address", f.text("BillEmail"))
	b.putIn("CustomerMemo", "value", f.text("CustomerMemo"))
	b.put("PrivateNote", f.text("PrivateNote"))
	buildLines(t, f, b)
	return b, f.failure()
}

// completeInvoice gives each line its tax code and says how prices relate to
// tax, which only companies outside the United States are asked.
func completeInvoice(_ context.Context, t *target, want body) error {
	lines, _ := want["Line"].([]any)
	want["Line"] = t.taxed(lines)
	if !t.settings.Tax.USAutomated {
		want["GlobalTaxCalculation"] = "TaxExcluded"
	}
	return nil
}

// patchInvoice sends the lines as a whole or not at all: QuickBooks drops
// lines that are left out of a list.
func patchInvoice(t *target, _ connector.Document, want, current body) body {
	lines := mergeLines(want.list("Line"), current.list("Line"))
	patch := differing(want, current)
	delete(patch, "CurrencyRef")
	delete(patch, "Line")
	if lines != nil {
		patch["Line"] = t.taxed(lines)
	}
	return patch
}

// findInvoice looks for the number and then through the customer's invoices:
// a company that numbers by itself keeps its own number.
func findInvoice(ctx context.Context, t *target, doc connector.Document, want body) (body, error) {
	k := t.kinds[objectInvoice]
	if n := want.text("DocNumber"); n != "" {
		ours, err := findNoted(ctx, t, k, doc, "DocNumber = "+quote(n))
		if ours != nil || err != nil {
			return ours, err
		}
	}
	return findNoted(ctx, t, k, doc, "CustomerRef = "+quote(want.ref("CustomerRef")))
}

// findNoted walks the transactions that meet the condition until one holds
// the document's key.
func findNoted(ctx context.Context, t *target, k *kind, doc connector.Document, where string) (body, error) {
	var ours body
	err := t.client.each(ctx, k, where, func(b body) bool {
		if carries(b.text(k.note), doc.Key) {
			ours = b
		}
		return ours == nil
	})
	return ours, err
}

// The canonical states of an invoice.
const (
	statusOpen = "open"
	statusPaid = "paid"
	statusVoid = "void"
)

func readInvoice(s *Settings, b body, f events.Fields) {
	if n := b.text("DocNumber"); n != "" {
		f.Set("number", n)
	}
	total, hasTotal := b.money("TotalAmt", s.HomeCurrency)
	due, hasBalance := b.money("Balance", s.HomeCurrency)
	if hasTotal {
		f.Set("total", total)
	}
	if hasBalance {
		f.Set("amountDue", due)
	}
	if hasTotal && hasBalance {
		if paid, err := total.Sub(due); err == nil {
			f.Set("amountPaid", paid)
		}
		f.Set("status", invoiceStatus(b, due))
	}
	for field, name := range map[string]string{"issuedOn": "TxnDate", "dueOn": "DueDate", "url": "InvoiceLink"} {
		if v := b.text(name); v != "" {
			f.Set(field, v)
		}
	}
}

func invoiceStatus(b body, due events.Money) string {
	switch {
	case isVoid(b):
		return statusVoid
	case due.Amount.Sign() <= 0:
		return statusPaid
	default:
		return statusOpen
	}
}

// isVoid reports whether a transaction was voided. QuickBooks has no field
// for it: it sets the amounts to zero and writes so at the beginning of the
// note. People may begin a note so too, so that both are asked for.
func isVoid(b body) bool {
	total, ok := b.decimal("TotalAmt")
	return ok && total.IsZero() && strings.HasPrefix(b.text("PrivateNote"), "Voided")
}

func linkCustomer(b body, link func(object, id string) events.Link, f events.Fields) {
	if id := b.ref("CustomerRef"); id != "" {
		f.Set("company", link(objectCustomer, id))
	}
}
