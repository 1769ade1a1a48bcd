package netsuite_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
)

func product(id, sku string, more map[string]any) connector.Document {
	doc := item(id, sku)
	doc.Fields = with(doc, map[string]any{
		"displayName": "Thing", "description": "A thing", "cost": json.Number("4.50"), "isInactive": false,
		"price": map[string]any{"amount": json.Number("9.90"), "currency": "EUR"},
	})
	doc.Fields = with(doc, more)
	return doc
}

func itemsAllowed(o *netsuitebox.Options, s *netsuite.Settings) {
	o.CustomFields = append(o.CustomFields, "custitem_colour")
	s.Items = &netsuite.Items{IncomeAccount: "4", CogsAccount: "5", AssetAccount: "6", TaxSchedule: "1"}
}

// TestProductSync: products become items of their kind, with price and cost,
// once; changes go to the item of the SKU, and come back through the feed.
func TestProductSync(t *testing.T) {
	t.Parallel()
	b := setup(t, itemsAllowed)
	for kind, record := range map[string]string{
		"service": "serviceSaleItem", "inventory": "inventoryItem", "noninventory": "nonInventorySaleItem", "": "nonInventorySaleItem",
	} {
		more := map[string]any{"custitem_colour": "red"}
		if kind != "" {
			more["kind"] = kind
		}
		doc := product("p"+kind, "SKU-"+kind, more)
		made := b.apply(t, doc)
		require.Equal(t, events.EffectCreated, made.Effect)
		require.Equal(t, events.EffectUpdated, b.apply(t, doc).Effect)
		doc.ExternalID = made.ID
		doc.Fields = with(doc, map[string]any{"itemId": "NEW-" + kind, "isInactive": true, "price": map[string]any{"amount": json.Number("11"), "currency": "EUR"}})
		require.Equal(t, made.ID, b.apply(t, doc).ID)

		var found *netsuitebox.Record
		for _, r := range b.box.Records(record) {
			if r.ID == made.ID {
				found = &r
			}
		}
		require.NotNil(t, found, record)
		require.Equal(t, "NEW-"+kind, found.Text("itemId"))
		require.Equal(t, "4", found.Text("incomeAccount"))
		require.Equal(t, "red", found.Text("custitem_colour"))
		require.Len(t, found.Lines("price"), 1)
		require.Equal(t, "11", found.Lines("price")[0]["price"])

		changes, err := b.reader.Read(t.Context(), "item", []string{made.ID})
		require.NoError(t, err)
		got := changes[0]
		require.Equal(t, doc.Record, got.Record)
		require.Equal(t, events.Fields{
			"name": json.RawMessage(`"Thing"`), "sku": json.RawMessage(`"NEW-` + kind + `"`), "description": json.RawMessage(`"A thing"`),
			"active": json.RawMessage(`false`), "kind": json.RawMessage(`"` + map[string]string{"": "noninventory"}[kind] + kind + `"`),
			"price": json.RawMessage(`{"amount":"11","currency":"EUR"}`), "cost": json.RawMessage(`{"amount":"4.50","currency":"EUR"}`),
		}, got.Fields)
	}
	require.Len(t, b.box.Records("nonInventorySaleItem"), 2)
}

// TestItemOfTheSKUIsAdopted: an item that people made is changed, not doubled,
// and its other prices stay.
func TestItemOfTheSKUIsAdopted(t *testing.T) {
	t.Parallel()
	b := setup(t, itemsAllowed)
	ids := b.populate(t)
	got := b.apply(t, product("1", "HOUR", map[string]any{"kind": "inventory"}))
	require.Equal(t, ids["item"], got.ID)
	items := b.box.Records("serviceSaleItem")
	require.Len(t, items, 1, "the kind stays as it is")
	require.Len(t, items[0].Lines("price"), 2)
	require.Equal(t, "9.90", items[0].Lines("price")[1]["price"])
	require.Empty(t, b.box.Records("inventoryItem"))
}

func TestItemsThatCantBeMade(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *netsuitebox.Options, s *netsuite.Settings) {
		s.Items = &netsuite.Items{IncomeAccount: "4", TaxSchedule: "1"}
	})
	for kind, hint := range map[string]string{"inventory": "items.cogs_account", "subscription": "service, inventory or noninventory"} {
		f := fault.As(b.refuse(t, product("1", "A", map[string]any{"kind": kind})))
		require.Equal(t, fault.Rejected, f.Kind)
		require.Equal(t, "kind", f.Field)
		require.Contains(t, f.Hint, hint)
	}
	gone := product("1", "A", nil)
	gone.ExternalID = "4711"
	f := fault.As(b.refuse(t, gone))
	require.Equal(t, fault.Rejected, f.Kind)
	require.Contains(t, f.Hint, "deleted in NetSuite")
	require.Equal(t, "currency", fault.As(b.refuse(t, product("2", "B", map[string]any{"price": map[string]any{"amount": json.Number("1"), "currency": "CHF"}}))).Field)
	require.Empty(t, b.box.Records("nonInventorySaleItem"))
}
