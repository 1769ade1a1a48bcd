package quickbooksbox_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

func (c *caller) query(q string) (int, map[string]any) {
	return c.call(http.MethodGet, "/query?query="+url.QueryEscape(q), "")
}

func TestQuery(t *testing.T) {
	t.Parallel()
	c := start(t, quickbooksbox.Options{})
	for _, body := range []string{
		`{"DisplayName":"O'Brien"}`, `{"DisplayName":"Back\\slash"}`, `{"DisplayName":"Acme North"}`, `{"DisplayName":"Acme South"}`, `{"DisplayName":"Gone"}`,
	} {
		c.post(t, "Customer", "/customer", body)
	}
	gone := c.box.Customers()[4]["Id"].(string)
	c.post(t, "Customer", "/customer", `{"Id":"`+gone+`","SyncToken":"0","sparse":true,"Active":false}`)
	cases := map[string][]string{
		`SELECT * FROM Customer WHERE DisplayName = 'O\'Brien'`:                                               {"O'Brien"},
		`select * from Customer where DisplayName = 'Back\\slash'`:                                            {`Back\slash`},
		`SELECT * FROM Customer WHERE DisplayName IN ('Acme North', 'O\'Brien')`:                              {"O'Brien", "Acme North"},
		`SELECT * FROM Customer WHERE DisplayName LIKE 'Acme%' AND Active = true`:                             {"Acme North", "Acme South"},
		`SELECT * FROM Customer WHERE DisplayName LIKE '%o%th'`:                                               {"Acme North", "Acme South"},
		`SELECT * FROM Customer WHERE Active IN (true, false) ORDERBY Id DESC STARTPOSITION 2 MAXRESULTS 2`:   {"Acme South", "Acme North"},
		`SELECT * FROM Customer WHERE DisplayName LIKE 'Acme%' ORDERBY DisplayName`:                           {"Acme North", "Acme South"},
		`SELECT * FROM Customer STARTPOSITION 2 MAXRESULTS 1`:                                                 {`Back\slash`},
		`SELECT * FROM Customer WHERE Id > '103'`:                                                             {"Acme South"},
		`SELECT * FROM Customer WHERE DisplayName = 'nobody'`:                                                 nil,
		`SELECT * FROM Customer WHERE MetaData.LastUpdatedTime < '2000-01-01'`:                                nil,
		`SELECT * FROM Customer WHERE Id <= '101' AND Id >= '101' AND Id = '101' AND MetaData.CreateTime>'2'`: {"O'Brien"},
	}
	for q, want := range cases {
		status, body := c.query(q)
		require.Equal(t, http.StatusOK, status, q)
		response, ok := body["QueryResponse"].(map[string]any)
		require.True(t, ok)
		list, _ := response["Customer"].([]any)
		var got []string
		for _, o := range list {
			name, _ := o.(map[string]any)["DisplayName"].(string)
			got = append(got, name)
		}
		require.Empty(t, cmp.Diff(want, got), q)
		if want == nil {
			require.NotContains(t, response, "Customer", "an empty answer has no list")
		}
	}
	_, body := c.query("SELECT count(*) FROM Customer")
	require.Equal(t, json.Number("4"), body["QueryResponse"].(map[string]any)["totalCount"])
}

func TestBadQueries(t *testing.T) {
	t.Parallel()
	c := start(t, quickbooksbox.Options{})
	for _, q := range []string{
		"", "SELECT", "SELECT * FROM Spaceship", "SELECT Id FROM Customer", "SELECT * FROM customer",
		"SELECT * FROM Customer WHERE Notes = 'x'", "SELECT * FROM Payment WHERE PaymentRefNum = 'x'",
		"SELECT * FROM Customer WHERE Id = 1", "SELECT * FROM Customer WHERE Id = 'x", "SELECT * FROM Customer WHERE Id IN ('1'",
		"SELECT * FROM Customer WHERE Id = '1' OR Id = '2'", "SELECT * FROM Customer WHERE Id ~ '1'",
		"SELECT * FROM Customer STARTPOSITION 0", "SELECT * FROM Customer MAXRESULTS 1001", "SELECT * FROM Customer ORDERBY Notes",
	} {
		status, body := c.query(q)
		require.Equal(t, http.StatusBadRequest, status, q)
		require.Equal(t, "4001", code(t, body), q)
	}
}

func FuzzQuery(f *testing.F) {
	c := start(f, quickbooksbox.Options{PerMinute: -1})
	c.shop(f)
	for _, q := range []string{
		`SELECT * FROM Customer WHERE DisplayName = 'O\'Brien' AND Active IN (true,false) ORDERBY Id STARTPOSITION 1 MAXRESULTS 10`,
		`select count(*) from Item where Name LIKE '%a%'`, `SELECT * FROM Invoice WHERE TotalAmt >= '1e9'`, `'`, `\`,
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		if status, _ := c.query(q); status != http.StatusOK && status != http.StatusBadRequest {
			t.Fatalf("status %d for %q", status, q)
		}
	})
}
