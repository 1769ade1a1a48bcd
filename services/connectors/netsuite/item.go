package netsuite

import (
	"context"
	"net/url"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

const itemOp = "netsuite: look up item"

// applyItem finds the item of a SKU. It has no effect at NetSuite.
func (t *target) applyItem(ctx context.Context, doc connector.Document) (connector.Result, error) {
	if doc.Op != events.DesiredUpsert {
		return connector.Result{}, fault.New(fault.Rejected, itemOp, "Spoke does not %s items", doc.Op).
			WithHint("set on_leave: keep in the flow, and change the item in NetSuite")
	}
	r, found, err := t.findItem(ctx, doc)
	if err == nil && !found {
		return connector.Result{}, fault.New(fault.Rejected, itemOp, "NetSuite has no item of this SKU").WithField("itemId").
			WithHint("create the item in NetSuite or fix its SKU, then release the document")
	}
	return r, err
}

// findItem asks for the item by its name, which is the SKU and unique.
func (t *target) findItem(ctx context.Context, doc connector.Document) (connector.Result, bool, error) {
	sku, _ := doc.Fields["itemId"].(string)
	if sku == "" {
		return connector.Result{}, false, fault.New(fault.Rejected, itemOp, "the product has no SKU").WithField("itemId").
			WithHint("give the product a SKU")
	}
	rows, err := t.api.query(ctx, "look up item",
		"SELECT id, itemid, isinactive FROM item WHERE itemid IN ("+quote(sku)+") ORDER BY id")
	if err != nil {
		return connector.Result{}, false, err
	}
	if len(rows) == 0 {
		return connector.Result{}, false, nil
	}
	if len(rows) > 1 {
		return connector.Result{}, false, fault.New(fault.Rejected, itemOp, "%d items have this SKU", len(rows)).
			WithField("itemId").WithHint("rename all but one of the items in NetSuite")
	}
	id := scalar(rows[0]["id"])
	if id == "" {
		return connector.Result{}, false, unreadable("look up item")
	}
	if scalar(rows[0]["isinactive"]) == "T" {
		return connector.Result{}, false, fault.New(fault.Rejected, itemOp, "the item of this SKU is inactive").
			WithField("itemId").WithHint("make the item active in NetSuite or fix the SKU")
	}
	return connector.Result{
		ID: id, Number: sku, Effect: events.EffectUnchanged,
		URL: t.app + "/app/common/item/item.nl?id=" + url.QueryEscape(id),
	}, true, nil
}
