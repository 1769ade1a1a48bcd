package hubspotbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const root = "/crm/objects/2026-09"

func open(t *testing.T, o hubspotbox.Options) *hubspotbox.Box {
	t.Helper()
	b, err := hubspotbox.New(o)
	require.NoError(t, err)
	t.Cleanup(b.Close)
	return b
}

// ask makes a call with the box's token and decodes the answer.
func ask(t *testing.T, b *hubspotbox.Box, method, path, body string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+hubspotbox.DefaultToken)
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	var v map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &v) // pages are no JSON
	return w.Code, v
}

func seeded(t *testing.T, b *hubspotbox.Box) {
	t.Helper()
	for _, add := range []func() (string, error){
		func() (string, error) { return b.AddCompany(hubspotbox.Company{ID: "9", Name: "Acme"}) },
		func() (string, error) {
			return b.AddContact(hubspotbox.Contact{ID: "5", Email: "ann@acme.example", Company: "9"})
		},
		func() (string, error) {
			return b.AddProduct(hubspotbox.Product{ID: "3", Name: "Seat", SKU: "S1", Price: "10"})
		},
		func() (string, error) {
			return b.AddDeal(hubspotbox.Deal{
				ID: "77", Name: "Big", Amount: "30", Company: "9", Contact: "5",
				Lines: []hubspotbox.Line{{Product: "3", Name: "Seat", Quantity: "3", Price: "10.10"}},
			})
		},
	} {
		_, err := add()
		require.NoError(t, err)
	}
}

func TestCredentialsAndVersions(t *testing.T) {
	t.Parallel()
	b := open(t, hubspotbox.Options{})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, root+"/deals/1", nil)
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.Contains(t, w.Body.String(), "INVALID_AUTHENTICATION")
	code, _ := ask(t, b, http.MethodGet, "/crm/objects/2019-01/deals/1", "")
	require.Equal(t, http.StatusNotFound, code)
	code, v := ask(t, b, http.MethodGet, "/account-info/2026-09/details", "")
	require.Equal(t, http.StatusOK, code)
	require.EqualValues(t, hubspotbox.DefaultPortalID, v["portalId"])
}

func TestReadsAndWrites(t *testing.T) {
	t.Parallel()
	b := open(t, hubspotbox.Options{})
	seeded(t, b)
	deals := root + "/deals"
	for _, c := range []struct {
		name, method, path, body string
		code                     int
		contains                 string
	}{
		{"get", "GET", root + "/0-3/77?properties=dealname,nosuch&associations=companies,line_items", "", 200, `"deal_to_company_unlabeled"`},
		{"get missing", "GET", deals + "/78", "", 404, `"resource not found"`},
		{"list", "GET", deals + "?limit=1", "", 200, `"77"`},
		{"unknown property", "PATCH", deals + "/77", `{"properties":{"spoke_x":"1"}}`, 400, "PROPERTY_DOESNT_EXIST"},
		{"read only", "PATCH", deals + "/77", `{"properties":{"hs_is_closed_won":"true"}}`, 400, "READ_ONLY_VALUE"},
		{"no number", "PATCH", deals + "/77", `{"properties":{"amount":"many"}}`, 400, "INVALID_DOUBLE"},
		{"no stage", "PATCH", deals + "/77", `{"properties":{"dealstage":"nope"}}`, 400, "INVALID_OPTION"},
		{"no object value", "PATCH", deals + "/77", `{"properties":{"dealname":{}}}`, 400, "plain value"},
		{"no JSON", "PATCH", deals + "/77", `{`, 400, "Invalid input JSON"},
		{"taken email", "POST", root + "/contacts", `{"properties":{"email":"ann@acme.example"}}`, 409, "Existing ID: 5"},
		{
			"create with association", "POST", deals,
			`{"properties":{"dealname":"New"},"associations":[{"to":{"id":"9"},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":341}]}]}`,
			201, `"New"`,
		},
		{"batch read", "POST", deals + "/batch/read", `{"inputs":[{"id":"77"},{"id":"78"}],"properties":["amount"]}`, 207, `"ids":["78"]`},
		{"batch update", "POST", deals + "/batch/update", `{"inputs":[{"id":"77","properties":{"amount":"31"}}]}`, 200, `"31"`},
		{
			"batch update with one bad input", "POST", deals + "/batch/update",
			`{"inputs":[{"id":"77","properties":{"amount":"32"},"objectWriteTraceId":"a"},{"id":"77","properties":{"amount":"1"},"objectWriteTraceId":"b"}]}`,
			400, validation,
		},
		{
			"batch create in part", "POST", root + "/contacts/batch/create",
			`{"inputs":[{"properties":{"email":"ann@acme.example"},"objectWriteTraceId":"a"},{"properties":{"email":"bob@acme.example"},"objectWriteTraceId":"b"}]}`,
			207, `"objectWriteTraceId":["a"]`,
		},
		{"upsert by email", "POST", root + "/contacts/batch/upsert", `{"inputs":[{"id":"ann@acme.example","idProperty":"email","properties":{"firstname":"Ann"}}]}`, 200, `"new":false`},
		{"upsert by name", "POST", root + "/companies/batch/upsert", `{"inputs":[{"id":"Acme","idProperty":"name","properties":{}}]}`, 400, "non-unique"},
		{"search", "POST", deals + "/search", `{"filterGroups":[{"filters":[{"propertyName":"amount","operator":"GTE","value":"30"}]}],"sorts":[{"propertyName":"hs_object_id","direction":"ASCENDING"}]}`, 200, `"77"`},
		{"search over its limit", "POST", deals + "/search", `{"after":"9999","limit":10}`, 400, validation},
		{"associations", "POST", "/crm/associations/2026-09/deals/companies/batch/read", `{"inputs":[{"id":"77"},{"id":"1"}]}`, 207, "NO_ASSOCIATIONS_FOUND"},
		{"pipelines", "GET", "/crm/pipelines/2026-09/deals", "", 200, `"probability":"1.0"`},
		{"property without group", "POST", "/crm/properties/2026-09/deals", `{"name":"x","label":"X","groupName":"nope","type":"string","fieldType":"text"}`, 400, "PROPERTY_GROUP_DOES_NOT_EXIST"},
		{"property of a wrong form", "POST", "/crm/properties/2026-09/deals", `{"name":"x","label":"X","groupName":"dealinformation","type":"string","fieldType":"number"}`, 400, validation},
	} {
		code, v := ask(t, b, c.method, c.path, c.body)
		require.Equal(t, c.code, code, c.name)
		text, err := json.Marshal(v)
		require.NoError(t, err)
		require.Contains(t, string(text), c.contains, c.name)
	}
}

const validation = "VALIDATION_ERROR"

func TestBatchOfManyIsRefusedWholeOrNamed(t *testing.T) {
	t.Parallel()
	body := `{"inputs":[
		{"id":"77","properties":{"amount":"40"},"objectWriteTraceId":"a"},
		{"id":"78","properties":{"amount":"many"},"objectWriteTraceId":"b"}]}`
	for _, named := range []bool{false, true} {
		b := open(t, hubspotbox.Options{NameBadInputs: named})
		seeded(t, b)
		_, err := b.AddDeal(hubspotbox.Deal{ID: "78", Name: "Small"})
		require.NoError(t, err)
		code, _ := ask(t, b, http.MethodPost, root+"/deals/batch/update", body)
		want, amount := http.StatusBadRequest, "30"
		if named {
			want, amount = http.StatusMultiStatus, "40"
		}
		require.Equal(t, want, code)
		require.Equal(t, amount, b.Deal("77")["amount"])
	}
}

func TestDealsAreWonByTheStage(t *testing.T) {
	t.Parallel()
	b := open(t, hubspotbox.Options{})
	seeded(t, b)
	require.Equal(t, "false", b.Deal("77")["hs_is_closed_won"])
	before := b.Deal("77")["hs_lastmodifieddate"]
	require.NoError(t, b.SetDeal("77", map[string]string{"pipeline": "renewals", "dealstage": "80010002"}))
	require.Equal(t, "true", b.Deal("77")["hs_is_closed_won"])
	require.Greater(t, b.Deal("77")["hs_lastmodifieddate"], before)
	require.ErrorContains(t, b.SetDeal("77", map[string]string{"dealstage": "closedwon"}), "INVALID_OPTION")
}

func TestAdminRulesHoldFromOneVersionOn(t *testing.T) {
	t.Parallel()
	b := open(t, hubspotbox.Options{})
	seeded(t, b)
	b.Require("deal", "dealstage", "closedwon", "closedate")
	body := `{"properties":{"dealstage":"closedwon"}}`
	code, v := ask(t, b, http.MethodPatch, root+"/deals/77", body)
	require.Equal(t, http.StatusBadRequest, code)
	require.Contains(t, fmt.Sprint(v), "MISSING_CONDITIONAL_REQUIRED_PROPERTY")
	code, _ = ask(t, b, http.MethodPatch, "/crm/objects/2026-03/deals/77", body)
	require.Equal(t, http.StatusOK, code)
}

func TestMergedAndArchived(t *testing.T) {
	t.Parallel()
	b := open(t, hubspotbox.Options{})
	seeded(t, b)
	_, err := b.AddCompany(hubspotbox.Company{ID: "8", Name: "Acme Inc", Phone: "1"})
	require.NoError(t, err)
	code, _ := ask(t, b, http.MethodPost, root+"/companies/merge", `{"primaryObjectId":"9","objectIdToMerge":"8"}`)
	require.Equal(t, http.StatusOK, code)
	code, v := ask(t, b, http.MethodPatch, root+"/companies/8", `{"properties":{"city":"Bonn"}}`)
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "9", v["id"], "a single call follows the merge")
	code, _ = ask(t, b, http.MethodPost, root+"/companies/batch/update", `{"inputs":[{"id":"8","properties":{"city":"Ulm"}}]}`)
	require.Equal(t, http.StatusMultiStatus, code, "a batch does not")

	require.NoError(t, b.Delete("company", "9"))
	code, _ = ask(t, b, http.MethodGet, root+"/companies/9", "")
	require.Equal(t, http.StatusNotFound, code)
	code, v = ask(t, b, http.MethodGet, root+"/companies/9?archived=true", "")
	require.Equal(t, http.StatusOK, code)
	require.NotEmpty(t, v["archivedAt"])
	require.NoError(t, b.Restore("company", "9"))
	require.Equal(t, "Bonn", b.Object("company", "9")["city"])
}

func TestLimits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	b := open(t, hubspotbox.Options{PerTenSeconds: 2, PerDay: 3, Now: func() time.Time { return now }})
	get := func() (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, root+"/deals/1", nil)
		r.Header.Set("Authorization", "Bearer "+hubspotbox.DefaultToken)
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		return w.Code, w.Body.String() + w.Header().Get("X-HubSpot-RateLimit-Daily-Remaining")
	}
	for range 2 {
		code, _ := get()
		require.Equal(t, http.StatusNotFound, code)
	}
	code, body := get()
	require.Equal(t, http.StatusTooManyRequests, code)
	require.Contains(t, body, "TEN_SECONDLY_ROLLING")
	now = now.Add(10 * time.Second)
	code, _ = get()
	require.Equal(t, http.StatusNotFound, code)
	_, body = get()
	require.Contains(t, body, `"policyName":"DAILY"`)
}

func TestStateFileKeepsThePortal(t *testing.T) {
	t.Parallel()
	o := hubspotbox.Options{StateFile: filepath.Join(t.TempDir(), "portal.json")}
	first := open(t, o)
	seeded(t, first)
	require.NoError(t, first.SetDeal("77", map[string]string{"amount": "99"}))
	second := open(t, o)
	seeded(t, second) // as a demo does at every start
	require.Equal(t, "99", second.Deal("77")["amount"])
	_, v := ask(t, second, http.MethodGet, root+"/deals/77?associations=line_items,companies", "")
	require.Contains(t, fmt.Sprint(v), "line items")
	_, v = ask(t, second, http.MethodGet, root+"/line_items", "")
	require.Len(t, v["results"], 1, "seeding again adds no lines")
}

func TestInjectedFaults(t *testing.T) {
	t.Parallel()
	b := open(t, hubspotbox.Options{})
	for kind, want := range map[string]int{
		sandbox.FaultThrottle: http.StatusTooManyRequests, sandbox.FaultExpire: http.StatusUnauthorized,
		sandbox.FaultError: http.StatusInternalServerError,
	} {
		b.Inject(sandbox.Fault{Kind: kind, Count: 1})
		code, v := ask(t, b, http.MethodGet, root+"/deals/1", "")
		require.Equal(t, want, code)
		require.NotEmpty(t, v["correlationId"])
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}
