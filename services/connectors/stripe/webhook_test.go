package stripe_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/stripe"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

// snapshot is a snapshot event around an object.
func snapshot(kind, object string) string {
	return fmt.Sprintf(`{"id":"evt_1","object":"event","type":%q,"created":1795435200,"livemode":false,"data":{"object":%s}}`, kind, object)
}

const created = 1795435200

func TestDecode(t *testing.T) {
	t.Parallel()
	thin := func(kind, id, of string) string {
		return fmt.Sprintf(`{"id":"evt_1","object":"v2.core.event","type":%q,"created":"2026-11-23T12:00:00Z","related_object":{"id":%q,"type":%q}}`, kind, id, of)
	}
	for _, c := range []struct {
		name string
		body string
		want []string // object and id; none when it is left out
	}{
		{"invoice", snapshot("invoice.finalized", `{"id":"in_1","object":"invoice","status":"open"}`), []string{"invoice in_1"}},
		{"deleted invoice", snapshot("invoice.deleted", `{"id":"in_1","object":"invoice"}`), []string{"invoice in_1"}},
		{"customer", snapshot("customer.created", `{"id":"cus_1","object":"customer"}`), []string{"customer cus_1"}},
		{"product", snapshot("product.updated", `{"id":"prod_1","object":"product"}`), []string{"product prod_1"}},
		{"price", snapshot("price.updated", `{"id":"price_1","object":"price","product":"prod_1"}`), []string{"product prod_1"}},
		{
			"part of a payment", snapshot("invoice_payment.paid",
				`{"id":"inpay_1","object":"invoice_payment","payment":{"type":"payment_intent","payment_intent":"pi_1"}}`),
			[]string{"payment pi_1"},
		},
		{
			"part of a payment made elsewhere", snapshot("invoice_payment.paid",
				`{"id":"inpay_1","object":"invoice_payment","payment":{"type":"payment_record","payment_record":"prec_1"}}`),
			[]string{"payment prec_1"},
		},
		{
			"part of a kind of payment to come", snapshot("invoice_payment.paid",
				`{"id":"inpay_1","object":"invoice_payment","payment":{"type":"cowrie"}}`), []string{"payment inpay_1"},
		},
		{"payment", snapshot("payment_intent.succeeded", `{"id":"pi_1","object":"payment_intent"}`), []string{"payment pi_1"}},
		{"refund", snapshot("refund.failed", `{"id":"re_1","object":"refund"}`), []string{"refund re_1"}},
		{"refund of old", snapshot("charge.refund.updated", `{"id":"re_1","object":"refund"}`), []string{"refund re_1"}},
		{"dispute", snapshot("charge.dispute.funds_withdrawn", `{"id":"du_1","object":"dispute"}`), []string{"dispute du_1"}},
		{"credit note", snapshot("credit_note.created", `{"id":"cn_1","object":"credit_note"}`), []string{"credit_note cn_1"}},
		{"subscription", snapshot("customer.subscription.deleted", `{"id":"sub_1","object":"subscription"}`), []string{"subscription sub_1"}},
		{"quote", snapshot("quote.accepted", `{"id":"qt_1","object":"quote"}`), []string{"quote qt_1"}},
		{
			"paid link", snapshot("checkout.session.completed",
				`{"id":"cs_1","object":"checkout.session","payment_intent":"pi_1","payment_link":"plink_1"}`),
			[]string{"payment pi_1", "payment_link plink_1"},
		},
		{"session of a subscription", snapshot("checkout.session.completed", `{"id":"cs_1","object":"checkout.session","subscription":"sub_1"}`), nil},
		{"thin", thin("v1.invoice.paid", "in_1", "invoice"), []string{"invoice in_1"}},
		{"thin, deleted", thin("v1.customer.deleted", "cus_1", "customer"), []string{"customer cus_1"}},
		{"thin price", thin("v1.price.updated", "price_1", "price"), []string{"product price_1"}},
		{"thin part of a payment", thin("v1.invoice_payment.paid", "inpay_1", "invoice_payment"), []string{"payment inpay_1"}},
		{"thin subscription", thin("v1.customer.subscription.updated", "sub_1", "subscription"), []string{"subscription sub_1"}},
		{"thin dispute", thin("v1.charge.dispute.closed", "du_1", "dispute"), []string{"dispute du_1"}},
		{"thin of what is not used", thin("v2.core.account.updated", "acct_1", "v2.core.account"), nil},
		{"thin of another object", thin("v1.invoice.paid", "cus_1", "customer"), nil},
		{"thin of nothing", `{"id":"evt_1","object":"v2.core.event","type":"v1.invoice.paid","created":"2026-11-23T12:00:00Z"}`, nil},
		{"upcoming invoice has no id", snapshot("invoice.upcoming", `{"object":"invoice"}`), nil},
		{"a type to come", snapshot("cowrie.created", `{"id":"cow_1","object":"cowrie"}`), nil},
		{"a verb to come", snapshot("invoice.pondered", `{"id":"in_1","object":"invoice"}`), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := webhooksAt(t, signedAt, nil).Decode(delivery("", c.body))
			require.NoError(t, err)
			var about []string
			ids := map[string]bool{}
			for _, e := range got {
				change, err := e.Change()
				require.NoError(t, err)
				require.True(t, change.Signal)
				require.Empty(t, change.Fields, "what counts is read")
				require.Equal(t, time.Unix(created, 0).UTC(), change.At)
				o, ok := stripe.Kind().Object(change.Object)
				require.True(t, ok)
				require.Equal(t, o.Entity, change.Entity)
				about = append(about, change.Object+" "+change.ID)
				ids[e.ID] = true
			}
			require.Equal(t, c.want, about)
			require.Len(t, ids, len(c.want), "each event has an id of its own")
			require.Equal(t, len(c.want) > 0, ids["evt_1"])
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nothing":                "",
		"no JSON":                "{",
		"two values":             `{"id":"evt_1"}{}`,
		"no id":                  `{"object":"event","type":"invoice.paid","created":1}`,
		"no time":                `{"id":"evt_1","object":"event","type":"invoice.paid"}`,
		"a time in words":        `{"id":"evt_1","object":"event","type":"invoice.paid","created":"noon"}`,
		"a time far away":        `{"id":"evt_1","object":"event","type":"invoice.paid","created":99999999999999}`,
		"no event":               `{"id":"evt_1","object":"invoice","type":"invoice.paid","created":1795435200}`,
		"no object":              snapshot("invoice.paid", `null`),
		"another object":         snapshot("invoice.paid", `{"id":"cus_1","object":"customer"}`),
		"object without id":      snapshot("customer.created", `{"object":"customer"}`),
		"price without product":  snapshot("price.created", `{"id":"price_1","object":"price"}`),
		"an array for an object": snapshot("invoice.paid", `[]`),
		"an id that is a number": snapshot("invoice.paid", `{"id":5,"object":"invoice"}`),
		"HTML":                   "<html><body>Bad gateway</body></html>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := webhooksAt(t, signedAt, nil).Decode(delivery("", body))
			require.True(t, fault.Is(err, fault.Malformed), "%v", err)
		})
	}
}

// An event of another account or mode is refused with field and remedy at an
// account's own endpoint, and left out at one that serves several.
func TestEventsOfOthers(t *testing.T) {
	t.Parallel()
	live := true
	body := func(livemode bool, account, context string) string {
		return fmt.Sprintf(`{"id":"evt_1","object":"event","type":"customer.created","created":%d,"livemode":%t,"account":%q,"context":%q,
			"data":{"object":{"id":"cus_1","object":"customer"}}}`, created, livemode, account, context)
	}
	set := func(shared bool) func(*stripe.Settings) {
		return func(s *stripe.Settings) {
			s.Account, s.Livemode, s.Key, s.Shared = "acct_1", &live, secret.New("sk_live_abc"), shared
		}
	}
	for _, c := range []struct {
		name, body string
		field      string // empty when it is ours
	}{
		{"own account", body(true, "acct_1", ""), ""},
		{"no account", body(true, "", ""), ""},
		{"own context", body(true, "", "org_1/acct_1"), ""},
		{"other account", body(true, "acct_2", ""), "account"},
		{"other context", body(true, "", "org_1/acct_2"), "account"},
		{"test mode", body(false, "", ""), "livemode"},
	} {
		got, err := webhooksAt(t, signedAt, set(false)).Decode(delivery("", c.body))
		if c.field == "" {
			require.NoError(t, err, c.name)
			require.Len(t, got, 1, c.name)
			continue
		}
		require.True(t, fault.Is(err, fault.Malformed), c.name)
		require.Equal(t, c.field, fault.As(err).Field, c.name)
		require.NotEmpty(t, fault.As(err).Hint, c.name)
		got, err = webhooksAt(t, signedAt, set(true)).Decode(delivery("", c.body))
		require.NoError(t, err, c.name)
		require.Empty(t, got, c.name)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(snapshot("invoice.paid", `{"id":"in_1","object":"invoice","currency":"jpy","total":5,"customer":{"id":"cus_1"}}`)))
	f.Add([]byte(snapshot("customer.created", `{"id":"cus_1","object":"customer","metadata":{"spoke_record":"company/1"}}`)))
	f.Add([]byte(snapshot("product.deleted", `{"id":"prod_1","object":"product"}`)))
	f.Add([]byte(snapshot("price.created", `{"id":"price_1","object":"price","product":"prod_1"}`)))
	f.Add([]byte(snapshot("invoice_payment.paid", `{"id":"inpay_1","object":"invoice_payment"}`)))
	f.Add([]byte(snapshot("checkout.session.completed", `{"id":"cs_1","object":"checkout.session","payment_intent":"pi_1","payment_link":"plink_1"}`)))
	f.Add([]byte(snapshot("charge.dispute.created", `{"id":"du_1","object":"dispute","metadata":{"a":"b"}}`)))
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
			require.True(t, c.Signal)
		}
	})
}
