package stripebox

import "math/big"

type price struct {
	ID            string            `json:"id"`
	Object        string            `json:"object"`
	Active        bool              `json:"active"`
	BillingScheme string            `json:"billing_scheme"`
	Created       int64             `json:"created"`
	Currency      string            `json:"currency"`
	Livemode      bool              `json:"livemode"`
	LookupKey     *string           `json:"lookup_key"`
	Metadata      map[string]string `json:"metadata"`
	Nickname      *string           `json:"nickname"`
	Product       string            `json:"product"`
	TaxBehavior   string            `json:"tax_behavior"`
	Recurring     *recurring        `json:"recurring"`
	Type          string            `json:"type"`
	UnitAmount    *int64            `json:"unit_amount"`
	UnitDecimal   string            `json:"unit_amount_decimal"`
}

type recurring struct {
	Interval string `json:"interval"`
	Count    int64  `json:"interval_count"`
}

func (p *price) when() int64 { return p.Created }

func (b *Box) priceRoutes() {
	create := params{
		"currency": {kind: currency}, "product": {kind: text}, "unit_amount": {kind: integer}, "unit_amount_decimal": {kind: decimal},
		"active": {kind: boolean}, "nickname": {kind: text}, "lookup_key": {kind: text, max: 200},
		"transfer_lookup_key": {kind: boolean}, "metadata": {kind: metadata}, "recurring": {kind: object, fields: params{
			"interval":       {kind: text, enum: []string{"day", "week", "month", "year"}},
			"interval_count": {kind: integer},
		}},
	}
	update := params{
		"active": {kind: boolean}, "nickname": {kind: clearable}, "lookup_key": {kind: clearable, max: 200},
		"transfer_lookup_key": {kind: boolean}, "metadata": {kind: metadata},
	}
	b.op("create price", "POST /v1/prices", create, b.createPrice)
	b.op("update price", "POST /v1/prices/{id}", update, b.updatePrice)
	b.op("get price", "GET /v1/prices/{id}", nil, func(c *call) (any, *problem) {
		if x := b.state.Prices.Rows[c.id]; x != nil {
			return x, nil
		}
		return nil, noSuch("price", c.id)
	})
	filters := params{
		"active": {kind: boolean}, "product": {kind: text}, "currency": {kind: currency}, "lookup_keys": {kind: list},
	}
	b.op("list prices", "GET /v1/prices", paging(filters), func(c *call) (any, *problem) {
		keys := map[string]bool{}
		for _, k := range c.form.list("lookup_keys") {
			keys[k] = true
		}
		match := func(x *price) bool {
			return (!c.form.has("active") || x.Active == c.form.is("active", "true")) &&
				(!c.form.has("product") || c.form.is("product", x.Product)) &&
				(!c.form.has("currency") || c.form.is("currency", x.Currency)) &&
				(len(keys) == 0 || keys[deref(x.LookupKey)])
		}
		return pageOf(c, &b.state.Prices, match, func(x *price) any { return x })
	})
}

func (b *Box) createPrice(c *call) (any, *problem) {
	f := c.form
	if !f.has("currency") {
		return nil, invalid("currency", "parameter_missing", "Missing required param: currency.")
	}
	if b.state.Products.Rows[f.get("product")] == nil {
		return nil, noSuchParam("product", "product", f.get("product"))
	}
	if f.has("unit_amount") == f.has("unit_amount_decimal") {
		return nil, invalid("unit_amount", "", "Exactly one of unit_amount and unit_amount_decimal is required.")
	}
	unit := f.rational("unit_amount_decimal")
	if f.has("unit_amount") {
		unit = f.rational("unit_amount")
	}
	x := b.newPrice(f.get("product"), f.get("currency"), unit)
	x.Active = !f.is("active", "false")
	x.repeat(f, "recurring")
	if p := b.setPrice(x, f); p != nil {
		return nil, p
	}
	b.state.Prices.add(x.ID, x)
	b.Effect("price created", keyOf(x.Metadata, x.ID))
	b.tell("price.created", x, nil)
	return x, nil
}

// repeat makes the price recur when the form says so.
func (p *price) repeat(f form, name string) {
	if !f.has(name + "[interval]") {
		return
	}
	p.Type, p.Recurring = "recurring", &recurring{Interval: f.get(name + "[interval]"), Count: 1}
	if f.has(name + "[interval_count]") {
		p.Recurring.Count = f.number(name + "[interval_count]")
	}
}

func (b *Box) newPrice(product, currency string, unit *big.Rat) *price {
	x := &price{
		ID: newID("price"), Object: "price", Active: true, BillingScheme: "per_unit", Created: b.now(), Currency: currency,
		Metadata: map[string]string{}, Product: product, TaxBehavior: "unspecified", Type: "one_time", UnitDecimal: plain(unit),
	}
	if unit.IsInt() {
		n := unit.Num().Int64()
		x.UnitAmount = &n
	}
	return x
}

func (b *Box) updatePrice(c *call) (any, *problem) {
	x := b.state.Prices.Rows[c.id]
	if x == nil {
		return nil, noSuch("price", c.id)
	}
	changed := *x
	if p := b.setPrice(&changed, c.form); p != nil {
		return nil, p
	}
	if c.form.has("active") {
		changed.Active = c.form.is("active", "true")
	}
	if owner := b.state.Products.Rows[x.Product]; owner != nil && !changed.Active && deref(owner.DefaultPrice) == x.ID {
		return nil, invalid("active", "", "This price cannot be archived because it is the default price of its product.")
	}
	if b.tellUpdated("price.updated", x, &changed) {
		b.Effect("price updated", keyOf(changed.Metadata, x.ID))
	}
	*x = changed
	return x, nil
}

// setPrice sets what may be set of a price at any time. A lookup key is moved
// from another price only when asked.
func (b *Box) setPrice(x *price, f form) (p *problem) {
	if key := f.get("lookup_key"); key != "" {
		for _, other := range b.state.Prices.Rows {
			if other.ID == x.ID || deref(other.LookupKey) != key {
				continue
			}
			if !f.is("transfer_lookup_key", "true") {
				return invalid("lookup_key", "resource_already_exists", "A price (`"+other.ID+"`) already uses that lookup key.")
			}
			other.LookupKey = nil
		}
	}
	setText(f, map[string]**string{"lookup_key": &x.LookupKey, "nickname": &x.Nickname})
	x.Metadata, p = f.metadata(x.Metadata)
	return p
}
