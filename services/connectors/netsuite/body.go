package netsuite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/country"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// custom prices are marked by this price level; with another level NetSuite
// may put the item's own price in place of the rate.
const customPriceLevel = "-1"

// builder makes the body of one record.
type builder struct {
	t      *target
	rec    record
	op     string
	create bool
	body   map[string]any
	billTo map[string]any
}

// body makes the JSON of a document.
func (t *target) body(ctx context.Context, rec record, doc connector.Document, create bool) (map[string]any, error) {
	b := builder{t: t, rec: rec, op: "netsuite: write " + title(rec.Name), create: create, body: map[string]any{}, billTo: map[string]any{}}
	if err := b.mustHave(rec.fields, doc.Fields, ""); err != nil {
		return nil, err
	}
	if rec.needs != nil && create {
		if name := rec.needs(doc.Fields); name != "" {
			return nil, b.lacking(name)
		}
	}
	for _, name := range sortedNames(doc.Fields) {
		f, known := rec.field(name)
		if !known && (rec.Open == nil || !rec.Open(name)) {
			return nil, b.malformed(name, "is no field of %s", title(rec.Name))
		}
		if f.form == asFrom || f.Once && !create {
			continue
		}
		if err := b.set(ctx, f, name, doc.Fields[name]); err != nil {
			return nil, err
		}
	}
	if create {
		b.defaults(rec)
	}
	return b.body, nil
}

// defaults adds what the connection's settings say about new records.
func (b *builder) defaults(rec record) {
	add := func(name, id string) {
		if _, ok := b.body[name]; !ok && id != "" {
			b.body[name] = ref(id)
		}
	}
	switch rec.Name {
	case typeCustomer, typeContact:
		add("subsidiary", b.t.settings.Subsidiary)
	case typeRefund:
		if r := b.t.settings.Refunds; r != nil {
			add("account", r.Account)
			add("paymentOption", r.PaymentOption)
		}
	case typePayment:
		if _, ok := b.body["undepFunds"]; !ok {
			add("account", b.t.settings.DepositAccount)
		}
	}
	if len(b.billTo) > 0 {
		b.body["addressBook"] = map[string]any{"items": []any{map[string]any{
			"defaultBilling": true, "defaultShipping": true, "addressBookAddress": b.billTo,
		}}}
	}
}

// set puts one field into the body.
func (b *builder) set(ctx context.Context, f field, name string, v any) error {
	switch {
	case f.form == asBillTo:
		return b.address(name, v)
	case v == nil && f.form != asLines:
		b.body[name] = nil // cleared
		return nil
	case f.form == asISO:
		return b.currency(ctx, name, v)
	case f.form == asLines:
		lines, err := b.lines(f, v)
		b.body[name] = map[string]any{"items": lines}
		return err
	default:
		x, err := b.value(f, name, v)
		b.body[name] = x
		return err
	}
}

func (b *builder) currency(ctx context.Context, name string, v any) error {
	iso, ok := v.(string)
	if !ok {
		return b.malformed(name, "is %T, not a currency code", v)
	}
	id, err := b.t.money.id(ctx, b.op, iso)
	if err == nil && id != "" {
		b.body[name] = ref(id)
	}
	return err
}

// lines makes the lines of a sublist. They carry no keys: the write replaces
// the whole list.
func (b *builder) lines(f field, v any) ([]any, error) {
	in, ok := v.([]any)
	if v != nil && !ok {
		return nil, b.malformed(f.Name, "is %T, not a list", v)
	}
	lines := make([]any, 0, len(in))
	for i, e := range in {
		at := fmt.Sprintf("%s[%d]", f.Name, i)
		from, ok := e.(map[string]any)
		if !ok {
			return nil, b.malformed(at, "is %T, not an object", e)
		}
		if err := b.mustHave(f.lines, from, at+"."); err != nil {
			return nil, err
		}
		line, err := b.line(f, from, at)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func (b *builder) line(f field, from map[string]any, at string) (map[string]any, error) {
	line := map[string]any{}
	for _, name := range sortedNames(from) {
		i := slices.IndexFunc(f.lines, func(f field) bool { return f.Name == name })
		custom := b.rec.customLine != "" && strings.HasPrefix(name, b.rec.customLine)
		if i < 0 && !custom {
			return nil, b.malformed(at+"."+name, "is no field of a line")
		}
		if from[name] == nil {
			continue // a new line has nothing to clear
		}
		var of field
		if i >= 0 {
			of = f.lines[i]
		}
		x, err := b.value(of, at+"."+name, from[name])
		if err != nil {
			return nil, err
		}
		line[name] = x
	}
	switch f.Name {
	case "item":
		if _, ok := line["item"]; !ok {
			if b.t.settings.Refunds == nil {
				return nil, b.lacking(at + ".item")
			}
			line["item"] = ref(b.t.settings.Refunds.Item)
		}
		if _, ok := line["rate"]; ok {
			line["price"] = ref(customPriceLevel)
		}
	case "apply":
		line["apply"] = true
	}
	return line, nil
}

// value checks the type of a leaf and returns its JSON.
func (b *builder) value(f field, at string, v any) (any, error) {
	if f.Name == "" { // a custom field takes what the account made it for
		if m, ok := v.(map[string]any); ok && m["amount"] != nil {
			return b.decimal(at, m["amount"])
		}
		return v, nil
	}
	switch f.Type {
	case connector.FieldDecimal:
		return b.decimal(at, v)
	case connector.FieldBool:
		if _, ok := v.(bool); !ok {
			return nil, b.malformed(at, "is %T, not true or false", v)
		}
		return v, nil
	default:
		s, ok := v.(string)
		if !ok {
			return nil, b.malformed(at, "is %T, not a text", v)
		}
		if f.form != asID {
			return s, nil
		}
		if s == "" {
			return nil, b.malformed(at, "is an empty reference")
		}
		return ref(s), nil
	}
}

func (b *builder) decimal(at string, v any) (any, error) {
	d, err := events.ParseDecimal(scalar(v))
	if err != nil {
		return nil, b.malformed(at, "is not a decimal number")
	}
	return number(d), nil
}

// number writes a decimal digit by digit.
func number(d events.Decimal) json.Number { return json.Number(d.String()) }

func ref(id string) map[string]any { return map[string]any{"id": id} }

func (b *builder) address(name string, v any) error {
	s, ok := v.(string)
	if v != nil && !ok {
		return b.malformed(name, "is %T, not a text", v)
	}
	to := strings.ToLower(name[len("bill"):len("bill")+1]) + name[len("bill")+1:]
	if to == "country" {
		s = country.Code(s) // an address without country is better than a customer that is refused for it
	}
	if s != "" {
		b.billTo[to] = s
	}
	return nil
}

// mustHave checks required fields before any call.
func (b *builder) mustHave(fields []field, values map[string]any, at string) error {
	for _, f := range fields {
		if v, ok := values[f.Name]; f.Required && (!ok || v == nil || v == "") {
			return b.lacking(at + f.Name)
		}
	}
	return nil
}

func (b *builder) lacking(at string) error {
	return fault.New(fault.Rejected, b.op, "a required field is empty").WithField(at).
		WithHint("fill the field at its source, or map it")
}

func (b *builder) malformed(at, format string, args ...any) error {
	return fault.New(fault.Malformed, b.op, format, args...).WithField(at).WithHint("change the mapping of the field")
}

// sublists names the sublists in a body.
func sublists(body map[string]any) []string {
	var names []string
	for _, name := range sortedNames(body) {
		if m, ok := body[name].(map[string]any); ok {
			if _, list := m["items"]; list {
				names = append(names, name)
			}
		}
	}
	return names
}

// personal are the values in a body that errors must not repeat.
func personal(body map[string]any) []string {
	var all []string
	for _, name := range []string{"email", "phone", "firstName", "lastName", "companyName", "comments", "name", "message"} {
		if s, ok := body[name].(string); ok && len(s) > 2 {
			all = append(all, s)
		}
	}
	return all
}

func sortedNames(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
