package netsuitebox

import (
	"slices"
	"strconv"
)

// kind is the type of a property.
type kind int

const (
	aText kind = iota
	aBool
	aNumber
	aDate
	aRef
	anEnum
	aList
	anObject
)

// property describes one field of a type or of a line.
type property struct {
	kind     kind
	to       string   // record type of a reference
	values   []string // ids of an enumeration
	readOnly bool
	lines    schema // of a list's line or of an object
	key      string // property that identifies a line; un-keyed lines are appended
}

type schema map[string]property

// builtIn are the types whose records an account has from the start, by the
// number of ids from 1. Price level -1 is "Custom".
func (b *Box) builtIn(kind, id string) bool {
	if kind == "priceLevel" && id == "-1" {
		return true
	}
	n, err := strconv.Atoi(id)
	if err != nil || n < 1 {
		return false
	}
	sizes := map[string]int{
		"currency": len(b.opts.Currencies), "subsidiary": 3, "account": 9, "term": 5, "location": 3,
		"department": 3, "classification": 3, "employee": 9, "customerCategory": 3, "priceLevel": 5,
	}
	return n <= sizes[kind]
}

// itemTypes share one range of ids.
func itemTypes() []string { return []string{"inventoryItem", "nonInventorySaleItem"} }

func text() property               { return property{kind: aText} }
func yes() property                { return property{kind: aBool} }
func amount() property             { return property{kind: aNumber} }
func day() property                { return property{kind: aDate} }
func to(t string) property         { return property{kind: aRef, to: t} }
func one(ids ...string) property   { return property{kind: anEnum, values: ids} }
func computed(p property) property { p.readOnly = true; return p }

// schemas are the record types that the account serves.
func schemas() map[string]schema {
	item := schema{"itemId": text(), "displayName": text(), "description": text(), "isInactive": yes(), "cost": amount(), "basePrice": computed(amount())}
	all := map[string]schema{
		"customer": customerSchema(), "salesOrder": orderSchema(), "customerPayment": paymentSchema(),
		"invoice": {"entity": to("customer"), "tranDate": day(), "currency": to("currency"), "memo": text(), "total": computed(amount()), "amountRemaining": computed(amount()), "status": computed(one("A", "B")), "tranId": text()},
	}
	for _, t := range itemTypes() {
		all[t] = item
	}
	for _, s := range all {
		s["externalId"], s["id"] = text(), computed(text())
	}
	return all
}

func customerSchema() schema {
	address := schema{"addr1": text(), "addr2": text(), "city": text(), "state": text(), "zip": text(), "country": text(), "addressee": text(), "addrPhone": text()}
	return schema{
		"entityId": text(), "isPerson": yes(), "companyName": text(), "firstName": text(), "lastName": text(),
		"email": text(), "phone": text(), "url": text(), "comments": text(), "isInactive": yes(),
		"subsidiary": to("subsidiary"), "currency": to("currency"), "terms": to("term"), "category": to("customerCategory"),
		"salesRep": to("employee"), "priceLevel": to("priceLevel"), "creditLimit": amount(),
		"addressBook": {kind: aList, key: "id", lines: schema{
			"id": text(), "label": text(), "defaultBilling": yes(), "defaultShipping": yes(),
			"addressBookAddress": {kind: anObject, lines: address},
		}},
	}
}

func orderSchema() schema {
	return schema{
		"tranId": text(), "tranDate": day(), "entity": to("customer"), "subsidiary": to("subsidiary"), "currency": to("currency"),
		"memo": text(), "otherRefNum": text(), "orderStatus": one("A", "B"), "location": to("location"), "department": to("department"),
		"class": to("classification"), "terms": to("term"), "shipDate": day(),
		"subtotal": computed(amount()), "total": computed(amount()), "status": computed(one("A", "B", "G", "H")),
		"item": {kind: aList, key: "line", lines: schema{
			"line": amount(), "item": to("item"), "quantity": amount(), "rate": amount(), "amount": amount(),
			"description": text(), "price": to("priceLevel"), "isClosed": yes(),
		}},
	}
}

func paymentSchema() schema {
	return schema{
		"tranId": text(), "tranDate": day(), "customer": to("customer"), "subsidiary": to("subsidiary"), "currency": to("currency"),
		"payment": amount(), "memo": text(), "checkNumber": text(), "account": to("account"), "arAcct": to("account"),
		"undepFunds": one("T", "F"), "total": computed(amount()), "applied": computed(amount()), "unapplied": computed(amount()),
		"status": computed(one("B", "C")),
		"apply": {kind: aList, key: "doc", lines: schema{
			"doc": to("invoice"), "apply": yes(), "amount": amount(), "line": amount(),
		}},
	}
}

// exists reports whether a reference has a target.
func (b *Box) exists(kind, id string) bool {
	if b.builtIn(kind, id) {
		return true
	}
	return b.target(kind, id) != nil
}

func (b *Box) target(kind, id string) *row {
	return b.state.find(func(r *row) bool {
		return r.ID == id && (r.Type == kind || kind == "item" && slices.Contains(itemTypes(), r.Type))
	})
}
