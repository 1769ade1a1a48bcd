package hubspot_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/hubspot"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
)

var update = flag.Bool("update", false, "write golden files anew")

var happened = time.Date(2026, 11, 23, 11, 59, 0, 123e6, time.UTC)

// note is a notification of the configured portal.
func note(subscription, more string) string {
	if more != "" {
		more = "," + more
	}
	return fmt.Sprintf(`{"eventId":100,"subscriptionId":7,"portalId":%d,"appId":%d,"occurredAt":%d,"attemptNumber":0,"subscriptionType":%q%s}`,
		hubspotbox.DefaultPortalID, hubspotbox.DefaultAppID, happened.UnixMilli(), subscription, more)
}

// said writes changes down in short: "deal/77 changed signal amount".
func said(t *testing.T, list []events.Event) []string {
	t.Helper()
	out := []string{}
	for _, e := range list {
		c, err := e.Change()
		require.NoError(t, err)
		require.Equal(t, happened, c.At)
		require.Equal(t, events.TypeName("hubspot", c.Entity, c.Op), e.Type)
		text := c.Object + "/" + c.ID + " " + string(c.Op)
		if c.Signal {
			text += " signal"
		}
		if c.Into != "" {
			text += " into " + c.Into
		}
		require.Zero(t, c.Record, "the id names the record")
		out = append(out, strings.Join(append([]string{text}, c.Properties...), " "))
	}
	return out
}

func TestDecode(t *testing.T) {
	t.Parallel()
	w := newBench(t, atNoon).con.Webhooks
	for _, c := range []struct {
		name, subscription, more string
		want                     []string
	}{
		{"creation", "deal.creation", `"objectId":77,"changeFlag":"NEW"`, []string{"deal/77 changed signal"}},
		{"property", "deal.propertyChange", `"objectId":77,"propertyName":"amount","propertyValue":"9"`, []string{"deal/77 changed signal amount"}},
		{"company", "company.propertyChange", `"objectId":9,"propertyName":"name"`, []string{"company/9 changed signal name"}},
		{"contact", "contact.creation", `"objectId":5`, []string{"contact/5 changed signal"}},
		{"product", "product.propertyChange", `"objectId":3,"propertyName":"price"`, []string{"product/3 changed signal price"}},
		{"line item", "line_item.propertyChange", `"objectId":771,"propertyName":"quantity"`, []string{"line_item/771 changed signal quantity"}},
		{"line item gone", "line_item.deletion", `"objectId":771`, []string{"line_item/771 changed signal"}},
		{"generic", "object.propertyChange", `"objectId":77,"objectTypeId":"0-3","propertyName":"amount"`, []string{"deal/77 changed signal amount"}},
		{"generic company", "object.creation", `"objectId":9,"objectTypeId":"0-2"`, []string{"company/9 changed signal"}},
		{"generic deletion", "object.deletion", `"objectId":5,"objectTypeId":"0-1"`, []string{"contact/5 deleted"}},
		{"generic ticket", "object.creation", `"objectId":9,"objectTypeId":"0-5"`, nil},
		{"deletion", "deal.deletion", `"objectId":77`, []string{"deal/77 deleted"}},
		{"privacy deletion", "contact.privacyDeletion", `"objectId":5`, []string{"contact/5 erased"}},
		{"restore", "deal.restore", `"objectId":77`, []string{"deal/77 restored", "deal/77 changed signal"}},
		{
			"merge", "company.merge", `"objectId":9,"primaryObjectId":9,"mergedObjectIds":[8,7,8],"newObjectId":null,"numberOfPropertiesMoved":3`,
			[]string{"company/9 changed signal", "company/8 merged into 9", "company/7 merged into 9"},
		},
		{
			"merge into a new id", "contact.merge", `"primaryObjectId":5,"mergedObjectIds":[6],"newObjectId":12`,
			[]string{"contact/12 changed signal", "contact/6 merged into 12", "contact/5 merged into 12"},
		},
		{"association of a deal", "deal.associationChange", `"associationType":"DEAL_TO_COMPANY","fromObjectId":77,"toObjectId":9,"associationRemoved":false`, []string{"deal/77 changed signal"}},
		{"the other direction", "company.associationChange", `"associationType":"COMPANY_TO_DEAL","fromObjectId":9,"toObjectId":77`, []string{"deal/77 changed signal"}},
		{"line of a deal", "deal.associationChange", `"associationType":"DEAL_TO_LINE_ITEM","fromObjectId":77,"toObjectId":771`, []string{"deal/77 changed signal"}},
		{"deal of a line", "line_item.associationChange", `"associationType":"LINE_ITEM_TO_DEAL","fromObjectId":771,"toObjectId":77`, []string{"deal/77 changed signal"}},
		{"employer", "contact.associationChange", `"associationType":"CONTACT_TO_COMPANY","fromObjectId":5,"toObjectId":9`, []string{"contact/5 changed signal"}},
		{"employee", "company.associationChange", `"associationType":"COMPANY_TO_CONTACT","fromObjectId":9,"toObjectId":5`, []string{"contact/5 changed signal"}},
		{
			"generic association", "object.associationChange",
			`"objectTypeId":"0-2","fromObjectTypeId":"0-2","toObjectTypeId":"0-3","fromObjectId":9,"toObjectId":77,"associationTypeId":342`,
			[]string{"deal/77 changed signal"},
		},
		{
			"generic invoice", "object.propertyChange", `"objectId":12,"objectTypeId":"0-53","propertyName":"hs_invoice_status"`,
			[]string{"invoice/12 changed signal hs_invoice_status"},
		},
		{"generic order", "object.creation", `"objectId":12,"objectTypeId":"0-123"`, []string{"order/12 changed signal"}},
		{"generic quote", "object.restore", `"objectId":12,"objectTypeId":"0-14"`, []string{"quote/12 restored", "quote/12 changed signal"}},
		{"generic payment", "object.deletion", `"objectId":12,"objectTypeId":"0-101"`, []string{"commerce_payment/12 deleted"}},
		{"generic subscription", "object.creation", `"objectId":12,"objectTypeId":"0-69"`, []string{"subscription/12 changed signal"}},
		{
			"payment of an invoice", "object.associationChange",
			`"objectTypeId":"0-53","fromObjectTypeId":"0-53","toObjectTypeId":"0-101","fromObjectId":12,"toObjectId":13`,
			[]string{"commerce_payment/13 changed signal"},
		},
		{
			"line of an invoice", "object.associationChange",
			`"objectTypeId":"0-8","fromObjectTypeId":"0-8","toObjectTypeId":"0-53","fromObjectId":771,"toObjectId":12`,
			[]string{"invoice/12 changed signal"},
		},
		{"unknown custom object", "object.creation", `"objectId":12,"objectTypeId":"2-99"`, nil},
		{"odd source", "deal.creation", `"objectId":77,"changeSource":"API","sourceId":4711`, []string{"deal/77 changed signal"}},
		{"labeled association", "deal.associationChange", `"associationType":"BILLED_DEAL_TO_COMPANY","fromObjectId":77,"toObjectId":9`, []string{"deal/77 changed signal"}},
		{"association of others", "deal.associationChange", `"associationType":"DEAL_TO_TICKET","fromObjectId":77,"toObjectId":1`, nil},
		{"unknown association", "deal.associationChange", `"associationType":"SOMETHING","fromObjectId":77,"toObjectId":1`, nil},
		{"our own property", "deal.propertyChange", `"objectId":77,"propertyName":"spoke_sync_state","propertyValue":"synced"`, nil},
		{"ticket", "ticket.creation", `"objectId":77`, nil},
		{"conversation", "conversation.newMessage", `"objectId":77,"messageId":"x","messageType":"MESSAGE"`, nil},
		{"unknown happening", "deal.explosion", `"objectId":77`, nil},
		{"unknown type", "event.completed", ``, nil},
		{"no type", "", `"objectId":77`, nil},
		{"ids as texts", "deal.creation", `"objectId":"77"`, []string{"deal/77 changed signal"}},
		{"large id", "deal.creation", `"objectId":9007199254740993`, []string{"deal/9007199254740993 changed signal"}},
	} {
		list, err := w.Decode(delivery(target, "["+note(c.subscription, c.more)+"]"))
		require.NoError(t, err, c.name)
		if c.want == nil {
			c.want = []string{}
		}
		require.Empty(t, cmp.Diff(c.want, said(t, list)), c.name)
	}
}

func TestDecodeEventType(t *testing.T) {
	t.Parallel()
	w := newBench(t, atNoon).con.Webhooks
	body := strings.ReplaceAll("["+note("deal.creation", `"objectId":77`)+"]", "subscriptionType", "eventType")
	list, err := w.Decode(delivery(target, body))
	require.NoError(t, err)
	require.Equal(t, []string{"deal/77 changed signal"}, said(t, list))
}

func TestDecodeLeavesOthersOut(t *testing.T) {
	t.Parallel()
	w := newBench(t, atNoon, func(_ *hubspotbox.Options, s *hubspot.Settings, _ *connector.Deps) {
		s.AppID = hubspotbox.DefaultAppID
	}).con.Webhooks
	mine := note("deal.creation", `"objectId":77`)
	otherPortal := strings.Replace(mine, fmt.Sprint(hubspotbox.DefaultPortalID), "1", 1)
	otherApp := strings.Replace(mine, fmt.Sprint(hubspotbox.DefaultAppID), "2", 1)
	list, err := w.Decode(delivery(target, "["+otherPortal+","+mine+","+otherApp+"]"))
	require.NoError(t, err)
	require.Len(t, list, 1)
}

func TestDecodeMalformed(t *testing.T) {
	t.Parallel()
	w := newBench(t, atNoon).con.Webhooks
	ok := note("deal.creation", `"objectId":77`)
	for name, c := range map[string]struct{ body, field string }{
		"nothing":        {"", ""},
		"null":           {"null", ""},
		"an object":      {ok, ""},
		"cut":            {"[" + ok[:40], ""},
		"a number":       {"[" + ok + ",1]", "[1]"},
		"no id":          {"[" + ok + "," + note("deal.creation", "") + "]", "[1].objectId"},
		"negative id":    {"[" + note("deal.creation", `"objectId":-1`) + "]", "[0].objectId"},
		"id with point":  {"[" + note("deal.creation", `"objectId":1.5`) + "]", "[0].objectId"},
		"wrong type":     {"[" + note("deal.propertyChange", `"objectId":1,"propertyName":5`) + "]", "[0].propertyName"},
		"no primary":     {"[" + note("deal.merge", `"mergedObjectIds":[1]`) + "]", "[0].primaryObjectId"},
		"no ends":        {"[" + note("deal.associationChange", `"associationType":"DEAL_TO_COMPANY","fromObjectId":0`) + "]", "[0].fromObjectId, toObjectId"},
		"too early":      {"[" + strings.Replace(ok, fmt.Sprint(happened.UnixMilli()), "1", 1) + "]", "[0].occurredAt"},
		"too late":       {"[" + strings.Replace(ok, fmt.Sprint(happened.UnixMilli()), "9223372036854775807", 1) + "]", "[0].occurredAt"},
		"far too many":   {"[" + strings.Repeat("{},", hubspot.MaxNotifications) + "{}]", ""},
		"deeply nested":  {strings.Repeat("[", 20000), ""},
		"trailing bytes": {"[] []", ""},
	} {
		list, err := w.Decode(delivery(target, c.body))
		require.Empty(t, list, name)
		require.Error(t, err, name)
		f := fault.As(err)
		require.Equal(t, fault.Malformed, f.Kind, name)
		require.Equal(t, c.field, f.Field, name)
	}
}

// TestDecodeIDs: the same notification has one id on each try, others have
// others.
func TestDecodeIDs(t *testing.T) {
	t.Parallel()
	w := newBench(t, atNoon, func(_ *hubspotbox.Options, s *hubspot.Settings, _ *connector.Deps) { s.PortalID = 0 }).con.Webhooks
	id := func(body string) string {
		t.Helper()
		d := delivery(target, "["+body+"]")
		list, err := w.Decode(d)
		require.NoError(t, err)
		require.Len(t, list, 1)
		return list[0].ID
	}
	base := note("deal.propertyChange", `"objectId":77,"propertyName":"amount","propertyValue":"1"`)
	first := id(base)
	require.Equal(t, first, id(strings.Replace(base, `"attemptNumber":0`, `"attemptNumber":3`, 1)))
	seen := map[string]string{first: "base"}
	for name, other := range map[string]string{
		"event":        strings.Replace(base, `"eventId":100`, `"eventId":101`, 1),
		"subscription": strings.Replace(base, `"subscriptionId":7`, `"subscriptionId":8`, 1),
		"portal":       strings.Replace(base, fmt.Sprint(hubspotbox.DefaultPortalID), "1", 1),
		"app":          strings.Replace(base, fmt.Sprint(hubspotbox.DefaultAppID), "1", 1),
		"object":       strings.Replace(base, `"objectId":77`, `"objectId":78`, 1),
		"property":     strings.Replace(base, `"amount"`, `"dealname"`, 1),
		"time":         strings.Replace(base, fmt.Sprint(happened.UnixMilli()), fmt.Sprint(happened.UnixMilli()+1), 1),
		"type":         strings.Replace(base, `deal.propertyChange`, `company.propertyChange`, 1),
	} {
		got := id(other)
		require.Emptyf(t, seen[got], "%s has the id of %s", name, seen[got])
		seen[got] = name
	}
	a := note("deal.associationChange", `"associationType":"DEAL_TO_COMPANY","fromObjectId":77,"toObjectId":9`)
	require.NotEqual(t, id(a), id(strings.Replace(a, `"toObjectId":9`, `"toObjectId":8`, 1)))
}

// TestDecodeGolden: the ids of today's deliveries must stay, or a replay of
// stored deliveries after an update would count them twice.
func TestDecodeGolden(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/delivery.json")
	require.NoError(t, err)
	list, err := newBench(t, atNoon).con.Webhooks.Decode(delivery(target, string(body)))
	require.NoError(t, err)
	got, err := json.MarshalIndent(list, "", "  ")
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile("testdata/events.json", append(got, '\n'), 0o600))
	}
	want, err := os.ReadFile("testdata/events.json")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(strings.TrimSpace(string(want)), string(got)))
}

// FuzzDecode: any bytes give events that can be published, or a Malformed
// fault.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		"", "[]", "null", `[{"portalId":48012345}]`,
		"[" + note("deal.creation", `"objectId":77`) + "]",
		"[" + note("company.merge", `"primaryObjectId":9,"mergedObjectIds":[8,-1,9],"newObjectId":"12"`) + "]",
		"[" + note("object.associationChange", `"objectTypeId":"0-3","fromObjectTypeId":"0-3","toObjectTypeId":"0-2","fromObjectId":1,"toObjectId":2`) + "]",
		"[" + note("deal.associationChange", `"associationType":"_TO_","fromObjectId":1`) + "]",
		"[" + note("contact.privacyDeletion", `"objectId":"5"`) + "]",
	} {
		f.Add([]byte(s))
	}
	w := newBench(f, atNoon).con.Webhooks
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := w.Decode(delivery(target, string(body)))
		if err != nil {
			if fault.KindOf(err) != fault.Malformed || len(list) > 0 {
				t.Fatalf("%d events and %v", len(list), err)
			}
			return
		}
		for _, e := range list {
			c, err := e.Change()
			if err != nil || c.ID == "" || c.At.IsZero() || !c.Entity.Known() || c.Connection != "hubspot" {
				t.Fatalf("%+v %v", c, err)
			}
		}
	})
}
