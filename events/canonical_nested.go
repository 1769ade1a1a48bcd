package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The canonical forms that hold other values: money, links, lines and custom
// fields.

func (c *checker) money(path string, raw json.RawMessage) (m Money, ok bool) {
	const form = `write {"amount": "12.30", "currency": "EUR"}`
	members, ok := c.object(path, raw, "is no amount of money", form, "amount", "currency")
	if members == nil && !ok {
		return Money{}, false
	}
	var read bool
	if m.Amount, read = required(c, path+".amount", get(members, "amount"), form, c.decimal); !read {
		ok = false
	}
	if m.Currency, read = required(c, path+".currency", get(members, "currency"), form, c.currency); !read {
		ok = false
	}
	return m, ok
}

// required reads a value that must be there.
func required[T any](c *checker, path string, raw json.RawMessage, form string, read func(string, json.RawMessage) (T, bool)) (v T, ok bool) {
	if raw == nil {
		c.refuse(path, "is missing", form)
		return v, false
	}
	return read(path, raw)
}

func (c *checker) currency(path string, raw json.RawMessage) (string, bool) {
	code, ok := c.text(path, raw)
	if !ok {
		return "", false
	}
	code = strings.ToUpper(code)
	if _, ok := MinorUnits(code); !ok {
		c.refuse(path, "is no currency", "write an ISO 4217 code, such as EUR")
		return "", false
	}
	return code, true
}

const linkForm = `write {"record": "company/9"}, or {"object": "customer", "id": "42"} for an object of your own`

func (c *checker) link(path string, raw json.RawMessage) (l Link, ok bool) {
	members, ok := c.object(path, raw, "is no link", linkForm, "record", "connection", "object", "id")
	if !ok {
		return Link{}, false
	}
	if v := get(members, "record"); v != nil {
		if len(members) > 1 {
			c.refuse(path, "names its target twice", "use either record, or object and id")
			return Link{}, false
		}
		return c.recordLink(path+".record", v)
	}
	if v := get(members, "connection"); v != nil {
		l.Connection, ok = c.name(path+".connection", v)
	}
	var read bool
	if l.Object, read = required(c, path+".object", get(members, "object"), linkForm, c.name); !read {
		ok = false
	}
	if l.ID, read = required(c, path+".id", get(members, "id"), linkForm, c.name); !read {
		ok = false
	}
	return l, ok
}

func (c *checker) recordLink(path string, raw json.RawMessage) (Link, bool) {
	s, ok := c.text(path, raw)
	if !ok {
		return Link{}, false
	}
	key, err := ParseKey(s)
	if err != nil {
		c.refuse(path, "names no record", "write entity/id, such as company/9, with one of the entities "+joinEntities())
		return Link{}, false
	}
	return Link{Record: key}, true
}

// name reads a string that becomes part of a subject.
func (c *checker) name(path string, raw json.RawMessage) (string, bool) {
	s, ok := c.text(path, raw)
	if ok && !ValidID(s) {
		c.refuse(path, "is no name", fmt.Sprintf("write 1 to %d bytes without control characters", maxID))
		return "", false
	}
	return s, ok
}

// ValidID reports whether s can stand for an object's id: 1 to 255 bytes of
// UTF-8 without control characters.
func ValidID(s string) bool {
	return s != "" && len(s) <= maxID && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 })
}

// list reads a list of a kind whose members read takes: one item's members,
// and false when the item has none of that name.
func list[T any](c *checker, kind Kind, hint string, read func(item *T, name, path string, v json.RawMessage) bool) func(string, json.RawMessage) ([]T, bool) {
	return func(path string, raw json.RawMessage) ([]T, bool) {
		elements, err := Elements(raw)
		if err != nil {
			c.refuse(path, "is no list of "+kind.ItemName()+"s", hint)
			return nil, false
		}
		items, ok := make([]T, len(elements)), true
		for i, e := range elements {
			at := path + "[" + strconv.Itoa(i) + "]"
			members, fine := c.object(at, e, "is no "+kind.ItemName(), "write an object")
			for _, m := range members {
				name := at + "." + quotePath(m.Name)
				switch _, known := kind.ItemFields()[m.Name]; {
				case !known:
					c.refuse(name, "is no field of a "+kind.ItemName(), c.nearHint(m.Name, kind.ItemFields()))
					fine = false
				case !IsNull(m.Value): // cleared is the same as absent here
					fine = read(&items[i], m.Name, name, m.Value) && fine
				}
			}
			ok = ok && fine
		}
		return items, ok
	}
}

func (c *checker) line(l *Line, name, path string, v json.RawMessage) (ok bool) {
	switch name {
	case "id":
		l.ID, ok = c.text(path, v)
	case "product":
		l.Product, ok = c.link(path, v)
	case "name":
		l.Name, ok = c.text(path, v)
	case "sku":
		l.SKU, ok = c.text(path, v)
	case "quantity":
		l.Quantity, ok = c.decimal(path, v)
	case "price":
		l.Price, ok = c.money(path, v)
	case "amount":
		l.Amount, ok = c.money(path, v)
	case "taxCode":
		l.TaxCode, ok = c.text(path, v)
	case "tax":
		l.Tax, ok = c.money(path, v)
	}
	return ok
}

func (c *checker) applied(a *Applied, name, path string, v json.RawMessage) (ok bool) {
	switch name {
	case "invoice":
		a.Invoice, ok = c.link(path, v)
	case "amount":
		a.Amount, ok = c.money(path, v)
	}
	return ok
}

// custom spreads {"custom":{"a":…}} into "custom.a".
func (c *checker) custom(path string, raw json.RawMessage) {
	members, ok := c.object(path, raw, "is no object",
		`write {"name": value}; a custom field is cleared by its name: {"name": null}`)
	if !ok {
		return
	}
	for _, m := range members {
		if !ValidCustomName(m.Name) {
			c.refuse(path+"."+quotePath(m.Name), "is no name of a custom field", "use 1 to 100 letters, digits and underscores")
			continue
		}
		c.out[customPrefix+m.Name] = anyValue(m.Value)
	}
}

// ValidCustomName reports whether a custom field may have the name:
// [A-Za-z0-9_]{1,100}.
func ValidCustomName(name string) bool {
	if name == "" || len(name) > 100 {
		return false
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' {
			return false
		}
	}
	return true
}

// anyValue returns the canonical form of a custom value: compact, names in
// order, numbers digit by digit, and "" as cleared.
func anyValue(raw json.RawMessage) json.RawMessage {
	switch {
	case string(raw) == `""`:
		return null
	case raw[0] != '"' && raw[0] != '{' && raw[0] != '[', plainString(raw):
		return raw
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	_ = dec.Decode(&v) // found valid before
	b, _ := json.Marshal(v)
	return b
}
