package config_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// payKind is a vendor with default flows.
func payKind() connector.Kind {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	return connector.Kind{
		Name: "pay", Title: "Pay", Settings: func() any { return &settings{} },
		Objects: []connector.Object{
			{
				Name: "customer", Entity: events.EntityCompany, Can: connector.Create,
				Fields: []connector.Field{{Name: "name", Type: connector.FieldString}},
			},
			{
				Name: "bill", Entity: events.EntityInvoice, Can: connector.Create,
				Fields: []connector.Field{{Name: "customer", Type: connector.FieldRef, Ref: "customer"}},
			},
		},
		Flows: fstest.MapFS{
			"bill.yaml":     file("flow: bill\nfrom: deal\nobject: bill\nfields: {customer: ref(deal.company)}\n"),
			"customer.yaml": file("flow: customer\nfrom: company\nobject: customer\nfields: {name: company.name}\n"),
		},
	}
}

const twoOfAKind = "connections:\n  pay_us: {kind: pay}\n  pay_eu: {kind: pay}\n"

func TestDefaultFlowsOfTwoConnectionsNeedRouting(t *testing.T) {
	t.Parallel()
	c, err := config.Parse("spoke.yaml", []byte(twoOfAKind), []connector.Kind{payKind()})
	require.NoError(t, err)
	_, err = c.CompileFlows()
	require.EqualError(t, err, "spoke.yaml: connections pay_eu, pay_us are of one kind, and its default flows can't tell where a record belongs: "+
		`say it with routing.pay, such as {deal: 'deal.amount.currency == "EUR" ? "pay_eu" : "pay_us"'}, or set default_flows: false on all but one of them`)

	c, err = config.Parse("spoke.yaml", []byte(twoOfAKind+"routing:\n  pay:\n    deal: 'deal.amount.currency == \"EUR\" ? \"pay_eu\" : \"pay_uz\"'\n"), []connector.Kind{payKind()})
	require.NoError(t, err)
	_, err = c.CompileFlows()
	require.ErrorContains(t, err, `spoke.yaml:6:55: route: "pay_uz" is none of pay_eu, pay_us; did you mean pay_us?`)

	c, err = config.Parse("spoke.yaml", []byte(twoOfAKind+"routing:\n  pay:\n    deal: 'deal.amount.currency == \"EUR\" ? \"pay_eu\" : \"pay_us\"'\n"), []connector.Kind{payKind()})
	require.NoError(t, err)
	set, err := c.CompileFlows()
	require.NoError(t, err)
	require.Len(t, set.Named("bill"), 2)
	require.True(t, set.Named("bill")[0].Routed())
	require.True(t, set.OnDemand("pay_eu", "customer"))
	require.True(t, set.OnDemand("pay_us", "customer"))
}

func TestDefaultFlowsOfOneOfTwoConnections(t *testing.T) {
	t.Parallel()
	text := "connections:\n  pay_us: {kind: pay}\n  pay_eu: {kind: pay, default_flows: false}\n"
	c, err := config.Parse("spoke.yaml", []byte(text), []connector.Kind{payKind()})
	require.NoError(t, err)
	set, err := c.CompileFlows()
	require.NoError(t, err)
	require.Len(t, set.Named("bill"), 1)
	require.False(t, set.OnDemand("pay_us", "customer"))
}
