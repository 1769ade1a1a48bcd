package hubspotbox_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
)

// TestFurtherCalls walks through what people and scripts use, in order.
func TestFurtherCalls(t *testing.T) {
	t.Parallel()
	b := open(t, hubspotbox.Options{})
	seeded(t, b)
	_, err := b.AddCompany(hubspotbox.Company{ID: "10", Name: "Other"})
	require.NoError(t, err)
	const properties = "/crm/properties/2026-09/companies"
	for _, c := range []struct {
		name, method, path, body string
		code                     int
		contains                 string
	}{
		{"groups", "GET", properties + "/groups", "", 200, `"companyinformation"`},
		{"group", "POST", properties + "/groups", `{"name":"spoke","label":"Spoke"}`, 201, `"spoke"`},
		{"group without label", "POST", properties + "/groups", `{"name":"x"}`, 400, validation},
		{"date property", "POST", properties, `{"name":"since","label":"Since","groupName":"spoke","type":"date","fieldType":"date"}`, 201, `"since"`},
		{"flag", "POST", properties, `{"name":"vip","label":"VIP","groupName":"spoke","type":"bool","fieldType":"booleancheckbox"}`, 201, `"vip"`},
		{"choice", "POST", properties, `{"name":"tier","label":"Tier","groupName":"spoke","type":"enumeration","fieldType":"select"}`, 201, `"tier"`},
		{"odd type", "POST", properties, `{"name":"odd","label":"Odd","groupName":"spoke","type":"blob","fieldType":"text"}`, 400, validation},
		{"twice", "POST", properties, `{"name":"vip","label":"VIP","groupName":"spoke","type":"bool","fieldType":"booleancheckbox"}`, 409, "PROPERTY_WITH_NAME_EXISTS"},
		{"properties", "GET", properties, "", 200, `"since"`},
		{"one property", "GET", properties + "/vip", "", 200, `"booleancheckbox"`},
		{"no property", "GET", properties + "/nope", "", 404, "PROPERTY_NOT_FOUND"},
		{"no date", "PATCH", root + "/companies/10", `{"properties":{"since":"soon"}}`, 400, "INVALID_DATE"},
		{"no flag", "PATCH", root + "/companies/10", `{"properties":{"vip":"yes"}}`, 400, "INVALID_OPTION"},
		{"good values", "PATCH", root + "/companies/10", `{"properties":{"since":"2026-01-31","vip":true,"city":null}}`, 200, `"2026-01-31"`},
		{"no address", "PATCH", root + "/contacts/5", `{"properties":{"email":"ann"}}`, 400, "INVALID_EMAIL"},
		{"associate", "POST", "/crm/associations/2026-09/deals/companies/batch/associate/default", `{"inputs":[{"from":{"id":"77"},"to":{"id":"10"}}]}`, 200, "COMPLETE"},
		{"no such association", "POST", "/crm/associations/2026-09/products/companies/batch/associate/default", `{"inputs":[]}`, 404, "not found"},
		{"associated", "POST", "/crm/associations/2026-09/deals/companies/batch/read", `{"inputs":[{"id":"77"}]}`, 200, `"toObjectId":"10"`},
		{"nothing asked", "POST", "/crm/associations/2026-09/deals/companies/batch/read", `{"inputs":[]}`, 400, validation},
		{"dissociate", "DELETE", root + "/deals/77/associations/companies/10", "", 204, ""},
		{"no inputs", "POST", root + "/companies/batch/read", `{"inputs":[]}`, 400, validation},
		{"odd input", "POST", root + "/companies/batch/update", `{"inputs":[{"id":"10","properties":{"name":[1]}}]}`, 400, "plain value"},
		{"second page", "GET", root + "/companies?limit=1&after=9", "", 200, `"Other"`},
		{"bad page", "GET", root + "/companies?limit=101", "", 400, validation},
		{"archive", "DELETE", root + "/companies/10", "", 204, ""},
		{"archive again", "DELETE", root + "/companies/10", "", 204, ""},
		{"archive many", "POST", root + "/line_items/batch/archive", `{"inputs":[{"id":"10000001"},{"id":"1"}]}`, 204, ""},
		{"merge into nothing", "POST", root + "/companies/merge", `{"primaryObjectId":"9","objectIdToMerge":"10"}`, 404, "not found"},
	} {
		code, v := ask(t, b, c.method, c.path, c.body)
		require.Equal(t, c.code, code, c.name)
		text, err := json.Marshal(v)
		require.NoError(t, err)
		require.Contains(t, string(text), c.contains, c.name)
	}
	require.Equal(t, 1, b.Counts().Total("company archived"))
	require.Equal(t, 1, b.Counts().Total("line_item archived"))
	code, v := ask(t, b, http.MethodGet, "/_sandbox/objects", "")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, v["deals"], "77")
}

func TestSearchOperators(t *testing.T) {
	t.Parallel()
	b := open(t, hubspotbox.Options{PerTenSeconds: -1})
	for id, amount := range map[string]string{"1": "9", "2": "10", "3": "100", "4": ""} {
		_, err := b.AddDeal(hubspotbox.Deal{ID: id, Name: "Deal " + id, Amount: amount})
		require.NoError(t, err)
	}
	for filter, want := range map[string][]string{
		`{"propertyName":"amount","operator":"EQ","value":"10.0"}`:                     {"2"},
		`{"propertyName":"amount","operator":"NEQ","value":"10"}`:                      {"3", "1"},
		`{"propertyName":"amount","operator":"LT","value":"10"}`:                       {"1"},
		`{"propertyName":"amount","operator":"LTE","value":"10"}`:                      {"2", "1"},
		`{"propertyName":"amount","operator":"GT","value":"9"}`:                        {"3", "2"},
		`{"propertyName":"amount","operator":"HAS_PROPERTY"}`:                          {"3", "2", "1"},
		`{"propertyName":"amount","operator":"NOT_HAS_PROPERTY"}`:                      {"4"},
		`{"propertyName":"dealname","operator":"IN","values":["deal 1","deal 4"]}`:     {"4", "1"},
		`{"propertyName":"createdate","operator":"GTE","value":"2020-01-01"}`:          {"4", "3", "2", "1"},
		`{"propertyName":"createdate","operator":"LT","value":"2020-01-01T00:00:00Z"}`: {},
		`{"propertyName":"amount","operator":"SOUNDS_LIKE","value":"9"}`:               {},
	} {
		code, v := ask(t, b, http.MethodPost, root+"/deals/search",
			`{"limit":100,"filterGroups":[{"filters":[`+filter+`]}],"sorts":[{"propertyName":"hs_object_id","direction":"DESCENDING"}]}`)
		require.Equal(t, http.StatusOK, code)
		ids := []string{}
		list, ok := v["results"].([]any)
		require.True(t, ok)
		for _, r := range list {
			id, _ := r.(map[string]any)["id"].(string)
			ids = append(ids, id)
		}
		require.Equal(t, want, ids, filter)
	}
}
