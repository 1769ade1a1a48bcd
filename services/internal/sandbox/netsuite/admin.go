package netsuitebox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// What people do in NetSuite itself.

// AddItem makes a non-inventory item and returns its id. An item of the same
// SKU is taken as it is, so that a restarted demo has no two of them.
func (b *Box) AddItem(sku, name string, price events.Decimal) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.state.named("item", sku, nil); r != nil {
		return r.ID, nil
	}
	r := &row{Type: "nonInventorySaleItem", Fields: map[string]any{}}
	err := b.commit(r, row{Type: r.Type, Fields: map[string]any{"itemId": sku, "displayName": name, "basePrice": num(price)}})
	return r.ID, err
}

// Deactivate makes a record inactive.
func (b *Box) Deactivate(id string) error {
	return b.change(id, func(r *row) { r.Fields["isInactive"] = true })
}

// AddInvoice bills a customer and returns the invoice's id.
func (b *Box) AddInvoice(customerID string, total events.Decimal) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	customer := b.target("customer", customerID)
	if customer == nil {
		return "", fmt.Errorf("netsuitebox: there is no customer %s", customerID)
	}
	r := &row{Type: "invoice", Fields: map[string]any{}}
	err := b.commit(r, row{Type: r.Type, Fields: map[string]any{
		"entity": map[string]any{"id": customerID}, "currency": customer.Fields["currency"],
		"tranId": b.state.number("INV"), "tranDate": b.opts.Now().UTC().Format(time.DateOnly), "total": num(total),
	}})
	return r.ID, err
}

// Bill makes an invoice of all that an order has left to bill.
func (b *Box) Bill(orderID string) (string, error) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "http://netsuite/"+orderID, strings.NewReader("{}")) //nolint:noctx // no call is made
	r.SetPathValue("id", orderID)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.transform("invoice")(w, r, "salesOrder"); err != nil {
		return "", err
	}
	return path.Base(w.Header().Get("Location")), nil
}

// Add makes a record of a type as a person does, and returns its id.
func (b *Box) Add(kind string, fields map[string]any) (string, error) {
	body, err := plain(fields)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r := &row{Type: kind, Fields: map[string]any{}}
	err = b.write(r, input{body: body, strict: true})
	return r.ID, err
}

// Edit changes fields of a record as a person does.
func (b *Box) Edit(id string, fields map[string]any) error {
	body, err := plain(fields)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.state.ids[id]
	if r == nil {
		return fmt.Errorf("netsuitebox: there is no record %s", id)
	}
	return b.write(r, input{body: body, strict: true})
}

// Remove deletes a record as a person does.
func (b *Box) Remove(id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.state.ids[id]
	if r == nil {
		return fmt.Errorf("netsuitebox: there is no record %s", id)
	}
	return b.forget(r)
}

// plain makes JSON of Go values, with numbers digit by digit.
func plain(fields map[string]any) (map[string]any, error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("netsuitebox: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var body map[string]any
	if err := d.Decode(&body); err != nil {
		return nil, fmt.Errorf("netsuitebox: %w", err)
	}
	return body, nil
}

// Record is a record as it stands: references are their ids, sublists lists of
// maps.
type Record struct {
	ID, ExternalID string
	Fields         map[string]any
}

// Text is a field as text; "" when it is empty.
func (r Record) Text(name string) string { return identity(r.Fields[name]) }

// Lines are the lines of a sublist.
func (r Record) Lines(name string) []map[string]any {
	lines, _ := r.Fields[name].([]any)
	all := make([]map[string]any, len(lines))
	for i, l := range lines {
		all[i], _ = flat(l).(map[string]any)
	}
	return all
}

// flat makes ids of references and texts of numbers.
func flat(v any) any {
	switch x := v.(type) {
	case map[string]any:
		if id, ok := x["id"]; ok && len(x) == 1 {
			return flat(id)
		}
		out := make(map[string]any, len(x))
		for k, e := range x {
			out[k] = flat(e)
		}
		return out
	case json.Number:
		return x.String()
	default:
		return v
	}
}

// Records returns the records of a type in the order of their creation.
func (b *Box) Records(kind string) []Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Record
	for _, r := range b.rows(kind) {
		all = append(all, Record{ID: r.ID, ExternalID: r.ExternalID, Fields: b.derived(r)})
	}
	return all
}

// AddCurrency makes a currency of an ISO code.
func (b *Box) AddCurrency(iso string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opts.Currencies = append(slices.Clone(b.opts.Currencies), iso)
}

// ClosePeriod closes the books before a day, as in "2026-11-01".
func (b *Box) ClosePeriod(before string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = before
}

// change edits a record as a person does: no effect is counted.
func (b *Box) change(id string, f func(*row)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.state.ids[id]
	if r == nil {
		return fmt.Errorf("netsuitebox: there is no record %s", id)
	}
	f(r)
	r.Modified = b.opts.Now().UTC()
	return b.file.save(b.state)
}

// Line is one line of an Order.
type Line struct {
	ItemID      string
	Description string
	Quantity    string
	Rate        string
	Amount      string
	Closed      bool
}

// Order is a sales order as it stands.
type Order struct {
	ID, ExternalID, Number, CustomerID, Currency, Memo, Status, Total string

	Lines []Line
}

// Orders returns the sales orders in the order of their creation.
func (b *Box) Orders() []Order {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Order
	for _, r := range b.rows("salesOrder") {
		fields := b.derived(r)
		o := Order{
			ID: r.ID, ExternalID: r.ExternalID, Number: str(r.Fields["tranId"]), CustomerID: identity(r.Fields["entity"]),
			Currency: b.iso(r), Memo: str(r.Fields["memo"]), Status: statusNames(r.Type, str(fields["status"])), Total: str(r.Fields["total"]),
		}
		lines, _ := r.Fields["item"].([]any)
		for _, l := range lines {
			m := l.(map[string]any)
			o.Lines = append(o.Lines, Line{
				ItemID: identity(m["item"]), Description: str(m["description"]), Quantity: str(m["quantity"]),
				Rate: str(m["rate"]), Amount: str(m["amount"]), Closed: m["isClosed"] == true,
			})
		}
		all = append(all, o)
	}
	return all
}

// Payment is a customer payment as it stands.
type Payment struct {
	ID, ExternalID, Number, CustomerID, Currency, Amount, Unapplied, Memo, Date, AccountID string
}

// Payments returns the customer payments in the order of their creation.
func (b *Box) Payments() []Payment {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Payment
	for _, r := range b.rows("customerPayment") {
		fields := b.derived(r)
		all = append(all, Payment{
			ID: r.ID, ExternalID: r.ExternalID, Number: str(r.Fields["tranId"]), CustomerID: identity(r.Fields["customer"]),
			Currency: b.iso(r), Amount: str(r.Fields["payment"]), Unapplied: str(fields["unapplied"]),
			Memo: str(r.Fields["memo"]), Date: str(r.Fields["tranDate"]), AccountID: identity(r.Fields["account"]),
		})
	}
	return all
}

// Customer is a customer as it stands.
type Customer struct {
	ID, ExternalID, Number, Name, Email, Phone, Currency, SubsidiaryID string

	Inactive  bool
	Addresses []map[string]any
}

// Customers returns the customers in the order of their creation.
func (b *Box) Customers() []Customer {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Customer
	for _, r := range b.rows("customer") {
		c := Customer{
			ID: r.ID, ExternalID: r.ExternalID, Number: str(r.Fields["entityId"]), Name: str(r.Fields["companyName"]),
			Email: str(r.Fields["email"]), Phone: str(r.Fields["phone"]), Currency: b.iso(r),
			SubsidiaryID: identity(r.Fields["subsidiary"]), Inactive: r.Fields["isInactive"] == true,
		}
		lines, _ := r.Fields["addressBook"].([]any)
		for _, l := range lines {
			if a, ok := l.(map[string]any)["addressBookAddress"].(map[string]any); ok {
				c.Addresses = append(c.Addresses, a)
			}
		}
		all = append(all, c)
	}
	return all
}

func (b *Box) rows(name string) []*row {
	var all []*row
	for _, r := range b.state.Rows {
		if r.Type == name {
			all = append(all, r)
		}
	}
	return all
}

// iso is the code of a record's currency.
func (b *Box) iso(r *row) string {
	n, err := dec(r.Fields["currency"]).Int64()
	if err != nil || n < 1 || int(n) > len(b.opts.Currencies) {
		return ""
	}
	return b.opts.Currencies[n-1]
}

func str(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	default:
		return ""
	}
}
