package netsuite_test

import (
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

// flowsOf compiles the default flows of a connection with the settings.
func flowsOf(t *testing.T, s *netsuite.Settings) (set *mapping.Set, names []string) {
	t.Helper()
	kind := netsuite.Kind().For(s)
	var files []mapping.File
	require.NoError(t, fs.WalkDir(kind.Flows, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(kind.Flows, path)
		names = append(names, path)
		files = append(files, mapping.File{Name: path, Text: text, Connections: []string{"erp"}})
		return err
	}))
	set, err := mapping.Compile(files, []mapping.Target{{Name: "erp", Kind: kind}})
	require.NoError(t, err)
	return set, names
}

func allFlows() *netsuite.Settings {
	return &netsuite.Settings{
		Items: &netsuite.Items{IncomeAccount: "1"}, Invoices: "order", DisputeTasks: true,
		Refunds: &netsuite.Refunds{Item: "1", Account: "2", PaymentOption: "3"},
	}
}

// TestDefaultFlows: what a bookkeeper has to decide is only there when the
// settings say what was decided.
func TestDefaultFlows(t *testing.T) {
	t.Parallel()
	_, names := flowsOf(t, &netsuite.Settings{})
	require.Equal(t, []string{"contact.yaml", "customer-payment.yaml", "customer.yaml", "item.yaml", "sales-order.yaml"}, names)
	_, names = flowsOf(t, allFlows())
	require.Equal(t, []string{
		"contact.yaml", "credit-memo.yaml", "customer-payment-applied.yaml", "customer-refund.yaml", "customer.yaml",
		"dispute-task.yaml", "invoice.yaml", "item-sync.yaml", "sales-order.yaml",
	}, names)
}

func record(key events.Key, fields map[string]any) *events.Record {
	r := &events.Record{Key: key, Fields: map[string]events.Field{}}
	set := events.Fields{}
	for k, v := range fields {
		set.Set(k, v)
	}
	for k, v := range set {
		r.Fields[k] = events.Field{Value: v}
	}
	return r
}

func eur(t *testing.T, amount string) events.Money {
	t.Helper()
	m, err := events.NewMoney(amount, "EUR")
	require.NoError(t, err)
	return m
}

// TestFlowsOfMoney: a payment names each invoice that it pays, an invoice and a
// refund the object of the same record that they follow from.
func TestFlowsOfMoney(t *testing.T) {
	t.Parallel()
	set, _ := flowsOf(t, allFlows())
	key := func(entity events.Entity, id string) events.Key { return events.Key{Entity: entity, ID: id} }
	link := func(entity events.Entity, id string) events.Link { return events.Link{Record: key(entity, id)} }
	ref := func(object string, entity events.Entity, id string) events.Ref {
		return events.Ref{Object: object, Record: key(entity, id)}
	}
	for _, c := range []struct {
		flow   string
		record *events.Record
		want   map[string]any
	}{
		{"netsuite-customer-payment", record(key(events.EntityPayment, "pi_1"), map[string]any{
			"status": "succeeded", "company": link(events.EntityCompany, "9"), "amount": eur(t, "150"), "receivedOn": "2026-11-20",
			"applied": []events.Applied{
				{Invoice: link(events.EntityDeal, "77"), Amount: eur(t, "100")}, {Invoice: link(events.EntityDeal, "78"), Amount: eur(t, "49.50")},
			},
		}), map[string]any{
			"customer": ref("customer", events.EntityCompany, "9"), "payment": json.Number("150"), "currency": "EUR", "tranDate": "2026-11-20",
			"apply": []any{
				map[string]any{"doc": ref("invoice", events.EntityDeal, "77"), "amount": json.Number("100")},
				map[string]any{"doc": ref("invoice", events.EntityDeal, "78"), "amount": json.Number("49.5")},
			},
		}},
		{"netsuite-invoice", record(key(events.EntityDeal, "77"), map[string]any{"won": true}), map[string]any{
			"createdFrom": ref("salesOrder", events.EntityDeal, "77"),
		}},
		{"netsuite-credit-memo", record(key(events.EntityRefund, "re_1"), map[string]any{
			"status": "succeeded", "company": link(events.EntityCompany, "9"), "amount": eur(t, "30"), "reason": "damaged",
		}), map[string]any{
			"entity": ref("customer", events.EntityCompany, "9"), "currency": "EUR",
			"item": []any{map[string]any{"quantity": json.Number("1"), "rate": json.Number("30"), "description": "damaged"}},
		}},
		{"netsuite-customer-refund", record(key(events.EntityRefund, "re_1"), map[string]any{
			"status": "succeeded", "company": link(events.EntityCompany, "9"), "amount": eur(t, "30"),
		}), map[string]any{
			"customer": ref("customer", events.EntityCompany, "9"), "currency": "EUR",
			"apply": []any{map[string]any{"doc": ref("creditMemo", events.EntityRefund, "re_1"), "amount": json.Number("30")}},
		}},
		{"netsuite-dispute-task", record(key(events.EntityDispute, "dp_1"), map[string]any{
			"status": "open", "reference": "dp_1", "amount": eur(t, "12.50"), "reason": "fraudulent", "company": link(events.EntityCompany, "9"),
		}), map[string]any{
			"title": "Disputed payment dp_1", "message": "open: 12.50 EUR fraudulent", "company": ref("customer", events.EntityCompany, "9"),
		}},
	} {
		f, ok := set.Find(c.flow)
		require.True(t, ok, c.flow)
		applies, err := f.Applies(c.record)
		require.NoError(t, err)
		require.True(t, applies, c.flow)
		got, err := f.Fields(c.record)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(c.want, got), c.flow)
	}
}

func TestKindFollowsTheSettings(t *testing.T) {
	t.Parallel()
	plain, item := netsuite.Kind(), func(k connector.Kind) connector.Object {
		o, ok := k.Object("item")
		require.True(t, ok)
		return o
	}
	require.False(t, item(plain).Can.Has(connector.Create))
	require.True(t, item(plain.For(allFlows())).Can.Has(connector.Create|connector.Update|connector.Read))
	require.Equal(t, plain.Objects[0].Name, plain.For(nil).Objects[0].Name, "other settings change nothing")
	for _, k := range []connector.Kind{plain, plain.For(machines())} {
		for _, o := range k.Objects {
			if o.Can.Has(connector.Read) {
				require.True(t, k.Polled(o.Name) && k.Backfilled(o.Name), o.Name)
			}
		}
	}
	_, ok := plain.For(machines()).Object("customrecord_machine")
	require.True(t, ok)
}

func machines() *netsuite.Settings {
	return &netsuite.Settings{CustomRecords: []netsuite.CustomRecord{{
		Type: "customrecord_machine", Entity: "x_machine", TypeID: "117",
		Fields: []netsuite.CustomField{
			{Name: "custrecord_serial", Required: true},
			{Name: "custrecord_owner", Type: "ref", Ref: "customer"},
			{Name: "custrecord_hours", Type: "decimal"},
			{Name: "custrecord_leased", Type: "bool"},
			{Name: "custrecord_built", Type: "date"},
		},
	}}}
}
