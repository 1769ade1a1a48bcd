package stripebox_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	stripebox "github.com/spoke-sync/spoke/services/internal/sandbox/stripe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client calls a sandbox as Stripe's users do.
type client struct {
	box  *stripebox.Box
	base string
	http *http.Client
	t    testing.TB
}

type answer struct {
	status int
	header http.Header
	body   map[string]any
}

func (a answer) text(path ...string) string {
	s, _ := a.at(path...).(string)
	return s
}

func (a answer) at(path ...string) any {
	var v any = a.body
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func start(t testing.TB, o stripebox.Options) *client {
	t.Helper()
	if o.PerSecond == 0 {
		o.PerSecond = -1
	}
	box, err := stripebox.New(o)
	require.NoError(t, err)
	server := httptest.NewServer(box)
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
		box.Close()
	})
	return &client{box: box, base: server.URL, http: &http.Client{Transport: transport}, t: t}
}

func (c *client) call(method, path, form string, header ...string) answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(form))
	require.NoError(c.t, err)
	req.Header.Set("Authorization", "Bearer "+stripebox.DefaultKey)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Stripe-Version", "2026-08-26.dahlia")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(req)
	require.NoError(c.t, err)
	defer func() { require.NoError(c.t, resp.Body.Close()) }()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	a := answer{status: resp.StatusCode, header: resp.Header}
	require.NoError(c.t, json.Unmarshal(raw, &a.body), "%s", raw)
	return a
}

// must calls and expects success.
func (c *client) must(method, path, form string, header ...string) answer {
	c.t.Helper()
	a := c.call(method, path, form, header...)
	require.Equal(c.t, http.StatusOK, a.status, "%v", a.body)
	require.True(c.t, strings.HasPrefix(a.header.Get("Request-Id"), "req_"))
	return a
}

// open makes an open invoice over 12.50 EUR and returns its id.
func (c *client) open() string {
	c.t.Helper()
	customer := c.must("POST", "/v1/customers", "name=Acme&metadata[spoke_key]=k-1").text("id")
	invoice := c.must("POST", "/v1/invoices", "collection_method=send_invoice&days_until_due=30&currency=eur&customer="+customer).text("id")
	c.must("POST", "/v1/invoiceitems", "amount=1250&currency=eur&description=Work&customer="+customer+"&invoice="+invoice)
	c.must("POST", "/v1/invoices/"+invoice+"/finalize", "auto_advance=false")
	return invoice
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	c := start(t, stripebox.Options{})
	basic := func(user string) string {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, "")
		return r.Header.Get("Authorization")
	}
	for header, want := range map[string]int{
		"": 401, "Bearer wrong": 401, "Bearer " + stripebox.DefaultKey: 200,
		basic(stripebox.DefaultKey): 200, basic("sk_test_something_else"): 401,
	} {
		a := c.call("GET", "/v1/account", "", "Authorization", header)
		require.Equal(t, want, a.status, header)
		if want == 401 {
			require.Equal(t, "invalid_request_error", a.text("error", "type"))
			require.NotContains(t, a.text("error", "message"), "something")
		}
	}
	require.Equal(t, 400, c.call("GET", "/v1/account", "", "Stripe-Version", "newest").status)
}

func TestValidation(t *testing.T) {
	t.Parallel()
	c := start(t, stripebox.Options{})
	customer := c.must("POST", "/v1/customers", "name=Acme").text("id")
	product := c.must("POST", "/v1/products", "id=p1&name=Widget").text("id")
	draft := c.must("POST", "/v1/invoices", "collection_method=send_invoice&days_until_due=30&currency=isk&customer="+customer).text("id")
	for _, x := range []struct {
		path, form  string
		status      int
		code, param string
	}{
		{"/v1/customers", "colour=x", 400, "parameter_unknown", "colour"},
		{"/v1/customers", "address[street]=x", 400, "parameter_unknown", "address[street]"},
		{"/v1/customers", "email=nobody", 400, "email_invalid", "email"},
		{"/v1/customers", "address[country]=Germany", 400, "country_code_invalid", "address[country]"},
		{"/v1/customers", "phone=" + strings.Repeat("1", 21), 400, "", "phone"},
		{"/v1/customers", "metadata[" + strings.Repeat("k", 41) + "]=x", 400, "", "metadata[" + strings.Repeat("k", 41) + "]"},
		{"/v1/customers/cus_none", "name=x", 404, "resource_missing", "id"},
		{"/v1/products", "description=x", 400, "parameter_missing", "name"},
		{"/v1/products", "id=p1&name=x", 400, "resource_already_exists", "id"},
		{"/v1/products", "name=", 400, "parameter_invalid_empty", "name"},
		{"/v1/prices", "product=p1&currency=eur", 400, "", "unit_amount"},
		{"/v1/prices", "product=p1&currency=EUR&unit_amount=1", 400, "", "currency"},
		{"/v1/prices", "product=p1&currency=eur&unit_amount=1.5", 400, "parameter_invalid_integer", "unit_amount"},
		{"/v1/prices", "product=p2&currency=eur&unit_amount=1", 400, "resource_missing", "product"},
		{"/v1/invoices", "currency=eur", 400, "parameter_missing", "customer"},
		{"/v1/invoices", "customer=cus_none", 400, "resource_missing", "customer"},
		{"/v1/invoices", "collection_method=send_invoice&customer=" + customer, 400, "", "due_date"},
		{"/v1/invoices", "collection_method=send_invoice&due_date=5&customer=" + customer, 400, "", "due_date"},
		{"/v1/invoices", "auto_advance=maybe&customer=" + customer, 400, "", "auto_advance"},
		{"/v1/invoices/" + draft + "/finalize", "", 400, "invoice_no_customer_line_items", ""},
		{"/v1/invoices/" + draft + "/void", "", 400, "", ""},
		{"/v1/invoiceitems", "amount=100&currency=eur&invoice=" + draft + "&customer=" + customer, 400, "", "currency"},
		{"/v1/invoiceitems", "amount=150&currency=isk&invoice=" + draft + "&customer=" + customer, 400, "", "amount"},
		{"/v1/invoiceitems", "amount=155&currency=kwd&customer=" + customer, 400, "", "amount"},
		{"/v1/invoiceitems", "amount=100&quantity=2&currency=isk&customer=" + customer, 400, "", "amount"},
		{"/v1/invoiceitems", "currency=isk&customer=" + customer, 400, "parameter_missing", "amount"},
		{"/v1/invoiceitems", "price_data[product]=" + product + "&customer=" + customer, 400, "parameter_missing", "price_data[currency]"},
		{"/v1/unknown", "", 404, "", ""},
	} {
		a := c.call("POST", x.path, x.form)
		require.Equal(t, x.status, a.status, "%s %s: %v", x.path, x.form, a.body)
		require.Equal(t, x.code, a.text("error", "code"), "%s %s", x.path, x.form)
		require.Equal(t, x.param, a.text("error", "param"), "%s %s", x.path, x.form)
	}
	a := c.call("POST", "/v1/customers", `{"name":"x"}`, "Content-Type", "application/json")
	require.Equal(t, 400, a.status)
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := start(t, stripebox.Options{Now: func() time.Time { return now }})
	first := c.must("POST", "/v1/customers", "name=Acme", "Idempotency-Key", "k")
	require.Empty(t, first.header.Get("Idempotent-Replayed"))
	again := c.must("POST", "/v1/customers", "name=Acme", "Idempotency-Key", "k")
	require.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
	require.Equal(t, first.text("id"), again.text("id"))
	other := c.call("POST", "/v1/customers", "name=Bcme", "Idempotency-Key", "k")
	require.Equal(t, 400, other.status)
	require.Equal(t, "idempotency_error", other.text("error", "type"))
	// What fails its checks is not stored.
	require.Equal(t, 400, c.call("POST", "/v1/customers", "email=x", "Idempotency-Key", "k2").status)
	c.must("POST", "/v1/customers", "email=x@example.com", "Idempotency-Key", "k2")
	require.Equal(t, 2, c.box.Counts().Total("customer created"))
	now = now.Add(25 * time.Hour)
	require.NotEqual(t, first.text("id"), c.must("POST", "/v1/customers", "name=Acme", "Idempotency-Key", "k").text("id"))
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := start(t, stripebox.Options{PerSecond: stripebox.DefaultPerSecond, Now: func() time.Time { return now }})
	for range 25 {
		c.must("GET", "/v1/account", "")
	}
	a := c.call("GET", "/v1/account", "")
	require.Equal(t, 429, a.status)
	require.Equal(t, "rate_limit", a.text("error", "code"))
	require.Equal(t, "global-rate", a.header.Get("Stripe-Rate-Limited-Reason"))
	now = now.Add(time.Second)
	c.must("GET", "/v1/account", "")
}

func TestPaging(t *testing.T) {
	t.Parallel()
	c := start(t, stripebox.Options{})
	var made []string
	for range 7 {
		made = append(made, c.must("POST", "/v1/customers", "email=a@example.com").text("id"))
	}
	c.must("POST", "/v1/customers", "email=A@example.com")
	var seen []string
	query := "?email=a@example.com&limit=3"
	for after := ""; ; {
		a := c.must("GET", "/v1/customers"+query+after, "")
		for _, x := range a.at("data").([]any) {
			seen = append([]string{x.(map[string]any)["id"].(string)}, seen...) // newest first
		}
		if a.at("has_more") != true {
			break
		}
		after = "&starting_after=" + seen[0]
	}
	require.Equal(t, made, seen)
	a := c.must("GET", "/v1/customers?limit=2&ending_before="+made[0], "")
	require.Equal(t, made[2], a.at("data").([]any)[0].(map[string]any)["id"])
	require.Equal(t, 400, c.call("GET", "/v1/customers?limit=101", "").status)
	require.Equal(t, 400, c.call("GET", "/v1/customers?starting_after=cus_none", "").status)
	require.Empty(t, c.must("GET", "/v1/customers?created[lt]=5", "").at("data"))
}

func TestInvoiceLife(t *testing.T) {
	t.Parallel()
	c := start(t, stripebox.Options{})
	id := c.open()
	inv := c.must("GET", "/v1/invoices/"+id+"?expand[]=customer", "")
	require.Equal(t, "open", inv.text("status"))
	require.Equal(t, "Acme", inv.text("customer", "name"))
	require.True(t, strings.HasSuffix(inv.text("number"), "-0001"))
	require.EqualValues(t, 1250, inv.at("total"))
	require.NotNil(t, inv.at("due_date"))
	item := inv.at("lines", "data").([]any)[0].(map[string]any)
	require.EqualValues(t, 1250, item["amount"])
	// Nothing about it can be changed any more.
	customer := inv.text("customer", "id")
	for path, form := range map[string]string{
		"/v1/invoices/" + id:               "description=x",
		"/v1/invoices/" + id + "/finalize": "",
		"/v1/invoiceitems":                 "amount=1&currency=eur&customer=" + customer + "&invoice=" + id,
	} {
		require.Equal(t, 400, c.call("POST", path, form).status, path)
	}
	require.Equal(t, 400, c.call("DELETE", "/v1/invoices/"+id, "").status)
	c.must("POST", "/v1/invoices/"+id, "metadata[a]=b")
	require.Equal(t, "void", c.must("POST", "/v1/invoices/"+id+"/void", "").text("status"))
	require.Error(t, c.box.Pay(id, 0))
	counts := c.box.Counts()
	require.Equal(t, 1, counts.Total("invoice finalized"))
	require.Equal(t, 1, counts.Effects["customer created"]["k-1"])
	require.Equal(t, 1, counts.Effects["invoice created"][id])
	// One that comes to nothing is paid at once.
	free := c.must("POST", "/v1/invoices", "customer="+customer+"&currency=eur").text("id")
	c.must("POST", "/v1/invoiceitems", "amount=0&currency=eur&customer="+customer+"&invoice="+free)
	require.Equal(t, "paid", c.must("POST", "/v1/invoices/"+free+"/finalize", "").text("status"))
}

func TestPrices(t *testing.T) {
	t.Parallel()
	c := start(t, stripebox.Options{})
	c.must("POST", "/v1/products", "id=p1&name=Widget")
	form := "product=p1&currency=eur&lookup_key=w&unit_amount_decimal="
	first := c.must("POST", "/v1/prices", form+"1.25").text("id")
	require.Equal(t, 400, c.call("POST", "/v1/prices", form+"2").status)
	second := c.must("POST", "/v1/prices", form+"2&transfer_lookup_key=true")
	require.EqualValues(t, 2, second.at("unit_amount"))
	got := c.must("GET", "/v1/prices?lookup_keys[]=w", "").at("data").([]any)
	require.Len(t, got, 1)
	require.Equal(t, second.text("id"), got[0].(map[string]any)["id"])
	require.Nil(t, c.must("GET", "/v1/prices/"+first, "").at("lookup_key"))
	c.must("POST", "/v1/products/p1", "default_price="+first)
	require.Equal(t, 400, c.call("POST", "/v1/prices/"+first, "active=false").status)
	require.Equal(t, 400, c.call("DELETE", "/v1/products/p1", "").status)
	expanded := c.must("GET", "/v1/products/p1?expand[]=default_price", "")
	require.Equal(t, "1.25", expanded.text("default_price", "unit_amount_decimal"))
	require.Equal(t, 400, c.call("GET", "/v1/products/p1?expand[]=nothing", "").status)
}

// receiver takes webhooks in.
type receiver struct {
	mu   sync.Mutex
	got  []map[string]any
	sigs []string
	raw  [][]byte
}

func (r *receiver) ServeHTTP(_ http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	var e map[string]any
	_ = json.Unmarshal(body, &e)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got, r.sigs, r.raw = append(r.got, e), append(r.sigs, req.Header.Get("Stripe-Signature")), append(r.raw, body)
}

func TestPaymentsAndWebhooks(t *testing.T) {
	t.Parallel()
	in := &receiver{}
	hooks := httptest.NewServer(in)
	t.Cleanup(hooks.Close)
	c := start(t, stripebox.Options{WebhookURL: hooks.URL, WebhookSecret: "whsec_box"})
	id := c.open()
	require.Error(t, c.box.Pay(id, 1251))
	require.Error(t, c.box.Pay("in_none", 0))
	require.NoError(t, c.box.Pay(id, 250))
	pay := c.call("POST", "/_sandbox/pay", `{"invoice":"`+id+`","amount":1000}`, "Content-Type", "application/json", "Authorization", "")
	require.Equal(t, http.StatusOK, pay.status)
	got := c.box.Invoices()
	require.Len(t, got, 1)
	require.Equal(t, "paid", got[0].Status)
	require.EqualValues(t, 1250, got[0].Paid)
	require.Equal(t, 2, c.box.Counts().Total("invoice_payment created"))
	full := c.must("GET", "/v1/invoice_payments/"+pay.text("id")+"?expand[]=invoice&expand[]=payment.payment_intent.latest_charge", "")
	require.Equal(t, id, full.text("invoice", "id"))
	require.Equal(t, "card", full.text("payment", "payment_intent", "latest_charge", "payment_method_details", "type"))

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, c.box.Flush(ctx))
	in.mu.Lock()
	defer in.mu.Unlock()
	var types []string
	for i, e := range in.got {
		types = append(types, e["type"].(string))
		stamp, sum, ok := strings.Cut(strings.TrimPrefix(in.sigs[i], "t="), ",v1=")
		require.True(t, ok)
		mac := hmac.New(sha256.New, []byte("whsec_box"))
		mac.Write(append([]byte(stamp+"."), in.raw[i]...))
		require.Equal(t, hex.EncodeToString(mac.Sum(nil)), sum)
	}
	require.Equal(t, []string{
		"customer.created", "invoice.created", "invoice.updated", "invoice.updated", "invoice.finalized",
		"payment_intent.succeeded", "invoice_payment.paid", "invoice.updated",
		"payment_intent.succeeded", "invoice_payment.paid", "invoice.updated", "invoice.paid",
	}, types)
	listed := c.must("GET", "/v1/events?limit=100&types[]=invoice.paid&types[]=invoice_payment.paid", "").at("data").([]any)
	require.Len(t, listed, 3)
	require.Equal(t, in.got[len(in.got)-1]["id"], listed[0].(map[string]any)["id"])
}

func TestStateOutlivesARestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "stripe.json")
	c := start(t, stripebox.Options{StateFile: file})
	id := c.open()
	c.must("POST", "/v1/products", "name=Widget", "Idempotency-Key", "k")
	again := start(t, stripebox.Options{StateFile: file})
	require.Equal(t, "open", again.must("GET", "/v1/invoices/"+id, "").text("status"))
	require.Equal(t, "true", again.must("POST", "/v1/products", "name=Widget", "Idempotency-Key", "k").header.Get("Idempotent-Replayed"))
	require.NoError(t, again.box.Pay(id, 0))
	third := start(t, stripebox.Options{StateFile: file})
	require.Equal(t, "paid", third.box.Invoices()[0].Status)
	require.Equal(t, c.box.Invoices()[0].Lines, third.box.Invoices()[0].Lines)
	_, err := stripebox.New(stripebox.Options{StateFile: t.TempDir()})
	require.Error(t, err)
}

func TestHostedPage(t *testing.T) {
	t.Parallel()
	c := start(t, stripebox.Options{})
	id := c.open()
	page := c.must("GET", "/v1/invoices/"+id, "").text("hosted_invoice_url")
	require.Equal(t, c.base+"/invoices/"+id, page)
	read := func(url string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		resp, err := c.http.Do(req)
		require.NoError(t, err)
		defer func() { require.NoError(t, resp.Body.Close()) }()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(b)
	}
	require.Contains(t, read(page), "Pay 12.50 EUR")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.base+"/_sandbox/pay", strings.NewReader(url.Values{"invoice": {id}}.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.http.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.NotContains(t, read(page), "<button>")
	require.Equal(t, "paid", c.box.Invoices()[0].Status)
}

// Whatever is posted, the sandbox answers as Stripe would, and never breaks.
func FuzzForm(f *testing.F) {
	for _, body := range []string{
		"name=Acme&address[line1]=x&metadata[a]=b", "address=&metadata=", "address[line1][x]=1", "metadata[]=x", "[]=1", "expand[]=x",
		"expand=x", "%zz", "name[=1", "description=%00", "email=a@b&email=c",
	} {
		f.Add(body)
	}
	box, err := stripebox.New(stripebox.Options{PerSecond: -1})
	require.NoError(f, err)
	f.Cleanup(box.Close)
	f.Fuzz(func(t *testing.T, body string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/v1/customers", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+stripebox.DefaultKey)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		box.ServeHTTP(w, r)
		require.Contains(t, []int{http.StatusOK, http.StatusBadRequest}, w.Code, "%s", w.Body)
		require.True(t, json.Valid(w.Body.Bytes()))
	})
}
