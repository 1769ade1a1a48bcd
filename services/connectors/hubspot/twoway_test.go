package hubspot_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/hubspot"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
)

// TestTwoWayProductSync: a product of another system is made in HubSpot, what a
// person changes there comes back as a change of the same record, and the next
// word of the other system is written to the same product.
func TestTwoWayProductSync(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	record := elsewhere(events.EntityProduct, 7)
	d := fresh("product", record, map[string]any{"name": "Desk", "hs_sku": "D-1", "price": map[string]any{"amount": "99.90", "currency": "EUR"}})
	made := apply(t, b.con, d)[0]
	require.NoError(t, made.Err)
	require.Equal(t, events.EffectCreated, made.Effect)
	require.Equal(t, "99.90", b.Object("product", made.ID)["price"])

	require.NoError(t, b.Set("product", made.ID, map[string]string{"price": "89", "description": "Oak"}))
	c := b.read(t, "product", made.ID)["product/"+made.ID]
	require.Equal(t, record, c.Record, "it is known by its key, whatever its id")
	require.JSONEq(t, `{"amount":"89","currency":"EUR"}`, string(c.Fields["price"]))

	d.ExternalID = made.ID
	d.Fields = map[string]any{"name": "Desk XL", "price": json.Number("109")}
	again := apply(t, b.con, d)[0]
	require.NoError(t, again.Err)
	require.Equal(t, made.ID, again.ID)
	require.Equal(t, 1, b.Counts().Total("product created"))
	require.Equal(t, "Oak", b.Object("product", made.ID)["description"], "what the document does not name stays")

	d.Op = events.DesiredDelete
	gone := apply(t, b.con, d)[0]
	require.NoError(t, gone.Err)
	require.Equal(t, events.EffectDeleted, gone.Effect)
	require.Nil(t, b.Object("product", made.ID))
}

// TestRecordsOfPeopleAreNotDeleted: only what carries the record's own key is.
func TestRecordsOfPeopleAreNotDeleted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.seed(t)
	d := doc("product", "3", nil)
	d.Op = events.DesiredDelete
	f := fault.As(apply(t, b.con, d)[0].Err)
	require.Equal(t, "NOT_SUPPORTED", f.Code)
	require.NotEmpty(t, f.Hint)
	require.NotNil(t, b.Object("product", "3"))
}

// TestCustomObjectsBothWays: a type of the portal's own is read into records of
// an entity of its own, by webhook, list and search, and written like any other.
func TestCustomObjectsBothWays(t *testing.T) {
	t.Parallel()
	b := newBench(t, withMachines)
	_, err := b.AddSchema(hubspotbox.Schema{Name: "machine", TypeID: machine, Texts: []string{"machine_name", "serial"}, Numbers: []string{"hours"}})
	require.NoError(t, err)
	b.seed(t)
	_, err = b.Add("machine", "90", map[string]string{"machine_name": "Press", "serial": "P-1", "hours": "12.5"})
	require.NoError(t, err)
	for to, id := range map[string]string{"company": "9", "contact": "5", "deal": "77"} {
		require.NoError(t, b.Link("machine", "90", to, id))
	}
	list, err := b.con.Webhooks.Decode(delivery("https://x", "["+note("object.propertyChange", `"objectId":90,"objectTypeId":"2-1001","propertyName":"hours"`)+"]"))
	require.NoError(t, err)
	require.Len(t, list, 1)
	signal, err := list[0].Change()
	require.NoError(t, err)
	require.Equal(t, events.Entity("x_machine"), signal.Entity)

	want := map[string]string{
		"name": `"Press"`, "custom.serial": `"P-1"`, "custom.hours": `"12.5"`,
		"company": `{"connection":"hubspot","object":"company","id":"9"}`,
		"contact": `{"connection":"hubspot","object":"contact","id":"5"}`,
		"deal":    `{"connection":"hubspot","object":"deal","id":"77"}`,
	}
	read := b.read(t, "machine", "90")["machine/90"]
	require.Empty(t, cmp.Diff(want, text(read.Fields)))
	page, err := b.con.Scanner.Scan(t.Context(), connector.Scan{Feed: "machine"})
	require.NoError(t, err)
	require.Len(t, page.Changes, 1)
	require.Empty(t, cmp.Diff(want, text(page.Changes[0].Fields)))

	r := apply(t, b.con, fresh("machine", elsewhere("x_machine", 1), map[string]any{"machine_name": "Lathe", "associated_company": "9"}))[0]
	require.NoError(t, r.Err)
	require.Contains(t, string(b.read(t, "machine", r.ID)["machine/"+r.ID].Fields["company"]), `"id":"9"`)
}

// TestInvoicesBothWays: the mirror of an invoice that another system bills is
// made with its lines before it opens, follows that system, and is voided.
func TestInvoicesBothWays(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.seed(t)
	fields := func(quantity string, lines int) map[string]any {
		list := []any{}
		for range lines {
			list = append(list, map[string]any{"name": "Seat", "quantity": json.Number(quantity), "price": json.Number("10.10"), "hs_product_id": "3"})
		}
		return map[string]any{
			"hs_currency": "EUR", "hs_invoice_billable": false, "hs_invoice_status": "open", "associated_company": "9",
			"associated_contact": "5", "associated_deal": "77", "line_items": list,
		}
	}
	d := fresh("invoice", elsewhere(events.EntityInvoice, 1), fields("2", 3))
	made := apply(t, b.con, d)[0]
	require.NoError(t, made.Err, "HubSpot opens no invoice without a contact and a line")
	require.Equal(t, events.EffectCreated, made.Effect)
	require.Equal(t, "open", b.Object("invoice", made.ID)["hs_invoice_status"])
	c := b.read(t, "invoice", made.ID)["invoice/"+made.ID]
	require.Equal(t, `"open"`, string(c.Fields["status"]))
	require.Contains(t, string(c.Fields["deal"]), `"id":"77"`)
	var lines []events.Line
	require.NoError(t, json.Unmarshal(c.Fields["lines"], &lines))
	require.Len(t, lines, 3)

	d.ExternalID, d.Fields = made.ID, fields("5", 1)
	require.NoError(t, apply(t, b.con, d)[0].Err)
	require.NoError(t, json.Unmarshal(b.read(t, "invoice", made.ID)["invoice/"+made.ID].Fields["lines"], &lines))
	require.Len(t, lines, 1, "lines that are no longer wanted go")
	require.Equal(t, "5", lines[0].Quantity.String())
	require.Equal(t, 3, b.Counts().Total("line_item created"), "and those that stay are changed, not made anew")

	d.Op = events.DesiredVoid
	void := apply(t, b.con, d)[0]
	require.NoError(t, void.Err)
	require.Equal(t, events.EffectVoided, void.Effect)
	require.Equal(t, "voided", b.Object("invoice", made.ID)["hs_invoice_status"])

	bare := fresh("invoice", elsewhere(events.EntityInvoice, 2), map[string]any{"hs_comments": "x"})
	f := fault.As(apply(t, b.con, bare)[0].Err)
	require.Equal(t, "hs_currency", f.Field)
	require.NotEmpty(t, f.Hint)
}

// TestLineErrorsNameTheLine: what HubSpot refuses of one line is told with its
// place in the document, and the other documents of the batch go through.
func TestLineErrorsNameTheLine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.seed(t)
	order := func(n int, price any) connector.Document {
		return fresh("order", elsewhere(events.EntityOrder, n), map[string]any{"hs_order_name": "SO", "line_items": []any{
			map[string]any{"name": "a", "price": json.Number("1")}, map[string]any{"name": "b", "price": price},
		}})
	}
	results := apply(t, b.con, order(1, json.Number("2")), order(2, "many"), order(3, json.Number("-2")))
	require.NoError(t, results[0].Err)
	for i, code := range map[int]string{1: "INVALID_DOUBLE", 2: "NEGATIVE_PRICE"} {
		f := fault.As(results[i].Err)
		require.Equal(t, fault.Rejected, f.Kind)
		require.Equal(t, code, f.Code)
		require.Equal(t, "line_items[1].price", f.Field)
		require.NotEmpty(t, f.Hint)
	}
}

// TestContactsWithATakenAddress: HubSpot has one contact for an address, so
// that one is written to, unless it stands for another record.
func TestContactsWithATakenAddress(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.seed(t)
	d := fresh("contact", elsewhere(events.EntityContact, 1), map[string]any{"email": "ann@acme.example", "phone": "1"})
	r := apply(t, b.con, d)[0]
	require.NoError(t, r.Err)
	require.Equal(t, "5", r.ID)
	require.Equal(t, "1", b.Object("contact", "5")["phone"])
	f := fault.As(apply(t, b.con, fresh("contact", elsewhere(events.EntityContact, 2), map[string]any{"email": "ann@acme.example"}))[0].Err)
	require.Equal(t, fault.Rejected, f.Kind)
	require.Equal(t, "email", f.Field)
}

// TestLabelledAssociations sets one of the portal's own beside the plain one.
func TestLabelledAssociations(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(_ *hubspotbox.Options, s *hubspot.Settings, _ *connector.Deps) {
		s.Associations = map[string]map[string]hubspot.Association{"deal": {"payer": {To: "company", TypeID: 4711}}}
	})
	b.seed(t)
	_, err := b.AddCompany(hubspotbox.Company{ID: "10", Name: "Payer"})
	require.NoError(t, err)
	require.NoError(t, apply(t, b.con, doc("deal", "77", map[string]any{"associated_payer": "10"}))[0].Err)
	require.Contains(t, b.Associated("deal", "77", "company", "10"), 4711)
	require.Contains(t, string(b.read(t, "deal", "77")["deal/77"].Fields["company"]), `"id":"9"`, "the primary company stays")
	f := fault.As(apply(t, b.con, doc("deal", "77", map[string]any{"associated_product": "3"}))[0].Err)
	require.Equal(t, "associated_product", f.Field)
}

// TestPropertiesThatMayNotBeCreated: a token without the scope says which
// property to create and where.
func TestPropertiesThatMayNotBeCreated(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *hubspotbox.Options, _ *hubspot.Settings, _ *connector.Deps) { o.Scopes = []string{} })
	b.seed(t)
	f := fault.As(apply(t, b.con, doc("deal", "77", map[string]any{"spoke_sync_state": "synced"}))[0].Err)
	require.Equal(t, fault.Unauthorized, f.Kind)
	require.Equal(t, "spoke_sync_state", f.Field)
	require.Contains(t, f.Hint, "crm.schemas.deals.write")
	require.Contains(t, f.Hint, "create there by hand")
}
