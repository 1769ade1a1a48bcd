package quickbooks_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/connectortest"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/secret"
	"github.com/spoke-sync/spoke/services/internal/spec"
)

// startBox runs a sandbox for one test and returns settings that point to it.
func startBox(t testing.TB, opts quickbooksbox.Options) (*quickbooksbox.Box, *quickbooks.Settings) {
	t.Helper()
	box, err := quickbooksbox.New(opts)
	require.NoError(t, err)
	server := httptest.NewServer(box)
	t.Cleanup(func() {
		server.Close()
		box.Close()
	})
	s := quickbooks.DefaultSettings()
	s.URL, s.TokenURL = server.URL, server.URL+quickbooksbox.TokenPath
	s.RealmID, s.ClientID = quickbooksbox.DefaultRealmID, quickbooksbox.DefaultClientID
	s.ClientSecret = secret.New(quickbooksbox.DefaultClientSecret)
	s.RefreshToken = secret.New(quickbooksbox.DefaultRefreshToken)
	s.VerifierTokens = []secret.Value{secret.New("the-old-token"), secret.New(quickbooksbox.DefaultVerifierToken)}
	s.IncomeAccount = quickbooksbox.IncomeAccount
	s.DepositAccount = quickbooksbox.DepositAccount
	return box, s
}

func key(entity events.Entity, id string) events.Key { return events.Key{Entity: entity, ID: id} }

func document(object string, record events.Key, fields map[string]any) connector.Document {
	return connector.Document{
		Desired: events.Desired{Object: object, Record: record, Op: events.DesiredUpsert, Fields: fields},
		Key:     "spoke-" + string(record.Entity) + "-" + record.ID,
	}
}

func usd(amount string) map[string]any { return map[string]any{"amount": amount, "currency": "USD"} }

func suiteDocs() []connectortest.Doc {
	customer := events.Ref{Object: "Customer", Record: key(events.EntityCompany, "11")}
	item := events.Ref{Object: "Item", Record: key(events.EntityProduct, "21")}
	invoice := events.Ref{Object: "Invoice", Record: key(events.EntityDeal, "77")}
	lines := func(qty string) []any {
		return []any{map[string]any{"ItemRef": item, "Qty": json.Number(qty), "UnitPrice": usd("19.99"), "Description": "Widget"}}
	}
	docs := []connectortest.Doc{
		{
			Document: document("Customer", customer.Record, map[string]any{
				"DisplayName": "O'Brien: Sons", "PrimaryEmailAddr": "billing@obrien.example", "BillAddrCity": "Berlin", "BillAddrCountry": "Germany",
			}),
			Created: "Customer created", CreateOp: "customer.write",
			Change: map[string]any{"DisplayName": "O'Brien & Daughters", "PrimaryEmailAddr": "accounts@obrien.example", "BillAddrCity": "Bonn", "BillAddrCountry": "Germany"},
		},
		{
			Document: document("Item", item.Record, map[string]any{"Name": "Widget", "Sku": `W\1'a`, "UnitPrice": usd("19.99")}),
			Created:  "Item created", CreateOp: "item.write",
			Change: map[string]any{"Name": "Widget", "Sku": `W\1'a`, "UnitPrice": usd("21")},
		},
		{
			Document: document("Item", key(events.EntityProduct, "22"), map[string]any{"Name": "Support"}),
			Created:  "Item created", CreateOp: "item.write",
		},
		{
			Document: document("Invoice", invoice.Record, map[string]any{
				"CustomerRef": customer, "DocNumber": "HS-77", "TxnDate": "2026-11-20", "Line": lines("3"),
			}),
			Created: "Invoice created", CreateOp: "invoice.write",
			Change: map[string]any{"CustomerRef": customer, "DocNumber": "HS-77", "TxnDate": "2026-11-20", "Line": lines("4")},
		},
		{
			Document: document("Payment", key(events.EntityPayment, "in_1"), map[string]any{
				"CustomerRef": customer, "TotalAmt": usd("20"), "TxnDate": "2026-11-21", "InvoiceRef": invoice, "PaymentRefNum": "pi_3MtwBwLkdIwHu7ix28a3tqPa",
			}),
			Created: "Payment created", CreateOp: "payment.write",
			Change: map[string]any{"CustomerRef": customer, "TotalAmt": usd("25.5"), "TxnDate": "2026-11-21", "InvoiceRef": invoice},
		},
	}
	for _, f := range saleForms() {
		fields := func(qty string) map[string]any {
			return map[string]any{"CustomerRef": customer, "DocNumber": f.number, "TxnDate": "2026-11-20", "Line": lines(qty)}
		}
		docs = append(docs, connectortest.Doc{
			Document: document(f.object, key(f.entity, "31"), fields("2")),
			Created:  f.object + " created", CreateOp: strings.ToLower(f.object) + ".write", Change: fields("5"),
		})
	}
	return docs
}

type saleForm struct {
	object string
	entity events.Entity
	number string
}

// saleForms are the sales forms besides invoices.
func saleForms() []saleForm {
	return []saleForm{
		{"Estimate", events.EntityQuote, "Q-31"},
		{"SalesReceipt", events.EntityOrder, "S-31"},
		{"CreditMemo", events.EntityCreditNote, "C-31"},
		{"RefundReceipt", events.EntityRefund, ""},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Case{Kind: quickbooks.Kind(), Spec: spec.QuickBooks, Start: func(t testing.TB) connectortest.Fixture {
		in := newInbox(t)
		box, settings := startBox(t, quickbooksbox.Options{PerMinute: -1, WebhookURL: in.url})
		customer, err := box.Add("Customer", map[string]any{"DisplayName": "Already There"})
		require.NoError(t, err)
		old, err := quickbooksbox.New(quickbooksbox.Options{OldWebhooks: true})
		require.NoError(t, err)
		t.Cleanup(old.Close)
		return connectortest.Fixture{
			Settings: settings, Sandbox: box.Server, Docs: suiteDocs(), Signature: "intuit-signature",
			Deliveries: []connector.Delivery{
				signed(box.Notification("Invoice", "130", "Update", "")),
				signed(old.Notification("Customer", "58", "Merge", "59")),
				signed(box.Notification("Item", "21", "Create", "")),
				signed(old.Notification("Payment", "31", "Delete", "")),
				signed(box.Notification("Estimate", "32", "Create", "")),
				signed(box.Notification("SalesReceipt", "33", "Void", "")),
				signed(old.Notification("CreditMemo", "34", "Update", "")),
				signed(box.Notification("RefundReceipt", "35", "Create", "")),
			},
			Reads: suiteReads(t, box, customer), Scans: suiteScans(box, settings),
			Touch: func(t testing.TB, object, id string) bool { return touch(t, box, object, id) },
			Heard: func(t testing.TB) []connector.Delivery {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				require.NoError(t, box.Hook().Flush(ctx))
				return in.take()
			},
		}
	}})
}

// suiteScans seed by hand. Pages are small, so that a few objects fill them;
// that of change data capture holds a thousand.
func suiteScans(box *quickbooksbox.Box, settings *quickbooks.Settings) []connectortest.Scan {
	settings.PageSize = 40
	n := 0
	add := func(t testing.TB, entity string, fields map[string]any) events.External {
		id, err := box.Add(entity, fields)
		require.NoError(t, err)
		return events.External{Connection: connectortest.Connection, Object: entity, ID: id}
	}
	to := func(id string) map[string]any { return map[string]any{"value": id} }
	one := ""
	party := func(t testing.TB) string {
		if one == "" {
			one = add(t, "Customer", map[string]any{"DisplayName": "A party"}).ID
		}
		return one
	}
	makers := map[string]func(t testing.TB) events.External{
		"Customer": func(t testing.TB) events.External {
			n++
			return add(t, "Customer", map[string]any{"DisplayName": fmt.Sprintf("Customer %d", n)})
		},
		"Item": func(t testing.TB) events.External {
			n++
			return add(t, "Item", map[string]any{"Name": fmt.Sprintf("Item %d", n), "Type": "Service", "IncomeAccountRef": to("79")})
		},
		"Payment": func(t testing.TB) events.External {
			return add(t, "Payment", map[string]any{"CustomerRef": to(party(t)), "TotalAmt": 10})
		},
	}
	for _, entity := range []string{"Invoice", "Estimate", "SalesReceipt", "CreditMemo", "RefundReceipt"} {
		makers[entity] = func(t testing.TB) events.External {
			item := makers["Item"](t)
			form := map[string]any{"CustomerRef": to(party(t)), "Line": []any{map[string]any{
				"Amount": 40, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": map[string]any{"ItemRef": to(item.ID), "Qty": 2, "UnitPrice": 20},
			}}}
			if entity == "RefundReceipt" {
				form["DepositToAccountRef"] = to("4")
			}
			return add(t, entity, form)
		}
	}
	seed := func(entity string) func(t testing.TB, n int) []events.External {
		return func(t testing.TB, n int) []events.External {
			var all []events.External
			for range n {
				all = append(all, makers[entity](t))
			}
			return all
		}
	}
	scans := []connectortest.Scan{{
		Feed: "cdc", Page: 1000, Seed: seed("Payment"),
		Change: func(t testing.TB, x events.External) {
			require.NoError(t, box.Edit(x.Object, x.ID, map[string]any{"PrivateNote": "edited"}))
		},
		Delete: func(t testing.TB, x events.External) { require.NoError(t, box.Remove(x.Object, x.ID)) },
	}}
	for entity := range makers {
		scans = append(scans, connectortest.Scan{Feed: entity, Page: settings.PageSize, Seed: seed(entity)})
	}
	return scans
}

// suiteReads are one object of each type, made by hand.
func suiteReads(t testing.TB, box *quickbooksbox.Box, customer string) []connectortest.Read {
	t.Helper()
	add := func(entity string, fields map[string]any) string {
		id, err := box.Add(entity, fields)
		require.NoError(t, err)
		return id
	}
	to := func(id string) map[string]any { return map[string]any{"value": id} }
	item := add("Item", map[string]any{"Name": "Chair", "Type": "Service", "IncomeAccountRef": to("79")})
	invoice := add("Invoice", map[string]any{"CustomerRef": to(customer), "Line": []any{map[string]any{
		"Amount": 40, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": map[string]any{"ItemRef": to(item), "Qty": 2, "UnitPrice": 20},
	}}})
	payment := add("Payment", map[string]any{"CustomerRef": to(customer), "TotalAmt": 10})
	const missing = "4711"
	reads := []connectortest.Read{
		{Object: "Customer", ID: customer, Missing: missing},
		{Object: "Item", ID: item, Missing: missing},
		{Object: "Invoice", ID: invoice, Missing: missing},
		{Object: "Payment", ID: payment, Missing: missing},
	}
	for _, f := range saleForms() {
		fields := map[string]any{"CustomerRef": to(customer), "Line": []any{map[string]any{
			"Amount": 40, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": map[string]any{"ItemRef": to(item), "Qty": 2, "UnitPrice": 20},
		}}}
		if f.object == "RefundReceipt" {
			fields["DepositToAccountRef"] = to("4")
		}
		reads = append(reads, connectortest.Read{Object: f.object, ID: add(f.object, fields), Missing: missing})
	}
	return reads
}

// signed is a webhook as Intuit sends it.
func signed(body []byte) connector.Delivery {
	return connector.Delivery{
		Method: http.MethodPost, URL: "https://spoke.example/hooks/quickbooks", Body: body, Received: time.Now(),
		Header: http.Header{"Intuit-Signature": {quickbooksbox.Sign(quickbooksbox.DefaultVerifierToken, body)}},
	}
}
