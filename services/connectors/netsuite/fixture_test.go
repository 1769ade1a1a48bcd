package netsuite_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/connectortest"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
	"github.com/spoke-sync/spoke/services/internal/secret"
	"github.com/spoke-sync/spoke/services/internal/spec"
)

// bundle is a connector on a sandbox of its own.
type bundle struct {
	box      *netsuitebox.Box
	server   *httptest.Server
	settings *netsuite.Settings
	target   connector.Target
	reader   connector.Reader
	scanner  connector.Scanner
	wire     *recorder
}

// setup opens the connector; change may adapt options and settings.
func setup(t testing.TB, change func(*netsuitebox.Options, *netsuite.Settings)) *bundle {
	t.Helper()
	opts := netsuitebox.Options{CustomFields: []string{"custbody_source", "custentity_tier"}}
	settings := netsuite.Kind().Settings().(*netsuite.Settings)
	settings.Account = "1234567_SB1"
	settings.PageRows = rowsPerPage
	if change != nil {
		change(&opts, settings)
	}
	box, err := netsuitebox.New(opts)
	require.NoError(t, err)
	t.Cleanup(box.Close)
	b := &bundle{box: box, settings: settings, wire: &recorder{}}
	if settings.URL == "" {
		b.server = httptest.NewServer(box)
		t.Cleanup(b.server.Close)
		settings.URL = b.server.URL
	} else { // without a network, so that time can be the test's
		b.wire.handler = box
	}
	if settings.TBA != nil {
		box.RegisterToken(netsuitebox.Token{
			ConsumerKey: settings.TBA.ConsumerKey.Reveal(), ConsumerSecret: settings.TBA.ConsumerSecret.Reveal(),
			TokenID: settings.TBA.TokenID.Reveal(), TokenSecret: settings.TBA.TokenSecret.Reveal(),
		})
	} else {
		settings.OAuth2 = oauth2(t, box, "ES256")
	}
	t.Cleanup(b.wire.real.CloseIdleConnections)
	b.wire.next = spec.Watch(t, spec.NetSuite, transport(b.wire.send))
	b.open(t, time.Now)
	return b
}

func (b *bundle) open(t testing.TB, now func() time.Time) {
	t.Helper()
	con, err := netsuite.Kind().Open(b.settings, connector.Deps{
		Connection: "erp", Tenant: "acme", Log: slog.New(slog.DiscardHandler),
		HTTP: &http.Client{Transport: b.wire}, Now: now,
	})
	require.NoError(t, err)
	b.target, b.reader, b.scanner = con.Target, con.Reader, con.Scanner
}

func oauth2(t testing.TB, box *netsuitebox.Box, alg string) *netsuite.OAuth2 {
	t.Helper()
	c, err := box.GenerateClient(alg)
	require.NoError(t, err)
	return &netsuite.OAuth2{
		ClientID: c.ClientID, CertificateID: c.CertificateID, PrivateKey: secret.New(c.PrivateKeyPEM), Alg: c.Alg,
	}
}

func tba() *netsuite.TBA {
	return &netsuite.TBA{
		ConsumerKey: secret.New("consumer-key"), ConsumerSecret: secret.New("consumer secret/+"),
		TokenID: secret.New("token-id"), TokenSecret: secret.New("token&secret=~"),
	}
}

// recorder keeps the requests that went over the wire.
type recorder struct {
	real http.Transport
	// next watches what the sandbox answers; nil where something else does.
	next http.RoundTripper
	// handler answers instead of the network where it is set.
	handler http.Handler
	mu      sync.Mutex
	seen    []*http.Request
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.seen = append(r.seen, req)
	r.mu.Unlock()
	if r.next != nil {
		return r.next.RoundTrip(req)
	}
	return r.send(req)
}

func (r *recorder) send(req *http.Request) (*http.Response, error) {
	if r.handler != nil {
		return r.direct(req)
	}
	return r.real.RoundTrip(req)
}

// transport is a function that makes a call.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// direct calls the handler. A call that it cuts off ends as one on a network
// does.
func (r *recorder) direct(req *http.Request) (resp *http.Response, err error) {
	defer func() {
		if recover() != nil {
			resp, err = nil, io.ErrUnexpectedEOF
		}
	}()
	if trace := httptrace.ContextClientTrace(req.Context()); trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	return w.Result(), nil
}

func (r *recorder) requests() []*http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*http.Request(nil), r.seen...)
}

// apply applies a document that must succeed.
func (b *bundle) apply(t testing.TB, doc connector.Document) connector.Result {
	t.Helper()
	r := b.target.Apply(t.Context(), []connector.Document{doc})[0]
	require.NoError(t, r.Err)
	return r
}

// refuse applies a document that must not succeed.
func (b *bundle) refuse(t testing.TB, doc connector.Document) error {
	t.Helper()
	r := b.target.Apply(t.Context(), []connector.Document{doc})[0]
	require.Error(t, r.Err)
	return r.Err
}

func document(object string, entity events.Entity, record events.Entity, id string, fields map[string]any) connector.Document {
	return connector.Document{
		Key: "spoke-" + string(record) + "-" + id, IdempotencyKey: object + id,
		Desired: events.Desired{
			Object: object, Entity: entity, Record: events.Key{Entity: record, ID: id},
			Op: events.DesiredUpsert, Fields: fields,
		},
	}
}

func customer(id, name string) connector.Document {
	return document("customer", events.EntityCompany, events.EntityCompany, id, map[string]any{
		"companyName": name, "email": "billing" + id + "@example.com", "currency": "EUR",
		"billAddr1": "1 Main Street", "billCity": "Springfield", "billCountry": "Germany", "custentity_tier": "gold",
	})
}

func item(id, sku string) connector.Document {
	return document("item", events.EntityProduct, events.EntityProduct, id, map[string]any{"itemId": sku})
}

func order(id string, customer, item any) connector.Document {
	return document("salesOrder", events.EntityOrder, events.EntityDeal, id, map[string]any{
		"entity": customer, "tranDate": "2026-11-20", "memo": "Deal " + id, "currency": "EUR", "orderStatus": "B",
		"custbody_source": "hub",
		"item": []any{
			map[string]any{"item": item, "quantity": json.Number("3"), "rate": json.Number("19.90"), "description": "Widget"},
			map[string]any{"item": item, "quantity": json.Number("1"), "rate": json.Number("100"), "amount": json.Number("90.00")},
		},
	})
}

func contact(id string, company any) connector.Document {
	return document("contact", events.EntityContact, events.EntityContact, id, map[string]any{
		"firstName": "Ada", "lastName": "Roe " + id, "email": "ada" + id + "@example.com", "company": company,
	})
}

// invoiceOf bills an order, invoiceFor a customer.
func invoiceOf(id string, order any) connector.Document {
	return document("invoice", events.EntityInvoice, events.EntityDeal, id, map[string]any{"createdFrom": order, "memo": "Deal " + id})
}

func invoiceFor(id string, customer, item any) connector.Document {
	return document("invoice", events.EntityInvoice, events.EntityInvoice, id, map[string]any{
		"entity": customer, "tranDate": "2026-11-20", "dueDate": "2026-12-20", "currency": "EUR",
		"item": []any{map[string]any{"item": item, "quantity": json.Number("2"), "rate": json.Number("50")}},
	})
}

func payment(id string, customer any) connector.Document {
	return document("customerPayment", events.EntityPayment, events.EntityPayment, id, map[string]any{
		"customer": customer, "payment": json.Number("149.70"), "currency": "EUR", "tranDate": "2026-11-21", "memo": "pi_" + id,
	})
}

func credit(id string, customer, item any) connector.Document {
	return document("creditMemo", events.EntityCreditNote, events.EntityRefund, id, map[string]any{
		"entity": customer, "tranDate": "2026-11-22", "currency": "EUR", "memo": "re_" + id,
		"item": []any{map[string]any{"item": item, "quantity": json.Number("1"), "rate": json.Number("30")}},
	})
}

func refund(id string, customer, credit any) connector.Document {
	return document("customerRefund", events.EntityRefund, events.EntityRefund, id, map[string]any{
		"customer": customer, "tranDate": "2026-11-22", "currency": "EUR", "account": "4", "paymentOption": "1", "memo": "re_" + id,
		"apply": []any{map[string]any{"doc": credit, "amount": json.Number("30")}},
	})
}

func disputeTask(id string, customer any) connector.Document {
	return document("task", events.EntityDispute, events.EntityDispute, id, map[string]any{
		"title": "Disputed payment dp_" + id, "company": customer, "dueDate": "2026-12-01", "priority": "HIGH",
	})
}

func with(doc connector.Document, changes map[string]any) map[string]any {
	fields := map[string]any{}
	for k, v := range doc.Fields {
		fields[k] = v
	}
	for k, v := range changes {
		fields[k] = v
	}
	return fields
}

// touch changes a record as a person does; items and tasks are left alone.
func (b *bundle) touch(t testing.TB, object, id string) bool {
	t.Helper()
	field := map[string]string{"customer": "comments", "contact": "comments", "salesOrder": "otherRefNum", "invoice": "otherRefNum", "creditMemo": "otherRefNum"}[object]
	if field == "" {
		return false
	}
	require.NoError(t, b.box.Edit(id, map[string]any{field: "5550199"}))
	return true
}

// suite is the conformance case with the given credentials.
func suite(change func(*netsuitebox.Options, *netsuite.Settings)) connectortest.Case {
	return connectortest.Case{Kind: netsuite.Kind(), Spec: spec.NetSuite, Start: func(t testing.TB) connectortest.Fixture {
		b := setup(t, change)
		_, err := b.box.AddItem("WIDGET-1", "Widget", events.MustDecimal("19.90"))
		require.NoError(t, err)
		ref := func(object string, entity events.Entity, id string) events.Ref {
			return events.Ref{Object: object, Record: events.Key{Entity: entity, ID: id}}
		}
		company, product := ref("customer", events.EntityCompany, "1"), ref("item", events.EntityProduct, "5")
		made := func(doc connector.Document, changes map[string]any) connectortest.Doc {
			d := connectortest.Doc{
				Document: doc, Created: doc.Object + " created", CreateOp: "upsert " + doc.Object, Change: with(doc, changes),
			}
			if doc.Fields["createdFrom"] != nil {
				d.CreateOp = "transform salesOrder to invoice"
			}
			return d
		}
		var reads []connectortest.Read
		for object, id := range b.populate(t) {
			reads = append(reads, connectortest.Read{Object: object, ID: id, Missing: "999999"})
		}
		billed := invoiceFor("80", company, product)
		return connectortest.Fixture{
			Settings: b.settings, Sandbox: b.box.Server, Reads: reads, Scans: b.scans(), Touch: b.touch,
			Docs: []connectortest.Doc{
				made(customer("1", "Acme"), map[string]any{"companyName": "Acme Corporation", "phone": nil}),
				made(customer("2", "Bolt"), map[string]any{"comments": "pays late"}),
				made(contact("3", company), map[string]any{"phone": "5550100"}),
				{Document: item("5", "WIDGET-1")},
				made(order("77", company, product), map[string]any{"memo": "changed", "item": []any{
					map[string]any{"item": product, "quantity": json.Number("4"), "rate": json.Number("18")},
				}}),
				made(order("78", company, product), map[string]any{"memo": "changed"}),
				made(invoiceOf("78", ref("salesOrder", events.EntityDeal, "78")), map[string]any{"memo": "changed"}),
				made(billed, map[string]any{"dueDate": "2027-01-01"}),
				{
					Document: having(payment("9", company), "apply", []any{
						map[string]any{"doc": ref("invoice", events.EntityInvoice, "80"), "amount": json.Number("60")},
						map[string]any{"doc": ref("invoice", events.EntityDeal, "78"), "amount": json.Number("20.50")},
					}),
					Created: "customerPayment created", CreateOp: "upsert customerPayment",
					Change: with(payment("9", company), map[string]any{"memo": "corrected"}),
				},
				made(credit("7", company, product), map[string]any{"memo": "corrected"}),
				made(refund("7", company, ref("creditMemo", events.EntityRefund, "7")), map[string]any{"memo": "corrected"}),
				made(disputeTask("4", company), map[string]any{"priority": "LOW"}),
			},
		}
	}}
}

// having sets one field of a document.
func having(doc connector.Document, name string, v any) connector.Document {
	doc.Fields = with(doc, map[string]any{name: v})
	return doc
}

// populate makes one object of each type as people do in NetSuite, each of the
// customer "Seen". It returns their ids by object.
func (b *bundle) populate(t testing.TB) map[string]string {
	t.Helper()
	ids := map[string]string{}
	ref := func(object string) map[string]any { return map[string]any{"id": ids[object]} }
	add := func(object, kind string, fields map[string]any) {
		id, err := b.box.Add(kind, fields)
		require.NoError(t, err)
		ids[object] = id
	}
	list := func(lines ...map[string]any) map[string]any { return map[string]any{"items": lines} }
	add("customer", "customer", map[string]any{
		"companyName": "Seen", "currency": map[string]any{"id": "2"}, "email": "seen@example.com", "url": "https://www.seen.example/shop",
		"addressBook": list(map[string]any{"defaultBilling": true, "addressBookAddress": map[string]any{"addr1": "1 Road", "city": "Town", "country": "DE"}}),
	})
	add("contact", "contact", map[string]any{"firstName": "Sam", "lastName": "Seen", "company": ref("customer")})
	add("item", "serviceSaleItem", map[string]any{
		"itemId": "HOUR", "displayName": "Hour", "incomeAccount": map[string]any{"id": "4"}, "taxSchedule": map[string]any{"id": "1"}, "cost": 40,
		"price": list(
			map[string]any{"currencyPage": map[string]any{"id": "1"}, "priceLevel": map[string]any{"id": "1"}, "price": json.Number("90.5")},
			map[string]any{"currencyPage": map[string]any{"id": "2"}, "priceLevel": map[string]any{"id": "1"}, "price": json.Number("80")},
		),
	})
	line := map[string]any{"item": ref("item"), "quantity": 2, "rate": json.Number("80"), "description": "Work"}
	add("salesOrder", "salesOrder", map[string]any{"entity": ref("customer"), "orderStatus": "B", "tranDate": "2026-11-20", "item": list(line)})
	invoiceID, err := b.box.Bill(ids["salesOrder"])
	require.NoError(t, err)
	ids["invoice"] = invoiceID
	add("customerPayment", "customerPayment", map[string]any{
		"customer": ref("customer"), "payment": 100, "tranDate": "2026-11-21",
		"apply": list(map[string]any{"doc": ref("invoice"), "apply": true, "amount": 60}),
	})
	add("creditMemo", "creditMemo", map[string]any{
		"entity": ref("customer"), "tranDate": "2026-11-22", "item": list(line),
		"apply": list(map[string]any{"doc": ref("invoice"), "apply": true, "amount": 70}),
	})
	add("customerRefund", "customerRefund", map[string]any{
		"customer": ref("customer"), "account": map[string]any{"id": "4"}, "paymentOption": map[string]any{"id": "1"}, "tranDate": "2026-11-23",
		"apply": list(map[string]any{"doc": ref("creditMemo"), "apply": true, "amount": 20}),
	})
	return ids
}

// rowsPerPage keeps the passes of tests short.
const rowsPerPage = 3

// scans are what the suite does with each feed.
func (b *bundle) scans() []connectortest.Scan {
	one := func(n int) string { return "n" + strconv.Itoa(n) }
	var next int
	var mu sync.Mutex
	number := func() int {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next
	}
	produce := func(t testing.TB, object, kind string, n int, fields func(n int) map[string]any) []events.External {
		t.Helper()
		var all []events.External
		for range n {
			id, err := b.box.Add(kind, fields(number()))
			require.NoError(t, err)
			all = append(all, events.External{Object: object, ID: id})
		}
		return all
	}
	scan := func(object, kind, changed string, fields func(n int) map[string]any) connectortest.Scan {
		return connectortest.Scan{
			Feed: object, Page: rowsPerPage,
			Seed: func(t testing.TB, n int) []events.External { t.Helper(); return produce(t, object, kind, n, fields) },
			Change: func(t testing.TB, x events.External) {
				t.Helper()
				require.NoError(t, b.box.Edit(x.ID, map[string]any{changed: "changed"}))
			},
		}
	}
	customerOf := func(fields map[string]any) map[string]any {
		who := b.box.Records("customer")
		if len(who) == 0 {
			_, err := b.box.Add("customer", map[string]any{"companyName": "Buyer"})
			if err != nil {
				panic(err)
			}
			who = b.box.Records("customer")
		}
		for _, name := range []string{"entity", "customer"} {
			if _, ok := fields[name]; ok {
				fields[name] = map[string]any{"id": who[0].ID}
			}
		}
		return fields
	}
	sale := func(int) map[string]any {
		return customerOf(map[string]any{"entity": "", "item": map[string]any{"items": []any{
			map[string]any{"item": map[string]any{"id": b.box.Records("nonInventorySaleItem")[0].ID}, "rate": 10},
		}}})
	}
	name := func(n int) map[string]any { return map[string]any{"companyName": one(n)} }
	scans := []connectortest.Scan{
		scan("customer", "customer", "comments", name),
		scan("contact", "contact", "comments", func(n int) map[string]any { return map[string]any{"lastName": one(n)} }),
		scan("item", "serviceSaleItem", "description", func(n int) map[string]any {
			return map[string]any{"itemId": one(n), "incomeAccount": map[string]any{"id": "1"}, "taxSchedule": map[string]any{"id": "1"}}
		}),
		scan("salesOrder", "salesOrder", "memo", sale),
		scan("invoice", "invoice", "memo", sale),
		scan("creditMemo", "creditMemo", "memo", sale),
		scan("customerPayment", "customerPayment", "memo", func(int) map[string]any {
			return customerOf(map[string]any{"customer": "", "payment": 5})
		}),
		scan("customerRefund", "customerRefund", "memo", func(int) map[string]any {
			memo, err := b.box.Add("creditMemo", sale(0))
			if err != nil {
				panic(err)
			}
			return customerOf(map[string]any{
				"customer": "", "account": map[string]any{"id": "1"}, "paymentOption": map[string]any{"id": "1"},
				"apply": map[string]any{"items": []any{map[string]any{"doc": map[string]any{"id": memo}, "apply": true, "amount": 10}}},
			})
		}),
	}
	for i, s := range scans {
		if s.Feed == "customerPayment" || s.Feed == "creditMemo" {
			scans[i].Page++ // the signal of the invoice that one of them settles
		}
	}
	gone := connectortest.Scan{
		Feed: "deletedrecord", Page: rowsPerPage,
		Seed: func(t testing.TB, n int) []events.External {
			t.Helper()
			all := produce(t, "customer", "customer", n, name)
			for _, x := range all {
				require.NoError(t, b.box.Remove(x.ID))
			}
			return all
		},
		Change: func(testing.TB, events.External) {}, // what is deleted does not change
		Delete: func(testing.TB, events.External) {},
	}
	return append(scans, gone)
}
