package mapping_test

import (
	"testing"

	"github.com/goccy/go-yaml/parser"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

const routedFlows = `flow: bill
from: deal
to: [pay_us, pay_eu]
route: 'deal.amount.currency == "EUR" ? "pay_eu" : deal.amount.currency == "USD" ? "pay_us" : deal.custom.account'
object: bill
fields:
  customer: ref(deal.company)
  total: deal.amount
---
flow: customer
from: company
to: [pay_us, pay_eu]
on_demand: true
object: customer
fields:
  name: company.name
`

func compileText(t *testing.T, text string) *mapping.Set {
	t.Helper()
	set, err := mapping.Compile([]mapping.File{{Name: "flows.yaml", Text: []byte(text)}}, targets())
	require.NoError(t, err)
	return set
}

func TestRoute(t *testing.T) {
	t.Parallel()
	set := compileText(t, routedFlows)
	flows := set.Named("bill")
	require.Len(t, flows, 2)
	require.Equal(t, []string{"pay_us/bill", "pay_eu/bill"}, []string{flows[0].DocKey(), flows[1].DocKey()})
	require.True(t, set.OnDemand("pay_eu", "customer"))
	require.False(t, set.OnDemand("pay_eu", "bill"))
	for name, tc := range map[string]struct {
		amount, account string
		want, problem   string
	}{
		"one":          {amount: "EUR", want: "pay_eu"},
		"other":        {amount: "USD", want: "pay_us"},
		"computed":     {amount: "GBP", account: "pay_us", want: "pay_us"},
		"none of them": {amount: "GBP", account: "pay_uk", problem: "the answer pay_uk is none of pay_us, pay_eu"},
		"not a name":   {amount: "GBP", account: "Jane Doe", problem: "the answer (not shown) is none of"},
		"absent":       {problem: "a value that it needs is absent from deal/77"},
		"no account":   {amount: "GBP", problem: "a value that it needs is absent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fields := map[string]any{}
			if tc.amount != "" {
				m, err := events.NewMoney("10", tc.amount)
				require.NoError(t, err)
				fields["amount"] = m
			}
			if tc.account != "" {
				fields["custom.account"] = tc.account
			}
			got, err := flows[0].Route(deal(fields))
			if tc.problem != "" {
				require.ErrorContains(t, err, tc.problem)
				require.True(t, fault.Is(err, fault.Rejected))
				require.Equal(t, "route", fault.As(err).Field)
				require.NotEmpty(t, fault.As(err).Hint)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

// TestDocsByKind reads what the accounts of one vendor hold by the vendor's
// name: whichever has the object.
func TestDocsByKind(t *testing.T) {
	t.Parallel()
	set := compileText(t, `flow: back
from: deal
to: hub
object: deal
fields:
  bill:
    with: pay
    value: docs.pay.bill.number
  customer: docs.pay.customer.id
`)
	f, _ := set.Find("back")
	r := deal(nil)
	r.Docs = map[string]events.Doc{
		"pay_eu/bill":     {Entity: events.EntityInvoice, ID: "1", Number: "EU-1"},
		"pay_us/bill":     {Entity: events.EntityInvoice, State: events.StateQuarantined},
		"pay_eu/customer": {Entity: events.EntityCompany, ID: "c1"},
		"pay_us/customer": {Entity: events.EntityCompany, ID: "c2"},
	}
	got, err := f.Fields(r)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"bill": "EU-1"}, got, "of two customers neither is the one")
}

// TestDefaultFlowsOfSeveralConnections routes them by rules that stand in
// another file.
func TestDefaultFlowsOfSeveralConnections(t *testing.T) {
	t.Parallel()
	text := "flow: bill\nfrom: deal\nobject: bill\nfields: {customer: ref(deal.company)}\n---\n" +
		"flow: customer\nfrom: company\nobject: customer\nfields: {name: company.name}\n"
	file := mapping.File{Name: "pay/bill.yaml", Text: []byte(text), Connections: []string{"pay_eu", "pay_us"}}
	_, err := mapping.Compile([]mapping.File{file}, targets())
	require.ErrorContains(t, err, "flow bill is on demand, and no flow to pay_eu has a field that refers to a bill: "+
		"nothing would ever be written; say where it belongs with routing.pay.deal")

	file.Routes = routes(t, `{deal: 'deal.amont.currency'}`)
	_, err = mapping.Compile([]mapping.File{file}, targets())
	require.ErrorContains(t, err, "spoke.yaml:1:13: undefined field 'amont'")

	file.Routes = routes(t, `{deal: '"pay_eu"'}`)
	set, err := mapping.Compile([]mapping.File{file}, targets())
	require.NoError(t, err)
	require.True(t, set.Named("bill")[0].Routed())
	require.True(t, set.Named("customer")[1].OnDemand)
}

func routes(t *testing.T, text string) mapping.Routes {
	t.Helper()
	f, err := parser.ParseBytes([]byte(text), 0)
	require.NoError(t, err)
	return mapping.Routes{File: "spoke.yaml", Text: []byte(text), Node: f.Docs[0].Body}
}
