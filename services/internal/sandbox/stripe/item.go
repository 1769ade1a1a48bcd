package stripebox

import (
	"math/big"
	"net/http"
)

type item struct {
	ID              string            `json:"id"`
	Object          string            `json:"object"`
	Amount          int64             `json:"amount"`
	Currency        string            `json:"currency"`
	Customer        string            `json:"customer"`
	Date            int64             `json:"date"`
	Description     *string           `json:"description"`
	Discountable    bool              `json:"discountable"`
	Invoice         *string           `json:"invoice"`
	Livemode        bool              `json:"livemode"`
	Metadata        map[string]string `json:"metadata"`
	Pricing         *pricing          `json:"pricing"`
	Proration       bool              `json:"proration"`
	Quantity        int64             `json:"quantity"`
	QuantityDecimal string            `json:"quantity_decimal"`

	inline *price // of price_data; stored with the item
}

type pricing struct {
	Details *priceDetails `json:"price_details,omitempty"`
	Type    string        `json:"type"`
	Unit    string        `json:"unit_amount_decimal"`
}

type priceDetails struct {
	Price   string `json:"price"`
	Product string `json:"product"`
}

func (i *item) when() int64 { return i.Date }

// maxItems is Stripe's bound for one invoice.
const maxItems = 250

func (b *Box) itemRoutes() {
	spec := params{
		"amount": {kind: integer}, "currency": {kind: currency}, "customer": {kind: text}, "description": {kind: text, max: 5000},
		"invoice": {kind: text}, "metadata": {kind: metadata}, "quantity": {kind: integer}, "quantity_decimal": {kind: decimal},
		"unit_amount_decimal": {kind: decimal}, "price_data": {kind: object, fields: params{
			"currency": {kind: currency}, "product": {kind: text}, "unit_amount": {kind: integer},
			"unit_amount_decimal": {kind: decimal},
		}},
	}
	b.op("create invoiceitem", "POST /v1/invoiceitems", spec, b.createItem)
	b.op("get invoiceitem", "GET /v1/invoiceitems/{id}", nil, func(c *call) (any, *problem) {
		if x := b.state.Items.Rows[c.id]; x != nil {
			return x, nil
		}
		return nil, noSuch("invoiceitem", c.id)
	})
	b.op("delete invoiceitem", "DELETE /v1/invoiceitems/{id}", nil, b.deleteItem)
	filters := params{"invoice": {kind: text}, "customer": {kind: text}}
	b.op("list invoiceitems", "GET /v1/invoiceitems", paging(filters), func(c *call) (any, *problem) {
		if id := c.form.get("invoice"); id != "" && b.state.Invoices.Rows[id] == nil {
			return nil, noSuchParam("invoice", "invoice", id)
		}
		match := func(x *item) bool {
			return (!c.form.has("invoice") || c.form.is("invoice", deref(x.Invoice))) &&
				(!c.form.has("customer") || c.form.is("customer", x.Customer))
		}
		return pageOf(c, &b.state.Items, match, func(x *item) any { return x })
	})
}

func (b *Box) createItem(c *call) (any, *problem) {
	f := c.form
	cus, p := b.customer(f.get("customer"))
	if p != nil {
		return nil, p
	}
	x := &item{
		ID: newID("ii"), Object: "invoiceitem", Customer: cus.ID, Date: b.now(), Discountable: true,
		Description: opt(f.get("description")),
	}
	if x.Metadata, p = f.metadata(nil); p != nil {
		return nil, p
	}
	if p := b.priceItem(x, f); p != nil {
		return nil, p
	}
	if p := chargeable(x.Amount, x.Currency, "amount"); p != nil {
		return nil, p
	}
	var inv *invoice
	if id := f.get("invoice"); id != "" {
		if inv, p = b.draftFor(id, x); p != nil {
			return nil, p
		}
		x.Invoice = &inv.ID
	}
	if x.inline != nil {
		b.state.Prices.add(x.inline.ID, x.inline)
	}
	b.state.Items.add(x.ID, x)
	b.Effect("invoiceitem created", keyOf(x.Metadata, x.ID))
	if inv != nil {
		b.retotal(inv)
	}
	return x, nil
}

// draftFor returns the draft that an item is to be put on.
func (b *Box) draftFor(id string, x *item) (*invoice, *problem) {
	inv := b.state.Invoices.Rows[id]
	switch {
	case inv == nil:
		return nil, noSuchParam("invoice", "invoice", id)
	case inv.Status != "draft":
		return nil, invalid("invoice", "invoice_not_editable", "You can only add items to draft invoices.")
	case inv.Customer != x.Customer:
		return nil, invalid("customer", "", "The invoice belongs to another customer.")
	case inv.Currency != x.Currency:
		return nil, invalid("currency", "", "The currency of the item must be that of the invoice, "+inv.Currency+".")
	case len(b.itemsOf(id)) >= maxItems:
		return nil, invalid("invoice", "", "An invoice can have at most 250 items.")
	}
	return inv, nil
}

// priceItem works out what the item comes to.
func (b *Box) priceItem(x *item, f form) *problem {
	data := f.has("price_data[currency]") || f.has("price_data[product]")
	if f.has("quantity") && f.has("quantity_decimal") {
		return invalid("quantity_decimal", "", "You may only specify one of these parameters: quantity, quantity_decimal.")
	}
	quantity := big.NewRat(1, 1)
	for _, name := range []string{"quantity", "quantity_decimal"} {
		if f.has(name) {
			quantity = f.rational(name)
		}
	}
	if quantity.Sign() < 0 {
		return invalid("quantity", "parameter_invalid_integer", "Invalid non-negative number.")
	}
	var unit *big.Rat
	switch {
	case data && (f.has("amount") || f.has("unit_amount_decimal")):
		return invalid("price_data", "", "You may only specify one of price_data, amount and unit_amount_decimal.")
	case data:
		pr, p := b.inlinePrice(f)
		if p != nil {
			return p
		}
		unit, _ = new(big.Rat).SetString(pr.UnitDecimal)
		x.Currency = pr.Currency
		x.Pricing = &pricing{Details: &priceDetails{Price: pr.ID, Product: pr.Product}}
		x.inline = pr
	case !f.has("currency"):
		return invalid("currency", "parameter_missing", "Missing required param: currency.")
	case f.has("amount") && (f.has("quantity") || f.has("quantity_decimal") || f.has("unit_amount_decimal")):
		return invalid("amount", "", "You can't specify amount along with a quantity or unit amount.")
	case f.has("amount"):
		unit = f.rational("amount")
	case f.has("unit_amount_decimal"):
		unit = f.rational("unit_amount_decimal")
	default:
		return invalid("amount", "parameter_missing", "Missing required param: amount.")
	}
	if x.Currency == "" {
		x.Currency = f.get("currency")
		x.Pricing = &pricing{}
	}
	x.Pricing.Type, x.Pricing.Unit = "price_details", plain(unit)
	x.Amount = round(new(big.Rat).Mul(unit, quantity))
	x.QuantityDecimal = plain(quantity)
	x.Quantity = new(big.Int).Quo(quantity.Num(), quantity.Denom()).Int64()
	return nil
}

// inlinePrice makes the price that price_data describes. Like Stripe's it is
// archived from the start.
func (b *Box) inlinePrice(f form) (*price, *problem) {
	const pre = "price_data"
	for _, name := range []string{"currency", "product"} {
		if !f.has(pre + "[" + name + "]") {
			return nil, invalid(pre+"["+name+"]", "parameter_missing", "Missing required param: "+pre+"["+name+"].")
		}
	}
	owner := b.state.Products.Rows[f.get(pre+"[product]")]
	if owner == nil {
		return nil, noSuchParam("product", pre+"[product]", f.get(pre+"[product]"))
	}
	if f.has(pre+"[unit_amount]") == f.has(pre+"[unit_amount_decimal]") {
		return nil, invalid(pre, "", "Exactly one of unit_amount and unit_amount_decimal is required.")
	}
	unit := f.rational(pre + "[unit_amount_decimal]")
	if f.has(pre + "[unit_amount]") {
		unit = f.rational(pre + "[unit_amount]")
	}
	pr := b.newPrice(owner.ID, f.get(pre+"[currency]"), unit)
	pr.Active = false
	return pr, nil
}

func (b *Box) deleteItem(c *call) (any, *problem) {
	x := b.state.Items.Rows[c.id]
	if x == nil {
		return nil, noSuch("invoiceitem", c.id)
	}
	inv := b.state.Invoices.Rows[deref(x.Invoice)]
	if inv != nil && inv.Status != "draft" {
		return nil, &problem{
			Status: http.StatusBadRequest, Code: "invoice_not_editable",
			Message: "Invoice items of finalized invoices can't be deleted.",
		}
	}
	b.state.Items.remove(x.ID)
	b.Effect("invoiceitem deleted", keyOf(x.Metadata, x.ID))
	if inv != nil {
		b.retotal(inv)
	}
	return map[string]any{"id": x.ID, "object": "invoiceitem", "deleted": true}, nil
}

// itemsOf returns the items of an invoice, the oldest first.
func (b *Box) itemsOf(id string) []*item {
	var items []*item
	for _, iid := range b.state.Items.Order {
		if x := b.state.Items.Rows[iid]; deref(x.Invoice) == id {
			items = append(items, x)
		}
	}
	return items
}
