package netsuitebox_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
)

// ask makes a query and returns its rows.
func (c *caller) ask(q, page string) (rows []map[string]any, out map[string]any, status int) {
	c.t.Helper()
	text, err := json.Marshal(map[string]string{"q": q})
	require.NoError(c.t, err)
	status, out = c.serve(c.request("POST", "/query/v1/suiteql"+page, string(text), "Prefer", "transient"))
	items, _ := out["items"].([]any)
	for _, i := range items {
		row := i.(map[string]any)
		delete(row, "links")
		rows = append(rows, row)
	}
	return rows, out, status
}

func TestQueries(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", -8*3600)
	now := time.Now().UTC().Truncate(time.Second) // signatures are of this time
	c := newCaller(t, netsuitebox.Options{Zone: zone, Now: func() time.Time { return now }})
	c.stock()
	local := now.In(zone)
	for q, want := range map[string][]map[string]any{
		"SELECT id, companyname FROM customer WHERE companyname = 'Acme' ORDER BY id":            {{"id": "1001", "companyname": "Acme"}},
		"select C.ID AS Number from customer C where c.id in (1001, 7) and (c.isinactive = 'F')": {{"number": "1001"}},
		"SELECT id FROM customer WHERE id > 1001 OR (id = 1001 AND companyname <> 'Acme')":       nil,
		"SELECT email FROM customer":                                                                        {{}},
		"SELECT lastmodifieddate FROM customer":                                                             {{"lastmodifieddate": local.Format("1/2/2006")}},
		"SELECT TO_CHAR(lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS m FROM customer":                      {{"m": local.Format(time.DateTime)}},
		"SELECT TO_CHAR(SYSDATE, 'YYYY-MM-DD HH24:MI:SS') AS now FROM dual":                                 {{"now": local.Format(time.DateTime)}},
		"SELECT t.id, a.city FROM customer t LEFT JOIN entityaddress a ON a.nkey = t.defaultbillingaddress": {{"id": "1001"}},
		"SELECT symbol FROM currency WHERE id <= 2 ORDER BY symbol":                                         {{"symbol": "EUR"}, {"symbol": "USD"}},
	} {
		rows, _, status := c.ask(q, "")
		require.Equal(t, 200, status, q)
		require.Equal(t, want, rows, q)
	}
	rows, _, _ := c.ask("SELECT id FROM customer WHERE lastmodifieddate >= TO_DATE('"+local.Format(time.DateTime)+"', 'YYYY-MM-DD HH24:MI:SS')", "")
	require.Len(t, rows, 1, "dates are in the account's zone")

	for _, q := range []string{
		"SELECT nomen FROM customer", "SELECT id FROM unicorn", "SELECT id FROM customer WHERE nomen = 1", "DELETE FROM customer",
		"SELECT id FROM customer ORDER BY nomen", "SELECT x.id FROM customer t", "SELECT UPPER(id, 'x') FROM customer",
		"SELECT TO_CHAR(id, 'DD.MM.YYYY') FROM customer", "SELECT id FROM customer; DROP", "SELECT",
	} {
		_, out, status := c.ask(q, "")
		require.Equal(t, 400, status, q)
		require.Equal(t, "INVALID_PARAMETER", out["o:errorCode"], q)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	c := newCaller(t, netsuitebox.Options{})
	rows, out, _ := c.ask("SELECT id FROM currency ORDER BY id", "?limit=2&offset=0")
	require.Len(t, rows, 2)
	require.Equal(t, []any{true, float64(3)}, []any{out["hasMore"], out["totalResults"]})
	rows, out, _ = c.ask("SELECT id FROM currency ORDER BY id", "?limit=2&offset=2")
	require.Equal(t, []map[string]any{{"id": "3"}}, rows)
	require.Equal(t, false, out["hasMore"])
	for _, page := range []string{"?limit=2&offset=1", "?limit=1001", "?limit=0", "?limit=x", "?offset=-1"} {
		_, _, status := c.ask("SELECT id FROM currency ORDER BY id", page)
		require.Equal(t, 400, status, page)
	}
}

// TestTransformIsNotIdempotent: a repeat bills what is still billable, and
// fails when nothing is; the external id is unique.
func TestTransformIsNotIdempotent(t *testing.T) {
	t.Parallel()
	c := newCaller(t, netsuitebox.Options{})
	_, code := c.do("PUT", "/record/v1/salesOrder/eid:o1", c.stock())
	require.Empty(t, code)
	order := c.box.Orders()[0].ID
	transform := func(body string) (int, string) {
		return c.do("POST", "/record/v1/salesOrder/"+order+"/!transform/invoice", body)
	}
	status, _ := transform("{}")
	require.Equal(t, 400, status, "pending approval")
	_, code = c.do("PATCH", "/record/v1/salesOrder/"+order, `{"orderStatus":"B"}`)
	require.Empty(t, code)
	_, code = transform(`{"externalId":"i1"}`)
	require.Empty(t, code)
	require.Equal(t, "Billed", c.box.Orders()[0].Status)
	_, code = c.do("PATCH", "/record/v1/salesOrder/"+order, `{"item":{"items":[{"line":1,"quantity":3}]}}`)
	require.Empty(t, code)
	_, code = transform(`{"externalId":"i1"}`)
	require.Equal(t, "DUP_RCRD", code)
	_, code = transform("{}")
	require.Empty(t, code)
	invoices := c.box.Records("invoice")
	require.Len(t, invoices, 2)
	require.Equal(t, []string{"5.00", "2.50"}, []string{invoices[0].Text("total"), invoices[1].Text("total")})
	_, code = c.do("PATCH", "/record/v1/salesOrder/"+order+"?replace=item", `{"item":{"items":[{"item":{"id":"1002"},"quantity":9}]}}`)
	require.Equal(t, "USER_ERROR", code, "billed lines can't be replaced")
	_, code = c.do("PATCH", "/record/v1/salesOrder/"+order, `{"item":{"items":[{"line":1,"quantity":1}]}}`)
	require.Equal(t, "USER_ERROR", code, "less than what is billed")
	require.NoError(t, c.box.Remove(invoices[0].ID))
	require.Equal(t, "Pending Billing/Partially Fulfilled", c.box.Orders()[0].Status)
}

// TestJobs: a call runs later, once per key, and its task tells what it answered.
func TestJobs(t *testing.T) {
	t.Parallel()
	c := newCaller(t, netsuitebox.Options{JobPolls: 1})
	const key = "0f8fad5b-d9cb-469f-a165-70867728950e"
	send := func(body, key string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		c.box.ServeHTTP(w, c.request("PUT", "/record/v1/customer/eid:a", body, "Prefer", "respond-async", "X-NetSuite-Idempotency-Key", key))
		return w
	}
	first := send(`{"companyName":"Acme"}`, key)
	require.Equal(t, http.StatusAccepted, first.Code)
	require.Equal(t, "http://box.test/services/rest/async/v1/job/1", first.Header().Get("Location"))
	again := send(`{"companyName":"Acme"}`, key)
	require.Equal(t, http.StatusBadRequest, again.Code)
	require.Contains(t, again.Body.String(), "IDEMPOTENCY_ERROR")
	require.Contains(t, again.Body.String(), `"title":"Conflict"`)
	require.Equal(t, first.Header().Get("Location"), again.Header().Get("Location"))
	require.Equal(t, http.StatusBadRequest, send(`{}`, "no uuid").Code)

	require.Empty(t, c.box.Customers())
	for _, want := range []string{"processing", "succeeded"} {
		_, out := c.serve(c.request("GET", "/async/v1/job/1", ""))
		require.Equal(t, want, out["progress"])
	}
	require.Len(t, c.box.Customers(), 1)
	status, _ := c.do("GET", "/async/v1/job/1/task/1/result", "")
	require.Equal(t, http.StatusNoContent, status)

	require.Equal(t, http.StatusAccepted, send(`{}`, "").Code)
	c.box.RunJobs()
	_, out := c.serve(c.request("GET", "/async/v1/job/2", ""))
	require.Equal(t, "succeeded", out["progress"], "the customer is there already")
	for _, path := range []string{"/async/v1/job/9", "/async/v1/job/x/task", "/async/v1/job/1/task/2/result"} {
		status, code := c.do("GET", path, "")
		require.Equal(t, []any{404, "NONEXISTENT_ID"}, []any{status, code})
	}
}

func TestSlotsCanBeTaken(t *testing.T) {
	t.Parallel()
	c := newCaller(t, netsuitebox.Options{})
	c.box.SetSlots(0)
	status, _ := c.do("GET", "/record/v1/customer", "")
	require.Equal(t, http.StatusTooManyRequests, status)
	status, _ = c.do("GET", "/system/v1/serverTime", "")
	require.Equal(t, http.StatusOK, status)
}
