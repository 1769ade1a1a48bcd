package quickbooksbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// caller makes raw calls to a box.
type caller struct {
	box    *quickbooksbox.Box
	access string
}

func start(t testing.TB, opts quickbooksbox.Options) *caller {
	t.Helper()
	box, err := quickbooksbox.New(opts)
	require.NoError(t, err)
	t.Cleanup(box.Close)
	c := &caller{box: box}
	status, body := c.token(quickbooksbox.DefaultClientSecret, box.RefreshToken())
	require.Equal(t, http.StatusOK, status)
	c.access, _ = body["access_token"].(string)
	require.NotEmpty(t, c.access)
	return c
}

func (c *caller) token(secret, refresh string) (int, map[string]any) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}
	r := httptest.NewRequest(http.MethodPost, quickbooksbox.TokenPath, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(quickbooksbox.DefaultClientID, secret)
	return c.serve(r)
}

func (c *caller) serve(r *http.Request) (int, map[string]any) {
	w := httptest.NewRecorder()
	c.box.ServeHTTP(w, r)
	var body map[string]any
	dec := json.NewDecoder(w.Body)
	dec.UseNumber()
	_ = dec.Decode(&body)
	return w.Code, body
}

func (c *caller) call(method, path, body string) (int, map[string]any) {
	r := httptest.NewRequest(method, "/v3/company/"+quickbooksbox.DefaultRealmID+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+c.access)
	return c.serve(r)
}

// post makes a write that has to succeed and returns the object.
func (c *caller) post(t testing.TB, entity, path, body string) map[string]any {
	t.Helper()
	status, answer := c.call(http.MethodPost, path, body)
	require.Equal(t, http.StatusOK, status, "%v", answer)
	o, ok := answer[entity].(map[string]any)
	require.True(t, ok)
	return o
}

// code returns the code of a fault.
func code(t testing.TB, answer map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(answer)
	require.NoError(t, err)
	var f struct {
		Fault struct {
			Error []struct{ Code, Message string }
		}
	}
	require.NoError(t, json.Unmarshal(raw, &f))
	require.Len(t, f.Fault.Error, 1, "%s", raw)
	return f.Fault.Error[0].Code
}

func (c *caller) shop(t testing.TB) (customer, item string) {
	t.Helper()
	customer, _ = c.post(t, "Customer", "/customer", `{"DisplayName":"Acme"}`)["Id"].(string)
	item, _ = c.post(t, "Item", "/item", `{"Name":"Widget","Type":"Service","IncomeAccountRef":{"value":"79"}}`)["Id"].(string)
	return customer, item
}

func sale(customer, item, rest string) string {
	return `{"CustomerRef":{"value":"` + customer + `"},"Line":[{"DetailType":"SalesItemLineDetail","Amount":20,` +
		`"SalesItemLineDetail":{"ItemRef":{"value":"` + item + `"},"Qty":2,"UnitPrice":10}}]` + rest + `}`
}

func TestTokens(t *testing.T) {
	t.Parallel()
	box, err := quickbooksbox.New(quickbooksbox.Options{})
	require.NoError(t, err)
	t.Cleanup(box.Close)
	c := &caller{box: box}
	status, body := c.token("wrong", quickbooksbox.DefaultRefreshToken)
	require.Equal(t, []any{http.StatusUnauthorized, "invalid_client"}, []any{status, body["error"]})

	_, first := c.token(quickbooksbox.DefaultClientSecret, quickbooksbox.DefaultRefreshToken)
	require.NotEqual(t, quickbooksbox.DefaultRefreshToken, first["refresh_token"])
	_, again := c.token(quickbooksbox.DefaultClientSecret, quickbooksbox.DefaultRefreshToken)
	require.NotEmpty(t, again["access_token"], "the old one works until the new one is used")
	newest, _ := again["refresh_token"].(string)
	status, _ = c.token(quickbooksbox.DefaultClientSecret, newest)
	require.Equal(t, http.StatusOK, status)
	status, body = c.token(quickbooksbox.DefaultClientSecret, quickbooksbox.DefaultRefreshToken)
	require.Equal(t, []any{http.StatusBadRequest, "invalid_grant"}, []any{status, body["error"]})
	status, _ = c.token(quickbooksbox.DefaultClientSecret, "")
	require.Equal(t, http.StatusBadRequest, status)
}

func TestGuards(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	c := start(t, quickbooksbox.Options{PerMinute: 2, Now: func() time.Time { return now }})
	company := "/companyinfo/" + quickbooksbox.DefaultRealmID
	for _, want := range []int{200, 200, 429} {
		status, _ := c.call(http.MethodGet, company, "")
		require.Equal(t, want, status)
	}
	_, body := c.call(http.MethodGet, company, "")
	require.Equal(t, "3001", code(t, body))
	now = now.Add(time.Minute)
	status, _ := c.call(http.MethodGet, company, "")
	require.Equal(t, http.StatusOK, status)

	now = now.Add(time.Hour) // the access token ends
	status, body = c.call(http.MethodGet, company, "")
	require.Equal(t, http.StatusUnauthorized, status)
	require.Contains(t, body, "fault", "in lower case")
	require.NotContains(t, body, "Fault")
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	c := start(t, quickbooksbox.Options{BookCloseDate: "2026-01-31", TakenNames: []string{"Vend Or"}})
	customer, item := c.shop(t)
	other, _ := c.post(t, "Customer", "/customer", `{"DisplayName":"Other"}`)["Id"].(string)
	inv := c.post(t, "Invoice", "/invoice", sale(customer, item, `,"DocNumber":"A-1"`))
	id, _ := inv["Id"].(string)
	pay := func(rest string) string { return `{"CustomerRef":{"value":"` + customer + `"}` + rest + `}` }
	link := `,"Line":[{"Amount":21,"LinkedTxn":[{"TxnId":"` + id + `","TxnType":"Invoice"}]}]`
	cases := map[string]struct{ path, body, code string }{
		"no json":             {"/customer", `hello`, "2010"},
		"unknown property":    {"/customer", `{"DisplayName":"B","Email":"x"}`, "2010"},
		"no name":             {"/customer", `{}`, "2020"},
		"colon":               {"/customer", `{"DisplayName":"A:B"}`, "6000"},
		"name taken":          {"/customer", `{"DisplayName":"ACME"}`, "6240"},
		"vendor's name":       {"/customer", `{"DisplayName":"vend or"}`, "6240"},
		"other currency":      {"/customer", `{"DisplayName":"B","CurrencyRef":{"value":"EUR"}}`, "6000"},
		"no account":          {"/item", `{"Name":"B","Type":"Service"}`, "2020"},
		"bad account":         {"/item", `{"Name":"B","Type":"Service","IncomeAccountRef":{"value":"1"}}`, "2500"},
		"bad type":            {"/item", `{"Name":"B","Type":"Thing","IncomeAccountRef":{"value":"79"}}`, "2170"},
		"item name taken":     {"/item", `{"Name":"widget","Type":"Service","IncomeAccountRef":{"value":"79"}}`, "6240"},
		"no customer":         {"/invoice", `{"Line":[]}`, "2020"},
		"bad customer":        {"/invoice", sale("1", item, ""), "2500"},
		"bad item":            {"/invoice", sale(customer, "1", ""), "2500"},
		"no lines":            {"/invoice", pay(""), "2020"},
		"number taken":        {"/invoice", sale(customer, item, `,"DocNumber":"A-1"`), "6140"},
		"long number":         {"/invoice", sale(customer, item, `,"DocNumber":"1234567890123456789012"`), "2050"},
		"closed period":       {"/invoice", sale(customer, item, `,"TxnDate":"2026-01-31"`), "6210"},
		"no day":              {"/invoice", sale(customer, item, `,"TxnDate":"31.01.2026"`), "2010"},
		"amount":              {"/invoice", strings.Replace(sale(customer, item, ""), `"Amount":20`, `"Amount":20.01`, 1), "6070"},
		"amount too fine":     {"/invoice", strings.Replace(sale(customer, item, ""), `"Amount":20`, `"Amount":20.001`, 1), "6070"},
		"no total":            {"/payment", pay(""), "2020"},
		"more than received":  {"/payment", pay(`,"TotalAmt":20` + link), "6000"},
		"more than owed":      {"/payment", pay(`,"TotalAmt":21` + link), "6000"},
		"other's invoice":     {"/payment", strings.Replace(pay(`,"TotalAmt":21`+link), customer, other, 1), "6000"},
		"no such invoice":     {"/payment", pay(`,"TotalAmt":21` + strings.Replace(link, id, "1", 1)), "2500"},
		"unknown id":          {"/invoice?operation=delete", `{"Id":"1","SyncToken":"0"}`, "610"},
		"no version":          {"/invoice?operation=void", `{"Id":"` + id + `"}`, "2020"},
		"stale version":       {"/invoice", `{"Id":"` + id + `","SyncToken":"7","sparse":true}`, "5010"},
		"names are not gone":  {"/customer?operation=delete", `{"Id":"` + customer + `","SyncToken":"0"}`, "2010"},
		"void of a payment":   {"/payment?operation=void", `{"Id":"` + id + `","SyncToken":"0"}`, "2010"},
		"request id too long": {"/customer?requestid=" + strings.Repeat("x", 51), `{"DisplayName":"B"}`, "2050"},
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, answer := c.call(http.MethodPost, want.path, want.body)
			require.Equal(t, http.StatusBadRequest, status)
			require.Equal(t, want.code, code(t, answer))
		})
	}
}

func TestRequestIDReplays(t *testing.T) {
	t.Parallel()
	c := start(t, quickbooksbox.Options{})
	first := c.post(t, "Customer", "/customer?requestid=r1", `{"DisplayName":"Acme","Notes":"x spoke-company-1"}`)
	again := c.post(t, "Customer", "/customer?requestid=r1", `{"DisplayName":"Something else"}`)
	require.Equal(t, first, again)
	require.Equal(t, map[string]int{"spoke-company-1": 1}, c.box.Counts().Effects["Customer created"])
	// A refusal is not kept.
	status, _ := c.call(http.MethodPost, "/customer?requestid=r2", `{"DisplayName":"Acme"}`)
	require.Equal(t, http.StatusBadRequest, status)
	c.post(t, "Customer", "/customer?requestid=r2", `{"DisplayName":"Bolt"}`)
}

func TestSparseAndFullUpdate(t *testing.T) {
	t.Parallel()
	c := start(t, quickbooksbox.Options{})
	o := c.post(t, "Customer", "/customer", `{"DisplayName":"Acme","CompanyName":"Acme Inc","BillAddr":{"City":"Bonn","Country":"Germany"}}`)
	require.Equal(t, "DEU", o["BillAddr"].(map[string]any)["Country"])
	id, _ := o["Id"].(string)
	o = c.post(t, "Customer", "/customer", `{"Id":"`+id+`","SyncToken":"0","sparse":true,"DisplayName":"Bolt"}`)
	require.Equal(t, []any{"Bolt", "Acme Inc", "1"}, []any{o["DisplayName"], o["CompanyName"], o["SyncToken"]})
	o = c.post(t, "Customer", "/customer", `{"Id":"`+id+`","SyncToken":"1","DisplayName":"Bolt"}`)
	require.NotContains(t, o, "CompanyName", "a full update clears what it leaves out")
	o = c.post(t, "Customer", "/customer", `{"Id":"`+id+`","SyncToken":"2","sparse":true,"Active":false}`)
	require.Equal(t, "Bolt (deleted)", o["DisplayName"])
	c.post(t, "Customer", "/customer", `{"DisplayName":"Bolt"}`)
}

func TestPaymentsReduceBalances(t *testing.T) {
	t.Parallel()
	c := start(t, quickbooksbox.Options{})
	customer, item := c.shop(t)
	id, _ := c.post(t, "Invoice", "/invoice", sale(customer, item, ""))["Id"].(string)
	balance := func() any { return c.box.Invoices()[0]["Balance"] }
	require.Equal(t, json.Number("20.00"), balance())
	link := `"Line":[{"Amount":15,"LinkedTxn":[{"TxnId":"` + id + `","TxnType":"Invoice"}]}]`
	p := c.post(t, "Payment", "/payment", `{"CustomerRef":{"value":"`+customer+`"},"TotalAmt":18,`+link+`}`)
	require.Equal(t, json.Number("3.00"), p["UnappliedAmt"])
	require.Equal(t, json.Number("5.00"), balance())
	pid, _ := p["Id"].(string)
	c.post(t, "Payment", "/payment", `{"Id":"`+pid+`","SyncToken":"0","sparse":true,"Line":[]}`)
	require.Equal(t, json.Number("20.00"), balance(), "lines left out are taken back")
	c.post(t, "Payment", "/payment", `{"Id":"`+pid+`","SyncToken":"1","sparse":true,`+link+`}`)
	require.Equal(t, json.Number("5.00"), balance())
	c.post(t, "Payment", "/payment?operation=update&include=void", `{"Id":"`+pid+`","SyncToken":"2","sparse":true}`)
	require.Equal(t, json.Number("20.00"), balance())
	require.Equal(t, 1, c.box.Counts().Total("Payment voided"))
	token, _ := c.box.Invoices()[0]["SyncToken"].(string)
	v := c.post(t, "Invoice", "/invoice?operation=void", `{"Id":"`+id+`","SyncToken":"`+token+`"}`)
	require.Equal(t, []any{json.Number("0"), "Voided"}, []any{v["TotalAmt"], v["PrivateNote"]})
}

func TestStateSurvivesARestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "qbo.json")
	c := start(t, quickbooksbox.Options{StateFile: file})
	first := c.post(t, "Customer", "/customer?requestid=r1", `{"DisplayName":"Acme"}`)

	again, err := quickbooksbox.New(quickbooksbox.Options{StateFile: file})
	require.NoError(t, err)
	t.Cleanup(again.Close)
	require.Equal(t, c.box.RefreshToken(), again.RefreshToken())
	c.box = again
	require.Equal(t, first, c.post(t, "Customer", "/customer?requestid=r1", `{"DisplayName":"Acme"}`), "the token and the request id are known")
	require.Len(t, again.Customers(), 1)
	second := c.post(t, "Customer", "/customer", `{"DisplayName":"Bolt"}`)
	require.NotEqual(t, first["Id"], second["Id"])
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	for _, old := range []bool{false, true} {
		got := make(chan string, 10)
		hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if r.Header.Get("intuit-signature") != quickbooksbox.Sign("verifier", body) {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			got <- string(body)
		}))
		t.Cleanup(hook.Close)
		c := start(t, quickbooksbox.Options{WebhookURL: hook.URL, OldWebhooks: old, VerifierToken: "verifier"})
		id, _ := c.post(t, "Customer", "/customer", `{"DisplayName":"Acme"}`)["Id"].(string)
		require.NoError(t, c.box.Edit("Customer", id, map[string]any{"CompanyName": "Acme Inc"}))
		require.NoError(t, c.box.Hook().Flush(t.Context()))
		first, second := <-got, <-got
		if old {
			require.Contains(t, first, `"operation":"Create"`)
			require.Contains(t, second, `"id":"`+id+`"`)
			continue
		}
		require.Contains(t, first, `"type":"qbo.customer.created.v1"`)
		require.Contains(t, second, `"type":"qbo.customer.updated.v1"`)
		require.Contains(t, second, `"intuitentityid":"`+id+`"`)
	}
}

func TestExpireEndsTokens(t *testing.T) {
	t.Parallel()
	c := start(t, quickbooksbox.Options{})
	c.box.Inject(sandbox.Fault{Op: "companyinfo", Kind: sandbox.FaultExpire, Count: 1})
	for range 2 {
		status, _ := c.call(http.MethodGet, "/companyinfo/1", "")
		require.Equal(t, http.StatusUnauthorized, status)
	}
}

func FuzzWrite(f *testing.F) {
	c := start(f, quickbooksbox.Options{PerMinute: -1})
	customer, item := c.shop(f)
	paths := []string{"/customer", "/item", "/invoice", "/payment", "/invoice?operation=void", "/payment?operation=delete"}
	f.Add(uint8(2), []byte(sale(customer, item, "")))
	f.Add(uint8(3), []byte(`{"CustomerRef":{"value":"`+customer+`"},"TotalAmt":1e99999,"Line":[null]}`))
	f.Add(uint8(0), []byte(`{"DisplayName":null,"BillAddr":7}`))
	f.Add(uint8(1), []byte(`{"Name":"x","Type":"Service","IncomeAccountRef":[],"UnitPrice":"1"}`))
	f.Add(uint8(4), []byte(`{"Id":"101","SyncToken":"0"}`))
	f.Fuzz(func(t *testing.T, path uint8, body []byte) {
		if status, _ := c.call(http.MethodPost, paths[int(path)%len(paths)], string(body)); status >= 500 {
			t.Fatalf("status %d", status)
		}
	})
}
