package stripe_test

import (
	"encoding/json"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

func invoiceFields(customer, product any) map[string]any {
	return map[string]any{
		"customer": customer, "currency": "EUR", "description": "Big deal",
		"lines": []any{
			map[string]any{
				"product": product, "description": "Widget", "quantity": json.Number("3"), "price": money("9.99", "EUR"),
				"amount": money("29.97", "EUR"),
			},
			map[string]any{
				"product": product, "description": "Sub-cent", "quantity": json.Number("1000"), "price": money("0.0125", "EUR"),
			},
			map[string]any{"description": "Hours", "quantity": json.Number("2.5"), "price": money("80", "EUR")},
		},
	}
}

func invoiceDoc(customer, product string) connector.Document {
	return document("invoice", events.Key{Entity: events.EntityDeal, ID: "77"}, invoiceFields(customer, product))
}
