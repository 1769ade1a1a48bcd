package quickbooks_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

// listener is a connection of the realm 310687 that only hears.
func listener(t testing.TB) connector.Webhooks {
	t.Helper()
	s := quickbooks.DefaultSettings()
	s.RealmID, s.ClientID = "310687", "client"
	s.ClientSecret, s.RefreshToken = secretOf("client-secret"), secretOf("refresh-token")
	s.VerifierTokens = append(s.VerifierTokens, secretOf("verifier-one"), secretOf("verifier-two"))
	con, err := quickbooks.Open(s, connector.Deps{Connection: "qbo", HTTP: http.DefaultClient})
	require.NoError(t, err)
	return con.Webhooks
}

// said is a change as far as these tests compare it.
type said struct {
	Object, ID string
	Op         events.Op
	Signal     bool
	At         string
}

func decode(t testing.TB, body string) []said {
	t.Helper()
	received := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	list, err := listener(t).Decode(connector.Delivery{Body: []byte(body), Received: received})
	require.NoError(t, err)
	var out []said
	for _, e := range list {
		c, err := e.Change()
		require.NoError(t, err)
		require.Equal(t, "qbo", c.Connection)
		out = append(out, said{c.Object, c.ID, c.Op, c.Signal, c.At.Format(time.RFC3339)})
	}
	return out
}

func TestDecodeBothForms(t *testing.T) {
	t.Parallel()
	event := func(attributes string) string {
		return `[{"specversion":"1.0","id":"88cd52aa","source":"intuit.x=","time":"2026-09-10T21:31:25.179851517Z",` + attributes + `}]`
	}
	entity := func(attributes string) string {
		return `{"eventNotifications":[{"realmId":"310687","dataChangeEvent":{"entities":[{` + attributes + `}]}}]}`
	}
	const at, day = "2026-09-10T21:31:25Z", "2026-09-10T08:00:00Z"
	cases := map[string]struct {
		body string
		want []said
	}{
		"event, created": {
			event(`"type":"qbo.invoice.created.v1","intuitentityid":"12","intuitaccountid":"310687","data":{}`),
			[]said{{"Invoice", "12", events.OpChanged, true, at}},
		},
		"event, deleted": {
			event(`"type":"QBO.Payment.Deleted.v1","intuitentityid":"12","intuitaccountid":"310687"`),
			[]said{{"Payment", "12", events.OpDeleted, false, at}},
		},
		"event, void": {
			event(`"type":"qbo.invoice.void.v1","intuitentityid":"12","intuitaccountid":"310687"`),
			[]said{{"Invoice", "12", events.OpChanged, true, at}},
		},
		"event, merged": {
			event(`"type":"qbo.customer.merged.v1","intuitentityid":"123","intuitaccountid":"310687","data":{"deletedid":"27"}`),
			[]said{{"Customer", "27", events.OpMerged, false, at}, {"Customer", "123", events.OpChanged, true, at}},
		},
		"event, unknown operation": {
			event(`"type":"qbo.item.renumbered.v1","intuitentityid":"1","intuitaccountid":"310687","data":[1]`),
			[]said{{"Item", "1", events.OpChanged, true, at}},
		},
		"event, numbers for ids, no time": {
			`[{"id":"x","source":"s","type":"qbo.item.updated.v1","intuitentityid":5,"intuitaccountid":310687}]`,
			[]said{{"Item", "5", events.OpChanged, true, "2026-11-23T09:00:00Z"}},
		},
		"event, two words": {
			event(`"type":"qbo.salesreceipt.created.v1","intuitentityid":"12","intuitaccountid":"310687"`),
			[]said{{"SalesReceipt", "12", events.OpChanged, true, at}},
		},
		"event, mailed":         {event(`"type":"qbo.invoice.emailed.v1","intuitentityid":"12","intuitaccountid":"310687"`), nil},
		"event, other company":  {event(`"type":"qbo.invoice.created.v1","intuitentityid":"12","intuitaccountid":"999"`), nil},
		"event, other entity":   {event(`"type":"qbo.vendor.created.v1","intuitentityid":"12","intuitaccountid":"310687"`), nil},
		"event, other product":  {event(`"type":"payroll.run","intuitaccountid":"310687"`), nil},
		"no event":              {`[]`, nil},
		"notification, created": {entity(`"name":"Invoice","id":"12","operation":"Create","lastUpdated":"2026-09-10T00:00:00-0800"`), []said{{"Invoice", "12", events.OpChanged, true, day}}},
		"notification, deleted": {entity(`"name":"ITEM","id":"12","operation":"Delete","lastUpdated":"2026-09-10T08:00:00.000Z"`), []said{{"Item", "12", events.OpDeleted, false, day}}},
		"notification, void":    {entity(`"name":"Payment","id":"12","operation":"Void","lastUpdated":"2026-09-10T00:00:00-08:00"`), []said{{"Payment", "12", events.OpChanged, true, day}}},
		"notification, merged": {
			entity(`"name":"Customer","id":"1","operation":"Merge","deletedId":"2","lastUpdated":"2026-09-10T08:00:00Z"`),
			[]said{{"Customer", "2", events.OpMerged, false, day}, {"Customer", "1", events.OpChanged, true, day}},
		},
		"notification, mailed":        {entity(`"name":"Invoice","id":"12","operation":"Emailed"`), nil},
		"notification, other entity":  {entity(`"name":"Vendor","id":"12","operation":"Create"`), nil},
		"notification, other company": {`{"eventNotifications":[{"realmId":"1","dataChangeEvent":{"entities":[{"name":"Invoice","id":"","operation":"Create"}]}}]}`, nil},
		"no notification":             {`{"eventNotifications":[]}`, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, cmp.Diff(c.want, decode(t, c.body)))
		})
	}
}

func TestDecodeMalformed(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ body, field string }{
		"empty":            {``, ""},
		"text":             {`hello`, ""},
		"null":             {`null`, "eventNotifications"},
		"other object":     {`{"a":1}`, "eventNotifications"},
		"entities a text":  {`{"eventNotifications":"x"}`, ""},
		"event a number":   {`[{"type":"other"},7]`, "[1]"},
		"event without id": {`[{"type":"qbo.item.created.v1","intuitaccountid":"310687","intuitentityid":"1"}]`, "[0].id"},
		"no entity id":     {`[{"id":"x","type":"qbo.item.created.v1","intuitaccountid":"310687"}]`, "[0]"},
		"control character": {
			`{"eventNotifications":[{"realmId":"310687","dataChangeEvent":{"entities":[{"name":"Item","id":"a\u0000b","operation":"Update"}]}}]}`,
			"eventNotifications[0].dataChangeEvent.entities[0]",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := listener(t).Decode(connector.Delivery{Body: []byte(c.body)})
			f := requireFault(t, err, fault.Malformed, "")
			require.Equal(t, c.field, f.Field)
		})
	}
}

func TestEventIDs(t *testing.T) {
	t.Parallel()
	ids := func(body string, received time.Time) []string {
		list, err := listener(t).Decode(connector.Delivery{Body: []byte(body), Received: received})
		require.NoError(t, err)
		var out []string
		for _, e := range list {
			out = append(out, e.ID)
		}
		return out
	}
	const merge = `[{"id":"a","source":"s","type":"qbo.customer.merged.v1","intuitentityid":"1","intuitaccountid":"310687","data":{"deletedid":"2"}}]`
	const other = `[{"id":"a","source":"t","type":"qbo.customer.merged.v1","intuitentityid":"1","intuitaccountid":"310687","data":{"deletedid":"2"}}]`
	first := ids(merge, time.Unix(1, 0))
	require.Len(t, first, 2)
	require.NotEqual(t, first[0], first[1])
	require.Equal(t, first, ids(merge, time.Unix(2, 0)))
	require.NotEqual(t, first, ids(other, time.Unix(1, 0)), "ids are unique within their source only")
}

func TestVerifyWithSeveralTokens(t *testing.T) {
	t.Parallel()
	w := listener(t)
	body := []byte(`[]`)
	verify := func(signature string) error {
		return w.Verify(connector.Delivery{Body: body, Header: http.Header{"Intuit-Signature": {signature}}})
	}
	require.NoError(t, verify(quickbooksbox.Sign("verifier-one", body)))
	require.NoError(t, verify(quickbooksbox.Sign("verifier-two", body)))
	requireFault(t, verify(quickbooksbox.Sign("verifier-three", body)), fault.Unauthorized, "")
	requireFault(t, verify(""), fault.Unauthorized, "")
	requireFault(t, verify("!"), fault.Unauthorized, "")
}

func TestNoWebhooksWithoutVerifierTokens(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{}, func(s *quickbooks.Settings) { s.VerifierTokens = nil })
	require.Nil(t, b.Webhooks)
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`[{"specversion":"1.0","id":"a-Customer-123","source":"intuit.x=","type":"qbo.customer.merged.v1","time":"2025-12-04T15:25:05Z","intuitentityid":"123","intuitaccountid":"310687","data":{"deletedid":"27"}}]`,
		`{"eventNotifications":[{"realmId":"310687","dataChangeEvent":{"entities":[{"name":"Customer","id":"43","operation":"Merge","lastUpdated":"2016-10-05T03:07:04.000Z","deletedId":9}]}}]}`,
		`[{}]`, `[null]`, `[[]]`, `{}`, `null`, ``, `[{"type":"qbo...","intuitaccountid":"310687"}]`, `{"eventNotifications":[null]}`,
	} {
		f.Add([]byte(s))
	}
	w := listener(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := w.Decode(connector.Delivery{Body: body, Received: time.Unix(1, 0)})
		if err != nil {
			requireFault(t, err, fault.Malformed, "")
		}
		for _, e := range list {
			c, err := e.Change()
			require.NoError(t, err)
			require.NotEmpty(t, c.ID)
			require.False(t, c.At.IsZero())
			_, err = json.Marshal(e)
			require.NoError(t, err)
		}
	})
}
