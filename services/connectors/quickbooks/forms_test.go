package quickbooks_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

// form is a document for a sales form of one line.
func form(object string, entity events.Entity, id, customer, item, amount string) connector.Document {
	return document(object, key(entity, id), map[string]any{
		"CustomerRef": customer, "TxnDate": "2026-11-20", "Line": []any{map[string]any{"ItemRef": item, "Amount": usd(amount)}},
	})
}

func credit(customer, item, amount string, apply ...any) connector.Document {
	doc := form("CreditMemo", events.EntityCreditNote, "9", customer, item, amount)
	if len(apply) > 0 {
		doc.Fields["Apply"] = apply
	}
	return doc
}

func part(invoice, amount string) map[string]any {
	return map[string]any{"InvoiceRef": invoice, "Amount": usd(amount)}
}

// balances are the open amounts of all invoices by id.
func balances(t testing.TB, b *bundle) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, o := range b.box.Invoices() {
		all[text(o["Id"])] = text(o["Balance"])
	}
	return all
}

func text(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case interface{ String() string }:
		return x.String()
	}
	return ""
}

// twoInvoices are of 30 and 50.
func twoInvoices(t testing.TB, b *bundle) (customer, item, first, second string) {
	t.Helper()
	customer, item = b.sale(t)
	first = b.must(t, invoice(customer, item, "71", map[string]any{"Amount": usd("30")})).ID
	second = b.must(t, invoice(customer, item, "72", map[string]any{"Amount": usd("50")})).ID
	return customer, item, first, second
}

func TestPaymentOverSeveralInvoicesMovesEachBalance(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, _, first, second := twoInvoices(t, b)
	doc := document("Payment", key(events.EntityPayment, "5"), map[string]any{
		"CustomerRef": customer, "TotalAmt": usd("75"), "TxnDate": "2026-11-21", "Line": []any{part(first, "30"), part(second, "40")},
	})
	doc.ExternalID = b.must(t, doc).ID
	require.Equal(t, map[string]string{first: "0.00", second: "10.00"}, balances(t, b))
	require.Equal(t, "5.00", text(b.box.Payments()[0]["UnappliedAmt"]))

	// The source moves a part from one invoice to the other.
	doc.Fields["Line"] = []any{part(first, "20"), part(second, "50")}
	require.Equal(t, events.EffectUpdated, b.must(t, doc).Effect)
	require.Equal(t, map[string]string{first: "10.00", second: "0.00"}, balances(t, b))
	require.Equal(t, events.EffectUnchanged, b.must(t, doc).Effect)

	doc.Op = events.DesiredVoid
	require.Equal(t, events.EffectVoided, b.must(t, doc).Effect)
	require.Equal(t, map[string]string{first: "30.00", second: "50.00"}, balances(t, b))
	require.Equal(t, 1, b.box.Counts().Total("Payment created"))
}

func TestPaymentLineOfAnotherInvoice(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	doc := document("Payment", key(events.EntityPayment, "5"), map[string]any{
		"CustomerRef": "1", "TotalAmt": usd("10"), "InvoiceRef": "2", "Line": []any{part("3", "10")},
	})
	require.Equal(t, "InvoiceRef", requireFault(t, b.apply(t, doc).Err, fault.Malformed, "").Field)
	require.Zero(t, b.box.Counts().TotalCalls())
}

func TestCreditMemoIsApplied(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, item, first, second := twoInvoices(t, b)
	doc := credit(customer, item, "60", part(first, "30"), part(second, "10"))
	r := b.must(t, doc)
	require.Equal(t, events.EffectCreated, r.Effect)
	require.Equal(t, "20.00 USD", r.Seen.Money("remaining").String())
	require.Equal(t, "open", r.Seen.Text("status"))
	require.Equal(t, map[string]string{first: "0.00", second: "40.00"}, balances(t, b))

	// The answer got lost: the same try, and one when its key is forgotten.
	require.Equal(t, r.ID, b.must(t, doc).ID)
	late := doc
	late.IdempotencyKey, late.First = "forgotten", time.Now().Add(-21*time.Hour)
	require.Equal(t, r.ID, b.must(t, late).ID)
	require.Equal(t, 1, b.box.Counts().Total("CreditMemo created"))
	require.Equal(t, 1, b.box.Counts().Total("Payment created"))

	doc.ExternalID = r.ID
	require.Equal(t, events.EffectUnchanged, b.must(t, doc).Effect)
	doc.Fields["Apply"] = []any{part(first, "10"), part(second, "50")}
	r = b.must(t, doc)
	require.Equal(t, events.EffectUpdated, r.Effect)
	require.Equal(t, "0.00 USD", r.Seen.Money("remaining").String())
	require.Equal(t, "applied", r.Seen.Text("status"))
	require.Equal(t, map[string]string{first: "20.00", second: "0.00"}, balances(t, b))
	require.Equal(t, 1, b.box.Counts().Total("Payment created"))

	doc.Op = events.DesiredDelete
	require.Contains(t, requireFault(t, b.apply(t, doc).Err, fault.Rejected, "").Hint, "the credit off its invoices")
	require.Len(t, b.box.List("CreditMemo"), 1)

	// The payment that applies the credit stands for no record.
	changes, err := b.Reader.Read(t.Context(), "Payment", []string{text(b.box.Payments()[0]["Id"])})
	require.NoError(t, err)
	require.True(t, changes[0].Marked)
	require.Equal(t, events.Key{}, changes[0].Record)
}

func TestCreditMemoAppliedByHand(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, item, first, second := twoInvoices(t, b)
	doc := credit(customer, item, "30")
	doc.ExternalID = b.must(t, doc).ID
	_, err := b.box.Add("Payment", map[string]any{
		"CustomerRef": map[string]any{"value": customer}, "TotalAmt": 0, "Line": []any{
			map[string]any{"Amount": 30, "LinkedTxn": []any{map[string]any{"TxnId": doc.ExternalID, "TxnType": "CreditMemo"}}},
			map[string]any{"Amount": 30, "LinkedTxn": []any{map[string]any{"TxnId": first, "TxnType": "Invoice"}}},
		},
	})
	require.NoError(t, err)
	doc.Fields["Apply"] = []any{part(first, "30")}
	require.Equal(t, events.EffectUnchanged, b.must(t, doc).Effect)
	doc.Fields["Apply"] = []any{part(second, "30")}
	f := requireFault(t, b.apply(t, doc).Err, fault.Rejected, "")
	require.Equal(t, "Apply", f.Field)
	require.NotEmpty(t, f.Hint)
	require.Equal(t, map[string]string{first: "0.00", second: "50.00"}, balances(t, b))
}

func TestCreditMemoAppliedBeyondItself(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, item, first, second := twoInvoices(t, b)
	f := requireFault(t, b.apply(t, credit(customer, item, "20", part(first, "30"))).Err, fault.Rejected, "")
	require.Equal(t, "Apply", f.Field)
	// More than the invoice has open is QuickBooks's to refuse.
	f = requireFault(t, b.apply(t, credit(customer, item, "90", part(second, "60"))).Err, fault.Rejected, "")
	require.Equal(t, "Apply", f.Field)
	require.Equal(t, map[string]string{first: "30.00", second: "50.00"}, balances(t, b))
}

func TestVoidOfSalesForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		object string
		entity events.Entity
	}{
		{"Estimate", events.EntityQuote},
		{"SalesReceipt", events.EntityOrder},
		{"CreditMemo", events.EntityCreditNote},
		{"RefundReceipt", events.EntityRefund},
	} {
		t.Run(c.object, func(t *testing.T) {
			t.Parallel()
			b := setup(t, quickbooksbox.Options{})
			customer, item := b.sale(t)
			doc := form(c.object, c.entity, "9", customer, item, "12.50")
			doc.ExternalID = b.must(t, doc).ID
			doc.Op = events.DesiredVoid
			if c.object == "SalesReceipt" {
				r := b.must(t, doc)
				require.Equal(t, events.EffectVoided, r.Effect)
				require.Equal(t, "void", r.Seen.Text("status"))
				require.Equal(t, events.EffectUnchanged, b.must(t, doc).Effect)
			} else {
				require.Contains(t, requireFault(t, b.apply(t, doc).Err, fault.Rejected, "").Hint, "on_leave: delete")
			}
			doc.Op = events.DesiredDelete
			require.Equal(t, events.EffectDeleted, b.must(t, doc).Effect)
			require.Empty(t, b.box.List(c.object))
		})
	}
}

func TestEstimateStates(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, item := b.sale(t)
	doc := form("Estimate", events.EntityQuote, "9", customer, item, "10")
	doc.ExternalID = b.must(t, doc).ID
	for _, c := range [][3]string{
		{"open", "Pending", "open"}, {"accepted", "Accepted", "accepted"}, {"Rejected", "Rejected", "rejected"}, {"expired", "Closed", ""},
	} {
		doc.Fields["TxnStatus"] = c[0]
		r := b.must(t, doc)
		require.Equal(t, c[1], b.box.List("Estimate")[0]["TxnStatus"])
		require.Equal(t, c[2], r.Seen.Text("status"))
	}
	doc.Fields["TxnStatus"] = "maybe"
	require.Equal(t, "TxnStatus", requireFault(t, b.apply(t, doc).Err, fault.Malformed, "").Field)
}

func TestRefundNeedsAnAccount(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{}, func(s *quickbooks.Settings) { s.DepositAccount = "" })
	customer, item := b.sale(t)
	f := requireFault(t, b.apply(t, form("RefundReceipt", events.EntityRefund, "9", customer, item, "10")).Err, fault.Rejected, "")
	require.Equal(t, "DepositToAccountRef", f.Field)
	require.Contains(t, f.Hint, "refund_account")
	require.Zero(t, b.box.Counts().Total("RefundReceipt created"))
}
