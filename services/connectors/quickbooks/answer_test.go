package quickbooks_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

func TestFaultKinds(t *testing.T) {
	t.Parallel()
	upper := func(typ, code string) string {
		return `{"Fault":{"Error":[{"Message":"m","Detail":"d","code":"` + code + `","element":"Line.Amount"}],"type":"` + typ + `"},"time":"2026-11-23T10:00:00.000-08:00"}`
	}
	lower := func(code string) string {
		return `{"fault":{"error":[{"message":"m","detail":"d","code":"` + code + `","element":null}],"type":"AUTHENTICATION"},"time":1}`
	}
	const validation = "ValidationFault"
	cases := map[string]struct {
		status int
		body   string
		kind   fault.Kind
	}{
		"token":                    {401, lower("3200"), fault.Unauthorized},
		"token, upper case":        {401, upper("AuthenticationFault", "3200"), fault.Unauthorized},
		"user lost access":         {401, lower("120"), fault.Unauthorized},
		"app not allowed":          {403, upper("AuthorizatonFault", "3100"), fault.Unauthorized},
		"subscription lapsed":      {403, upper(validation, "6190"), fault.Unauthorized},
		"throttled":                {429, upper("SERVICE", "3001"), fault.Throttled},
		"throttled as forbidden":   {403, upper("SERVICE", "003001"), fault.Throttled},
		"throttled without a body": {429, "", fault.Throttled},
		"bad characters":           {400, upper(validation, "500"), fault.Rejected},
		"missing":                  {400, upper(validation, "2020"), fault.Rejected},
		"unknown property":         {400, upper(validation, "2010"), fault.Rejected},
		"enum":                     {400, upper(validation, "2170"), fault.Rejected},
		"reference":                {400, upper(validation, "2500"), fault.Rejected},
		"query":                    {400, upper(validation, "4001"), fault.Internal},
		"stale":                    {400, upper(validation, "5010"), fault.Conflict},
		"business":                 {400, upper(validation, "6000"), fault.Rejected},
		"amount":                   {400, upper(validation, "6070"), fault.Internal},
		"number":                   {400, upper(validation, "6140"), fault.Rejected},
		"closed":                   {400, upper(validation, "6210"), fault.Rejected},
		"deposited":                {400, upper(validation, "6540"), fault.Rejected},
		"unknown code":             {400, upper(validation, "9999"), fault.Rejected},
		"server":                   {500, upper("SystemFault", "10000"), fault.Transient},
		"server, bad request":      {400, upper("SystemFault", "10000"), fault.Transient},
		"server down":              {503, upper("SystemFault", "10000"), fault.Unavailable},
		"success with a fault":     {200, upper(validation, "2020"), fault.Rejected},
		"success, unknown code":    {200, upper(validation, "9999"), fault.Rejected},
		"success, system fault":    {200, upper("SystemFault", "1"), fault.Transient},
		"success, authorization":   {200, upper("AuthorizatonFault", "1"), fault.Unauthorized},
		"empty fault":              {400, `{"Fault":{}}`, fault.Rejected},
		"page":                     {502, "<html>bad gateway</html>", fault.Transient},
		"page for unauthorized":    {401, "<html>no</html>", fault.Unauthorized},
		"page for success":         {200, "<html>hello</html>", fault.Transient},
		"other object":             {200, `{"Bill":{"Id":"1"}}`, fault.Transient},
		"object without an id":     {200, `{"Customer":{}}`, fault.Transient},
		"two values":               {200, `{"Customer":{"Id":"1"}} {}`, fault.Transient},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			con := canned(t, c.status, c.body)
			doc := document("Customer", key(events.EntityCompany, "1"), map[string]any{"DisplayName": "Acme"})
			doc.IdempotencyKey, doc.First = "k", time.Now()
			err := con.Target.Apply(t.Context(), []connector.Document{doc})[0].Err
			f := requireFault(t, err, c.kind, "")
			if strings.HasPrefix(c.body, `{"Fault":{"Error"`) {
				require.Contains(t, err.Error(), "(intuit_tid 1-abc)")
				if name == "closed" {
					require.Equal(t, "TxnDate", f.Field)
				} else {
					require.Equal(t, "Line.Amount", f.Field)
				}
				require.NotEmpty(t, f.Code)
			}
			if c.kind == fault.Throttled {
				require.Equal(t, time.Minute, f.RetryAfter)
			}
			if c.kind == fault.Unauthorized {
				require.NotEmpty(t, f.Hint)
			}
			// Without an idempotency key nobody knows whether a server that
			// failed has written.
			doc.IdempotencyKey = ""
			if c.kind == fault.Transient {
				requireFault(t, con.Target.Apply(t.Context(), []connector.Document{doc})[0].Err, fault.Ambiguous, "")
			}
		})
	}
}

func TestFaultTextKeepsValuesBack(t *testing.T) {
	t.Parallel()
	con := canned(t, 400, `{"Fault":{"Error":[{"Message":"Invalid email","Detail":"jane.doe@acme.example and 'Jane Doe' and \"Acme\"\nare wrong `+strings.Repeat("x", 1000)+`","code":"2030"}],"type":"ValidationFault"}}`)
	err := con.Target.Check(t.Context())
	for _, personal := range []string{"jane", "Jane", "Acme", "\n"} {
		require.NotContains(t, err.Error(), personal)
	}
	require.Contains(t, err.Error(), "Invalid email")
	require.Less(t, len(err.Error()), 500)
}

func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		`{"Customer":{"Id":"1","SyncToken":"0","DisplayName":"A","CurrencyRef":{"value":"USD"},"MetaData":{"LastUpdatedTime":"2013-11-15T14:37:43-08:00"}}}`,
		`{"QueryResponse":{"Invoice":[{"Id":"1","TotalAmt":1e3,"Balance":-0.5,"Line":[{"Amount":50.0,"LinkedTxn":[{"TxnId":"1","TxnType":"Invoice"}]}]}],"maxResults":1}}`,
		`{"Fault":{"Error":[{"Message":"m","code":"5010"}],"type":"ValidationFault"}}`,
		`{"fault":{"error":null}}`, `{"QueryResponse":{}}`, `{"QueryResponse":{"Payment":[null,1,{}]}}`, `null`, ``, `[]`,
		`{"Invoice":{"Id":"1","TotalAmt":1e999999999,"Balance":"x","CustomerRef":7}}`,
		`{"Payment":{"Id":"1","TotalAmt":4,"Line":{"a":1},"CurrencyRef":{"value":"???"}}}`,
	} {
		f.Add(200, s)
		f.Add(400, s)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		con := canned(t, status, body)
		check := func(err error) {
			var e *fault.Error
			if err != nil && !errors.As(err, &e) {
				t.Fatalf("error %v has no kind", err)
			}
		}
		for _, object := range []string{"Customer", "Item", "Invoice", "Estimate", "SalesReceipt", "Payment", "CreditMemo", "RefundReceipt"} {
			for _, ids := range [][]string{{"1"}, {"1", "2"}} {
				list, err := con.Reader.Read(t.Context(), object, ids)
				check(err)
				if err == nil && len(list) != len(ids) {
					t.Fatalf("%d changes for %d ids", len(list), len(ids))
				}
			}
		}
		doc := document("Customer", key(events.EntityCompany, "1"), map[string]any{"DisplayName": "Acme"})
		doc.IdempotencyKey = "k"
		r := con.Target.Apply(t.Context(), []connector.Document{doc})[0]
		check(r.Err)
		if r.Err == nil && r.ID == "" {
			t.Fatal("a success without an id")
		}
	})
}
