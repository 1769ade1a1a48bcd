package quickbooks_test

import (
	"io/fs"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/mapping"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

// flowsOf compiles the default flows of a kind.
func flowsOf(t *testing.T, kind connector.Kind) (set *mapping.Set, names []string) {
	t.Helper()
	var files []mapping.File
	require.NoError(t, fs.WalkDir(kind.Flows, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(kind.Flows, path)
		names = append(names, path)
		files = append(files, mapping.File{Name: path, Text: text, Connections: []string{"quickbooks"}})
		return err
	}))
	set, err := mapping.Compile(files, []mapping.Target{{Name: "quickbooks", Kind: kind}})
	require.NoError(t, err)
	return set, names
}

func TestDefaultFlows(t *testing.T) {
	t.Parallel()
	_, names := flowsOf(t, quickbooks.Kind())
	always := []string{"credit-memo.yaml", "customer.yaml", "estimate.yaml", "invoice-record.yaml", "invoice.yaml", "item.yaml", "payment.yaml"}
	require.Equal(t, always, names)
	for as, name := range map[string]string{"": "refund-receipt.yaml", "RefundReceipt": "refund-receipt.yaml", "CreditMemo": "refund-credit.yaml"} {
		s := quickbooks.DefaultSettings()
		s.Refunds = &quickbooks.Refunds{As: as, Item: "21"}
		_, names := flowsOf(t, quickbooks.Kind().For(s))
		require.Equal(t, append(slices.Clone(always), name), names)
	}
}

// A refund becomes what the settings say, of the amount that was given back
// and not a cent of tax more.
func TestRefundFlow(t *testing.T) {
	t.Parallel()
	for _, object := range []string{"RefundReceipt", "CreditMemo"} {
		t.Run(object, func(t *testing.T) {
			t.Parallel()
			b := setup(t, quickbooksbox.Options{SalesTax: "8.25"})
			customer, item := b.sale(t)
			b.settings.Refunds = &quickbooks.Refunds{As: object, Item: item}
			b.Connector = open(t, b.settings, b.store)
			set, _ := flowsOf(t, quickbooks.Kind().For(b.settings))
			f, ok := set.Find("quickbooks-refund")
			require.True(t, ok)
			r := record(key(events.EntityRefund, "re_1"), map[string]any{
				"status": "succeeded", "company": events.Link{Record: key(events.EntityCompany, "11")}, "refundedOn": "2026-11-22",
				"amount": events.Money{Amount: events.MustDecimal("10.83"), Currency: "USD"}, "reason": "damaged", "reference": "re_3MtwBwLkdIwHu7ix28a3tqPa",
			})
			applies, err := f.Applies(r)
			require.NoError(t, err)
			require.True(t, applies)
			fields, err := f.Fields(r)
			require.NoError(t, err)
			fields["CustomerRef"] = customer
			doc := document(object, r.Key, fields)
			doc.ExternalID = b.must(t, doc).ID
			require.Equal(t, events.EffectUnchanged, b.must(t, doc).Effect)
			made := b.box.List(object)
			require.Len(t, made, 1)
			require.Equal(t, "10.83", text(made[0]["TotalAmt"]))
			require.Contains(t, made[0]["PrivateNote"], "re_3MtwBwLkdIwHu7ix28a3tqPa")
			line := made[0]["Line"].([]any)[0].(map[string]any)["SalesItemLineDetail"].(map[string]any)
			require.Equal(t, map[string]any{"value": item}, line["ItemRef"])
			require.Equal(t, map[string]any{"value": "NON"}, line["TaxCodeRef"])
		})
	}
}

func record(k events.Key, fields map[string]any) *events.Record {
	set := events.Fields{}
	for name, v := range fields {
		set.Set(name, v)
	}
	r := &events.Record{Key: k, Fields: map[string]events.Field{}}
	for name, v := range set {
		r.Fields[name] = events.Field{Value: v}
	}
	return r
}

func TestPaymentFlow(t *testing.T) {
	t.Parallel()
	set, _ := flowsOf(t, quickbooks.Kind())
	f, ok := set.Find("quickbooks-payment")
	require.True(t, ok)
	money := func(s string) events.Money { return events.Money{Amount: events.MustDecimal(s), Currency: "USD"} }
	deal := func(id string) events.Link { return events.Link{Record: key(events.EntityDeal, id)} }
	inv := func(id string) events.Ref { return events.Ref{Object: "Invoice", Record: key(events.EntityDeal, id)} }
	paid := func(more map[string]any) *events.Record {
		fields := map[string]any{"status": "succeeded", "company": events.Link{Record: key(events.EntityCompany, "9")}, "amount": money("150.00")}
		for name, v := range more {
			fields[name] = v
		}
		return record(key(events.EntityPayment, "5"), fields)
	}
	several := []events.Applied{{Invoice: deal("77"), Amount: money("100.00")}, {Invoice: deal("78"), Amount: money("49.50")}}
	lines := []any{map[string]any{"InvoiceRef": inv("77"), "Amount": usd("100")}, map[string]any{"InvoiceRef": inv("78"), "Amount": usd("49.5")}}
	cases := map[string]struct {
		record *events.Record
		want   map[string]any // nil where the flow leaves the payment alone
	}{
		"several invoices": {paid(map[string]any{"applied": several}), map[string]any{"Line": lines}},
		"one of a part": {
			paid(map[string]any{"invoice": deal("77"), "applied": several[:1]}),
			map[string]any{"InvoiceRef": inv("77"), "Line": lines[:1]},
		},
		"one that is told alone": {paid(map[string]any{"invoice": deal("77")}), map[string]any{"InvoiceRef": inv("77")}},
		"no invoice":             {paid(map[string]any{"applied": []events.Applied{}}), nil},
		"nothing told":           {paid(nil), nil},
		"pending":                {paid(map[string]any{"status": "pending", "applied": several}), nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			applies, err := f.Applies(c.record)
			require.NoError(t, err)
			require.Equal(t, c.want != nil, applies)
			if c.want == nil {
				return
			}
			got, err := f.Fields(c.record)
			require.NoError(t, err)
			c.want["CustomerRef"] = events.Ref{Object: "Customer", Record: key(events.EntityCompany, "9")}
			c.want["TotalAmt"] = usd("150")
			require.Empty(t, cmp.Diff(c.want, got))
		})
	}
}
