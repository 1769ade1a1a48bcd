package mapping_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// targets are an ERP, the hub, and two accounts at one payment vendor.
func targets() []mapping.Target {
	erp := connector.Kind{
		Name: "erp", Title: "ERP",
		Objects: []connector.Object{
			{Name: "customer", Entity: events.EntityCompany, Can: connector.Create | connector.Update, Fields: []connector.Field{
				{Name: "name", Type: connector.FieldString, Required: true},
			}},
			{Name: "item", Entity: events.EntityProduct, Can: connector.Create | connector.Update},
			{
				Name: "order", Entity: events.EntityOrder, Can: connector.Create | connector.Update,
				Fields: []connector.Field{
					{Name: "customer", Type: connector.FieldRef, Ref: "customer", Required: true},
					{Name: "memo", Type: connector.FieldString},
					{Name: "total", Type: connector.FieldMoney},
					{Name: "rate", Type: connector.FieldDecimal},
					{Name: "urgent", Type: connector.FieldBool},
					{Name: "lines", Type: connector.FieldList, Fields: []connector.Field{
						{Name: "item", Type: connector.FieldRef, Ref: "item"},
						{Name: "quantity", Type: connector.FieldDecimal, Required: true},
						{Name: "rate", Type: connector.FieldDecimal},
					}},
				},
				Open: func(name string) bool { return strings.HasPrefix(name, "cust_") },
			},
		},
	}
	hub := connector.Kind{
		Name: "hub", Title: "Hub", Hub: true,
		Objects: []connector.Object{
			{Name: "deal", Entity: events.EntityDeal, Can: connector.Create | connector.Update, Open: func(string) bool { return true }},
		},
	}
	pay := connector.Kind{
		Name: "pay", Title: "Pay",
		Objects: []connector.Object{
			{Name: "customer", Entity: events.EntityCompany, Can: connector.Create | connector.Update, Fields: []connector.Field{
				{Name: "name", Type: connector.FieldString, Required: true},
			}},
			{Name: "bill", Entity: events.EntityInvoice, Can: connector.Create | connector.Update, Fields: []connector.Field{
				{Name: "customer", Type: connector.FieldRef, Ref: "customer", Required: true},
				{Name: "total", Type: connector.FieldMoney},
			}},
		},
	}
	return []mapping.Target{{Name: "erp", Kind: erp}, {Name: "hub", Kind: hub}, {Name: "pay_eu", Kind: pay}, {Name: "pay_us", Kind: pay}}
}

const orderFlow = `flow: deal-to-order
from: deal
when: deal.won && deal.amount.amount > 0
to: erp
object: order
fields:
  customer: ref(deal.company)
  memo: '"Deal " + deal.name'
  total: deal.amount
  cust_region: deal.custom.region
  cust_note: deal.closeDate
  lines:
    each: deal.lines
    as: line
    fields:
      item: ref(line.product)
      quantity: line.quantity
      rate: line.price.amount * line.quantity
`

func deal(fields map[string]any) *events.Record {
	r := &events.Record{Key: events.Key{Entity: events.EntityDeal, ID: "77"}, Fields: map[string]events.Field{}}
	set := events.Fields{}
	for k, v := range fields {
		set.Set(k, v)
	}
	for k, v := range set {
		r.Fields[k] = events.Field{Value: v}
	}
	return r
}

func TestFlowFields(t *testing.T) {
	t.Parallel()
	set, err := mapping.Compile([]mapping.File{{Name: "order.yaml", Text: []byte(orderFlow)}}, targets())
	require.NoError(t, err)
	f, ok := set.Find("deal-to-order")
	require.True(t, ok)
	amount, err := events.NewMoney("2400.50", "EUR")
	require.NoError(t, err)
	price, err := events.NewMoney("12.30", "EUR")
	require.NoError(t, err)
	r := deal(map[string]any{
		"name": "Big one", "won": true, "amount": amount,
		"company":       events.Link{Record: events.Key{Entity: events.EntityCompany, ID: "9"}},
		"custom.region": "north",
		"lines": []events.Line{{
			Product:  events.Link{Record: events.Key{Entity: events.EntityProduct, ID: "5"}},
			Quantity: events.MustDecimal("3"), Price: price,
		}},
	})
	applies, err := f.Applies(r)
	require.NoError(t, err)
	require.True(t, applies)
	got, err := f.Fields(r)
	require.NoError(t, err)
	want := map[string]any{
		"customer":    events.Ref{Object: "customer", Record: events.Key{Entity: events.EntityCompany, ID: "9"}},
		"memo":        "Deal Big one",
		"total":       map[string]any{"amount": "2400.5", "currency": "EUR"},
		"cust_region": "north",
		"lines": []any{map[string]any{
			"item":     events.Ref{Object: "item", Record: events.Key{Entity: events.EntityProduct, ID: "5"}},
			"quantity": json.Number("3"), "rate": json.Number("36.9"),
		}},
	}
	require.Empty(t, cmp.Diff(want, got), "cust_note is left out: the deal has no close date")
}

// TestRefOfTheOwnRecord: an object may point to another one of the same record,
// also from the single line of a list that is written out.
func TestRefOfTheOwnRecord(t *testing.T) {
	t.Parallel()
	const text = "flow: f\nfrom: deal\nto: erp\nobject: order\nfields:\n  customer: ref(record)\n" +
		"  memo: string(deal.amount.amount) + ' ' + deal.amount.currency\n" +
		"  lines:\n    each: '[deal]'\n    as: one\n    fields:\n      item: ref(record)\n      quantity: one.amount.amount\n"
	set, err := mapping.Compile([]mapping.File{{Name: "f.yaml", Text: []byte(text)}}, targets())
	require.NoError(t, err)
	f, _ := set.Find("f")
	amount, err := events.NewMoney("5", "EUR")
	require.NoError(t, err)
	got, err := f.Fields(deal(map[string]any{"amount": amount}))
	require.NoError(t, err)
	self := events.Key{Entity: events.EntityDeal, ID: "77"}
	require.Empty(t, cmp.Diff(map[string]any{
		"customer": events.Ref{Object: "customer", Record: self}, "memo": "5 EUR",
		"lines": []any{map[string]any{"item": events.Ref{Object: "item", Record: self}, "quantity": json.Number("5")}},
	}, got))
}

func TestConditionOnAbsentValueDoesNotHold(t *testing.T) {
	t.Parallel()
	set, err := mapping.Compile([]mapping.File{{Name: "order.yaml", Text: []byte(orderFlow)}}, targets())
	require.NoError(t, err)
	f, _ := set.Find("deal-to-order")
	applies, err := f.Applies(deal(map[string]any{"won": true}))
	require.NoError(t, err)
	require.False(t, applies)
}

func TestMissingRequiredFieldIsRejectedWithItsPath(t *testing.T) {
	t.Parallel()
	set, err := mapping.Compile([]mapping.File{{Name: "order.yaml", Text: []byte(orderFlow)}}, targets())
	require.NoError(t, err)
	f, _ := set.Find("deal-to-order")
	_, err = f.Fields(deal(map[string]any{
		"company": events.Link{Record: events.Key{Entity: events.EntityCompany, ID: "9"}},
		"lines":   []events.Line{{Name: "x", Quantity: events.MustDecimal("1")}, {Name: "y"}},
	}))
	require.ErrorContains(t, err, "field lines[1].quantity")
	_, err = f.Fields(deal(map[string]any{"name": "x"}))
	require.ErrorContains(t, err, "field customer")
}

func TestDocsAndSync(t *testing.T) {
	t.Parallel()
	text := `flow: back
from: deal
object: deal
fields:
  order_number: docs.erp.order.number
  order_total: docs.erp.order.total.amount
  sync_state: sync.state
`
	set, err := mapping.Compile([]mapping.File{{Name: "back.yaml", Text: []byte(text), Connections: []string{"hub"}}}, targets())
	require.NoError(t, err)
	f, _ := set.Find("back")
	require.True(t, f.Existing)
	r := deal(nil)
	got, err := f.Fields(r)
	require.NoError(t, err)
	require.Empty(t, got, "nothing is known of the order")

	total, err := events.NewMoney("10", "EUR")
	require.NoError(t, err)
	seen := events.Fields{}
	seen.Set("total", total)
	r.Docs = map[string]events.Doc{"erp/order": {
		Entity: events.EntityOrder, Number: "SO1", Told: "h1", State: events.StateDone,
		Seen: map[string]events.Seen{"total": {Value: seen["total"]}},
	}}
	r.Wanted = map[string]events.Want{"erp/order": {Hash: "h1"}, "hub/deal": {Hash: "own"}}
	got, err = f.Fields(r)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(map[string]any{
		"order_number": "SO1", "order_total": json.Number("10"), "sync_state": "synced",
	}, got))
	r.Wanted["erp/order"] = events.Want{Hash: "h2"}
	got, err = f.Fields(r)
	require.NoError(t, err)
	require.Equal(t, "pending", got["sync_state"])
}

// TestDiagnostics compiles each bad flow in testdata and compares what an
// author gets to read.
func TestDiagnostics(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			_, err = mapping.Compile([]mapping.File{{Name: filepath.Base(name), Text: text}}, targets())
			require.Error(t, err)
			golden := strings.TrimSuffix(name, ".yaml") + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(err.Error()+"\n"), 0o600))
			}
			want, readErr := os.ReadFile(golden)
			require.NoError(t, readErr)
			require.Equal(t, string(want), err.Error()+"\n")
		})
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(orderFlow)
	f.Add("flow: x\nfrom: deal\nto: erp\nobject: order\nfields: {customer: ref(deal.company), lines: [1]}")
	f.Add("- a\n- b")
	f.Add("fields: |\n  x")
	f.Fuzz(func(t *testing.T, text string) {
		set, err := mapping.Compile([]mapping.File{{Name: "f", Text: []byte(text)}}, targets())
		if err == nil && set == nil {
			t.Fatal("neither flows nor problems")
		}
	})
}
