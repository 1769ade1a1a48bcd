package hub_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/hub"
	"github.com/spoke-sync/spoke/services/internal/mapping"
)

const accountFlows = `flow: bill
from: deal
when: deal.won
to: [stripe_us, stripe_eu]
route: 'deal.amount.currency == "EUR" ? "stripe_eu" : deal.amount.currency == "USD" ? "stripe_us" : ""'
object: invoice
on_leave: void
fields:
  customer: ref(deal.company)
  total: deal.amount
---
flow: customer
from: company
to: [stripe_us, stripe_eu]
on_demand: true
object: customer
fields:
  name: company.name
`

// twoAccounts compiles accountFlows.
func twoAccounts(t *testing.T) *mapping.Set {
	t.Helper()
	kind := connector.Kind{Name: "stripe", Title: "Stripe", Objects: []connector.Object{
		{
			Name: "customer", Entity: events.EntityCompany, Can: connector.Create | connector.Update,
			Fields: []connector.Field{{Name: "name", Type: connector.FieldString}},
		},
		{Name: "invoice", Entity: events.EntityInvoice, Can: connector.Create | connector.Update, Fields: []connector.Field{
			{Name: "customer", Type: connector.FieldRef, Ref: "customer"}, {Name: "total", Type: connector.FieldMoney},
		}},
	}}
	set, err := mapping.Compile([]mapping.File{{Name: "flows.yaml", Text: []byte(accountFlows)}},
		[]mapping.Target{{Name: "stripe_us", Kind: kind}, {Name: "stripe_eu", Kind: kind}})
	require.NoError(t, err)
	return set
}

// wonDeal is a deal of company/9 as hubspot says it at a minute.
func wonDeal(t *testing.T, r events.Record, id string, minute int, currency string, won bool) events.Record {
	t.Helper()
	amount, err := events.NewMoney("100", currency)
	require.NoError(t, err)
	fields := events.Fields{}
	fields.Set("amount", amount)
	fields.Set("won", won)
	fields.Set("company", events.Link{Record: company().Key})
	r, _ = hub.Merge(r, []hub.Fact{{ID: id, Change: &events.Change{
		Connection: "hubspot", Entity: events.EntityDeal, Object: "deal", ID: "77", Op: events.OpChanged,
		At: t0.Add(time.Duration(minute) * time.Minute), Fields: fields,
	}}}, policy(t, nil))
	return r
}

func newDeal() events.Record {
	return events.Record{Tenant: "t", Key: events.Key{Entity: events.EntityDeal, ID: "77"}}
}

// outcomeOf is what an account says of the invoice.
func outcomeOf(t *testing.T, r events.Record, account string, seq uint64, effect events.Effect) events.Record {
	t.Helper()
	key := events.DocKey(account, "invoice")
	r, _ = hub.Merge(r, []hub.Fact{{ID: account + string(effect), Outcome: &events.Outcome{
		Connection: account, Entity: events.EntityInvoice, Object: "invoice", Record: r.Key, State: events.StateDone, Effect: effect,
		ID: "in_1", Hash: r.Wanted[key].Hash, Sequence: seq, At: t0.Add(time.Hour + time.Duration(seq)*time.Minute),
	}}}, policy(t, nil))
	return r
}

func TestTwoStripeAccountsByCurrency(t *testing.T) {
	t.Parallel()
	flows := twoAccounts(t).For(events.EntityDeal)
	for currency, account := range map[string]string{"EUR": "stripe_eu", "USD": "stripe_us"} {
		_, wanted, failed := hub.Route(wonDeal(t, newDeal(), "1", 1, currency, true), flows)
		require.Empty(t, failed)
		require.Len(t, wanted, 1, "one account, not both")
		require.Equal(t, account, wanted[0].Connection)
	}
}

// TestTwoStripeAccountsRuleWithoutAnswer tells of the failure once, wants
// nothing, and goes on as soon as the rule has an answer.
func TestTwoStripeAccountsRuleWithoutAnswer(t *testing.T) {
	t.Parallel()
	flows := twoAccounts(t).For(events.EntityDeal)
	r, wanted, failed := hub.Route(wonDeal(t, newDeal(), "1", 1, "GBP", true), flows)
	require.Empty(t, wanted)
	require.Len(t, failed, 1)
	require.True(t, fault.Is(failed[0].Err, fault.Rejected))
	require.Equal(t, "stripe_us", failed[0].Flow.Connection)
	// transform notes the failure beside the record.
	r.Docs = map[string]events.Doc{"stripe_us/invoice": {
		Connection: "stripe_us", Object: "invoice", Entity: events.EntityInvoice,
		State: events.StateQuarantined, Error: fault.Problem(failed[0].Err),
	}}
	r, wanted, failed = hub.Route(wonDeal(t, r, "2", 2, "EUR", true), flows)
	require.Empty(t, failed)
	require.Len(t, wanted, 1)
	require.Equal(t, "stripe_eu", wanted[0].Connection)
	require.NotContains(t, r.Docs, "stripe_us/invoice", "nothing is left of the account that it never was at")
}

// TestTwoStripeAccountsNothingIsMoved changes the rule's answer after the
// document was published, and after it was written.
func TestTwoStripeAccountsNothingIsMoved(t *testing.T) {
	t.Parallel()
	flows := twoAccounts(t).For(events.EntityDeal)
	for _, written := range []bool{false, true} {
		r, wanted, _ := hub.Route(wonDeal(t, newDeal(), "1", 1, "EUR", true), flows)
		require.Len(t, wanted, 1)
		if written {
			r = outcomeOf(t, r, "stripe_eu", 1, events.EffectCreated)
		}
		r, wanted, failed := hub.Route(wonDeal(t, r, "2", 2, "USD", true), flows)
		require.Len(t, failed, 1, "it is told")
		require.ErrorContains(t, failed[0].Err, "the answer is stripe_us by now, but invoice of deal/77 is at stripe_eu: it stays there")
		require.Equal(t, "stripe_eu", failed[0].Flow.Connection)
		require.Len(t, wanted, 1, "and kept up to date where it is")
		require.Equal(t, "stripe_eu", wanted[0].Connection)

		// A condition that stops holding is about the first account too.
		gone, wanted, failed := hub.Route(wonDeal(t, r, "3", 3, "USD", false), flows)
		require.Empty(t, failed)
		require.Len(t, wanted, 1)
		require.Equal(t, events.DesiredVoid, wanted[0].Op)
		require.Equal(t, "stripe_eu", wanted[0].Connection)

		// Once it is deleted there, the choice is open again.
		gone = outcomeOf(t, gone, "stripe_eu", 3, events.EffectDeleted)
		_, wanted, failed = hub.Route(wonDeal(t, gone, "4", 4, "USD", true), flows)
		require.Empty(t, failed)
		require.Len(t, wanted, 1)
		require.Equal(t, "stripe_us", wanted[0].Connection)
	}
}

// TestTwoStripeAccountsAnswerComesBack clears what was noted.
func TestTwoStripeAccountsAnswerComesBack(t *testing.T) {
	t.Parallel()
	flows := twoAccounts(t).For(events.EntityDeal)
	r, _, _ := hub.Route(wonDeal(t, newDeal(), "1", 1, "EUR", true), flows)
	r = outcomeOf(t, r, "stripe_eu", 1, events.EffectCreated)
	_, _, failed := hub.Route(wonDeal(t, r, "2", 2, "USD", true), flows)
	doc := r.Docs["stripe_eu/invoice"]
	doc.State, doc.Error = events.StateQuarantined, fault.Problem(failed[0].Err)
	r.Docs["stripe_eu/invoice"] = doc
	back := wonDeal(t, r, "3", 3, "EUR", true)
	got, wanted, failed := hub.Route(back, flows)
	require.Empty(t, failed)
	require.Empty(t, wanted, "nothing is different from what was told")
	require.Equal(t, events.StateDone, got.Docs["stripe_eu/invoice"].State)
	require.Nil(t, got.Docs["stripe_eu/invoice"].Error)
	require.NotNil(t, back.Docs["stripe_eu/invoice"].Error, "the version before is not changed")
}

func TestTwoStripeAccountsCustomerOnDemand(t *testing.T) {
	t.Parallel()
	flows := twoAccounts(t).For(events.EntityCompany)
	p := policy(t, nil)
	r, _ := hub.Merge(company(), []hub.Fact{said("1", "hubspot", "name", "Acme", 1, false)}, p)
	r, wanted, failed := hub.Route(r, flows)
	require.Empty(t, failed)
	require.Empty(t, wanted, "no account needs the customer")

	needed := hub.Fact{ID: "n", Outcome: &events.Outcome{
		Connection: "stripe_eu", Entity: events.EntityCompany, Object: "customer", Record: r.Key, State: events.StateNeeded, At: t0,
	}}
	r, changed := hub.Merge(r, []hub.Fact{needed}, p)
	require.True(t, changed)
	_, again := hub.Merge(r, []hub.Fact{needed}, p)
	require.False(t, again)
	require.NotContains(t, r.Docs, "stripe_eu/customer", "being needed is not being there")
	r, wanted, _ = hub.Route(r, flows)
	require.Len(t, wanted, 1)
	require.Equal(t, "stripe_eu", wanted[0].Connection)

	// From then on it is kept up to date, there alone.
	r, _ = hub.Merge(r, []hub.Fact{said("2", "hubspot", "name", "Acme Ltd", 2, false)}, p)
	_, wanted, _ = hub.Route(r, flows)
	require.Len(t, wanted, 1)
	require.Equal(t, "stripe_eu", wanted[0].Connection)
}

// TestNeededComesBeforeTheRecord is merged in any order.
func TestNeededComesBeforeTheRecord(t *testing.T) {
	t.Parallel()
	p := policy(t, nil)
	facts := []hub.Fact{said("1", "hubspot", "name", "Acme", 1, false)}
	for _, account := range []string{"stripe_us", "stripe_eu"} {
		facts = append(facts, hub.Fact{ID: account, Outcome: &events.Outcome{
			Connection: account, Entity: events.EntityCompany, Object: "customer", Record: company().Key, State: events.StateNeeded, At: t0,
		}})
	}
	one, _ := hub.Merge(company(), facts, p)
	facts[0], facts[2] = facts[2], facts[0]
	two, _ := hub.Merge(company(), facts, p)
	require.Equal(t, []string{"stripe_eu/customer", "stripe_us/customer"}, one.Needed)
	require.Equal(t, one, two)
}
