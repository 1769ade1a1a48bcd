package stripebox

type product struct {
	ID           string            `json:"id"`
	Object       string            `json:"object"`
	Active       bool              `json:"active"`
	Created      int64             `json:"created"`
	DefaultPrice *string           `json:"default_price"`
	Description  *string           `json:"description"`
	Images       []string          `json:"images"`
	Livemode     bool              `json:"livemode"`
	Metadata     map[string]string `json:"metadata"`
	Name         string            `json:"name"`
	Type         string            `json:"type"`
	Updated      int64             `json:"updated"`
}

func (p *product) when() int64 { return p.Created }

func (b *Box) productRoutes() {
	create := params{
		"id": {kind: text}, "name": {kind: text, max: 5000}, "description": {kind: text, max: 40000},
		"active": {kind: boolean}, "metadata": {kind: metadata},
	}
	update := params{
		"name": {kind: text, max: 5000}, "description": {kind: clearable, max: 40000}, "active": {kind: boolean},
		"metadata": {kind: metadata}, "default_price": {kind: text},
	}
	b.op("create product", "POST /v1/products", create, b.createProduct)
	b.op("update product", "POST /v1/products/{id}", update, b.updateProduct)
	b.op("get product", "GET /v1/products/{id}", nil, func(c *call) (any, *problem) {
		if x := b.state.Products.Rows[c.id]; x != nil {
			return x, nil
		}
		return nil, noSuch("product", c.id)
	})
	b.op("delete product", "DELETE /v1/products/{id}", nil, b.deleteProduct)
	b.op("list products", "GET /v1/products", paging(params{"active": {kind: boolean}}), func(c *call) (any, *problem) {
		match := func(x *product) bool { return !c.form.has("active") || x.Active == c.form.is("active", "true") }
		return pageOf(c, &b.state.Products, match, func(x *product) any { return x })
	})
}

func (b *Box) createProduct(c *call) (any, *problem) {
	x := &product{
		ID: c.form.get("id"), Object: "product", Active: !c.form.is("active", "false"), Created: b.now(), Updated: b.now(),
		Images: []string{}, Type: "service",
	}
	if x.ID == "" {
		x.ID = newID("prod")
	}
	if !c.form.has("name") {
		return nil, invalid("name", "parameter_missing", "Missing required param: name.")
	}
	if b.state.Products.Rows[x.ID] != nil {
		return nil, invalid("id", "resource_already_exists", "Product already exists.")
	}
	if p := b.setProduct(x, c.form); p != nil {
		return nil, p
	}
	b.state.Products.add(x.ID, x)
	b.Effect("product created", keyOf(x.Metadata, x.ID))
	b.tell("product.created", x, nil)
	return x, nil
}

func (b *Box) updateProduct(c *call) (any, *problem) {
	x := b.state.Products.Rows[c.id]
	if x == nil {
		return nil, noSuch("product", c.id)
	}
	changed := *x
	if p := b.setProduct(&changed, c.form); p != nil {
		return nil, p
	}
	if b.tellUpdated("product.updated", x, &changed) {
		changed.Updated = b.now()
		b.Effect("product updated", keyOf(changed.Metadata, x.ID))
	}
	*x = changed
	return x, nil
}

func (b *Box) setProduct(x *product, f form) (p *problem) {
	if f.has("default_price") {
		pr := b.state.Prices.Rows[f.get("default_price")]
		if pr == nil || pr.Product != x.ID {
			return noSuchParam("price", "default_price", f.get("default_price"))
		}
		if !pr.Active {
			return invalid("default_price", "", "The default price must be active.")
		}
		x.DefaultPrice = &pr.ID
	}
	if f.has("name") {
		x.Name = f.get("name")
	}
	if f.has("active") {
		x.Active = f.is("active", "true")
	}
	setText(f, map[string]**string{"description": &x.Description})
	x.Metadata, p = f.metadata(x.Metadata)
	return p
}

func (b *Box) deleteProduct(c *call) (any, *problem) {
	x := b.state.Products.Rows[c.id]
	if x == nil {
		return nil, noSuch("product", c.id)
	}
	for _, pr := range b.state.Prices.Rows {
		if pr.Product == x.ID {
			return nil, invalid("", "", "This product cannot be deleted because it has one or more user-created prices.")
		}
	}
	b.state.Products.remove(x.ID)
	b.Effect("product deleted", keyOf(x.Metadata, x.ID))
	b.tell("product.deleted", x, nil)
	return map[string]any{"id": x.ID, "object": "product", "deleted": true}, nil
}
