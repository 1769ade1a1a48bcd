package netsuitebox

import (
	"net/http"

	"github.com/spoke-sync/spoke/events"
)

// transforms are the pairs that the account knows.
func transforms() [][2]string {
	return [][2]string{{"salesOrder", "invoice"}, {"invoice", "creditMemo"}}
}

// transform makes a record from another one. It is not idempotent: a repeat
// bills what is still billable.
func (b *Box) transform(to string) func(http.ResponseWriter, *http.Request, string) error {
	return func(w http.ResponseWriter, r *http.Request, name string) error {
		in, err := readInput(r)
		if err != nil {
			return err
		}
		from, err := b.lookup(name, r.PathValue("id"))
		if err != nil {
			return err
		}
		lines, err := b.billable(from)
		if err != nil {
			return err
		}
		made := &row{Type: to, Fields: map[string]any{
			"createdFrom": map[string]any{"id": from.ID}, "entity": from.Fields["entity"],
			"currency": from.Fields["currency"], "subsidiary": from.Fields["subsidiary"], "item": lines,
		}}
		for _, name := range []string{"memo", "otherRefNum", "terms"} {
			if v := from.Fields[name]; v != nil {
				made.Fields[name] = v
			}
		}
		if _, own := in.body["apply"]; to == "creditMemo" && !own {
			// The credit goes to the invoice that it was made from.
			if left := b.remaining(from, ""); left.Sign() > 0 {
				made.Fields["apply"] = []any{map[string]any{"doc": map[string]any{"id": from.ID}, "apply": true, "amount": num(smaller(left, total(lines)))}}
			}
		}
		if err := b.write(made, in); err != nil {
			return err
		}
		b.located(w, r, made)
		return nil
	}
}

func smaller(a, c events.Decimal) events.Decimal {
	if a.Cmp(c) < 0 {
		return a
	}
	return c
}

func total(lines []any) events.Decimal {
	sum := events.Decimal{}
	for _, l := range lines {
		if next, err := sum.Add(dec(l.(map[string]any)["amount"])); err == nil {
			sum = next
		}
	}
	return sum
}

// billable are the lines that a new record takes over.
func (b *Box) billable(from *row) ([]any, error) {
	refused := problem{Code: "USER_ERROR", Detail: "You can not initialize the record: the transaction is in no state to be transformed."}
	if from.Type == "salesOrder" {
		if s := b.orderStatus(from); s != "B" && s != "E" {
			return nil, refused
		}
	}
	var lines []any
	for _, l := range from.Fields["item"].([]any) {
		old := l.(map[string]any)
		left := dec(old["quantity"])
		if from.Type == "salesOrder" {
			if old["isClosed"] == true {
				continue
			}
			var err error
			if left, err = left.Sub(b.billed(from.ID, identity(old["line"]))); err != nil {
				return nil, err
			}
		}
		if left.Sign() <= 0 {
			continue
		}
		line := map[string]any{"item": old["item"], "quantity": num(left), "rate": old["rate"]}
		if left.Cmp(dec(old["quantity"])) == 0 {
			line["amount"] = old["amount"]
		}
		if old["description"] != nil {
			line["description"] = old["description"]
		}
		if from.Type == "salesOrder" {
			line["orderLine"] = old["line"]
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return nil, refused
	}
	return lines, nil
}
