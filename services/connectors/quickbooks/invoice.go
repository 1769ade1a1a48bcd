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
		voiding: "void",
		build:   buildInvoice, create: completeSale, patch: patchSale, find: findSale(objectInvoice),
		read: readInvoice, links: linkCustomer,
	}
}

func buildInvoice(t *target, doc connector.Document) (body, error) {
	f := newFields("invoice", doc.Fields)
	b := buildSale(t, f)
	b.put("DueDate", f.date("DueDate"))
	return b, f.failure()
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
