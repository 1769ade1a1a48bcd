package quickbooks

import (
	"strings"

	"github.com/spoke-sync/spoke/events"
)

func invoiceKind() *kind {
	k := saleKind(objectInvoice, "invoice", "invoice", events.EntityInvoice, func(_ *target, f fields, b body) {
		b.put("DueDate", f.date("DueDate"))
		if estimate := f.text("EstimateRef"); estimate != "" {
			b["LinkedTxn"] = []any{body{"TxnId": estimate, "TxnType": objectEstimate}}
		}
	})
	k.void, k.read = voidByOperation, readInvoice
	return k
}

// The canonical states of an invoice.
const (
	statusOpen = "open"
	statusPaid = "paid"
	statusVoid = "void"
)

func readInvoice(s *Settings, b body, f events.Fields) {
	readTotals(s, b, f, "issuedOn")
	readTax(s, b, f)
	total, hasTotal := b.money("TotalAmt", s.HomeCurrency)
	due, hasBalance := b.money("Balance", s.HomeCurrency)
	if hasBalance {
		f.Set("amountDue", due)
	}
	if hasTotal && hasBalance {
		if paid, err := total.Sub(due); err == nil {
			f.Set("amountPaid", paid)
		}
		f.Set("status", invoiceStatus(b, due))
	}
	values := map[string]string{
		"dueOn": b.text("DueDate"), "url": b.text("InvoiceLink"), "memo": b.inside("CustomerMemo").text("value"),
	}
	for field, v := range values {
		if v != "" {
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
