package quickbooks_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

func (b *bundle) read(t testing.TB, object string, ids ...string) []events.Change {
	t.Helper()
	list, err := b.Reader.Read(t.Context(), object, ids)
	require.NoError(t, err)
	return list
}

func TestReadSnapshots(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer := b.must(t, document("Customer", key(events.EntityCompany, "11"), map[string]any{
		"DisplayName": "Acme: North", "PrimaryEmailAddr": "a@acme.example", "PrimaryPhone": "+1 555",
		"BillAddrLine1": "1 High St", "BillAddrCity": "Springfield", "BillAddrCountrySubDivisionCode": "IL",
		"BillAddrPostalCode": "62701", "BillAddrCountry": "United States", "WebAddr": "acme.example",
	})).ID
	item := b.must(t, document("Item", key(events.EntityProduct, "21"), map[string]any{
		"Name": "Widget", "Sku": "W-1", "Description": "A widget", "UnitPrice": usd("9.5"),
	})).ID
	inv := b.must(t, invoice(customer, item, "77", map[string]any{"Amount": usd("10")})).ID
	invLine, _ := b.box.Invoices()[0]["Line"].([]any)[0].(map[string]any)["Id"].(string)
	pay := b.must(t, document("Payment", key(events.EntityPayment, "5"), map[string]any{
		"CustomerRef": customer, "TotalAmt": usd("4"), "InvoiceRef": inv, "TxnDate": "2026-11-21", "PaymentRefNum": "pi_1",
	})).ID
	usdOf := func(s string) events.Money { return events.Money{Amount: events.MustDecimal(s), Currency: "USD"} }
	link := func(object, id string) events.Link { return events.Link{Connection: "qbo", Object: object, ID: id} }

	cases := map[string]struct {
		id     string
		record events.Key
		want   map[string]any
	}{
		// The country comes back as a code, whatever was written.
		"Customer": {customer, key(events.EntityCompany, "11"), map[string]any{
			"name": "Acme: North", "email": "a@acme.example", "phone": "+1 555", "street": "1 High St",
			"city": "Springfield", "state": "IL", "zip": "62701", "country": "United States", "currency": "USD",
		}},
		"Item": {item, events.Key{}, map[string]any{"name": "Widget", "sku": "W-1", "description": "A widget", "price": usdOf("9.5"), "active": true, "kind": "service"}},
		"Invoice": {inv, key(events.EntityDeal, "77"), map[string]any{
			"number": "HS-77", "status": "open", "total": usdOf("10.00"), "amountPaid": usdOf("4.00"), "amountDue": usdOf("6.00"),
			"issuedOn": "2026-11-20", "dueOn": "2026-12-20", "company": link("Customer", customer),
			"lines": []events.Line{{ID: invLine, Product: link("Item", item), Amount: usdOf("10.00"), TaxCode: "TAX"}},
		}},
		"Payment": {pay, key(events.EntityPayment, "5"), map[string]any{
			"amount": usdOf("4.00"), "status": "succeeded", "receivedOn": "2026-11-21", "reference": "pi_1",
			"company": link("Customer", customer), "invoice": link("Invoice", inv),
			"applied": []events.Applied{{Invoice: link("Invoice", inv), Amount: usdOf("4.00")}},
		}},
	}
	for object, c := range cases {
		want := events.Fields{}
		for name, v := range c.want {
			want.Set(name, v)
		}
		// One id is a read, several are a query; both say the same.
		for _, ids := range [][]string{{c.id}, {c.id, "4711"}} {
			list := b.read(t, object, ids...)
			require.Len(t, list, len(ids))
			for _, got := range list {
				if got.ID == "4711" {
					require.Equal(t, events.OpDeleted, got.Op)
					continue
				}
				require.Empty(t, cmp.Diff(want, got.Fields), object)
				require.Equal(t, c.record, got.Record)
				require.True(t, got.Snapshot)
				require.WithinDuration(t, time.Now(), got.At, time.Minute)
			}
		}
	}
	require.Equal(t, "HS-77", b.read(t, "Invoice", inv)[0].Number)
}

func TestReadStates(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, item := b.sale(t)
	inv := invoice(customer, item, "77", map[string]any{"Amount": usd("10")})
	inv.ExternalID = b.must(t, inv).ID
	status := func() string { return b.read(t, "Invoice", inv.ExternalID)[0].Fields.Text("status") }
	require.Equal(t, "open", status())
	require.NoError(t, b.box.Edit("Invoice", inv.ExternalID, map[string]any{"PrivateNote": "Voided the cheque, not this"}))
	require.Equal(t, "open", status())
	pay := document("Payment", key(events.EntityPayment, "5"), map[string]any{"CustomerRef": customer, "TotalAmt": usd("10"), "InvoiceRef": inv.ExternalID})
	pay.ExternalID = b.must(t, pay).ID
	require.Equal(t, "paid", status())
	pay.Op, inv.Op = events.DesiredVoid, events.DesiredVoid
	b.must(t, pay)
	require.Equal(t, "canceled", b.read(t, "Payment", pay.ExternalID)[0].Fields.Text("status"))
	b.must(t, inv)
	require.Equal(t, "void", status())

	// An inactive item is still there, in queries too.
	require.NoError(t, b.box.Edit("Item", item, map[string]any{"Active": false}))
	for _, c := range b.read(t, "Item", item, "4711") {
		if c.ID == item {
			require.Equal(t, "false", string(c.Fields["active"]))
		}
	}
}

func TestReadInBatches(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	var ids []string
	for i := range b.Reader.BatchSize() + 5 {
		ids = append(ids, strconv.Itoa(5000+i))
	}
	ids = append(ids, ids...)
	require.Len(t, b.read(t, "Invoice", ids...), b.Reader.BatchSize()+5)
	require.Equal(t, 2, b.box.Counts().Calls["query"])
}

func TestRecordHint(t *testing.T) {
	t.Parallel()
	cases := map[string]events.Key{
		"spoke-company-11":                   key(events.EntityCompany, "11"),
		"call first\nspoke-company-11":       key(events.EntityCompany, "11"),
		"(spoke-deal-7)":                     key(events.EntityDeal, "7"),
		"spoke-deal-7 spoke-deal-7":          key(events.EntityDeal, "7"),
		"spoke-deal-7 spoke-deal-8":          {},
		"spoke-payment-stripe-inpay_12":      key(events.EntityPayment, "stripe-inpay_12"),
		"spoke-spaceship-1":                  {},
		"respoke-deal-7":                     {},
		"":                                   {},
		"spoke-deal-7-8":                     key(events.EntityDeal, "7-8"),
		"spoke-deal--aGFzaA":                 {}, // a hash does not tell the record
		"what spoke-deal- is left of a note": {},
	}
	for note, want := range cases {
		b := setup(t, quickbooksbox.Options{})
		id, err := b.box.Add("Customer", map[string]any{"DisplayName": "Acme", "Notes": note})
		require.NoError(t, err)
		c := b.read(t, "Customer", id)[0]
		require.Equal(t, want, c.Record, "note %q", note)
		ours := !want.IsZero() || note == "spoke-deal-7 spoke-deal-8" || note == "spoke-deal--aGFzaA"
		require.Equal(t, ours, c.Marked, "note %q", note)
	}
}

func TestKeysAreNotMixedUp(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, item := b.sale(t)
	b.must(t, invoice(customer, item, "77", map[string]any{"Amount": usd("10")}))
	doc := invoice(customer, item, "7", map[string]any{"Amount": usd("10")})
	_, found, err := b.Target.Find(t.Context(), doc)
	require.NoError(t, err)
	require.False(t, found, "spoke-deal-7 is not spoke-deal-77")
}

func TestReadPageForNotFound(t *testing.T) {
	t.Parallel()
	con := canned(t, 404, "<html>not here</html>")
	_, err := con.Reader.Read(t.Context(), "Customer", []string{"1"})
	requireFault(t, err, fault.Rejected, "")
	_, found, err := con.Target.Find(t.Context(), connector.Document{
		Desired: events.Desired{Object: "Customer", Fields: map[string]any{"DisplayName": "A"}}, Key: "spoke-company-1",
	})
	require.False(t, found)
	requireFault(t, err, fault.Rejected, "")
}

func TestFindWalksEveryPage(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, _ := b.sale(t)
	for range 1000 { // a page
		_, err := b.box.Add("Payment", map[string]any{"CustomerRef": map[string]any{"value": customer}, "TotalAmt": 1})
		require.NoError(t, err)
	}
	doc := document("Payment", key(events.EntityPayment, "5"), map[string]any{"CustomerRef": customer, "TotalAmt": usd("4")})
	_, found, err := b.Target.Find(t.Context(), doc)
	require.NoError(t, err)
	require.False(t, found)
	made := b.must(t, doc)
	r, found, err := b.Target.Find(t.Context(), doc)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, made.ID, r.ID)
}
