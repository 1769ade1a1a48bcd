package quickbooks

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// itemKind has no note: an item's description is printed on invoices, and a
// purchase description would need an expense account. Items are told by SKU
// and name, as people do.
func itemKind() *kind {
	return &kind{
		name: objectItem, path: "item", title: "item", entity: events.EntityProduct, hidden: true,
		build: buildItem, create: completeItem, patch: patchItem, find: findItem, precheck: itemBySKU, read: readItem,
	}
}

func buildItem(t *target, doc connector.Document) (body, error) {
	f := newFields("item", doc)
	b := body{}
	b.put("Name", cleanName(f.required("Name")))
	b.put("Sku", f.short("Sku", maxItemName))
	b.put("Type", itemType(f))
	b.put("Description", f.text("Description"))
	for _, name := range []string{"UnitPrice", "PurchaseCost"} {
		if price, ok := f.money(name); ok && (price.Currency == "" || price.Currency == t.settings.HomeCurrency) {
			b[name] = number(price.Amount)
		}
	}
	buildItemTax(t.settings.Tax, f, b)
	if account := f.text("IncomeAccountRef"); account != "" {
		b["IncomeAccountRef"] = reference(account)
	}
	if active, ok := f.flag("Active"); ok {
		b["Active"] = active
	}
	return b, f.failure()
}

// itemTypes are the types that can be made. Others, such as bundles, can only
// be read.
var itemTypes = [...]string{"Service", "NonInventory", inventory}

const inventory = "Inventory"

func itemType(f fields) string {
	typ := f.text("Type")
	for _, known := range itemTypes {
		if strings.EqualFold(typ, known) {
			return known
		}
	}
	if typ != "" {
		f.fail("Type", "want Service, NonInventory or Inventory")
	}
	return ""
}

// buildItemTax says how an item is taxed when it is sold by hand.
func buildItemTax(tax Tax, f fields, b body) {
	source := f.text("SalesTaxCodeRef")
	if source == "" {
		return
	}
	code, ok := tax.code(source)
	switch {
	case !ok:
		f.reject("SalesTaxCodeRef", mapCode(tax), "nobody said which tax code this is")
	case tax.USAutomated:
		b["Taxable"] = code == taxable
	default:
		b["SalesTaxCodeRef"] = reference(code)
	}
}

// completeItem adds what an item must have from the beginning.
func completeItem(ctx context.Context, t *target, want body) error {
	if want.text("Type") == "" {
		want["Type"] = itemTypes[0]
	}
	if want.text("Type") == inventory {
		if err := t.stocked(ctx, want); err != nil {
			return err
		}
	}
	account := want.ref("IncomeAccountRef")
	if account == "" {
		account = t.settings.IncomeAccount
	}
	if account == "" {
		return fault.New(fault.Rejected, Name+": create item", "no income account").WithField("IncomeAccountRef").
			WithHint("set income_account of the connection to the id or the name of the account that sales are booked to")
	}
	id, err := t.accounts.id(ctx, account)
	if err != nil {
		return err
	}
	want["IncomeAccountRef"] = reference(id)
	return nil
}

// stocked adds what an item with a stock must have: the accounts of its worth
// and its cost, and a stock, which begins empty today.
func (t *target) stocked(ctx context.Context, want body) error {
	for _, a := range [][3]string{
		{"AssetAccountRef", "asset_account", t.settings.AssetAccount},
		{"ExpenseAccountRef", "expense_account", t.settings.ExpenseAccount},
	} {
		field, setting, account := a[0], a[1], a[2]
		if account == "" {
			return fault.New(fault.Rejected, Name+": create item", "an inventory item needs an account").WithField(field).
				WithHint("set " + setting + " of the connection to the id or the name of an account")
		}
		id, err := t.accounts.id(ctx, account)
		if err != nil {
			return err
		}
		want[field] = reference(id)
	}
	want["TrackQtyOnHand"], want["QtyOnHand"] = true, json.Number("0")
	want["InvStartDate"] = t.deps.Now().Format(time.DateOnly)
	return nil
}

// patchItem keeps the account and the type as they are: what is booked
// already hangs on them.
func patchItem(_ *target, doc connector.Document, want, current body) body {
	patch := differing(want, current)
	delete(patch, "IncomeAccountRef")
	delete(patch, "Type")
	if current.text("Name") == renamed(want.text("Name"), doc, maxItemName) {
		delete(patch, "Name")
	}
	return patch
}

// itemBySKU finds the active item with the wanted SKU. Several with one SKU
// leave open which one is meant.
func itemBySKU(ctx context.Context, t *target, _ connector.Document, want body) (body, error) {
	sku := want.text("Sku")
	if sku == "" {
		return nil, nil
	}
	k := t.kinds[objectItem]
	found, err := t.client.query(ctx, k, "Sku = "+quote(sku), 1)
	if err != nil {
		return nil, err
	}
	if len(found) > 1 {
		return nil, fault.New(fault.Rejected, Name+": look up item", "%d items have the same SKU", len(found)).WithField("Sku").
			WithHint("make the SKU unique in QuickBooks")
	}
	if len(found) == 0 {
		return nil, nil
	}
	return found[0], nil
}

// findItem looks for the SKU and, for want of one, for the names that the
// record may have got.
func findItem(ctx context.Context, t *target, doc connector.Document, want body) (body, error) {
	if want.text("Sku") != "" {
		return itemBySKU(ctx, t, doc, want)
	}
	return itemByName(ctx, t, doc, want)
}

// itemByName finds an item that has one of the record's names and no other
// SKU.
func itemByName(ctx context.Context, t *target, doc connector.Document, want body) (body, error) {
	name := want.text("Name")
	other := renamed(name, doc, maxItemName)
	found, err := t.client.query(ctx, t.kinds[objectItem], "Name IN ("+quote(name)+", "+quote(other)+")", 1)
	if err != nil {
		return nil, err
	}
	var best body
	for _, b := range found {
		if b.text("Name") == other || b.text("Sku") == "" && best == nil {
			best = b // the name with the record's id is surely ours
		}
	}
	return best, nil
}

// addedID matches the ending that renamed gives to a name.
var addedID = regexp.MustCompile(` \([0-9]+\)$`)

func readItem(s *Settings, b body, f events.Fields) {
	name := b.text("Name")
	if addedID.MatchString(name) {
		name = "" // it may be longer than what the record calls it
	}
	for field, v := range map[string]string{
		"name": name, "sku": b.text("Sku"), "description": b.text("Description"), "kind": itemKindOf(b), "taxCode": itemTax(s.Tax, b),
	} {
		if v != "" {
			f.Set(field, v)
		}
	}
	if price, ok := b.money("UnitPrice", s.HomeCurrency); ok && price.Amount.Sign() != 0 {
		f.Set("price", price)
	}
	if cost, ok := b.money("PurchaseCost", s.HomeCurrency); ok && cost.Amount.Sign() != 0 {
		f.Set("cost", cost)
	}
	if active, ok := b["Active"].(bool); ok {
		f.Set("active", active)
	}
}

// itemKindOf is the kind of product that a type stands for; "" for those that
// Spoke has no word for.
func itemKindOf(b body) string {
	for _, typ := range itemTypes {
		if b.text("Type") == typ {
			return strings.ToLower(typ)
		}
	}
	return ""
}

func itemTax(tax Tax, b body) string {
	if !tax.USAutomated {
		return b.ref("SalesTaxCodeRef")
	}
	switch b["Taxable"] {
	case true:
		return taxable
	case false:
		return notTaxable
	}
	return ""
}
