package hubspotbox_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
)

// TestBulksTakeNoRoom: 200,000 records cost as much as one, and their last page
// as much as their first.
func TestBulksTakeNoRoom(t *testing.T) { //nolint:paralleltest // allocations are counted
	b := open(t, hubspotbox.Options{PerTenSeconds: -1})
	code, _ := ask(t, b, http.MethodPost, "/_sandbox/bulk", `{"object":"company","count":200000,"first":1000,"modified":"2026-11-20T09:00:00Z"}`)
	require.Equal(t, http.StatusOK, code)
	first := testing.AllocsPerRun(3, func() { ask(t, b, http.MethodGet, root+"/companies?limit=100", "") })
	last := testing.AllocsPerRun(3, func() { ask(t, b, http.MethodGet, root+"/companies?limit=100&after=200899", "") })
	require.InDelta(t, first, last, first/4)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for page := range 200 {
		code, v := ask(t, b, http.MethodGet, root+"/companies?limit=100&after="+strconv.Itoa(999+1000*page), "")
		require.Equal(t, http.StatusOK, code)
		require.Len(t, v["results"], 100)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(32<<20), "what was only read is not kept")

	// A record that is written to is one like any other.
	require.NoError(t, b.Set("company", "5000", map[string]string{"name": "Written"}))
	_, v := ask(t, b, http.MethodGet, root+"/companies?limit=1&after=4999&properties=name", "")
	require.Contains(t, fmt.Sprint(v), "Written")
	require.NoError(t, b.Delete("company", "5001"))
	_, v = ask(t, b, http.MethodGet, root+"/companies?limit=1&after=5000", "")
	require.Contains(t, fmt.Sprint(v), "5002")
	require.NoError(t, b.Purge("company", "5002"))
	_, v = ask(t, b, http.MethodGet, root+"/companies?limit=1&after=5000", "")
	require.Contains(t, fmt.Sprint(v), "5003")
}

// TestSearchesGoOnBehindAnId: each page of a search by id costs the same, and
// none goes beyond 10,000.
func TestSearchesGoOnBehindAnId(t *testing.T) { //nolint:paralleltest // allocations are counted
	b := open(t, hubspotbox.Options{PerTenSeconds: -1})
	require.NoError(t, b.AddBulk(hubspotbox.Bulk{Object: "contact", Count: 50_000, First: 1000, Step: time.Millisecond}))
	search := func(behind string) map[string]any {
		_, v := ask(t, b, http.MethodPost, root+"/contacts/search", `{"limit":100,"sorts":[{"propertyName":"hs_object_id","direction":"ASCENDING"}],
			"filterGroups":[{"filters":[{"propertyName":"lastmodifieddate","operator":"GTE","value":"0"},{"propertyName":"hs_object_id","operator":"GT","value":"`+behind+`"}]}]}`)
		return v
	}
	require.EqualValues(t, 50_000, search("0")["total"])
	require.EqualValues(t, 1, search("50998")["total"])
	early := testing.AllocsPerRun(3, func() { search("1000") })
	late := testing.AllocsPerRun(3, func() { search("40000") })
	require.InDelta(t, early, late, early/4)
	code, _ := ask(t, b, http.MethodPost, root+"/contacts/search", `{"limit":100,"after":"10000"}`)
	require.Equal(t, http.StatusBadRequest, code)
}

func TestIndexLag(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	b := open(t, hubspotbox.Options{IndexLag: time.Second, Now: func() time.Time { return now }})
	seeded(t, b)
	_, v := ask(t, b, http.MethodPost, root+"/deals/search", `{}`)
	require.EqualValues(t, 0, v["total"])
	now = now.Add(2 * time.Second)
	_, v = ask(t, b, http.MethodPost, root+"/deals/search", `{}`)
	require.EqualValues(t, 1, v["total"])
}

// TestMergesMayMakeANewRecord: then both others lead to it.
func TestMergesMayMakeANewRecord(t *testing.T) {
	t.Parallel()
	b := open(t, hubspotbox.Options{MergeMakesNew: true})
	seeded(t, b)
	_, err := b.AddCompany(hubspotbox.Company{ID: "8", Name: "Acme Inc"})
	require.NoError(t, err)
	_, merged := ask(t, b, http.MethodPost, root+"/companies/merge", `{"primaryObjectId":"9","objectIdToMerge":"8"}`)
	for _, id := range []string{"8", "9"} {
		_, v := ask(t, b, http.MethodGet, root+"/companies/"+id+"?associations=deals", "")
		require.Equal(t, merged["id"], v["id"])
		require.Contains(t, fmt.Sprint(v), "77", "associations follow")
	}
}

// TestCustomObjectsAndPrivacy walks through what a portal has besides records.
func TestCustomObjectsAndPrivacy(t *testing.T) {
	t.Parallel()
	b := open(t, hubspotbox.Options{})
	seeded(t, b)
	schemas := "/crm-object-schemas/2026-09/schemas"
	for _, c := range []struct {
		name, method, path, body string
		code                     int
		contains                 string
	}{
		{"schema", "POST", schemas, `{"name":"machine","properties":[{"name":"serial","type":"string"},{"name":"hours","type":"number"}]}`, 201, "2-1001"},
		{"bad schema", "POST", schemas, `{"name":"x"}`, 400, validation},
		{"schemas", "GET", schemas, "", 200, "machine"},
		{"one schema", "GET", schemas + "/2-1001", "", 200, `"serial"`},
		{"no schema", "GET", schemas + "/2-9", "", 404, "not found"},
		{"record", "POST", root + "/2-1001", `{"properties":{"serial":"a","hours":"2"}}`, 201, `"a"`},
		{"no number", "POST", root + "/machine", `{"properties":{"hours":"many"}}`, 400, "INVALID_DOUBLE"},
		{"forget", "POST", root + "/contacts/gdpr-delete", `{"objectId":"ann@acme.example","idProperty":"email"}`, 204, ""},
		{"forgotten", "GET", root + "/contacts/5?archived=true", "", 404, "not found"},
		{"bad bulk", "POST", "/_sandbox/bulk", `{"object":"nothing","count":1}`, 400, ""},
		{"labels", "GET", "/crm/associations/2026-09/deals/companies/labels", "", 200, `"Primary"`},
		{"bad token request", "POST", "/oauth/2026-09/token", "", 400, "invalid_client"},
		{"no journal", "GET", "/webhooks-journal/journal/2026-03/latest", "", 204, ""},
		{"subscribe to nothing", "POST", "/webhooks-journal/subscriptions/2026-03", `{}`, 400, validation},
		{"subscribe", "POST", "/webhooks-journal/subscriptions/2026-03", `{"subscriptionType":"OBJECT","objectTypeId":"0-3","portalId":48012345,"actions":["UPDATE"]}`, 200, "OBJECT"},
		{"unlink many", "POST", "/crm/associations/2026-09/deals/companies/batch/archive", `{"inputs":[{"from":{"id":"77"},"to":[{"id":"9"}]}]}`, 204, ""},
	} {
		code, v := ask(t, b, c.method, c.path, c.body)
		require.Equal(t, c.code, code, c.name)
		require.Contains(t, text(t, v), c.contains, c.name)
	}
	require.Equal(t, 1, b.Counts().Total("contact erased"))
}
