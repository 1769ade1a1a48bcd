package hubspotbox

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Company is a company to seed. An empty ID gets the next one; Properties
// are set besides the named ones.
type Company struct {
	ID, Name, Domain, Phone           string
	Street, City, State, Zip, Country string
	Properties                        map[string]string
}

// Contact is a contact to seed. Company is the id of its company.
type Contact struct {
	ID, FirstName, LastName, Email, Phone string
	Company                               string
	Properties                            map[string]string
}

// Product is a product to seed.
type Product struct {
	ID, Name, SKU, Description, Price string
	Properties                        map[string]string
}

// Line is a line item of a deal to seed. Product is the id of its product,
// Amount is worked out when empty.
type Line struct {
	ID, Product, Name, SKU, Quantity, Price, Amount string
	Currency                                        string
}

// Deal is a deal to seed. Company and Contact are ids. Stage is
// "appointmentscheduled" and Pipeline "default" when empty.
type Deal struct {
	ID, Name, Amount, Currency, Pipeline, Stage, CloseDate string
	Company, Contact                                       string
	Lines                                                  []Line
	Properties                                             map[string]string
}

// seed makes a record without webhooks. One that is there already, from the
// state file, stays as it is. The caller holds the lock.
func (b *Box) seed(object, id string, props, more map[string]string) (string, error) {
	t, ok := b.typeNamed(object)
	if !ok {
		return "", fmt.Errorf("hubspotbox: unknown object %q", object)
	}
	if _, exists := b.state.peek(t, id); exists {
		return id, nil
	}
	if strings.Trim(id, "0123456789") != "" {
		return "", fmt.Errorf("hubspotbox: seed %s %q: ids are numbers", object, id)
	}
	maps.Copy(props, more)
	maps.DeleteFunc(props, func(_, v string) bool { return v == "" })
	if p, status := b.check(t, nil, props, enforcing); status != 0 {
		return "", fmt.Errorf("hubspotbox: seed %s: %s", object, p.Message)
	}
	return b.newObject(t, id, props).ID, nil
}

func (b *Box) seedLink(from, id, to, toID string) error {
	if toID == "" {
		return nil
	}
	f, _ := b.typeNamed(from)
	t, _ := b.typeNamed(to)
	if _, ok := b.state.live(t, toID); !ok {
		return fmt.Errorf("hubspotbox: seed %s %s: there is no %s %s", from, id, to, toID)
	}
	b.connect(f, id, t, toID, nil, false)
	return nil
}

// AddCompany seeds a company and returns its id.
func (b *Box) AddCompany(c Company) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.save()
	return b.seed("company", c.ID, map[string]string{
		"name": c.Name, "domain": c.Domain, "phone": c.Phone, "address": c.Street, "city": c.City,
		"state": c.State, "zip": c.Zip, "country": c.Country,
	}, c.Properties)
}

// AddContact seeds a contact with its company and returns its id.
func (b *Box) AddContact(c Contact) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.save()
	id, err := b.seed("contact", c.ID, map[string]string{
		"firstname": c.FirstName, "lastname": c.LastName, "email": c.Email, "phone": c.Phone,
	}, c.Properties)
	if err != nil {
		return "", err
	}
	return id, b.seedLink("contact", id, "company", c.Company)
}

// AddProduct seeds a product and returns its id.
func (b *Box) AddProduct(p Product) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.save()
	return b.seed("product", p.ID, map[string]string{
		"name": p.Name, "hs_sku": p.SKU, "description": p.Description, "price": p.Price,
	}, p.Properties)
}

// AddDeal seeds a deal with its lines and associations and returns its id.
// One that is there already stays as it is, lines included.
func (b *Box) AddDeal(d Deal) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.save()
	if _, exists := b.state.Objects["deals"][d.ID]; exists {
		return d.ID, nil
	}
	if d.Stage == "" {
		d.Stage = "appointmentscheduled"
	}
	id, err := b.seed("deal", d.ID, map[string]string{
		"dealname": d.Name, "amount": d.Amount, "deal_currency_code": d.Currency, "pipeline": d.Pipeline,
		"dealstage": d.Stage, "closedate": d.CloseDate,
	}, d.Properties)
	if err != nil {
		return "", err
	}
	for _, l := range d.Lines {
		line, err := b.seed("line_item", l.ID, map[string]string{
			"name": l.Name, "hs_sku": l.SKU, "hs_product_id": l.Product, "quantity": l.Quantity, "price": l.Price,
			"amount": l.Amount, "hs_line_item_currency_code": l.Currency,
		}, nil)
		if err != nil {
			return "", err
		}
		if err := b.seedLink("deal", id, "line_item", line); err != nil {
			return "", err
		}
	}
	if err := b.seedLink("deal", id, "company", d.Company); err != nil {
		return "", err
	}
	return id, b.seedLink("deal", id, "contact", d.Contact)
}

// Add seeds a record of any type without webhooks and returns its id.
func (b *Box) Add(object, id string, props map[string]string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.save()
	return b.seed(object, id, map[string]string{}, props)
}

// Link associates two records that are there, without webhooks.
func (b *Box) Link(from, id, to, toID string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.save()
	return b.seedLink(from, id, to, toID)
}

// Associated returns the types of the association between two records.
func (b *Box) Associated(from, id, to, toID string) []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	f, okFrom := b.typeNamed(from)
	t, okTo := b.typeNamed(to)
	if !okFrom || !okTo {
		return nil
	}
	return slices.Clone(b.state.Links[ref(f, id)][ref(t, toID)])
}

// Create makes a record as a person in HubSpot does, with webhooks, and
// returns its id.
func (b *Box) Create(object string, props map[string]string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.typeNamed(object)
	if !ok {
		return "", fmt.Errorf("hubspotbox: unknown object %q", object)
	}
	if p, status := b.check(t, nil, props, enforcing); status != 0 {
		return "", fmt.Errorf("hubspotbox: create %s: %d %s", object, status, p.Message)
	}
	o := b.newObject(t, "", props)
	b.notifyCreated(t, o)
	b.save()
	return o.ID, nil
}

// SetDeal changes a deal as a person in HubSpot does, with webhooks.
func (b *Box) SetDeal(id string, props map[string]string) error { return b.Set("deal", id, props) }

// Set changes a record as a person in HubSpot does, with webhooks. An empty
// value clears a property.
func (b *Box) Set(object, id string, props map[string]string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, o, err := b.find(object, id)
	if err != nil {
		return err
	}
	if p, status := b.check(t, o, props, enforcing); status != 0 {
		return fmt.Errorf("hubspotbox: set %s %s: %d %s", object, id, status, p.Message)
	}
	b.notifyChanged(t, o, b.assign(t, o, props))
	b.save()
	return nil
}

// Delete archives a record as a person in HubSpot does, with webhooks.
func (b *Box) Delete(object, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, o, err := b.find(object, id)
	if err == nil {
		b.bury(t, o)
		b.save()
	}
	return err
}

// Restore brings an archived record back, with a webhook but without its
// associations. Its times stay as they were.
func (b *Box) Restore(object, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.typeNamed(object)
	if !ok {
		return fmt.Errorf("hubspotbox: unknown object %q", object)
	}
	o, ok := b.state.peek(t, id)
	if !ok || o.Archived.IsZero() {
		return fmt.Errorf("hubspotbox: %s %s is not archived", object, id)
	}
	o.Archived = time.Time{}
	b.state.indexUnique(b, t, o, true)
	b.notifyRestored(t, o)
	b.save()
	return nil
}

// Purge removes a record for good, as a privacy deletion does, without a
// webhook.
func (b *Box) Purge(object, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, o, err := b.find(object, id)
	if err == nil {
		b.remove(t, o)
		b.save()
	}
	return err
}

// Deal returns the properties of a deal; nil when there is none.
func (b *Box) Deal(id string) map[string]string { return b.Object("deal", id) }

// Records returns the properties of all records of a type, by id.
func (b *Box) Records(kind string) map[string]map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]map[string]string{}
	t, ok := b.typeNamed(kind)
	if !ok {
		return all
	}
	b.state.each(t, 0, func(o *object) bool {
		if o.Archived.IsZero() {
			all[o.ID] = b.values(t, o)
		}
		return true
	})
	return all
}

// Object returns the properties of a record; nil when there is none.
func (b *Box) Object(object, id string) map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, o, err := b.find(object, id)
	if err != nil {
		return nil
	}
	return b.values(t, o)
}

func (b *Box) find(object, id string) (*objectType, *object, error) {
	t, ok := b.typeNamed(object)
	if !ok {
		return nil, nil, fmt.Errorf("hubspotbox: unknown object %q", object)
	}
	o, ok := b.state.live(t, id)
	if !ok {
		return nil, nil, fmt.Errorf("hubspotbox: %s %s: %s", object, id, http.StatusText(http.StatusNotFound))
	}
	return t, o, nil
}
