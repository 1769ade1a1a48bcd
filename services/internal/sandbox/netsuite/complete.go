package netsuitebox

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// complete checks what a record needs and computes what NetSuite computes.
func (b *Box) complete(r *row) error {
	switch r.Type {
	case "customer":
		return b.completeCustomer(r)
	case "salesOrder":
		return b.completeOrder(r)
	case "customerPayment":
		return b.completePayment(r)
	case "invoice":
		return problem{Code: "USER_ERROR", Detail: "Invoices are made in NetSuite in this account."}
	default:
		if r.Fields["itemId"] == nil {
			return missing("itemId")
		}
		return nil
	}
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
	lines, _ := r.Fields["item"].([]any)
	if len(lines) == 0 {
		return missing("item")
	}
	if err := b.transaction(r, "SO", "entity"); err != nil {
		return err
	}
	total, open, last := events.Decimal{}, 0, int64(0)
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
		if line["isClosed"] != true {
			open++
		}
		if total, err = total.Add(dec(line["amount"])); err != nil {
			return err
		}
		done[i] = line
	}
	r.Fields["item"], r.Fields["subtotal"], r.Fields["total"] = done, num(total), num(total)
	b.fill(r, "orderStatus", "A")
	switch {
	case r.Fields["status"] == "G":
	case open == 0:
		r.Fields["status"] = "H"
	default:
		r.Fields["status"] = r.Fields["orderStatus"]
	}
	return nil
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
		line["rate"] = b.target("item", identity(line["item"])).Fields["basePrice"]
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

func (b *Box) completePayment(r *row) error {
	if dec(r.Fields["payment"]).Sign() <= 0 {
		return missing("payment")
	}
	if err := b.transaction(r, "PYMT", "customer"); err != nil {
		return err
	}
	applied := events.Decimal{}
	lines, _ := r.Fields["apply"].([]any)
	for i, l := range lines {
		line := l.(map[string]any)
		path := fmt.Sprintf("apply.items[%d]", i)
		inv := b.target("invoice", identity(line["doc"]))
		if inv == nil {
			return missing(path + ".doc")
		}
		if identity(inv.Fields["entity"]) != identity(r.Fields["customer"]) {
			return problem{Code: "INVALID_KEY_OR_REF", Path: path + ".doc", Detail: "The invoice is another customer's."}
		}
		if left := b.remaining(inv, r.ID); dec(line["amount"]).Cmp(left) > 0 {
			return problem{Code: "USER_ERROR", Path: path + ".amount", Detail: "The amount applied exceeds the amount due."}
		}
		var err error
		if applied, err = applied.Add(dec(line["amount"])); err != nil {
			return err
		}
	}
	left, err := dec(r.Fields["payment"]).Sub(applied)
	if err != nil {
		return err
	}
	if left.Sign() < 0 {
		return problem{Code: "USER_ERROR", Path: "apply", Detail: "The payment can't be less than what is applied."}
	}
	r.Fields["total"], r.Fields["applied"], r.Fields["unapplied"] = r.Fields["payment"], num(applied), num(left)
	b.fill(r, "status", "B")
	return nil
}

// remaining is what is due of an invoice without the payment of an id.
func (b *Box) remaining(inv *row, without string) events.Decimal {
	left := dec(inv.Fields["total"])
	for _, p := range b.state.Rows {
		lines, _ := p.Fields["apply"].([]any)
		for _, l := range lines {
			line := l.(map[string]any)
			if p.Type == "customerPayment" && p.ID != without && identity(line["doc"]) == inv.ID {
				if rest, err := left.Sub(dec(line["amount"])); err == nil {
					left = rest
				}
			}
		}
	}
	return left
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
