package stripe

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// speaker makes changes in the name of the connection.
type speaker struct{ connection string }

// customer is Stripe's.
type customer struct {
	identity
	Name     string `json:"name"`
	Email    string `json:"email"`
	Phone    string `json:"phone"`
	Currency string `json:"currency"`
	Address  struct {
		Line1      string `json:"line1"`
		Line2      string `json:"line2"`
		City       string `json:"city"`
		State      string `json:"state"`
		PostalCode string `json:"postal_code"`
		Country    string `json:"country"`
	} `json:"address"`
}

// product is Stripe's.
type product struct {
	identity
	Name         string            `json:"name"`
	Description  string            `json:"description"`
	Active       bool              `json:"active"`
	DefaultPrice expandable[price] `json:"default_price"`
}

// recordOf is the golden record that the object says it stands for. Metadata
// of others under our name is ignored.
func recordOf(metadata map[string]string) events.Key {
	k, err := events.ParseKey(metadata[metaRecord])
	if err != nil {
		return events.Key{}
	}
	return k
}

func (s speaker) snapshot(object string, entity events.Entity, id identity, at time.Time, f events.Fields) events.Change {
	return events.Change{
		Connection: s.connection, Object: object, Entity: entity, ID: id.ID, Record: recordOf(id.Metadata),
		Op: events.OpChanged, At: at.UTC(), Snapshot: true, Fields: f,
	}
}

func (s speaker) customer(raw json.RawMessage, at time.Time) (events.Change, error) {
	var c customer
	if err := json.Unmarshal(raw, &c); err != nil {
		return events.Change{}, fmt.Errorf("customer: %w", err)
	}
	return s.snapshot(objectCustomer, events.EntityCompany, c.identity, at, c.fields()), nil
}

func (c customer) fields() events.Fields {
	street := c.Address.Line1
	if c.Address.Line2 != "" {
		street += "\n" + c.Address.Line2
	}
	f := events.Fields{}
	for name, value := range map[string]string{
		"name": c.Name, "email": c.Email, "phone": c.Phone, "street": street, "city": c.Address.City,
		"state": c.Address.State, "zip": c.Address.PostalCode, "country": c.Address.Country,
	} {
		f.Set(name, value)
	}
	return f
}

func (s speaker) product(raw json.RawMessage, at time.Time) (events.Change, error) {
	var p product
	if err := json.Unmarshal(raw, &p); err != nil {
		return events.Change{}, fmt.Errorf("product: %w", err)
	}
	f, err := p.fields()
	return s.snapshot(objectProduct, events.EntityProduct, p.identity, at, f), err
}

// fields leaves the price out where the default price was not expanded, as in
// webhooks.
func (p product) fields() (events.Fields, error) {
	f := events.Fields{}
	f.Set("name", p.Name)
	f.Set("description", p.Description)
	f.Set("sku", p.Metadata[metaSKU])
	f.Set("active", p.Active)
	if d := p.DefaultPrice.Object; d != nil && d.UnitAmount != nil {
		m, err := fromMinorDecimal(*d.UnitAmount, d.Currency)
		if err != nil {
			return nil, fmt.Errorf("default_price: %w", err)
		}
		f.Set("price", m)
	}
	return f, nil
}

func customerResult(raw json.RawMessage, effect events.Effect) (connector.Result, error) {
	c, err := decode[customer]("read customer", raw)
	return connector.Result{ID: c.ID, Effect: effect, Seen: c.fields()}, err
}

// productResult never fails: where the price has a form that Spoke does not
// know, the product stands nevertheless, and nothing is said of its fields.
func productResult(p product, effect events.Effect) connector.Result {
	r := connector.Result{ID: p.ID, Effect: effect}
	if f, err := p.fields(); err == nil {
		r.Seen = f
	}
	return r
}

// day is the date of a Unix time in UTC, as Stripe prints it on documents.
func day(unix int64) events.Date {
	if unix == 0 {
		return ""
	}
	return time.Unix(unix, 0).UTC().Format(time.DateOnly)
}
