package stripebox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// The methods of this file do what people do in the dashboard. They count no
// effects, but send webhooks.

// Customer is a customer as tests look at it.
type Customer struct {
	ID, Name, Email, Phone string
	// Key is metadata spoke_key.
	Key string
}

// Customers returns the customers that are not deleted, the oldest first.
func (b *Box) Customers() []Customer {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Customer
	for _, id := range b.state.Customers.Order {
		if c := b.state.Customers.Rows[id]; !c.Deleted {
			out = append(out, Customer{ID: id, Name: deref(c.Name), Email: deref(c.Email), Phone: deref(c.Phone), Key: c.Metadata["spoke_key"]})
		}
	}
	return out
}

// AddCustomer enters a customer and returns its id.
func (b *Box) AddCustomer(name, email string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.newCustomer()
	c.Name, c.Email = opt(name), opt(email)
	b.state.Customers.add(c.ID, c)
	b.tell("customer.created", c, nil)
	b.save()
	return c.ID
}

// EditCustomer changes a customer's name and phone.
func (b *Box) EditCustomer(id, name, phone string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, p := b.customer(id)
	if p != nil {
		return fmt.Errorf("stripebox: there is no customer %s", id)
	}
	changed := *c
	changed.Name, changed.Phone = opt(name), opt(phone)
	b.tellUpdated("customer.updated", c, &changed)
	*c = changed
	b.save()
	return nil
}

// Sign returns the header Stripe-Signature of a webhook: HMAC-SHA256 with the
// whole secret over the time, a dot, and the raw body.
func Sign(secret string, body []byte, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
