package netsuite_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

func TestVoid(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	customerID, itemID := b.stock(t)
	doc := order("77", customerID, itemID)
	b.apply(t, doc)

	void := doc
	void.Op = events.DesiredVoid
	require.Equal(t, events.EffectVoided, b.apply(t, void).Effect)
	require.Equal(t, "Closed", b.box.Orders()[0].Status)
	require.Len(t, b.box.Orders()[0].Lines, 2)
	require.Equal(t, events.EffectUnchanged, b.apply(t, void).Effect)

	b.apply(t, doc) // the deal is won again
	require.Equal(t, "Pending Fulfillment", b.box.Orders()[0].Status)

	gone := customer("1", "Acme")
	gone.Op = events.DesiredVoid
	require.Equal(t, events.EffectVoided, b.apply(t, gone).Effect)
	require.True(t, b.box.Customers()[0].Inactive)
}

func TestVoidPaymentIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	customerID, _ := b.stock(t)
	doc := payment("9", customerID)
	b.apply(t, doc)
	doc.Op = events.DesiredVoid

	f := fault.As(b.refuse(t, doc))
	require.Equal(t, fault.Rejected, f.Kind)
	require.Contains(t, f.Hint, "void it in NetSuite")
}

func TestDelete(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	customerID, itemID := b.stock(t)
	doc := order("77", customerID, itemID)
	b.apply(t, doc)
	gone := customer("1", "Acme")
	gone.Op = events.DesiredDelete
	require.Equal(t, fault.Rejected, fault.KindOf(b.refuse(t, gone)), "the order depends on the customer")

	doc.Op = events.DesiredDelete
	require.Equal(t, events.EffectDeleted, b.apply(t, doc).Effect)
	require.Equal(t, events.EffectUnchanged, b.apply(t, doc).Effect)
	require.Equal(t, events.EffectDeleted, b.apply(t, gone).Effect)
	require.Empty(t, b.box.Orders())
	require.Empty(t, b.box.Customers())
}
