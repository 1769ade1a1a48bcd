package hubspot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/hubspot"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/connectortest"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
	"github.com/spoke-sync/spoke/services/internal/spec"
)

// TestConformance runs the whole suite on records that began elsewhere, which
// Spoke makes in HubSpot. Writing to records that people made is TestApplyOne
// and those around it.
func TestConformance(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Case{Kind: hubspot.Kind(), Start: fixture, Spec: spec.HubSpot})
}

// machine is a custom object of the fixture's portal.
const machine = "2-1001"

func withMachines(_ *hubspotbox.Options, s *hubspot.Settings, _ *connector.Deps) {
	s.CustomObjects = map[string]hubspot.CustomObject{
		"machine": {Type: machine, NameProperty: "machine_name", Properties: []string{"serial", "hours"}},
	}
}

// elsewhere is the record of another system, here with the number n.
func elsewhere(entity events.Entity, n int) events.Key {
	return events.Key{Entity: entity, ID: "erp-" + strconv.Itoa(n)}
}

// fresh is a document for a record that HubSpot does not have.
func fresh(object string, record events.Key, fields map[string]any) connector.Document {
	d := doc(object, "", fields)
	d.Record, d.Entity, d.Key = record, record.Entity, events.ExternalKey(record)
	return d
}

func fixture(t testing.TB) connectortest.Fixture {
	t.Helper()
	in := newInbox(t)
	var s *hubspot.Settings
	b := newBench(t, withMachines, func(o *hubspotbox.Options, settings *hubspot.Settings, _ *connector.Deps) {
		o.WebhookURL, s = in.url, settings
		s.ClientID, s.Journal = hubspotbox.DefaultClientID, &hubspot.JournalSettings{}
	})
	_, err := b.AddSchema(hubspotbox.Schema{Name: "machine", TypeID: machine, Texts: []string{"machine_name", "serial"}, Numbers: []string{"hours"}})
	require.NoError(t, err)
	for _, typeID := range []string{"0-1", "0-2", "0-3", "0-7", "0-8"} {
		b.Subscribe("OBJECT", typeID, "CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE")
	}
	b.seed(t)
	b.seedCommerce(t)
	require.NoError(t, b.SetDeal("77", map[string]string{"dealstage": "closedwon", "amount": "130"}))
	for object, id := range map[string]string{
		"company": "9", "contact": "5", "product": "3", "line_item": "501", "quote": "40", "invoice": "50", "order": "60",
		"commerce_payment": "70", "subscription": "80", "machine": "90",
	} {
		require.True(t, b.touch(t, object, id))
	}
	b.flush(t)
	f := connectortest.Fixture{
		Settings: s, Sandbox: b.Server, Signature: "X-HubSpot-Signature-v3", MaxAge: hubspot.MaxSkew,
		Deliveries: in.all(t), Docs: suiteDocs(), Touch: b.touch,
		Heard: func(t testing.TB) []connector.Delivery {
			b.flush(t)
			return in.all(t)
		},
	}
	for object, id := range map[string]string{
		"deal": "77", "company": "9", "contact": "5", "product": "3", "quote": "40", "invoice": "50", "order": "60",
		"commerce_payment": "70", "subscription": "80", "machine": "90", "line_item": "501",
	} {
		f.Reads = append(f.Reads, connectortest.Read{Object: object, ID: id, Missing: "404404"})
		if object == "line_item" {
			f.Reads[len(f.Reads)-1].Owner = "invoice"
		}
	}
	slices.SortFunc(f.Reads, func(a, z connectortest.Read) int { return strings.Compare(a.Object, z.Object) })
	for _, feed := range hubspot.Kind().For(s).Feeds {
		f.Scans = append(f.Scans, b.suiteScan(feed.Name))
	}
	return f
}

// seedCommerce fills the portal with one of each commerce object and a machine.
func (b *bench) seedCommerce(t testing.TB) {
	t.Helper()
	for _, o := range []struct {
		object, id string
		props      map[string]string
		links      map[string]string
	}{
		{"quote", "40", map[string]string{
			"hs_title": "Offer", "hs_status": "APPROVAL_NOT_NEEDED", "hs_quote_amount": "129.30", "hs_currency": "USD", "hs_expiration_date": "2026-12-31",
		}, map[string]string{"company": "9", "contact": "5", "deal": "77"}},
		{"invoice", "50", map[string]string{
			"hs_number": "INV-1", "hs_currency": "USD", "hs_invoice_status": "open", "hs_amount_billed": "20.20", "hs_balance_due": "20.20",
			"hs_due_date": "2026-12-15",
		}, map[string]string{"company": "9", "contact": "5", "deal": "77"}},
		{"order", "60", map[string]string{"hs_order_name": "#1", "hs_currency_code": "USD", "hs_total_price": "10", "hs_external_order_status": "shipped"}, map[string]string{"company": "9"}},
		{"commerce_payment", "70", map[string]string{
			"hs_initial_amount": "20.20", "hs_currency_code": "USD", "hs_latest_status": "succeeded", "hs_initiated_date": "2026-11-20T10:00:00Z",
		}, map[string]string{"company": "9", "invoice": "50"}},
		{"subscription", "80", map[string]string{
			"hs_status": "active", "hs_currency_code": "USD", "hs_next_payment_amount": "10", "hs_recurring_billing_frequency": "monthly",
		}, map[string]string{"company": "9"}},
		{"machine", "90", map[string]string{"machine_name": "Press", "serial": "P-1", "hours": "12.5"}, map[string]string{"company": "9", "contact": "5", "deal": "77"}},
	} {
		_, err := b.Add(o.object, o.id, o.props)
		require.NoError(t, err)
		for to, id := range o.links {
			require.NoError(t, b.Link(o.object, o.id, to, id))
		}
	}
	_, err := b.Add("line_item", "501", map[string]string{"name": "Seat", "hs_product_id": "3", "quantity": "2", "price": "10.10"})
	require.NoError(t, err)
	require.NoError(t, b.Link("invoice", "50", "line_item", "501"))
}

// suiteDocs are documents for records of another system, each referring to
// those before it.
func suiteDocs() []connectortest.Doc {
	company, contact, product := elsewhere(events.EntityCompany, 1), elsewhere(events.EntityContact, 1), elsewhere(events.EntityProduct, 1)
	deal := elsewhere(events.EntityDeal, 1)
	to := func(object string, record events.Key) events.Ref { return events.Ref{Object: object, Record: record} }
	plural := map[string]string{"company": "companies", "machine": machine}
	suite := func(object string, record events.Key, fields, change map[string]any) connectortest.Doc {
		d := fresh(object, record, fields)
		d.ExternalID, d.IdempotencyKey = "", ""
		name := plural[object]
		if name == "" {
			name = object + "s"
		}
		return connectortest.Doc{
			Document: d, Created: object + " created", CreateOp: name + " batch upsert", Change: change,
			Unchecked: []string{"product"}, // a line item's product is a property like any other
		}
	}
	lines := func(quantity string) []any {
		return []any{
			map[string]any{"name": "Desk", "quantity": json.Number(quantity), "price": json.Number("99.90"), "hs_product_id": to("product", product)},
			map[string]any{"name": "Delivery", "quantity": json.Number("1"), "price": json.Number("12")},
		}
	}
	return []connectortest.Doc{
		suite("company", company, map[string]any{"name": "Globex", "city": "Ulm"}, map[string]any{"name": "Globex AG", "city": "Ulm"}),
		suite("contact", contact,
			map[string]any{"lastname": "Roe", "email": "roe@globex.example", "associated_company": to("company", company)},
			map[string]any{"lastname": "Doe", "email": "roe@globex.example", "associated_company": to("company", company)}),
		suite("product", product, map[string]any{"name": "Desk", "price": json.Number("99.90")}, map[string]any{"name": "Desk", "price": json.Number("89.90")}),
		suite("deal", deal,
			map[string]any{"dealname": "Desks", "closedate": "2026-12-01", "associated_company": to("company", company), "associated_contact": to("contact", contact), "line_items": lines("3")},
			map[string]any{"dealname": "Desks", "closedate": "2026-12-01", "associated_company": to("company", company), "associated_contact": to("contact", contact), "line_items": lines("4")}),
		suite("order", elsewhere(events.EntityOrder, 1),
			map[string]any{"hs_order_name": "SO1", "hs_currency_code": "EUR", "associated_company": to("company", company), "line_items": lines("1")},
			map[string]any{"hs_order_name": "SO1", "hs_currency_code": "EUR", "hs_fulfillment_status": "shipped"}),
		suite("invoice", elsewhere(events.EntityInvoice, 1),
			map[string]any{
				"hs_currency": "EUR", "hs_due_date": "2026-12-31", "hs_invoice_billable": false, "hs_invoice_status": "open",
				"associated_company": to("company", company), "associated_contact": to("contact", contact), "associated_deal": to("deal", deal),
				"line_items": lines("3"),
			},
			map[string]any{
				"hs_currency": "EUR", "hs_due_date": "2027-01-31", "hs_invoice_billable": false, "hs_invoice_status": "open",
				"associated_company": to("company", company), "associated_contact": to("contact", contact), "associated_deal": to("deal", deal),
				"line_items": lines("2"),
			}),
		suite("quote", elsewhere(events.EntityQuote, 1),
			map[string]any{"hs_title": "Offer", "hs_template_type": "CPQ_QUOTE", "hs_currency": "EUR", "hs_expiration_date": "2026-12-31", "associated_deal": to("deal", deal), "line_items": lines("3")},
			map[string]any{"hs_title": "Last offer", "hs_template_type": "CPQ_QUOTE", "hs_currency": "EUR", "hs_expiration_date": "2026-12-31"}),
		suite("machine", elsewhere("x_machine", 1),
			map[string]any{"machine_name": "Lathe", "serial": "L-1", "associated_company": to("company", company)},
			map[string]any{"machine_name": "Lathe", "serial": "L-2", "associated_company": to("company", company)}),
	}
}

// suiteScan makes objects of a feed as people in HubSpot do.
func (b *bench) suiteScan(feed string) connectortest.Scan {
	object, page := feed, 100
	if feed == "journal" {
		object, page = "company", 2500
	}
	title := map[string]string{
		"contact": "lastname", "deal": "dealname", "quote": "hs_title", "invoice": "hs_number", "order": "hs_order_name",
		"commerce_payment": "hs_reference_number", "subscription": "hs_name", "machine": "machine_name",
	}[object]
	if title == "" {
		title = "name"
	}
	s := connectortest.Scan{
		Feed: feed, Page: page,
		Seed: func(t testing.TB, n int) []events.External {
			t.Helper()
			var made []events.External
			for i := range n {
				props := map[string]string{title: fmt.Sprint(object, " ", i)}
				if object == "invoice" {
					props["hs_currency"] = "EUR"
				}
				id, err := b.Create(object, props)
				require.NoError(t, err)
				made = append(made, events.External{Object: object, ID: id})
			}
			return made
		},
		Change: func(t testing.TB, x events.External) {
			t.Helper()
			require.NoError(t, b.Set(x.Object, x.ID, map[string]string{title: "changed"}))
		},
	}
	if feed == "journal" {
		s.Delete = func(t testing.TB, x events.External) { t.Helper(); require.NoError(t, b.Delete(x.Object, x.ID)) }
	}
	return s
}

// inbox receives webhooks as the ingest service does.
type inbox struct {
	url        string
	deliveries chan connector.Delivery
}

func newInbox(t testing.TB) *inbox {
	t.Helper()
	in := &inbox{deliveries: make(chan connector.Delivery, 100)}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender was stopped
		}
		d := connector.Delivery{Method: r.Method, URL: in.url, Header: r.Header.Clone(), Body: body, Received: time.Now()}
		select {
		case in.deliveries <- d:
		default: // a test that makes thousands of objects takes none of them
		}
	}))
	t.Cleanup(srv.Close)
	in.url = srv.URL + "/in/hubspot%2Fmain?a=b%20c&d=%3A%253A"
	return in
}

func (in *inbox) take(t testing.TB) connector.Delivery {
	t.Helper()
	select {
	case d := <-in.deliveries:
		return d
	case <-time.After(10 * time.Second):
		t.Fatal("no delivery came")
		return connector.Delivery{}
	}
}

// touch changes a property of a record as a person does.
func (b *bench) touch(t testing.TB, object, id string) bool {
	t.Helper()
	property := map[string]string{
		"company": "phone", "contact": "firstname", "product": "description", "line_item": "description", "deal": "description",
		"quote": "hs_comments", "invoice": "hs_comments", "order": "hs_source_store", "commerce_payment": "hs_latest_status",
		"subscription": "hs_status", "machine": "hours",
	}[object]
	b.touched++
	require.NoError(t, b.Set(object, id, map[string]string{property: strconv.Itoa(b.touched)}))
	return true
}

// all takes at least one delivery, and all that have come by then.
func (in *inbox) all(t testing.TB) []connector.Delivery {
	t.Helper()
	got := []connector.Delivery{in.take(t)}
	for len(in.deliveries) > 0 {
		got = append(got, in.take(t))
	}
	return got
}

func (b *bench) flush(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, b.Flush(ctx))
}

// TestFromWebhookToSnapshot goes the whole way in: a person changes a record,
// the delivery is verified and decoded, and what it signals is read.
func TestFromWebhookToSnapshot(t *testing.T) {
	t.Parallel()
	for _, generic := range []bool{false, true} {
		in := newInbox(t)
		b := newBench(t, func(o *hubspotbox.Options, _ *hubspot.Settings, _ *connector.Deps) {
			o.WebhookURL, o.Generic, o.Gather = in.url, generic, time.Hour
		})
		b.seed(t)
		steps := []struct {
			name string
			do   func()
			want []string // objects and ids that are signaled or gone
		}{
			{"won", func() { require.NoError(t, b.SetDeal("77", map[string]string{"dealstage": "closedwon"})) }, []string{"deal/77 changed"}},
			{"line edited", func() { require.NoError(t, b.Set("line_item", "771", map[string]string{"quantity": "9"})) }, []string{"line_item/771 changed"}},
			{"line deleted", func() { require.NoError(t, b.Delete("line_item", "772")) }, []string{"deal/77 changed", "line_item/772 changed"}},
			{"contact deleted", func() { require.NoError(t, b.Delete("contact", "5")) }, []string{"contact/5 changed", "contact/5 deleted", "deal/77 changed"}},
			{"contact back", func() { require.NoError(t, b.Restore("contact", "5")) }, []string{"contact/5 changed", "contact/5 restored"}},
			{
				"own write", func() {
					r := apply(t, b.con, doc("deal", "77", map[string]any{"spoke_sync_state": "synced", "dealname": "x"}))
					require.NoError(t, r[0].Err)
				},
				[]string{"deal/77 changed"},
			},
		}
		for _, s := range steps {
			s.do()
			b.flush(t)
			d := in.take(t)
			require.NoError(t, b.con.Webhooks.Verify(d), s.name)
			list, err := b.con.Webhooks.Decode(d)
			require.NoError(t, err)
			got := map[string]bool{}
			for _, e := range list {
				c, err := e.Change()
				require.NoError(t, err)
				got[c.Object+"/"+c.ID+" "+string(c.Op)] = true
				if c.Signal {
					b.read(t, c.Object, c.ID)
				}
			}
			keys := make([]string, 0, len(got))
			for k := range got {
				keys = append(keys, k)
			}
			require.ElementsMatch(t, s.want, keys, "%s, generic %t", s.name, generic)
			require.Empty(t, in.deliveries)
		}
	}
}
