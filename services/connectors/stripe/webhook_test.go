package stripe_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/stripe"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// snapshot is a snapshot event around an object.
func snapshot(kind, object string) string {
	return fmt.Sprintf(`{"id":"evt_1","object":"event","type":%q,"created":1795435200,"livemode":false,"data":{"object":%s}}`, kind, object)
}

const created = 1795435200

func at(order int) time.Time {
	return time.Unix(created, 0).UTC().Add(time.Duration(order) * time.Millisecond)
}

func TestDecode(t *testing.T) {
	t.Parallel()
	deal := events.Key{Entity: events.EntityDeal, ID: "77"}
	const invoice = `{"id":"in_1","object":"invoice","status":"open","currency":"eur","customer":"cus_1","number":"A-1",
		"total":1230,"amount_paid":230,"amount_due":1230,"amount_remaining":1000,"due_date":1798070400,"effective_at":1795435200,
		"hosted_invoice_url":"https://pay.example/1","metadata":{"spoke_record":"deal/77","spoke_key":"spoke-deal-77"}}`
	for _, c := range []struct {
		name string
		body string
		want *events.Change // nil when it is left out
		text map[string]string
	}{
		{
			name: "invoice", body: snapshot("invoice.finalized", invoice),
			want: &events.Change{
				Entity: "invoice", Object: "invoice", ID: "in_1", Record: deal, Op: events.OpChanged, At: at(1), Snapshot: true,
				Number: "A-1", URL: "https://pay.example/1",
			},
			text: map[string]string{
				"number": `"A-1"`, "status": `"open"`, "total": `{"amount":"12.30","currency":"EUR"}`,
				"amountPaid": `{"amount":"2.30","currency":"EUR"}`, "amountDue": `{"amount":"10.00","currency":"EUR"}`,
				"issuedOn": `"2026-11-23"`, "dueOn": `"2026-12-24"`, "url": `"https://pay.example/1"`,
				"company": `{"connection":"stripe","object":"customer","id":"cus_1"}`,
			},
		},
		{
			name: "deleted invoice", body: snapshot("invoice.deleted", `{"id":"in_1","object":"invoice","currency":"eur"}`),
			want: &events.Change{Entity: "invoice", Object: "invoice", ID: "in_1", Op: events.OpDeleted, At: at(999)},
		},
		{
			name: "customer", body: snapshot("customer.created", `{"id":"cus_1","object":"customer","name":"Acme","email":"a@b.example",
				"phone":null,"address":{"line1":"Main 1","line2":"Flat 2","city":"Berlin","country":"DE"},
				"metadata":{"spoke_record":"company/12"}}`),
			want: &events.Change{
				Entity: "company", Object: "customer", ID: "cus_1", Record: events.Key{Entity: "company", ID: "12"},
				Op: events.OpChanged, At: at(0), Snapshot: true,
			},
			text: map[string]string{
				"name": `"Acme"`, "email": `"a@b.example"`, "phone": `null`, "street": `"Main 1\nFlat 2"`, "city": `"Berlin"`,
				"state": `null`, "zip": `null`, "country": `"DE"`,
			},
		},
		{
			name: "somebody else's metadata", body: snapshot("customer.updated", `{"id":"cus_1","object":"customer","address":null,
				"metadata":{"spoke_record":"who knows"}}`),
			want: &events.Change{Entity: "company", Object: "customer", ID: "cus_1", Op: events.OpChanged, At: at(0), Snapshot: true},
			text: map[string]string{
				"name": `null`, "email": `null`, "phone": `null`, "street": `null`, "city": `null`, "state": `null`,
				"zip": `null`, "country": `null`,
			},
		},
		{
			name: "deleted customer", body: snapshot("customer.deleted", `{"id":"cus_1","object":"customer"}`),
			want: &events.Change{Entity: "company", Object: "customer", ID: "cus_1", Op: events.OpDeleted, At: at(999)},
		},
		{
			name: "product", body: snapshot("product.updated", `{"id":"prod_1","object":"product","name":"Widget","active":true,
				"default_price":"price_1","metadata":{"sku":"W-1"}}`),
			want: &events.Change{Entity: "product", Object: "product", ID: "prod_1", Op: events.OpChanged, At: at(0), Snapshot: true},
			text: map[string]string{"name": `"Widget"`, "description": `null`, "sku": `"W-1"`, "active": `true`},
		},
		{
			name: "price", body: snapshot("price.updated", `{"id":"price_1","object":"price","product":"prod_1"}`),
			want: &events.Change{
				Entity: "product", Object: "product", ID: "prod_1", Op: events.OpChanged, At: at(0), Signal: true,
				Properties: []string{"price"},
			},
		},
		{
			name: "payment", body: snapshot("invoice_payment.paid", `{"id":"inpay_1","object":"invoice_payment","invoice":"in_1"}`),
			want: &events.Change{Entity: "payment", Object: "invoice_payment", ID: "inpay_1", Op: events.OpChanged, At: at(0), Signal: true},
		},
		{
			name: "thin", body: `{"id":"evt_2","object":"v2.core.event","type":"v1.invoice.paid","created":"2026-11-23T12:00:00.500Z",
				"related_object":{"id":"in_1","type":"invoice","url":"/v1/invoices/in_1"}}`,
			want: &events.Change{
				Entity: "invoice", Object: "invoice", ID: "in_1", Op: events.OpChanged, At: at(500), Signal: true,
			},
		},
		{
			name: "thin, deleted", body: `{"id":"evt_2","object":"v2.core.event","type":"v1.customer.deleted","created":"2026-11-23T13:00:00+01:00",
				"related_object":{"id":"cus_1","type":"customer"}}`,
			want: &events.Change{Entity: "company", Object: "customer", ID: "cus_1", Op: events.OpDeleted, At: at(999)},
		},
		{name: "thin of what is not used", body: `{"id":"evt_2","object":"v2.core.event","type":"v2.core.account.updated",
			"created":"2026-11-23T12:00:00Z","related_object":{"id":"acct_1","type":"v2.core.account"}}`},
		{name: "thin of nothing", body: `{"id":"evt_2","object":"v2.core.event","type":"v2.x","created":"2026-11-23T12:00:00Z"}`},
		{name: "subscription", body: snapshot("customer.subscription.created", `{"id":"sub_1","object":"subscription"}`)},
		{name: "upcoming invoice has no id", body: snapshot("invoice.upcoming", `{"object":"invoice"}`)},
		{name: "charge", body: snapshot("charge.succeeded", `{"id":"ch_1","object":"charge"}`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := webhooksAt(t, signedAt, nil).Decode(delivery("", c.body))
			require.NoError(t, err)
			if c.want == nil {
				require.Empty(t, got)
				return
			}
			require.Len(t, got, 1)
			change, err := got[0].Change()
			require.NoError(t, err)
			c.want.Connection = "stripe"
			if c.text != nil {
				c.want.Fields = events.Fields{}
				for name, text := range c.text {
					c.want.Fields[name] = json.RawMessage(text)
				}
			}
			require.Empty(t, cmp.Diff(*c.want, change))
			var id struct {
				ID string `json:"id"`
			}
			require.NoError(t, json.Unmarshal([]byte(c.body), &id))
			require.Equal(t, id.ID, got[0].ID)
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nothing":            "",
		"no JSON":            "{",
		"two values":         `{"id":"evt_1"}{}`,
		"no id":              `{"object":"event","type":"invoice.paid","created":1}`,
		"no time":            `{"id":"evt_1","object":"event","type":"invoice.paid"}`,
		"a time in words":    `{"id":"evt_1","object":"event","type":"invoice.paid","created":"noon"}`,
		"a time far away":    `{"id":"evt_1","object":"event","type":"invoice.paid","created":99999999999999}`,
		"no event":           `{"id":"evt_1","object":"invoice","type":"invoice.paid","created":1795435200}`,
		"no object":          snapshot("invoice.paid", `null`),
		"another object":     snapshot("invoice.paid", `{"id":"cus_1","object":"customer"}`),
		"object without id":  snapshot("customer.created", `{"object":"customer"}`),
		"amount as text":     snapshot("invoice.paid", `{"id":"in_1","object":"invoice","currency":"eur","total":"12"}`),
		"amount with a dot":  snapshot("invoice.paid", `{"id":"in_1","object":"invoice","currency":"eur","total":12.5}`),
		"unknown currency":   snapshot("invoice.paid", `{"id":"in_1","object":"invoice","currency":"xxx","total":12}`),
		"ambiguous currency": snapshot("invoice.paid", `{"id":"in_1","object":"invoice","currency":"ugx","total":12}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := webhooksAt(t, signedAt, nil).Decode(delivery("", body))
			require.True(t, fault.Is(err, fault.Malformed), "%v", err)
		})
	}
}

// Two events of one second come in any order; the later state must win.
func TestStatesOfOneSecondAreOrdered(t *testing.T) {
	t.Parallel()
	var last time.Time
	for _, status := range []string{"draft", "open", "uncollectible", "paid", "void"} {
		body := snapshot("invoice.updated", fmt.Sprintf(`{"id":"in_1","object":"invoice","currency":"eur","status":%q}`, status))
		got, err := webhooksAt(t, signedAt, nil).Decode(delivery("", body))
		require.NoError(t, err)
		require.True(t, got[0].Time.After(last), status)
		require.True(t, got[0].Time.Before(at(1000)))
		last = got[0].Time
	}
}

func TestEventsOfOthersAreLeftOut(t *testing.T) {
	t.Parallel()
	live := true
	body := func(livemode bool, account string) string {
		return fmt.Sprintf(`{"id":"evt_1","object":"event","type":"customer.created","created":%d,"livemode":%t,"account":%q,
			"data":{"object":{"id":"cus_1","object":"customer"}}}`, created, livemode, account)
	}
	w := webhooksAt(t, signedAt, func(s *stripe.Settings) { s.Account = "acct_1"; s.Livemode = nil })
	strict := webhooksAt(t, signedAt, func(s *stripe.Settings) { s.Livemode, s.Key = &live, secret.New("sk_live_abc") })
	for _, c := range []struct {
		name    string
		strict  bool
		body    string
		decoded int
	}{
		{name: "own account", body: body(false, "acct_1"), decoded: 1},
		{name: "no account", body: body(false, ""), decoded: 1},
		{name: "other account", body: body(false, "acct_2")},
		{name: "live", strict: true, body: body(true, ""), decoded: 1},
		{name: "test", strict: true, body: body(false, "")},
	} {
		hooks := w
		if c.strict {
			hooks = strict
		}
		got, err := hooks.Decode(delivery("", c.body))
		require.NoError(t, err, c.name)
		require.Len(t, got, c.decoded, c.name)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(snapshot("invoice.paid", `{"id":"in_1","object":"invoice","currency":"jpy","total":5,"customer":{"id":"cus_1"}}`)))
	f.Add([]byte(snapshot("customer.created", `{"id":"cus_1","object":"customer","metadata":{"spoke_record":"company/1"}}`)))
	f.Add([]byte(snapshot("product.deleted", `{"id":"prod_1","object":"product"}`)))
	f.Add([]byte(snapshot("price.created", `{"id":"price_1","object":"price","product":"prod_1"}`)))
	f.Add([]byte(snapshot("invoice_payment.paid", `{"id":"inpay_1","object":"invoice_payment"}`)))
	f.Add([]byte(`{"id":"evt_2","object":"v2.core.event","type":"v1.invoice.paid","created":"2026-11-23T12:00:00Z","related_object":{"id":"in_1","type":"invoice"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := webhooksAt(t, signedAt, nil).Decode(delivery("", string(body)))
		if err != nil {
			require.True(t, fault.Is(err, fault.Malformed), "%v", err)
			return
		}
		for _, e := range got {
			c, err := e.Change()
			require.NoError(t, err)
			require.NotEmpty(t, e.ID)
			require.NotEmpty(t, c.ID)
			_, known := stripe.Kind().Object(c.Object)
			require.True(t, known)
			for name := range c.Fields {
				require.Contains(t, c.Entity.Fields(), name)
			}
		}
	})
}
