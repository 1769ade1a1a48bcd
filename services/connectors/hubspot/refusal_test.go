package hubspot_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/hubspot"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
)

// TestRefusals: each way to refuse has its kind, wait and remedy.
func TestRefusals(t *testing.T) {
	t.Parallel()
	late := time.Date(2026, 11, 23, 23, 40, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		status  int
		body    string
		headers []string
		kind    fault.Kind
		code    string
		field   string
		wait    time.Duration
		hint    string
	}{
		"token":                {401, `{"status":"error","category":"INVALID_AUTHENTICATION"}`, nil, fault.Unauthorized, "INVALID_AUTHENTICATION", "", 0, "token"},
		"scopes":               {403, `{"status":"error","category":"MISSING_SCOPES","errors":[{"message":"x","context":{"requiredGranularScopes":["crm.objects.deals.write"]}}]}`, nil, fault.Unauthorized, "MISSING_SCOPES", "", 0, "crm.objects.deals.write"},
		"scope":                {403, `{"status":"error","category":"MISSING_SCOPES","errors":[{"message":"x","context":{"requiredScopes":"contacts"}}]}`, nil, fault.Unauthorized, "MISSING_SCOPES", "", 0, "scope contacts"},
		"forbidden":            {403, `{"status":"error","category":"BANNED"}`, nil, fault.Unauthorized, "BANNED", "", 0, "permissions"},
		"gone":                 {404, `{"status":"error","message":"resource not found","correlationId":"a-1"}`, nil, fault.Rejected, "OBJECT_NOT_FOUND", "", 0, "deleted"},
		"conflict":             {409, `{"status":"error","category":"CONFLICT","message":"Contact already exists. Existing ID: 5"}`, nil, fault.Conflict, "CONFLICT", "", 0, ""},
		"locked":               {423, `{"status":"error","message":"locked"}`, nil, fault.Transient, "", "", 2 * time.Second, ""},
		"locked for longer":    {423, `{"status":"error"}`, []string{"Retry-After", "7"}, fault.Transient, "", "", 7 * time.Second, ""},
		"migrating":            {477, `{"status":"error"}`, []string{"Retry-After", "900"}, fault.Unavailable, "", "", 15 * time.Minute, ""},
		"ten seconds":          {429, `{"status":"error","errorType":"RATE_LIMIT","policyName":"TEN_SECONDLY_ROLLING"}`, nil, fault.Throttled, "RATE_LIMIT", "", 10 * time.Second, ""},
		"day":                  {429, `{"status":"error","errorType":"RATE_LIMIT","policyName":"DAILY"}`, nil, fault.Throttled, "RATE_LIMIT", "", 20 * time.Minute, ""},
		"day by header":        {429, `{"status":"error","errorType":"RATE_LIMIT"}`, []string{"X-HubSpot-RateLimit-Daily-Remaining", "0"}, fault.Throttled, "RATE_LIMIT", "", 20 * time.Minute, ""},
		"second":               {429, `{"status":"error","message":"You have reached your secondly limit.","category":"RATE_LIMITS"}`, nil, fault.Throttled, "RATE_LIMITS", "", time.Second, ""},
		"said":                 {429, `{"status":"error","category":"RATE_LIMITS"}`, []string{"Retry-After", "3"}, fault.Throttled, "RATE_LIMITS", "", 3 * time.Second, ""},
		"unsaid":               {429, `{"status":"error","category":"RATE_LIMITS"}`, nil, fault.Throttled, "RATE_LIMITS", "", 10 * time.Second, ""},
		"throttled by a proxy": {429, `<html>`, []string{"Retry-After", "3"}, fault.Throttled, "", "", 3 * time.Second, "proxy"},
		"required": {
			400, `{"status":"error","category":"VALIDATION_ERROR","errors":[{"message":"secret text","code":"MISSING_CONDITIONAL_REQUIRED_PROPERTY","context":{"propertyName":["closedate"]}}]}`,
			nil, fault.Rejected, "MISSING_CONDITIONAL_REQUIRED_PROPERTY", "closedate", 0, "rules",
		},
		"option": {
			400, `{"status":"error","category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"secret text\",\"error\":\"INVALID_OPTION\",\"name\":\"dealstage\"}]"}`,
			nil, fault.Rejected, "INVALID_OPTION", "dealstage", 0, "option",
		},
		"read only":       {400, `{"status":"error","errors":[{"code":"READ_ONLY_VALUE","context":{"propertyName":["hs_x"]}}]}`, nil, fault.Rejected, "READ_ONLY_VALUE", "hs_x", 0, "itself"},
		"associations":    {400, `{"status":"error","category":"VALIDATION_ERROR","message":"Missing 'Edit Associations' permission."}`, nil, fault.Rejected, "VALIDATION_ERROR", "", 0, "associations"},
		"odd types":       {400, `{"status":"error","category":"VALIDATION_ERROR","subCategory":{},"context":{"a":"b"},"errors":[{"subCategory":5,"context":{"propertyName":7}}]}`, nil, fault.Rejected, "VALIDATION_ERROR", "", 0, "mend"},
		"code with words": {400, `{"status":"error","category":"ann@acme.example is bad"}`, nil, fault.Rejected, "", "", 0, "mend"},
		"page for 400":    {400, `<html>secret text</html>`, nil, fault.Transient, "", "", 0, "proxy"},
		"server error":    {500, `{"status":"error","message":"secret text"}`, nil, fault.Transient, "", "", 0, ""},
		"gateway page":    {502, `<html>`, nil, fault.Transient, "", "", 0, "proxy"},
		"origin down":     {521, ``, nil, fault.Transient, "", "", 0, "proxy"},
		"unavailable":     {503, `{"status":"error"}`, []string{"Retry-After", "5"}, fault.Unavailable, "", "", 5 * time.Second, ""},
		"page for 200":    {200, `<html>secret text</html>`, nil, fault.Transient, "", "", 0, "proxy"},
		"nothing for 200": {200, ``, nil, fault.Transient, "", "", 0, "proxy"},
		"cut":             {200, `{"id":"7`, nil, fault.Transient, "", "", 0, "proxy"},
	} {
		con := stub(t, func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(c.headers); i += 2 {
				w.Header().Set(c.headers[i], c.headers[i+1])
			}
			w.WriteHeader(c.status)
			_, _ = fmt.Fprint(w, c.body)
		}, func(_ *hubspotbox.Options, _ *hubspot.Settings, d *connector.Deps) {
			d.Now = func() time.Time { return late }
		})
		err := apply(t, con, doc("deal", "77", map[string]any{"dealname": "x"}))[0].Err
		require.Error(t, err, name)
		f := fault.As(err)
		require.Equal(t, c.kind, f.Kind, "%s: %v", name, err)
		require.Equal(t, c.code, f.Code, name)
		require.Equal(t, c.field, f.Field, name)
		require.Equal(t, c.wait, f.RetryAfter, name)
		require.Contains(t, f.Hint, c.hint, name)
		require.True(t, strings.HasPrefix(f.Op, "hubspot: "), f.Op)
		for _, never := range []string{"secret text", hubspotbox.DefaultToken, "ann@"} {
			require.NotContains(t, err.Error()+f.Hint, never, name)
		}
	}
}

// FuzzProblem: no error body makes the connector panic, or lands in an error.
func FuzzProblem(f *testing.F) {
	for _, s := range []string{
		"", "{}", `{"status":"error","message":"[{"}`, `{"status":"error","errors":[{"context":{"propertyName":[null,"ann@x"]}}]}`,
		`{"status":"error","message":"[{\"name\":\"a\",\"error\":\"b c\"}]"}`, `{"category":"MISSING_SCOPES","errors":[{"context":{"requiredScopes":["a b"]}}]}`,
	} {
		f.Add(400, []byte(s))
		f.Add(403, []byte(s))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 400 || status > 599 {
			return
		}
		con := stub(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write(body)
		})
		err := apply(t, con, doc("deal", "77", map[string]any{"dealname": "x"}))[0].Err
		if err == nil || strings.Contains(err.Error(), "@") {
			t.Fatalf("%v", err)
		}
	})
}
