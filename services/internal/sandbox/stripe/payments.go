package stripebox

// Payments returns the ids of an invoice's InvoicePayments, the oldest first.
func (b *Box) Payments(invoiceID string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for _, id := range b.state.Payments.Order {
		if b.state.Payments.Rows[id].Invoice == invoiceID {
			ids = append(ids, id)
		}
	}
	return ids
}

// Intents returns the ids of the PaymentIntents that paid an invoice, the
// oldest first.
func (b *Box) Intents(invoiceID string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for _, id := range b.state.Payments.Order {
		if p := b.state.Payments.Rows[id]; p.Invoice == invoiceID && p.Payment.Intent != "" {
			ids = append(ids, p.Payment.Intent)
		}
	}
	return ids
}
