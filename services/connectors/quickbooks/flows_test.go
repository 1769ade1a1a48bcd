package quickbooks_test

import (
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/mapping"
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
	require.Equal(t, []string{"customer.yaml", "invoice.yaml", "item.yaml", "payment.yaml"}, names)
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
