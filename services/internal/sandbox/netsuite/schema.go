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
	anything
)

// property describes one field of a type or of a line.
type property struct {
	kind     kind
	to       string   // record type of a reference
	values   []string // ids of an enumeration
	readOnly bool
	lines    schema   // of a list's line or of an object
	keys     []string // properties that identify a line; un-keyed lines are appended
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
		"taxSchedule": 3, "paymentOption": 5, "taxType": 3, "taxCode": 5,
		"currency": len(b.opts.Currencies), "subsidiary": 3, "account": 9, "term": 5, "location": 3,
		"department": 3, "classification": 3, "employee": 9, "customerCategory": 3, "priceLevel": 5,
	}
	return n <= sizes[kind]
}

// itemTypes share one range of ids.
func itemTypes() []string {
	return []string{"inventoryItem", "nonInventorySaleItem", "serviceSaleItem"}
}

func text() property               { return property{kind: aText} }
func yes() property                { return property{kind: aBool} }
func amount() property             { return property{kind: aNumber} }
func day() property                { return property{kind: aDate} }
func to(t string) property         { return property{kind: aRef, to: t} }
func one(ids ...string) property   { return property{kind: anEnum, values: ids} }
func computed(p property) property { p.readOnly = true; return p }

// exists reports whether a reference has a target.
func (b *Box) exists(kind, id string) bool {
	if b.builtIn(kind, id) {
		return true
	}
	return b.target(kind, id) != nil
}

func (b *Box) target(kind, id string) *row {
	r := b.state.ids[id]
	if r == nil || r.Type != kind && (kind != "item" || !slices.Contains(itemTypes(), r.Type)) {
		return nil
	}
	return r
}
