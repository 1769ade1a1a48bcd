package netsuite_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
)

func allocation(doc any, amount string) map[string]any {
	return map[string]any{"doc": doc, "amount": json.Number(amount)}
}

// TestPaymentOverSeveralInvoices: one payment settles two invoices in full and
// one in part; repeating it, and moving a part, never settles anything twice.
func TestPaymentOverSeveralInvoices(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	customerID, itemID := b.stock(t)
	var invoices []string
	for _, id := range []string{"a", "b", "c"} {
		invoices = append(invoices, b.apply(t, invoiceFor(id, customerID, itemID)).ID) // 100 EUR each
	}
	doc := payment("9", customerID)
	doc.Fields = with(doc, map[string]any{"payment": json.Number("250"), "apply": []any{
		allocation(invoices[0], "100"), allocation(invoices[1], "100.00"), allocation(invoices[2], "30.05"),
	}})
	paid := b.apply(t, doc)
	doc.ExternalID = paid.ID
	b.apply(t, doc)

	state := func() (left, status []string) {
		for _, r := range b.box.Records("invoice") {
			left, status = append(left, r.Text("amountRemaining")), append(status, r.Text("status"))
		}
		return left, status
	}
	left, status := state()
	require.Equal(t, []string{"0.00", "0.00", "69.95"}, left)
	require.Equal(t, []string{"B", "B", "A"}, status)
	require.Equal(t, "19.95", b.box.Payments()[0].Unapplied)

	doc.Fields = with(doc, map[string]any{"apply": []any{allocation(invoices[2], "100")}})
	b.apply(t, doc)
	left, _ = state()
	require.Equal(t, []string{"100.00", "100.00", "0.00"}, left)
	require.Len(t, b.box.Payments(), 1)
}

// TestLostAnswerOnTransformMakesNoSecondInvoice: the call bills whatever is
// billable, so it must not be made again while the first one may have been.
func TestLostAnswerOnTransformMakesNoSecondInvoice(t *testing.T) {
	t.Parallel()
	const transform = "transform salesOrder to invoice"
	for name, f := range map[string]sandbox.Fault{
		"lost": {Op: transform, Kind: sandbox.FaultLost, Count: 1},
		"cut":  {Op: transform, Kind: sandbox.FaultDown, Count: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			customerID, itemID := b.stock(t)
			doc := invoiceOf("77", b.apply(t, order("77", customerID, itemID)).ID)
			b.box.Inject(f)
			require.Equal(t, fault.Ambiguous, fault.KindOf(b.refuse(t, doc)))

			found, ok, err := b.target.Find(t.Context(), doc)
			require.NoError(t, err)
			require.Equal(t, name == "lost", ok)
			got := b.apply(t, doc) // and again without the id, as after a crash
			again := b.apply(t, doc)

			require.Equal(t, got.ID, again.ID)
			if ok {
				require.Equal(t, found.ID, got.ID)
			}
			invoices := b.box.Records("invoice")
			require.Len(t, invoices, 1)
			require.Equal(t, "spoke-deal-77", invoices[0].ExternalID)
			require.Equal(t, "149.70", invoices[0].Text("total"))
			require.Equal(t, "Billed", b.box.Orders()[0].Status)
			require.Equal(t, events.Fields{
				"number": json.RawMessage(`"INV1001"`), "status": json.RawMessage(`"open"`),
				"total":      json.RawMessage(`{"amount":"149.70","currency":"EUR"}`),
				"amountDue":  json.RawMessage(`{"amount":"149.70","currency":"EUR"}`),
				"amountPaid": json.RawMessage(`{"amount":"0","currency":"EUR"}`),
				"issuedOn":   again.Seen["issuedOn"], "dueOn": json.RawMessage(`null`), "memo": json.RawMessage(`"Deal 77"`),
				"company": customerLink(customerID),
			}, again.Seen)
		})
	}
}

func TestTransformsThatNetSuiteRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	customerID, itemID := b.stock(t)
	pending := order("77", customerID, itemID)
	pending.Fields = with(pending, map[string]any{"orderStatus": "A"})
	f := fault.As(b.refuse(t, invoiceOf("77", b.apply(t, pending).ID)))
	require.Equal(t, fault.Rejected, f.Kind, "an order that is not approved is not billable")

	f = fault.As(b.refuse(t, invoiceOf("78", "4711")))
	require.Equal(t, fault.Rejected, f.Kind)
	require.Equal(t, "createdFrom", f.Field)
	require.Contains(t, f.Hint, "restore")

	both := invoiceOf("79", "1")
	both.Fields = with(both, map[string]any{"item": []any{map[string]any{"item": itemID}}})
	f = fault.As(b.refuse(t, both))
	require.Equal(t, fault.Malformed, f.Kind)
	require.Contains(t, f.Hint, "either createdFrom or item")

	f = fault.As(b.refuse(t, document("invoice", events.EntityInvoice, events.EntityInvoice, "80", map[string]any{"memo": "x"})))
	require.Equal(t, fault.Rejected, f.Kind)
	require.Equal(t, "entity", f.Field)
	require.Empty(t, b.box.Records("invoice"))
}

// TestRefundPath: a refund is credited on the item of the settings, then paid
// out of their account, both once.
func TestRefundPath(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *netsuitebox.Options, s *netsuite.Settings) {
		s.Refunds = &netsuite.Refunds{Item: "1001", Account: "4", PaymentOption: "2"}
	})
	itemID, err := b.box.AddItem("CREDIT", "Credit", events.MustDecimal("0"))
	require.NoError(t, err)
	require.Equal(t, "1001", itemID)
	customerID := b.apply(t, customer("1", "Acme")).ID
	memo := document("creditMemo", events.EntityCreditNote, events.EntityRefund, "re_1", map[string]any{
		"entity": customerID, "currency": "EUR", "item": []any{map[string]any{"quantity": json.Number("1"), "rate": json.Number("30")}},
	})
	credited := b.apply(t, memo)
	require.JSONEq(t, `"open"`, string(credited.Seen["status"]))
	out := document("customerRefund", events.EntityRefund, events.EntityRefund, "re_1", map[string]any{
		"customer": customerID, "currency": "EUR", "apply": []any{allocation(credited.ID, "30")},
	})
	paid := b.apply(t, out)
	for _, doc := range []connector.Document{memo, out} {
		b.apply(t, doc)
	}

	refunds, credits := b.box.Records("customerRefund"), b.box.Records("creditMemo")
	require.Len(t, refunds, 1)
	require.Len(t, credits, 1)
	require.Equal(t, paid.ID, refunds[0].ID)
	require.Equal(t, []string{"30", "4", "2"}, []string{refunds[0].Text("total"), refunds[0].Text("account"), refunds[0].Text("paymentOption")})
	require.Equal(t, []string{"B", "0.00"}, []string{credits[0].Text("status"), credits[0].Text("amountRemaining")})
	require.Equal(t, "1001", credits[0].Lines("item")[0]["item"])

	out.Fields = with(out, map[string]any{"apply": []any{}})
	require.Equal(t, "apply", fault.As(b.refuse(t, out)).Field, "a refund of nothing")
	none := setup(t, nil)
	memo.Fields = with(memo, map[string]any{"entity": none.apply(t, customer("1", "Acme")).ID})
	require.Equal(t, "item[0].item", fault.As(none.refuse(t, memo)).Field, "without the setting a credit needs its item")
}

// TestCreditFromInvoice: a credit memo made from an invoice settles it.
func TestCreditFromInvoice(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	customerID, itemID := b.stock(t)
	invoice := b.apply(t, invoiceFor("a", customerID, itemID))
	memo := document("creditMemo", events.EntityCreditNote, events.EntityCreditNote, "1", map[string]any{"createdFrom": invoice.ID})
	b.box.Inject(sandbox.Fault{Op: "transform invoice to creditMemo", Kind: sandbox.FaultLost, Count: 1})
	require.Equal(t, fault.Ambiguous, fault.KindOf(b.refuse(t, memo)))
	require.JSONEq(t, `"applied"`, string(b.apply(t, memo).Seen["status"]))
	require.Len(t, b.box.Records("creditMemo"), 1)
	require.Equal(t, "B", b.box.Records("invoice")[0].Text("status"))
}

// TestBilledLinesAreKept: lines of which something was billed are patched, not
// replaced, and never taken away.
func TestBilledLinesAreKept(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	customerID, itemID := b.stock(t)
	second, err := b.box.AddItem("GADGET", "Gadget", events.MustDecimal("5"))
	require.NoError(t, err)
	line := func(item, quantity, rate string) map[string]any {
		return map[string]any{"item": item, "quantity": json.Number(quantity), "rate": json.Number(rate)}
	}
	doc := order("77", customerID, itemID)
	change := func(lines ...any) { doc.Fields = with(doc, map[string]any{"item": lines}) }
	change(line(itemID, "2", "10"))
	doc.ExternalID = b.apply(t, doc).ID
	_, err = b.box.Bill(doc.ExternalID)
	require.NoError(t, err)
	b.apply(t, doc)
	require.Equal(t, "Billed", b.box.Orders()[0].Status, "a repeat changes nothing")

	change(line(itemID, "5", "10"), line(second, "1", "7"))
	b.apply(t, doc)
	b.apply(t, doc)
	got := b.box.Orders()[0]
	require.Len(t, got.Lines, 2)
	require.Equal(t, []string{"5", "57.00"}, []string{got.Lines[0].Quantity, got.Total})

	change(line(itemID, "5", "10"))
	b.apply(t, doc)
	require.True(t, b.box.Orders()[0].Lines[1].Closed, "what is not wanted any more is closed")

	change(line(itemID, "5", "10"), line(second, "3", "7"))
	b.apply(t, doc)
	require.False(t, b.box.Orders()[0].Lines[1].Closed, "and opened when it is wanted again")

	change(line(second, "3", "7"))
	f := fault.As(b.refuse(t, doc))
	require.Equal(t, fault.Rejected, f.Kind)
	require.Equal(t, "item[0]", f.Field)
	require.Contains(t, f.Hint, "credit or return the line")
	require.Equal(t, "5", b.box.Orders()[0].Lines[0].Quantity, "nothing was written")

	change(line(itemID, "1", "10"), line(second, "3", "7"))
	f = fault.As(b.refuse(t, doc))
	require.Equal(t, "item[0].quantity", f.Field, "less than what was billed")
}

func TestTaxDetailsNeedSuiteTax(t *testing.T) {
	t.Parallel()
	taxed := func(b *bundle) connector.Document {
		customerID, itemID := b.stock(t)
		doc := order("77", customerID, itemID)
		doc.Fields = with(doc, map[string]any{
			"taxDetailsOverride": true,
			"item":               []any{map[string]any{"item": itemID, "rate": json.Number("10"), "taxDetailsReference": "1"}},
			"taxDetails": []any{map[string]any{
				"taxDetailsReference": "1", "taxType": "1", "taxCode": "2", "taxBasis": json.Number("10"), "taxRate": json.Number("19"), "taxAmount": json.Number("1.90"),
			}},
		})
		return doc
	}
	legacy := setup(t, nil)
	f := fault.As(legacy.refuse(t, taxed(legacy)))
	require.Equal(t, fault.Rejected, f.Kind)
	require.Equal(t, "taxDetails", f.Field)
	require.Contains(t, f.Hint, "let NetSuite compute the tax")
	require.Empty(t, legacy.box.Orders())

	suite := setup(t, func(o *netsuitebox.Options, _ *netsuite.Settings) { o.SuiteTax = true })
	doc := taxed(suite)
	suite.apply(t, doc)
	suite.apply(t, doc)
	require.Len(t, suite.box.Records("salesOrder")[0].Lines("taxDetails"), 1)
	require.Equal(t, 1, suite.box.Counts().Calls["metadata"])
}
