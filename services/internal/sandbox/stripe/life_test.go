package stripebox_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	stripebox "github.com/spoke-sync/spoke/services/internal/sandbox/stripe"
)

// paid makes an invoice over 12.50 EUR, pays it, and returns it with its
// PaymentIntent.
func (c *client) paid() (invoice, intent string) {
	c.t.Helper()
	invoice = c.open()
	intent, err := c.box.PayTogether(map[string]int64{invoice: 0})
	require.NoError(c.t, err)
	return invoice, intent
}

func (c *client) refused(method, path, form, code string) {
	c.t.Helper()
	a := c.call(method, path, form)
	require.GreaterOrEqual(c.t, a.status, 400, "%v", a.body)
	require.Equal(c.t, code, a.text("error", "code"), "%v", a.body)
}

func (c *client) number(a answer, path ...string) int {
	c.t.Helper()
	f, ok := a.at(path...).(float64)
	require.True(c.t, ok, "%v", a.body)
	return int(f)
}

func TestVersionIsRequired(t *testing.T) {
	t.Parallel()
	c := start(t, stripebox.Options{})
	require.Equal(t, 400, c.call("GET", "/v1/account", "", "Stripe-Version", "").status)
	require.Equal(t, 403, c.call("GET", "/v1/account", "", "Stripe-Context", "acct_other").status)
	require.Equal(t, 200, c.call("GET", "/v1/account", "", "Stripe-Context", stripebox.DefaultAccount).status)
}

func TestOnePaymentForTwoInvoices(t *testing.T) {
	t.Parallel()
	c := start(t, stripebox.Options{})
	one := c.open()
	customer := c.must("GET", "/v1/invoices/"+one, "").text("customer")
	two := c.must("POST", "/v1/invoices", "collection_method=send_invoice&days_until_due=1&currency=eur&customer="+customer).text("id")
	c.must("POST", "/v1/invoiceitems", "amount=500&currency=eur&customer="+customer+"&invoice="+two)
	c.must("POST", "/v1/invoices/"+two+"/finalize", "")
	intent, err := c.box.PayTogether(map[string]int64{one: 1000, two: 0})
	require.NoError(t, err)
	list := c.must("GET", "/v1/invoice_payments?payment[type]=payment_intent&payment[payment_intent]="+intent, "")
	require.Len(t, list.at("data"), 2)
	require.Equal(t, "open", c.must("GET", "/v1/invoices/"+one, "").text("status"))
	require.Equal(t, "paid", c.must("GET", "/v1/invoices/"+two, "").text("status"))
	require.Equal(t, 1500, c.number(c.must("GET", "/v1/payment_intents/"+intent, ""), "amount_received"))
	_, err = c.box.PayTogether(map[string]int64{one: 0, c.open(): 0})
	require.ErrorContains(t, err, "several customers")
}

func TestRefundsAndDisputes(t *testing.T) {
	t.Parallel()
	c := start(t, stripebox.Options{})
	invoice, intent := c.paid()
	part := c.must("POST", "/v1/refunds", "amount=1000&payment_intent="+intent)
	c.refused("POST", "/v1/refunds", "amount=1000&payment_intent="+intent, "")
	c.must("POST", "/v1/refunds", "payment_intent="+intent)
	c.refused("POST", "/v1/refunds", "payment_intent="+intent, "charge_already_refunded")
	require.NoError(t, c.box.RefundFails(part.text("id")))
	require.Equal(t, "failed", c.must("GET", "/v1/refunds/"+part.text("id"), "").text("status"))
	c.must("POST", "/v1/refunds", "amount=1000&payment_intent="+intent)
	require.Equal(t, "paid", c.must("GET", "/v1/invoices/"+invoice, "").text("status"), "a refund changes no invoice")

	_, intent = c.paid()
	inquiry, err := c.box.Dispute(intent, 0, true)
	require.NoError(t, err)
	require.Empty(t, c.must("GET", "/v1/disputes/"+inquiry, "").at("balance_transactions"))
	id, err := c.box.Dispute(intent, 0, false)
	require.NoError(t, err)
	require.Len(t, c.must("GET", "/v1/disputes/"+id, "").at("balance_transactions"), 1)
	c.refused("POST", "/v1/refunds", "payment_intent="+intent, "charge_disputed")
	require.NoError(t, c.box.CloseDispute(id, "won"))
	require.Len(t, c.must("GET", "/v1/disputes/"+id, "").at("balance_transactions"), 2)
}

func TestCreditNotesBeforeAndAfterPayment(t *testing.T) {
	t.Parallel()
	c := start(t, stripebox.Options{})
	id := c.open()
	c.must("POST", "/v1/credit_notes", "amount=250&invoice="+id)
	require.Equal(t, 1000, c.number(c.must("GET", "/v1/invoices/"+id, ""), "amount_remaining"))
	require.NoError(t, c.box.Pay(id, 0))
	c.refused("POST", "/v1/credit_notes", "amount=100&invoice="+id, "")
	c.refused("POST", "/v1/credit_notes", "amount=2000&credit_amount=2000&invoice="+id, "")
	post := c.must("POST", "/v1/credit_notes", "amount=100&credit_amount=100&invoice="+id)
	require.Equal(t, 100, c.number(post, "post_payment_amount"))
	c.refused("POST", "/v1/credit_notes/"+post.text("id")+"/void", "", "")
}

func TestPaidElsewhere(t *testing.T) {
	t.Parallel()
	c := start(t, stripebox.Options{})
	id := c.open()
	report := "amount_requested[currency]=eur&amount_requested[value]=250&initiated_at=1&outcome=guaranteed&guaranteed[guaranteed_at]=1&payment_method_details[type]=custom"
	rec := c.must("POST", "/v1/payment_records/report_payment", report).text("id")
	for range 2 { // attaching twice is attaching once
		c.must("POST", "/v1/invoices/"+id+"/attach_payment", "payment_record="+rec)
	}
	inv := c.must("GET", "/v1/invoices/"+id, "")
	require.Equal(t, 1000, c.number(inv, "amount_remaining"))
	require.Equal(t, 250, c.number(inv, "amount_paid_off_stripe"))
	require.Equal(t, 402, c.call("POST", "/v1/invoices/"+id+"/pay", "").status)
	c.must("POST", "/v1/invoices/"+id+"/pay", "paid_out_of_band=true")
	require.Equal(t, 400, c.call("POST", "/v1/invoices/"+id+"/pay", "paid_out_of_band=true").status)
	require.Zero(t, c.box.Counts().Total("payment_intent created"))
}

func TestSubscriptionsAndQuotesMakeInvoices(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	c := start(t, stripebox.Options{Now: func() time.Time { return now }})
	customer := c.must("POST", "/v1/customers", "name=Acme").text("id")
	c.must("POST", "/v1/products", "id=p1&name=Plan")
	once := c.must("POST", "/v1/prices", "product=p1&currency=eur&unit_amount=900").text("id")
	monthly := c.must("POST", "/v1/prices", "product=p1&currency=eur&unit_amount=900&recurring[interval]=month").text("id")
	form := "collection_method=send_invoice&days_until_due=30&customer=" + customer + "&items[0][quantity]=2&items[0][price]="
	require.Equal(t, 400, c.call("POST", "/v1/subscriptions", form+once).status)
	sub := c.must("POST", "/v1/subscriptions", form+monthly)
	require.Equal(t, "active", sub.text("status"))
	first := c.must("GET", "/v1/invoices/"+sub.text("latest_invoice"), "")
	require.Equal(t, 1800, c.number(first, "total"))
	require.Equal(t, sub.text("id"), first.text("parent", "subscription_details", "subscription"))
	renewed, err := c.box.Renew(sub.text("id"))
	require.NoError(t, err)
	require.NotEqual(t, sub.text("latest_invoice"), renewed)
	require.Equal(t, "canceled", c.must("DELETE", "/v1/subscriptions/"+sub.text("id"), "").text("status"))
	require.Empty(t, c.must("GET", "/v1/subscriptions?customer="+customer, "").at("data"), "ended ones come when they are asked for")
	require.Len(t, c.must("GET", "/v1/subscriptions?status=all", "").at("data"), 1)

	line := "&line_items[0][quantity]=3&line_items[0][price]=" + once
	q := c.must("POST", "/v1/quotes", "customer="+customer+line).text("id")
	require.Equal(t, 400, c.call("POST", "/v1/quotes/"+q+"/accept", "").status)
	c.must("POST", "/v1/quotes/"+q+"/finalize", "")
	require.Equal(t, 400, c.call("POST", "/v1/quotes/"+q, "description=x").status)
	c.must("POST", "/v1/quotes/"+q, "metadata[a]=b")
	accepted := c.must("POST", "/v1/quotes/"+q+"/accept", "")
	require.Equal(t, 2700, c.number(c.must("GET", "/v1/invoices/"+accepted.text("invoice"), ""), "total"))
	require.Equal(t, 400, c.call("POST", "/v1/quotes/"+q+"/cancel", "").status)
}

func TestPaymentLinkIsUsedUp(t *testing.T) {
	t.Parallel()
	c := start(t, stripebox.Options{})
	c.must("POST", "/v1/products", "id=p1&name=Plan")
	link := c.must("POST", "/v1/payment_links", "restrictions[completed_sessions][limit]=1&payment_intent_data[metadata][k]=v"+
		"&line_items[0][quantity]=2&line_items[0][price_data][currency]=eur&line_items[0][price_data][product]=p1&line_items[0][price_data][unit_amount]=500").text("id")
	intent, err := c.box.PayLink(link)
	require.NoError(t, err)
	pi := c.must("GET", "/v1/payment_intents/"+intent, "")
	require.Equal(t, 1000, c.number(pi, "amount"))
	require.Equal(t, "v", pi.text("metadata", "k"))
	_, err = c.box.PayLink(link)
	require.ErrorContains(t, err, "closed")
	require.Equal(t, 400, c.call("GET", "/v1/payment_links?created[gte]=1", "").status, "Stripe has no such filter")
}

// TestEventsReachBack 30 days, and name at most 20 types.
func TestEventsReachBack(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	c := start(t, stripebox.Options{Now: func() time.Time { return now }})
	c.must("POST", "/v1/customers", "name=Old")
	now = now.Add(31 * 24 * time.Hour)
	c.must("POST", "/v1/customers", "name=New")
	list := c.must("GET", "/v1/events?types[]=customer.created", "")
	require.Len(t, list.at("data"), 1)
	types := url.Values{}
	for range 21 {
		types.Add("types[]", "customer.created")
	}
	require.Equal(t, 400, c.call("GET", "/v1/events?"+types.Encode(), "").status)
}

func TestAccountTakesItsCurrencies(t *testing.T) {
	t.Parallel()
	c := start(t, stripebox.Options{Currencies: []string{"eur"}})
	customer := c.must("POST", "/v1/customers", "name=Acme").text("id")
	c.refused("POST", "/v1/invoices", "currency=gbp&customer="+customer, "currency_not_supported")
	require.True(t, strings.HasPrefix(c.open(), "in_"))
}
