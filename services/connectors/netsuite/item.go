package netsuite

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

const (
	itemOp   = "netsuite: look up item"
	itemPage = "/app/common/item/item.nl"
)

// The kinds of items, as the canonical product names them.
const (
	kindService      = "service"
	kindInventory    = "inventory"
	kindNonInventory = "noninventory"
)

// itemTypes are the record types by kind, itemKinds the kinds by the type that
// SuiteQL says.
var (
	itemTypes = map[string]string{
		kindService: "serviceSaleItem", kindInventory: "inventoryItem", kindNonInventory: "nonInventorySaleItem",
	}
	itemKinds = map[string]string{"Service": kindService, "InvtPart": kindInventory, "NonInvtPart": kindNonInventory}
)

func (i *Items) kind() string { return first(i.Kind, kindNonInventory) }

func (i *Items) priceLevel() string { return first(i.PriceLevel, "1") }

// itemObject describes the items, which flows point to by SKU.
func (s *Settings) itemObject() connector.Object {
	if s.Items == nil {
		return connector.Object{
			Name: typeItem, Entity: events.EntityProduct, Can: connector.Update | connector.Read,
			// One that no product is looked up as is none of Spoke's business.
			Unmarked: true,
			Fields: []connector.Field{{
				Name: "itemId", Type: connector.FieldString, Required: true,
				Doc: "Name of the item, which is the SKU. It is looked up and never created: an item's accounts and tax schedule are a bookkeeper's choice. The setting items allows it",
			}},
		}
	}
	return connector.Object{
		Name: typeItem, Entity: events.EntityProduct, Can: connector.Create | connector.Update | connector.Read,
		Open: func(name string) bool {
			return strings.HasPrefix(name, "custitem_") && len(name) > len("custitem_")
		},
		Fields: append(plainFields(itemFields()),
			connector.Field{Name: "kind", Type: connector.FieldString, Doc: "service, inventory or noninventory, of a new item; the setting items.kind when absent"},
			connector.Field{Name: "price", Type: connector.FieldMoney, Doc: "Price of one unit, on the price level of the setting items.price_level"},
		),
	}
}

func itemFields() []field {
	return []field{
		text("itemId", "Name of the item, which is the SKU").required(),
		text("displayName", ""),
		text("description", ""),
		decimal("cost", "What one unit costs, in the base currency"),
		flag("isInactive", ""),
	}
}

// applyItem finds the item of a SKU. It has no effect at NetSuite.
func (t *target) applyItem(ctx context.Context, doc connector.Document) (connector.Result, error) {
	if doc.Op != events.DesiredUpsert {
		return connector.Result{}, fault.New(fault.Rejected, itemOp, "Spoke does not %s items", doc.Op).
			WithHint("set on_leave: keep in the flow, and change the item in NetSuite")
	}
	r, inactive, found, err := t.findItem(ctx, doc)
	switch {
	case err != nil:
		return connector.Result{}, err
	case !found:
		return connector.Result{}, fault.New(fault.Rejected, itemOp, "NetSuite has no item of this SKU").WithField("itemId").
			WithHint("create the item in NetSuite or fix its SKU, then release the document")
	case inactive:
		return connector.Result{}, fault.New(fault.Rejected, itemOp, "the item of this SKU is inactive").
			WithField("itemId").WithHint("make the item active in NetSuite or fix the SKU")
	}
	return r.Result, nil
}

// foundItem is an item with its kind, which is "" for one that Spoke does not
// write.
type foundItem struct {
	connector.Result
	kind string
}

// findItem asks for the item by its id where that is known, or by its name,
// which is the SKU and unique.
func (t *target) findItem(ctx context.Context, doc connector.Document) (r foundItem, inactive, found bool, err error) {
	sku, _ := doc.Fields["itemId"].(string)
	if sku == "" {
		return r, false, false, fault.New(fault.Rejected, itemOp, "the product has no SKU").WithField("itemId").
			WithHint("give the product a SKU")
	}
	where := "itemid IN (" + quote(sku) + ")"
	if t.settings.Items != nil && internalIDForm.MatchString(doc.ExternalID) {
		where = "id IN (" + doc.ExternalID + ")" // its SKU may be what changes
	}
	rows, err := t.api.query(ctx, "look up item",
		"SELECT id, itemid, isinactive, itemtype FROM item WHERE "+where+" ORDER BY id")
	if err != nil || len(rows) == 0 {
		return r, false, false, err
	}
	if len(rows) > 1 {
		return r, false, false, fault.New(fault.Rejected, itemOp, "%d items have this SKU", len(rows)).
			WithField("itemId").WithHint("rename all but one of the items in NetSuite")
	}
	id := rows[0].text("id")
	if id == "" {
		return r, false, false, unreadable("look up item")
	}
	r = foundItem{kind: itemKinds[rows[0].text("itemtype")], Result: connector.Result{
		ID: id, Number: first(rows[0].text("itemid"), sku), Effect: events.EffectUnchanged,
		URL: t.app + itemPage + "?id=" + url.QueryEscape(id),
	}}
	return r, rows[0].text("isinactive") == "T", true, nil
}

// syncItem makes the item of a SKU hold the document. An item that NetSuite
// has already is taken as it is found, whoever made it; its kind stays.
func (t *target) syncItem(ctx context.Context, doc connector.Document) (connector.Result, error) {
	found, _, exists, err := t.findItem(ctx, doc)
	if err != nil {
		return connector.Result{}, err
	}
	kind := found.kind
	if !exists {
		if doc.ExternalID != "" {
			return connector.Result{}, fault.New(fault.Rejected, "netsuite: update item", "it does not exist any more").WithCode(codeMissing).
				WithHint(hint(problem{codes: []string{codeMissing}}, http.StatusNotFound))
		}
		if kind, err = t.newKind(doc); err != nil {
			return connector.Result{}, err
		}
	}
	name, ok := itemTypes[kind]
	if !ok {
		return connector.Result{}, fault.New(fault.Rejected, "netsuite: update item", "the item of this SKU is of a type that Spoke does not write").
			WithField("itemId").WithHint("change the item in NetSuite, or give the product another SKU")
	}
	rec := record{Object: connector.Object{Name: name, Open: t.settings.itemObject().Open}, fields: itemFields(), page: itemPage, item: true}
	rec.read, rec.shows = "id,itemId,displayName,description,isInactive", []string{"name", "sku", "description", "active"}
	body, err := t.itemBody(ctx, rec, doc, kind, !exists)
	if err != nil {
		return connector.Result{}, err
	}
	w := write{verb: "create", method: http.MethodPut, path: "eid:" + doc.Key, body: body, keep: "price"}
	effect := events.EffectCreated
	if exists {
		w.verb, w.method, w.path, effect = "update", http.MethodPatch, url.PathEscape(found.ID), events.EffectUpdated
	}
	if err := t.write(ctx, rec, w); err != nil {
		return connector.Result{}, err
	}
	r, ok, err := t.read(ctx, rec, "read back", w.path)
	if err == nil && !ok {
		err = fault.New(fault.Transient, "netsuite: read back item", "it is not there after the write")
	}
	withheld(rec, doc, r.Seen)
	r.Number, r.Effect, r.Sent = scalar(doc.Fields["itemId"]), effect, t.sentPrice(doc, !exists)
	return r, err
}

// newKind is the kind of a new item.
func (t *target) newKind(doc connector.Document) (string, error) {
	kind, _ := doc.Fields["kind"].(string)
	kind = first(kind, t.settings.Items.kind())
	reject := func(hint, format string, args ...any) error {
		return fault.New(fault.Rejected, "netsuite: create item", format, args...).WithField("kind").WithHint(hint)
	}
	if _, ok := itemTypes[kind]; !ok {
		return "", reject("write service, inventory or noninventory", "%q is no kind of item", clean(kind))
	}
	if i := t.settings.Items; kind == kindInventory && (i.CogsAccount == "" || i.AssetAccount == "") {
		return "", reject("set items.cogs_account and items.asset_account of the connection, or create the item in NetSuite",
			"the connection does not say the accounts of inventory items")
	}
	return kind, nil
}

// itemBody makes the JSON of an item: with its accounts when it is new, and
// with its price in the sublist where prices stand.
func (t *target) itemBody(ctx context.Context, rec record, doc connector.Document, kind string, create bool) (map[string]any, error) {
	price, priced := doc.Fields["price"].(map[string]any)
	own := doc
	own.Fields = map[string]any{}
	for name, v := range doc.Fields {
		if name != "kind" && name != "price" {
			own.Fields[name] = v
		}
	}
	body, err := t.body(ctx, rec, own, create)
	if err != nil {
		return nil, err
	}
	if create {
		i := t.settings.Items
		accounts := map[string]string{"incomeAccount": i.IncomeAccount, "taxSchedule": i.TaxSchedule}
		if kind == kindInventory {
			accounts["cogsAccount"], accounts["assetAccount"] = i.CogsAccount, i.AssetAccount
		}
		for name, id := range accounts {
			if id != "" {
				body[name] = ref(id)
			}
		}
		if t.settings.Subsidiary != "" {
			body["subsidiary"] = map[string]any{"items": []any{ref(t.settings.Subsidiary)}}
		}
	}
	if priced {
		line, err := t.priceLine(ctx, price)
		if err != nil {
			return nil, err
		}
		body["price"] = map[string]any{"items": []any{line}}
	}
	return body, nil
}

// priceLine is the line of one price. Lines are matched by their keys, so that
// other levels and currencies stay as they are.
func (t *target) priceLine(ctx context.Context, price map[string]any) (map[string]any, error) {
	b := builder{t: t, op: "netsuite: write item"}
	amount, err := b.decimal("price", price["amount"])
	if err != nil {
		return nil, err
	}
	line := map[string]any{
		"priceLevel": ref(t.settings.Items.priceLevel()), "quantity": ref("0"), "price": amount,
	}
	id, err := t.money.id(ctx, b.op, scalar(price["currency"]))
	if err == nil && id != "" {
		line["currencyPage"] = ref(id)
	}
	return line, err
}
