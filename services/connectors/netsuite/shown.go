package netsuite

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/country"
)

// shown are the canonical fields that the answer to a read back tells, made as
// those of a row of SuiteQL: what is read later differs only where somebody
// changed it.
func (t *target) shown(rec record, values map[string]any) events.Fields {
	all := events.Fields{}
	r := rowOf(values)
	b := snapshot{reader: t.reader, object: rec.Name, row: r, fields: all, iso: t.money.only}
	if id := r.text("currency"); b.iso == "" && id != "" {
		b.iso = codeOf(t.money.known(), id) // known since the write that named it
	}
	src := t.reader.sources[rec.Name]
	sale := src.table == "transaction"
	switch {
	case rec.Name == typeCustomer:
		b.company()
	case rec.Name == typeContact:
		b.contact()
	case rec.item:
		b.product(price{})
	case src.custom != nil:
		b.custom(*src.custom)
	case sale:
		r["entity"], r["foreigntotal"] = first(r.text("entity"), r.text("customer")), r.text("payment")
		b.transaction(nil, nil)
	}
	for name, v := range all {
		// No transaction is without a date and a customer.
		hidden := sale && events.IsNull(v) && name != "memo" && name != "dueOn"
		if hidden || !slices.Contains(rec.shows, name) {
			delete(all, name)
		}
	}
	if rec.Name == typeCustomer && b.iso == "" {
		delete(all, "currency")
	}
	return all
}

// rowOf writes the fields of a record as SuiteQL does: in lower case, references
// as ids, and truth as T or F.
func rowOf(values map[string]any) row {
	r := make(row, len(values))
	for name, v := range values {
		switch x := v.(type) {
		case map[string]any:
			v = scalar(x["id"])
		case bool:
			v = "F"
			if x {
				v = "T"
			}
		}
		r[strings.ToLower(name)] = v
	}
	return r
}

// withheld drops what was written and does not show: the role may not see it,
// and nothing is known of it.
func withheld(rec record, doc connector.Document, seen events.Fields) {
	for _, f := range rec.fields {
		name, ok := plainNames[f.Name]
		if !ok {
			name = "custom." + f.Name
		}
		if v, has := seen[name]; has && !empty(doc.Fields[f.Name]) && events.IsNull(v) {
			delete(seen, name)
		}
	}
}

// plainNames are the canonical names of fields that may be empty.
var plainNames = map[string]string{
	"companyName": "name", "url": "domain", "email": "email", "phone": "phone", "firstName": "firstName", "lastName": "lastName",
	"displayName": "name", "description": "description", "memo": "memo", "dueDate": "dueOn", "company": "company",
}

// billToNames are the canonical names of the parts of an address.
var billToNames = map[string]string{
	"billAddr1": "street", "billCity": "city", "billState": "state", "billZip": "zip", "billCountry": "country",
}

// sentAddress is the billing address that a new customer was given, as far as it
// can be told how NetSuite shows it. A customer without one has none.
func sentAddress(doc connector.Document) events.Fields {
	sent, none := events.Fields{}, events.Fields{}
	for name, canonical := range billToNames {
		s, _ := doc.Fields[name].(string)
		if name == "billCountry" {
			s = country.Code(s)
		}
		none.Set(canonical, "")
		if s != "" {
			sent.Set(canonical, s)
		}
	}
	if len(sent) == 0 {
		return none
	}
	return sent
}

// sentPrice is the price and the cost that an item was given. What is read is the
// price in the currency with the lowest id, and costs are in the same: an item
// that has other prices may show one of them.
func (t *target) sentPrice(doc connector.Document, created bool) events.Fields {
	in, _ := doc.Fields["price"].(map[string]any)
	iso := scalar(in["currency"])
	if iso == "" || !created && t.money.only == "" && iso != lowest(t.money.known()) {
		return nil
	}
	sent := events.Fields{}
	for name, v := range map[string]any{"price": in["amount"], "cost": doc.Fields["cost"]} {
		if m, err := events.NewMoney(scalar(v), iso); err == nil {
			sent.Set(name, m)
		}
	}
	return sent
}

// lowest is the code of the currency with the lowest id.
func lowest(ids map[string]string) (code string) {
	least := 0
	for iso, id := range ids {
		if n, err := strconv.Atoi(id); err == nil && (code == "" || n < least) {
			code, least = iso, n
		}
	}
	return code
}
