package netsuitebox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// complete checks what a record needs and computes what NetSuite computes.
func (b *Box) complete(r *row) error {
	switch r.Type {
	case "customer":
		return b.completeCustomer(r)
	case "contact":
		return b.completeContact(r)
	case "task":
		if r.Fields["title"] == nil {
			return missing("title")
		}
		b.fill(r, "status", "NOTSTART")
		return nil
	case "salesOrder":
		return b.completeOrder(r)
	case "invoice":
		return b.completeInvoice(r)
	case "creditMemo":
		return b.completeCredit(r)
	case "customerPayment":
		return b.completePayment(r)
	case "customerRefund":
		return b.completeRefund(r)
	default:
		return b.completeItem(r)
	}
}

// completeItem checks what an item needs besides its name; an account that
// has SuiteTax knows no tax schedules.
func (b *Box) completeItem(r *row) error {
	if !slices.Contains(itemTypes(), r.Type) {
		return nil // a custom record
	}
	needs := []string{"itemId", "incomeAccount"}
	if r.Type == "inventoryItem" {
		needs = append(needs, "cogsAccount", "assetAccount")
	}
	if !b.opts.SuiteTax {
		needs = append(needs, "taxSchedule")
	}
	for _, name := range needs {
		if r.ID == "" && r.Fields[name] == nil {
			return missing(name)
		}
	}
	return nil
}

// completeContact names a contact after the person. Two contacts of one name
// collide.
func (b *Box) completeContact(r *row) error {
	name := strings.TrimSpace(str(r.Fields["firstName"]) + " " + str(r.Fields["lastName"]))
	if r.Fields["entityId"] == nil && name == "" {
		return missing("entityId")
	}
	b.fill(r, "entityId", name)
	for _, o := range b.state.names[[2]string{r.Type, str(r.Fields["entityId"])}] {
		if o.ID == r.ID || identity(o.Fields["company"]) != identity(r.Fields["company"]) {
			continue
		}
		return problem{Code: "DUP_ENTITY", Path: "entityId", Detail: "A contact record with this name already exists."}
	}
	return nil
}

func missing(path string) error {
	return problem{Code: "FIELD_PARAM_REQD", Path: path, Detail: fmt.Sprintf("Please enter value(s) for: %s", path)}
}

func (b *Box) fill(r *row, name string, v any) {
	if r.Fields[name] == nil {
		r.Fields[name] = v
	}
}

func (b *Box) completeCustomer(r *row) error {
	switch {
	case r.Fields["isPerson"] == true && (r.Fields["firstName"] == nil || r.Fields["lastName"] == nil):
		return missing("lastName")
	case r.Fields["isPerson"] != true && (r.Fields["companyName"] == nil || r.Fields["companyName"] == ""):
		return missing("companyName")
	case b.opts.OneWorld && r.Fields["subsidiary"] == nil:
		return missing("subsidiary")
	}
	if r.Fields["entityId"] == nil {
		r.Fields["entityId"] = b.state.number("CUST")
	}
	b.fill(r, "subsidiary", map[string]any{"id": "1"})
	b.fill(r, "currency", map[string]any{"id": "1"})
	return nil
}

func (b *Box) transaction(r *row, prefix, who string) error {
	if r.Fields[who] == nil {
		return missing(who)
	}
	b.fill(r, "tranDate", b.opts.Now().UTC().Format(time.DateOnly))
	if date, _ := r.Fields["tranDate"].(string); date < b.closed {
		return problem{Code: "USER_ERROR", Path: "tranDate", Detail: "The transaction date you specified is in a closed period."}
	}
	if r.Fields["tranId"] == nil {
		r.Fields["tranId"] = b.state.number(prefix)
	}
	customer := b.target("customer", identity(r.Fields[who]))
	b.fill(r, "currency", customer.Fields["currency"])
	b.fill(r, "subsidiary", customer.Fields["subsidiary"])
	return nil
}

func (b *Box) completeOrder(r *row) error {
	if err := b.completeLines(r, "SO"); err != nil {
		return err
	}
	b.fill(r, "orderStatus", "A")
	for i, l := range r.Fields["item"].([]any) {
		line := l.(map[string]any)
		if billed := b.billed(r.ID, identity(line["line"])); dec(line["quantity"]).Cmp(billed) < 0 {
			return problem{Code: "USER_ERROR", Path: fmt.Sprintf("item.items[%d].quantity", i), Detail: "The quantity is less than what has been billed."}
		}
	}
	return nil
}

// completeLines checks the customer and the lines and adds them up.
func (b *Box) completeLines(r *row, prefix string) error {
	lines, _ := r.Fields["item"].([]any)
	if len(lines) == 0 {
		return missing("item")
	}
	if err := b.transaction(r, prefix, "entity"); err != nil {
		return err
	}
	total, last := events.Decimal{}, int64(0)
	done := make([]any, len(lines))
	for _, l := range lines {
		n, _ := dec(l.(map[string]any)["line"]).Int64()
		last = max(last, n)
	}
	for i, l := range lines {
		line, err := b.completeLine(l.(map[string]any), i)
		if err != nil {
			return err
		}
		if line["line"] == nil {
			last++
			line["line"] = num(events.DecimalFromInt(last))
		}
		if total, err = total.Add(dec(line["amount"])); err != nil {
			return err
		}
		done[i] = line
	}
	r.Fields["item"], r.Fields["subtotal"], r.Fields["total"] = done, num(total), num(total)
	return nil
}

// basePrice is an item's price of level 1 in the base currency.
func (b *Box) basePrice(item *row) any {
	lines, _ := item.Fields["price"].([]any)
	for _, l := range lines {
		line := l.(map[string]any)
		if identity(line["priceLevel"]) == "1" && identity(line["currencyPage"]) == "1" {
			return line["price"]
		}
	}
	return item.Fields["basePrice"]
}

func (b *Box) completeLine(from map[string]any, i int) (map[string]any, error) {
	if from["item"] == nil {
		return nil, missing(fmt.Sprintf("item.items[%d].item", i))
	}
	line := map[string]any{}
	for k, v := range from {
		line[k] = v
	}
	if line["quantity"] == nil {
		line["quantity"] = json.Number("1")
	}
	if line["rate"] == nil {
		line["rate"] = b.basePrice(b.target("item", identity(line["item"])))
	}
	if line["rate"] == nil {
		return nil, missing(fmt.Sprintf("item.items[%d].rate", i))
	}
	if line["amount"] == nil {
		amount, err := dec(line["quantity"]).Mul(dec(line["rate"]))
		if err != nil {
			return nil, err
		}
		line["amount"] = num(amount.Round(2))
	}
	return line, nil
}

// dec reads a stored number; what is none is 0.
func dec(v any) events.Decimal {
	d, err := events.ParseDecimal(identity(v))
	if err != nil {
		return events.Decimal{}
	}
	return d
}

func num(d events.Decimal) json.Number { return json.Number(d.String()) }
