package quickbooks

import (
	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// The states of an estimate at QuickBooks.
const (
	estimatePending   = "Pending"
	estimateAccepted  = "Accepted"
	estimateClosed    = "Closed"
	estimateRejected  = "Rejected"
	estimateConverted = "Converted" // QuickBooks's own, once it is invoiced
)

// estimateStates are the states by the canonical ones of a quote, and by their
// own names.
var estimateStates = map[string]string{
	"draft": estimatePending, statusOpen: estimatePending, "accepted": estimateAccepted,
	"rejected": estimateRejected, "expired": estimateClosed, "canceled": estimateClosed,
	estimatePending: estimatePending, estimateAccepted: estimateAccepted, estimateClosed: estimateClosed, estimateRejected: estimateRejected,
}

// quoteStates are the states of a quote that an estimate tells. Closed is said
// of what was invoiced as well as of what came to nothing.
var quoteStates = map[string]string{
	estimatePending: statusOpen, estimateAccepted: "accepted", estimateConverted: "accepted", estimateRejected: "rejected",
}

func estimateKind() *kind {
	k := saleKind(objectEstimate, "estimate", "estimate", events.EntityQuote, func(_ *target, f fields, b body) {
		b.put("ExpirationDate", f.date("ExpirationDate"))
		status := f.text("TxnStatus")
		state, ok := estimateStates[status]
		if status != "" && !ok {
			f.fail("TxnStatus", "want Pending, Accepted, Closed or Rejected, or the status of a quote")
		}
		b.put("TxnStatus", state)
	})
	k.patch = func(t *target, doc connector.Document, want, current body) body {
		patch := patchSale(t, doc, want, current)
		if state := quoteStates[current.text("TxnStatus")]; state != "" && state == quoteStates[want.text("TxnStatus")] {
			delete(patch, "TxnStatus") // of what is invoiced nobody has to say that it was accepted
		}
		return patch
	}
	k.read = func(s *Settings, b body, f events.Fields) {
		readTotals(s, b, f, "issuedOn")
		// A state that Intuit adds one day says nothing until we know it.
		if status, ok := quoteStates[b.text("TxnStatus")]; ok {
			f.Set("status", status)
		}
		if d := b.text("ExpirationDate"); d != "" {
			f.Set("expiresOn", d)
		}
	}
	return k
}
