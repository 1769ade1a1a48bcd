package torture

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// What makes events of the scenario poison, and how it is mended.

// docNumber is the number of the invoice that a deal gets at QuickBooks.
func docNumber(id string) string { return "HS-shop-" + id }

// takeNumber gives a deal's number to an invoice that a bookkeeper makes.
func takeNumber(r *run, id string) error {
	b := r.world.boxes.QuickBooks
	customer, item, err := r.bookkeeper()
	if err != nil {
		return err
	}
	_, err = b.Add("Invoice", map[string]any{
		"DocNumber": docNumber(id), "CustomerRef": map[string]any{"value": customer}, "TxnDate": openDay,
		"Line": []any{map[string]any{
			"DetailType": "SalesItemLineDetail", "Amount": 10, "SalesItemLineDetail": map[string]any{"ItemRef": map[string]any{"value": item}, "Qty": 1, "UnitPrice": 10},
		}},
	})
	return err
}

// bookkeeper is the customer and the item of what the bookkeeper makes.
func (r *run) bookkeeper() (customer, item string, err error) {
	b := r.world.boxes.QuickBooks
	for _, c := range b.Customers() {
		if text(c["DisplayName"]) == ownCustomer {
			customer = text(c["Id"])
		}
	}
	for _, i := range b.Items() {
		if text(i["Name"]) == ownItem {
			item = text(i["Id"])
		}
	}
	if customer == "" {
		customer, err = b.Add("Customer", map[string]any{"DisplayName": ownCustomer})
	}
	if item == "" && err == nil {
		item, err = b.Add("Item", map[string]any{"Name": ownItem, "Type": "Service", "IncomeAccountRef": map[string]any{"value": "79"}})
	}
	return customer, item, err
}

const (
	ownCustomer = "Bookkeeper's customer"
	ownItem     = "Bookkeeper's work"
)

// freeNumber gives the bookkeeper's invoice another number.
func freeNumber(_ context.Context, r *run, id string) error {
	b := r.world.boxes.QuickBooks
	all := b.Invoices()
	i := slices.IndexFunc(all, func(o map[string]any) bool { return text(o["DocNumber"]) == docNumber(id) })
	if i < 0 {
		return errors.New("torture: the invoice whose number is in the way is not there")
	}
	return b.Edit("Invoice", text(all[i]["Id"]), map[string]any{"DocNumber": "B" + docNumber(id)})
}

func twinDomain(id string) string { return "twin-" + id + ".example" }

// twins makes two companies of one domain at HubSpot, and says something of
// each.
func twins(r *run, id string) error {
	for i := range 2 {
		_, err := r.world.boxes.HubSpot.Create("company", map[string]string{
			"name": fmt.Sprintf("Twin %d of %s", i, id), "domain": twinDomain(id), "country": "US",
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// apartTwins gives each of two companies a domain of its own.
func apartTwins(_ context.Context, r *run, id string) error {
	b := r.world.boxes.HubSpot
	for twin, c := range b.Records("company") {
		if c["domain"] != twinDomain(id) {
			continue
		}
		if err := b.Set("company", twin, map[string]string{"domain": "of-" + twin + "." + twinDomain(id)}); err != nil {
			return err
		}
	}
	return nil
}
