package netsuite_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
)

// stock makes a customer and an item and returns their ids.
func (b *bundle) stock(t testing.TB) (customerID, itemID string) {
	t.Helper()
	itemID, err := b.box.AddItem("WIDGET-1", "Widget", events.MustDecimal("19.90"))
	require.NoError(t, err)
	return b.apply(t, customer("1", "Acme")).ID, itemID
}

func TestRepeatedOrdersKeepTheirLines(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	customerID, itemID := b.stock(t)
	doc := order("77", customerID, itemID)

	first := b.apply(t, doc)
	require.Equal(t, events.EffectCreated, first.Effect)
	for _, known := range []string{"", first.ID, first.ID} {
		doc.ExternalID = known
		require.Equal(t, events.EffectUpdated, b.apply(t, doc).Effect)
	}

	want := []netsuitebox.Order{{
		ID: first.ID, ExternalID: "spoke-deal-77", Number: "SO1001", CustomerID: customerID,
		Currency: "EUR", Memo: "Deal 77", Status: "Pending Fulfillment", Total: "149.70",
		Lines: []netsuitebox.Line{
			{ItemID: itemID, Description: "Widget", Quantity: "3", Rate: "19.90", Amount: "59.70"},
			{ItemID: itemID, Quantity: "1", Rate: "100", Amount: "90.00"},
		},
	}}
	require.Empty(t, cmp.Diff(want, b.box.Orders()))
}

// customerLink is a link to a customer as it is read.
func customerLink(id string) json.RawMessage {
	return json.RawMessage(`{"connection":"erp","object":"customer","id":"` + id + `"}`)
}

// TestWhatACustomerWasSent: the answer shows all but the address, which is told
// as it was sent: with the code of its country, and as none where none was given.
func TestWhatACustomerWasSent(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	doc := customer("1", "Acme")
	doc.Fields = with(doc, map[string]any{
		"companyName": "Acme", "email": "a@acme.example", "phone": nil, "currency": "EUR", "billCity": "Berlin", "billCountry": "Germany",
	})
	for _, name := range []string{"billAddr1", "billState", "billZip"} {
		delete(doc.Fields, name)
	}
	got := b.apply(t, doc)
	require.Equal(t, events.Fields{
		"name": json.RawMessage(`"Acme"`), "email": json.RawMessage(`"a@acme.example"`), "currency": json.RawMessage(`"EUR"`),
		"phone": json.RawMessage(`null`), "domain": json.RawMessage(`null`),
	}, got.Seen)
	require.Equal(t, events.Fields{"city": json.RawMessage(`"Berlin"`), "country": json.RawMessage(`"DE"`)}, got.Sent)
	require.Empty(t, b.apply(t, doc).Sent, "an update leaves the address as it is")

	bare := customer("2", "Bolt")
	bare.Fields = map[string]any{"companyName": "Bolt", "billCountry": "Atlantis"}
	require.Equal(t, map[string]string{"street": "", "city": "", "state": "", "zip": "", "country": ""}, texts(b.apply(t, bare).Sent))
}

func texts(f events.Fields) map[string]string {
	all := map[string]string{}
	for name := range f {
		all[name] = f.Text(name)
	}
	return all
}

func TestOrderResult(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	customerID, itemID := b.stock(t)

	got := b.apply(t, order("77", customerID, itemID))

	want := connector.Result{
		ID: got.ID, Number: "SO1001", Effect: events.EffectCreated,
		URL: b.server.URL + "/app/accounting/transactions/salesord.nl?id=" + got.ID,
		Seen: events.Fields{
			"number": json.RawMessage(`"SO1001"`), "status": json.RawMessage(`"Pending Fulfillment"`),
			"total":    json.RawMessage(`{"amount":"149.70","currency":"EUR"}`),
			"placedOn": json.RawMessage(`"2026-11-20"`), "company": customerLink(customerID),
		},
	}
	require.Empty(t, cmp.Diff(want, got))
}

func TestPaymentIsBookedInItsCurrency(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *netsuitebox.Options, s *netsuite.Settings) { s.DepositAccount = "4" })
	customerID, _ := b.stock(t)

	got := b.apply(t, payment("9", customerID))

	require.Equal(t, "PYMT1001", got.Number)
	require.Equal(t, events.Fields{
		"amount": json.RawMessage(`{"amount":"149.70","currency":"EUR"}`), "receivedOn": json.RawMessage(`"2026-11-21"`), "company": customerLink(customerID),
	}, got.Seen)
	require.Empty(t, cmp.Diff([]netsuitebox.Payment{{
		ID: got.ID, ExternalID: "spoke-payment-9", Number: "PYMT1001", CustomerID: customerID, Currency: "EUR",
		Amount: "149.70", Unapplied: "149.70", Memo: "pi_9", Date: "2026-11-21", AccountID: "4",
	}}, b.box.Payments()))
}

func TestPaymentOfAnInvoice(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	customerID, _ := b.stock(t)
	invoiceID, err := b.box.AddInvoice(customerID, events.MustDecimal("100"))
	require.NoError(t, err)
	doc := payment("9", customerID)
	apply := func(amount string) map[string]any {
		return with(doc, map[string]any{"apply": []any{map[string]any{"doc": invoiceID, "amount": json.Number(amount)}}})
	}

	doc.Fields = apply("120")
	err = b.refuse(t, doc)
	require.Equal(t, fault.Rejected, fault.KindOf(err))
	require.Equal(t, "apply[0].amount", fault.As(err).Field)

	doc.Fields = apply("100")
	b.apply(t, doc)
	b.apply(t, doc)
	require.Equal(t, "49.70", b.box.Payments()[0].Unapplied)
}

// TestForeignRecord: a customer that NetSuite had before has no external id
// of ours. Upserting by it would make a second customer.
func TestForeignRecord(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	doc := customer("1", "Acme")
	id := b.apply(t, doc).ID
	other := customer("2", "Acme Corporation")
	other.ExternalID = id

	require.Equal(t, id, b.apply(t, other).ID)

	all := b.box.Customers()
	require.Len(t, all, 1)
	require.Equal(t, "Acme Corporation", all[0].Name)
	require.Equal(t, doc.Key, all[0].ExternalID, "the external id belongs to whoever set it")
}

func TestCustomerAddressIsSentOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	doc := customer("1", "Acme")
	b.apply(t, doc)
	doc.Fields = with(doc, map[string]any{"billAddr1": "2 Side Street"})
	b.apply(t, doc)

	require.Empty(t, cmp.Diff([]map[string]any{
		{"addr1": "1 Main Street", "city": "Springfield", "country": "DE"},
	}, b.box.Customers()[0].Addresses))
}

func TestOrderStatusIsNotSetBack(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	customerID, itemID := b.stock(t)
	doc := order("77", customerID, itemID)
	b.apply(t, doc)
	doc.Fields = with(doc, map[string]any{"orderStatus": "A"})
	b.apply(t, doc)

	require.Equal(t, "Pending Fulfillment", b.box.Orders()[0].Status)
}

func TestDeletedInNetSuite(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	doc := customer("1", "Acme")
	doc.ExternalID = "4711"

	f := fault.As(b.refuse(t, doc))

	require.Equal(t, fault.Rejected, f.Kind)
	require.Equal(t, "NONEXISTENT_ID", f.Code)
	require.Contains(t, f.Hint, "deleted in NetSuite")
	require.Empty(t, b.box.Customers(), "what a person deleted is not made again")
}

func TestItems(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	quoted, err := b.box.AddItem("O'NEIL', 'X", "Surfboard", events.MustDecimal("400"))
	require.NoError(t, err)
	inactive, err := b.box.AddItem("OLD", "Old", events.MustDecimal("1"))
	require.NoError(t, err)
	require.NoError(t, b.box.Deactivate(inactive))

	got := b.apply(t, item("1", "O'NEIL', 'X"))
	require.Equal(t, quoted, got.ID)
	require.Equal(t, events.EffectUnchanged, got.Effect)

	for sku, hint := range map[string]string{
		"NONE": "create the item in NetSuite or fix its SKU", "OLD": "make the item active", "": "give the product a SKU",
	} {
		f := fault.As(b.refuse(t, item("2", sku)))
		require.Equal(t, fault.Rejected, f.Kind)
		require.Equal(t, "itemId", f.Field)
		require.Contains(t, f.Hint, hint)
	}
	require.Equal(t, map[string]int{"O'NEIL', 'X": 0, "OLD": 0}, created(b, "O'NEIL', 'X", "OLD"))
}

// created counts what was made under external keys; items have none.
func created(b *bundle, keys ...string) map[string]int {
	got := map[string]int{}
	for _, key := range keys {
		got[key] = b.box.Counts().Effects["nonInventorySaleItem created"][key]
	}
	return got
}

func TestCurrencies(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	doc := customer("1", "Acme")
	doc.Fields = with(doc, map[string]any{"currency": "CHF"})
	f := fault.As(b.refuse(t, doc))
	require.Equal(t, fault.Rejected, f.Kind)
	require.Equal(t, "currency", f.Field)
	require.Empty(t, b.box.Customers())

	one := setup(t, func(_ *netsuitebox.Options, s *netsuite.Settings) { s.Currency = "USD" })
	require.Equal(t, fault.Rejected, fault.KindOf(one.refuse(t, customer("1", "Acme"))), "EUR would be booked as USD")
	doc.Fields = with(doc, map[string]any{"currency": "USD"})
	one.apply(t, doc)
	require.Zero(t, one.box.Counts().Calls["suiteql"], "an account of one currency has no table")
}

func TestSubsidiary(t *testing.T) {
	t.Parallel()
	oneWorld := func(subsidiary string) func(*netsuitebox.Options, *netsuite.Settings) {
		return func(o *netsuitebox.Options, s *netsuite.Settings) { o.OneWorld, s.Subsidiary = true, subsidiary }
	}
	f := fault.As(setup(t, oneWorld("")).refuse(t, customer("1", "Acme")))
	require.Equal(t, fault.Rejected, f.Kind)
	require.Equal(t, "subsidiary", f.Field)
	require.Contains(t, f.Hint, "requires this field")

	b := setup(t, oneWorld("2"))
	b.apply(t, customer("1", "Acme"))
	require.Equal(t, "2", b.box.Customers()[0].SubsidiaryID)
}

func TestClosedPeriod(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	customerID, _ := b.stock(t)
	b.box.ClosePeriod("2026-12-01")

	f := fault.As(b.refuse(t, payment("9", customerID)))
	require.Equal(t, fault.Rejected, f.Kind)
	require.Equal(t, "tranDate", f.Field)
	require.Contains(t, f.Hint, "period is closed")
}

// TestMisspeltFieldIsAnError: with NetSuite's usual default the field would
// be dropped and nobody would hear of it.
func TestMisspeltFieldIsAnError(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	doc := customer("1", "Acme")
	doc.Fields = with(doc, map[string]any{"custentity_teir": "gold"})

	f := fault.As(b.refuse(t, doc))
	require.Equal(t, fault.Rejected, f.Kind)
	require.Equal(t, "custentity_teir", f.Field)
	require.Empty(t, b.box.Customers())
}

// TestFieldsThatARoleMayNotRead are no condition of a write: what stands is told
// by its names, and the field is asked for once only.
func TestFieldsThatARoleMayNotRead(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	asked := 0
	b.wire.next = transport(func(r *http.Request) (*http.Response, error) {
		if fields := r.URL.Query().Get("fields"); r.Method == http.MethodGet && strings.Contains(fields, "phone") {
			asked++
			return &http.Response{
				StatusCode: http.StatusBadRequest, Request: r, Header: http.Header{"Content-Type": {"application/vnd.oracle.resource+json; type=error"}},
				Body: io.NopCloser(strings.NewReader(`{"type":"about:blank","title":"Bad Request","status":400,"o:errorDetails":` +
					`[{"detail":"Invalid query parameter fields: phone.","o:errorQueryParam":"fields","o:errorCode":"INVALID_PARAMETER"}]}`)),
			}, nil
		}
		return b.wire.send(r)
	})
	for _, id := range []string{"11", "12"} {
		r := b.apply(t, document("customer", events.EntityCompany, events.EntityCompany, id, map[string]any{"companyName": "Acme " + id}))
		require.Equal(t, events.EffectCreated, r.Effect)
		require.NotEmpty(t, r.ID)
		require.NotEmpty(t, r.Number)
		require.Empty(t, r.Seen)
	}
	require.Equal(t, 1, asked)
}
