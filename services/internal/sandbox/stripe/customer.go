package stripebox

import (
	"net/http"
	"strings"
)

type address struct {
	City       *string `json:"city"`
	Country    *string `json:"country"`
	Line1      *string `json:"line1"`
	Line2      *string `json:"line2"`
	PostalCode *string `json:"postal_code"`
	State      *string `json:"state"`
}

type customer struct {
	ID            string            `json:"id"`
	Object        string            `json:"object"`
	Address       *address          `json:"address"`
	Balance       int64             `json:"balance"`
	Created       int64             `json:"created"`
	Currency      *string           `json:"currency"`
	Delinquent    bool              `json:"delinquent"`
	Description   *string           `json:"description"`
	Email         *string           `json:"email"`
	InvoicePrefix string            `json:"invoice_prefix"`
	Livemode      bool              `json:"livemode"`
	Metadata      map[string]string `json:"metadata"`
	Name          *string           `json:"name"`
	NextSequence  int64             `json:"next_invoice_sequence"`
	Phone         *string           `json:"phone"`
	TaxExempt     string            `json:"tax_exempt"`
	// Deleted customers keep answering, with nothing but their id.
	Deleted bool `json:"deleted,omitempty"`
}

func (c *customer) when() int64 { return c.Created }

func (b *Box) customerRoutes() {
	spec := params{
		"name": {kind: clearable, max: 256}, "email": {kind: clearable, max: 512}, "phone": {kind: clearable, max: 20},
		"description": {kind: clearable}, "metadata": {kind: metadata}, "address": {kind: object, fields: params{
			"line1": {kind: clearable}, "line2": {kind: clearable}, "city": {kind: clearable}, "state": {kind: clearable},
			"postal_code": {kind: clearable}, "country": {kind: clearable},
		}},
	}
	b.op("create customer", "POST /v1/customers", spec, b.createCustomer)
	b.op("update customer", "POST /v1/customers/{id}", spec, b.updateCustomer)
	b.op("get customer", "GET /v1/customers/{id}", nil, func(c *call) (any, *problem) {
		cus := b.state.Customers.Rows[c.id]
		if cus == nil {
			return nil, noSuch("customer", c.id)
		}
		if cus.Deleted {
			return gone(cus), nil
		}
		return cus, nil
	})
	b.op("delete customer", "DELETE /v1/customers/{id}", nil, b.deleteCustomer)
	b.op("list customers", "GET /v1/customers", paging(params{"email": {kind: text}}), func(c *call) (any, *problem) {
		match := func(x *customer) bool {
			// Exact, and with attention to capitals, as at Stripe.
			return !x.Deleted && (!c.form.has("email") || c.form.is("email", deref(x.Email)))
		}
		return pageOf(c, &b.state.Customers, match, func(x *customer) any { return x })
	})
}

func gone(c *customer) any { return map[string]any{"id": c.ID, "object": "customer", "deleted": true} }

func (b *Box) newCustomer() *customer {
	return &customer{
		ID: newID("cus"), Object: "customer", Created: b.now(), TaxExempt: "none", NextSequence: 1,
		InvoicePrefix: strings.ToUpper(newID("x")[2:10]), Metadata: map[string]string{},
	}
}

func (b *Box) createCustomer(c *call) (any, *problem) {
	cus := b.newCustomer()
	if p := cus.set(c.form); p != nil {
		return nil, p
	}
	b.state.Customers.add(cus.ID, cus)
	b.Effect("customer created", keyOf(cus.Metadata, cus.ID))
	b.tell("customer.created", cus, nil)
	return cus, nil
}

func (b *Box) updateCustomer(c *call) (any, *problem) {
	cus, p := b.customer(c.id)
	if p != nil {
		p.Status, p.Param = http.StatusNotFound, "id"
		return nil, p
	}
	changed := *cus
	if p := changed.set(c.form); p != nil {
		return nil, p
	}
	if b.tellUpdated("customer.updated", cus, &changed) {
		b.Effect("customer updated", keyOf(changed.Metadata, cus.ID))
	}
	*cus = changed
	return cus, nil
}

func (b *Box) deleteCustomer(c *call) (any, *problem) {
	cus, p := b.customer(c.id)
	if p != nil {
		p.Status, p.Param = http.StatusNotFound, "id"
		return nil, p
	}
	b.Effect("customer deleted", keyOf(cus.Metadata, cus.ID))
	b.tell("customer.deleted", cus, nil)
	cus.Deleted = true
	return gone(cus), nil
}

// customer returns one that a parameter names and that is not deleted.
func (b *Box) customer(id string) (*customer, *problem) {
	cus := b.state.Customers.Rows[id]
	if cus == nil || cus.Deleted {
		return nil, noSuchParam("customer", "customer", id)
	}
	return cus, nil
}

func (c *customer) set(f form) (p *problem) {
	if f.has("email") && f.get("email") != "" && !strings.Contains(f.get("email"), "@") {
		return invalid("email", "email_invalid", "Invalid email address: "+f.get("email"))
	}
	if country := f.get("address[country]"); country != "" && (len(country) != 2 || strings.ToUpper(country) != country) {
		return invalid("address[country]", "country_code_invalid", "Country '"+country+"' is unknown. "+
			"Try using a 2-character alphanumeric country code instead, such as 'US', 'EG', or 'GB'.")
	}
	if c.Metadata, p = f.metadata(c.Metadata); p != nil {
		return p
	}
	setText(f, map[string]**string{
		"name": &c.Name, "email": &c.Email, "phone": &c.Phone, "description": &c.Description,
	})
	a := address{}
	if c.Address != nil && !f.has("address") {
		a = *c.Address
	}
	setText(f, map[string]**string{
		"address[city]": &a.City, "address[country]": &a.Country, "address[line1]": &a.Line1, "address[line2]": &a.Line2,
		"address[postal_code]": &a.PostalCode, "address[state]": &a.State,
	})
	c.Address = &a
	if a == (address{}) {
		c.Address = nil
	}
	return nil
}

// setText sets the fields that the form speaks of.
func setText(f form, fields map[string]**string) {
	for name, field := range fields {
		if f.has(name) {
			*field = opt(f.get(name))
		}
	}
}

// keyOf is the caller's key of an object, else the object's id.
func keyOf(metadata map[string]string, id string) string {
	if key := metadata["spoke_key"]; key != "" {
		return key
	}
	return id
}
