package stripe_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/spec"
)

// TestCallsThatTheSuiteDoesNotMake are compared with Stripe's description, and
// made to stripe-mock, as those of the suite are.
func TestCallsThatTheSuiteDoesNotMake(t *testing.T) {
	t.Parallel()
	book, err := spec.Stripe(t)
	if errors.Is(err, spec.ErrAbsent) {
		t.Skip(err)
	}
	require.NoError(t, err)
	w := newWorld(t)
	tap := &spec.Tap{Next: w.wire.real, Book: book}
	w.wire.set(func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
		return tap.RoundTrip(r)
	})

	_, quote := w.upTo(t, "quote")
	quote.Fields["status"] = "accepted"
	w.mustApply(t, quote)
	w.mustApply(t, document("payment", events.Key{Entity: events.EntityPayment, ID: "qb-1"},
		map[string]any{"invoice": w.open(t), "amount": money("12.50", "EUR")}))

	_, refund := w.upTo(t, "refund")
	made := w.mustApply(t, refund)
	require.NoError(t, w.box.RefundTurns(made.ID, "requires_action"))
	refund.Op, refund.ExternalID = events.DesiredVoid, made.ID
	require.Equal(t, events.EffectVoided, w.mustApply(t, refund).Effect)

	w.read(t, "payment", w.box.Payments(w.invoicePaid(t))[0])
	link := w.makers()["payment_link"](t)
	_, err = w.box.PayLink(link)
	require.NoError(t, err)
	for id := range w.objects(t)["session"].(map[string]any) {
		w.read(t, "payment", id)
	}
	for id := range w.objects(t)["charge"].(map[string]any) {
		w.read(t, "payment", id)
		break
	}
	w.read(t, "product", w.price)
	require.Contains(t, string(w.read(t, "invoice", w.long(t))[0].Fields["lines"]), "Line 24")
	_, err = w.Scanner.Scan(t.Context(), connector.Scan{Feed: "payment", Until: w.clock.now(), Token: "1:"})
	require.NoError(t, err)
	require.NoError(t, w.Target.Check(t.Context()))
	tap.Report(t)
}

// invoicePaid pays an invoice and returns its id.
func (w world) invoicePaid(t testing.TB) string {
	t.Helper()
	id := w.open(t)
	require.NoError(t, w.box.Pay(id, 0))
	return id
}

// long is an invoice with more lines than an answer holds.
func (w world) long(t testing.TB) string {
	t.Helper()
	id := w.post(t, "/v1/invoices", "collection_method=send_invoice&days_until_due=30&currency=eur&customer="+w.customer)
	for n := range 25 {
		w.post(t, "/v1/invoiceitems", "amount=100&currency=eur&description=Line+"+strconv.Itoa(n)+"&customer="+w.customer+"&invoice="+id)
	}
	return id
}
