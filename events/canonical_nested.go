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

func (c *checker) lines(path string, raw json.RawMessage) ([]Line, bool) {
	items, err := Elements(raw)
	if err != nil {
		c.refuse(path, "is no list of lines", `write [{"name": …, "quantity": …, "price": …}]`)
		return nil, false
	}
	lines, ok := make([]Line, len(items)), true
	for i, item := range items {
		l, fine := c.line(path+"["+strconv.Itoa(i)+"]", item)
		lines[i], ok = l, ok && fine
	}
	return lines, ok
}

func (c *checker) line(path string, raw json.RawMessage) (l Line, ok bool) {
	members, ok := c.object(path, raw, "is no line", "write an object")
	for _, m := range members {
		v, name, fine := m.Value, path+"."+quotePath(m.Name), true
		_, known := LineFields()[m.Name]
		switch {
		case !known:
			c.refuse(name, "is no field of a line", c.nearHint(m.Name, LineFields()))
			fine = false
		case IsNull(v): // cleared, which in a line is the same as absent
		case m.Name == "id":
			l.ID, fine = c.text(name, v)
		case m.Name == "product":
			l.Product, fine = c.link(name, v)
		case m.Name == "name":
			l.Name, fine = c.text(name, v)
		case m.Name == "sku":
			l.SKU, fine = c.text(name, v)
		case m.Name == "quantity":
			l.Quantity, fine = c.decimal(name, v)
		case m.Name == "price":
			l.Price, fine = c.money(name, v)
		case m.Name == "amount":
			l.Amount, fine = c.money(name, v)
		}
		ok = ok && fine
	}
	return l, ok
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
