package hubspot_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/hubspot"
	"github.com/spoke-sync/spoke/services/internal/connector"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
)

// text makes fields comparable.
func text(f events.Fields) map[string]string {
	m := make(map[string]string, len(f))
	for k, v := range f {
		m[k] = string(v)
	}
	return m
}

func calls(b *bench) map[string]int { return b.Counts().Calls }

var wantDeal = map[string]string{
	"name":      `"Big deal"`,
	"amount":    `{"amount":"129.30","currency":"USD"}`,
	"pipeline":  `"default"`,
	"stage":     `"closedwon"`,
	"won":       "true",
	"lost":      "false",
	"closeDate": `"2026-11-30"`,
	"company":   `{"connection":"hubspot","object":"company","id":"9"}`,
	"contact":   `{"connection":"hubspot","object":"contact","id":"5"}`,
	"lines": `[{"id":"771","product":{"connection":"hubspot","object":"product","id":"3"},"name":"Seat","sku":"SEAT","quantity":"3",` +
		`"price":{"amount":"10.10","currency":"USD"},"amount":{"amount":"30.30","currency":"USD"}},` +
		`{"id":"772","product":{"connection":"hubspot","object":"product","id":"4"},"name":"Setup","sku":"SETUP","quantity":"1",` +
		`"price":{"amount":"99","currency":"USD"},"amount":{"amount":"99","currency":"USD"}}]`,
}

// TestReadOneDeal: a deal with lines takes two calls.
func TestReadOneDeal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.seed(t)
	require.NoError(t, b.SetDeal("77", map[string]string{"dealstage": "closedwon"}))
	all := b.read(t, "deal", "77")
	require.Empty(t, cmp.Diff(map[string]int{"deals get": 1, "line_items batch read": 1}, calls(b)))
	c := all["deal/77"]
	require.Empty(t, cmp.Diff(wantDeal, text(c.Fields)))
	require.True(t, c.Snapshot)
	require.Equal(t, events.OpChanged, c.Op)
	require.Zero(t, c.Record, "the id names the record")
	require.Equal(t, "https://app.hubspot.com/contacts/48012345/record/0-3/77", c.URL)
	require.Equal(t, b.Deal("77")["hs_lastmodifieddate"], c.At.Format("2006-01-02T15:04:05.000Z"))
	require.Equal(t, time.UTC, c.At.Location())
}

// TestReadSameAlone: one record is read in another way than many, with the
// same result.
func TestReadSameAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(_ *hubspotbox.Options, s *hubspot.Settings, _ *connector.Deps) {
		s.Properties = map[string][]string{"deal": {"dealtype"}, "contact": {"jobtitle"}}
	})
	b.seed(t)
	_, err := b.AddDeal(hubspotbox.Deal{ID: "78", Name: "Bare", Properties: map[string]string{"dealtype": "newbusiness"}})
	require.NoError(t, err)
	_, err = b.AddContact(hubspotbox.Contact{ID: "6", FirstName: "Bob"})
	require.NoError(t, err)
	for object, ids := range map[string][]string{"deal": {"77", "78"}, "contact": {"5", "6"}} {
		many := b.read(t, object, ids...)
		for _, id := range ids {
			require.Empty(t, cmp.Diff(many[object+"/"+id], b.read(t, object, id)[object+"/"+id]))
		}
	}
	bare := text(b.read(t, "deal", "78")["deal/78"].Fields)
	for _, name := range []string{"amount", "closeDate", "company", "contact"} {
		require.Equal(t, "null", bare[name], name)
	}
	require.Equal(t, "[]", bare["lines"])
	require.Equal(t, `"newbusiness"`, bare["custom.dealtype"])
}

// TestReadManyDeals: a hundred deals take one batch read, one call for each
// kind of association and one for each hundred lines.
func TestReadManyDeals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.seed(t)
	var ids []string
	for i := range 100 {
		id, err := b.AddDeal(hubspotbox.Deal{
			ID: strconv.Itoa(1000 + i), Name: fmt.Sprint("Deal ", i), Company: "9",
			Lines: []hubspotbox.Line{
				{Product: "3", Quantity: "1", Price: "1.50"}, {Product: "4", Quantity: "2", Price: strconv.Itoa(i)},
			},
		})
		require.NoError(t, err)
		ids = append(ids, id)
	}
	all := b.read(t, "deal", append(ids, ids...)...)
	require.Len(t, all, 100)
	require.Empty(t, cmp.Diff(map[string]int{"deals batch read": 1, "associations batch read": 3, "line_items batch read": 2}, calls(b)))
	for i, id := range ids {
		var lines []events.Line
		require.NoError(t, json.Unmarshal(all["deal/"+id].Fields["lines"], &lines))
		require.Len(t, lines, 2)
		require.Equal(t, strconv.Itoa(2*i)+" EUR", lines[1].Amount.String(), "in the portal's own currency")
	}
}

func TestReadOtherKinds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.seed(t)
	company := b.read(t, "company", "9")["company/9"]
	require.Empty(t, cmp.Diff(map[string]string{
		"name": `"Acme GmbH"`, "domain": `"acme.example"`, "phone": `"+49 1"`, "street": `"Weg 1"`, "city": `"Bonn"`,
		"state": "null", "zip": `"53111"`, "country": `"Germany"`,
	}, text(company.Fields)))
	contact := b.read(t, "contact", "5")["contact/5"]
	require.Empty(t, cmp.Diff(map[string]string{
		"firstName": `"Ann"`, "lastName": `"Lee"`, "email": `"ann@acme.example"`, "phone": "null",
		"company": `{"connection":"hubspot","object":"company","id":"9"}`,
	}, text(contact.Fields)))
	product := b.read(t, "product", "3")["product/3"]
	require.Empty(t, cmp.Diff(map[string]string{
		"name": `"Seat"`, "sku": `"SEAT"`, "description": `"One seat"`, "price": `{"amount":"10.10","currency":"EUR"}`, "cost": "null", "active": "true",
	}, text(product.Fields)))
	require.Empty(t, cmp.Diff(map[string]int{"companies get": 1, "contacts get": 1, "products get": 1}, calls(b)))
}

// TestReadLineItems: what happened to a line is read as its deal.
func TestReadLineItems(t *testing.T) {
	t.Parallel()
	now := noon
	b := newBench(t, func(o *hubspotbox.Options, _ *hubspot.Settings, _ *connector.Deps) {
		o.Now = func() time.Time { return now }
	})
	b.seed(t)
	now = now.Add(time.Hour)
	require.NoError(t, b.Set("line_item", "771", map[string]string{"quantity": "5"}))
	all := b.read(t, "line_item", "771", "772")
	require.Len(t, all, 1)
	require.Contains(t, string(all["deal/77"].Fields["lines"]), `"quantity":"5"`)
	require.Equal(t, b.Object("line_item", "771")["hs_lastmodifieddate"], all["deal/77"].At.Format("2006-01-02T15:04:05.000Z"),
		"the edited line makes the deal newer, though HubSpot does not")
	require.Equal(t, 1, calls(b)["deals get"])
	require.NoError(t, b.Delete("line_item", "771"))
	require.Empty(t, b.read(t, "line_item", "771"), "a line without a deal")
	require.NotContains(t, string(b.read(t, "deal", "77")["deal/77"].Fields["lines"]), `"771"`)
}

// TestReadPrimaryCompany: the link follows the primary company, and does not
// flip among the others.
func TestReadPrimaryCompany(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.seed(t)
	for _, id := range []string{"8", "10"} {
		_, err := b.AddCompany(hubspotbox.Company{ID: id, Name: id})
		require.NoError(t, err)
	}
	put(t, b, "/crm/objects/2026-09/deals/77/associations/default/companies/8", "")
	put(t, b, "/crm/objects/2026-09/deals/77/associations/default/companies/10", "")
	_, err := b.AddDeal(hubspotbox.Deal{ID: "78", Name: "other"})
	require.NoError(t, err)
	want := func(id string) {
		t.Helper()
		for _, ids := range [][]string{{"77"}, {"77", "78"}} {
			require.Contains(t, string(b.read(t, "deal", ids...)["deal/77"].Fields["company"]), `"id":"`+id+`"`)
		}
	}
	want("9") // the first one that was associated
	put(t, b, "/crm/objects/2026-09/deals/77/associations/companies/10", `[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":5}]`)
	want("10")
	send(t, b, http.MethodDelete, "/crm/objects/2026-09/deals/77/associations/companies/10", "")
	want("8") // none is primary: the oldest
}

func put(t *testing.T, b *bench, path, body string) {
	t.Helper()
	send(t, b, http.MethodPut, path, body)
}

// send makes a call of a person's, not of the connector's.
func send(t *testing.T, b *bench, method, path, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+hubspotbox.DefaultToken)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Less(t, resp.StatusCode, 300)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
}

func TestReadCloseDateIsTheDayInThePortal(t *testing.T) {
	t.Parallel()
	for zone, want := range map[string]string{"UTC": "2026-11-30", "Europe/Berlin": "2026-12-01", "America/New_York": "2026-11-30"} {
		b := newBench(t, func(_ *hubspotbox.Options, s *hubspot.Settings, _ *connector.Deps) { s.TimeZone = zone })
		b.seed(t) // closed at 23:30 UTC
		require.Equal(t, `"`+want+`"`, string(b.read(t, "deal", "77")["deal/77"].Fields["closeDate"]), zone)
	}
}

// TestReadCurrency: HubSpot is asked for the portal's currency once, and only
// when an amount needs it.
func TestReadCurrency(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *hubspotbox.Options, s *hubspot.Settings, _ *connector.Deps) {
		o.Currency, s.Currency = "CHF", ""
	})
	b.seed(t)
	b.read(t, "deal", "77")
	require.Zero(t, calls(b)["account info"])
	for range 2 {
		require.JSONEq(t, `{"amount":"10.10","currency":"CHF"}`, string(b.read(t, "product", "3")["product/3"].Fields["price"]))
	}
	require.Equal(t, 1, calls(b)["account info"])
}

// TestReadWonByProbability: without HubSpot's own word the stage decides.
func TestReadWonByProbability(t *testing.T) {
	t.Parallel()
	pipelines := 0
	con := stub(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/pipelines/") {
			pipelines++
			_, _ = fmt.Fprint(w, `{"results":[{"id":"p","stages":[
				{"id":"80010002","metadata":{"probability":"1.00"}},{"id":"80010003","metadata":{"probability":"0"}},
				{"id":"closedwon","metadata":{"probability":"0.5"}}]}]}`)
			return
		}
		stage := map[string]string{"1": "80010002", "2": "80010003", "3": "closedwon", "4": "unknown"}[r.URL.Path[len(r.URL.Path)-1:]]
		_, _ = fmt.Fprintf(w, `{"id":%q,"properties":{"pipeline":"p","dealstage":%q,"hs_lastmodifieddate":"2026-11-23T10:00:00Z"}}`,
			r.URL.Path[len(r.URL.Path)-1:], stage)
	}, atNoon)
	for id, want := range map[string][2]string{"1": {"true", "false"}, "2": {"false", "true"}, "3": {"false", "false"}, "4": {"false", "false"}} {
		list, err := con.Reader.Read(t.Context(), "deal", []string{id})
		require.NoError(t, err)
		require.Equal(t, want, [2]string{string(list[0].Fields["won"]), string(list[0].Fields["lost"])}, id)
	}
	require.Equal(t, 1, pipelines, "the pipelines are remembered")
}

// TestReadAssociationPages: a deal with more lines than fit in one answer is
// read to the end.
func TestReadAssociationPages(t *testing.T) {
	t.Parallel()
	const lines = 620
	b := newBench(t)
	var list []hubspotbox.Line
	for i := range lines {
		list = append(list, hubspotbox.Line{Name: fmt.Sprint(i), Quantity: "1", Price: "1"})
	}
	for _, id := range []string{"77", "78"} {
		_, err := b.AddDeal(hubspotbox.Deal{ID: id, Name: "long", Lines: list})
		require.NoError(t, err)
	}
	for _, c := range b.read(t, "deal", "77", "78") {
		var got []events.Line
		require.NoError(t, json.Unmarshal(c.Fields["lines"], &got))
		require.Len(t, got, lines)
	}
	require.Equal(t, 4, calls(b)["associations batch read"], "companies, contacts, two pages of lines")
}

// TestReadAssociationsInAnyOrder: the link is the same however HubSpot lists
// the companies, and a portal's own label is not taken for the primary mark,
// whatever number it has.
func TestReadAssociationsInAnyOrder(t *testing.T) {
	t.Parallel()
	const own = `{"toObjectId":"20","associationTypes":[{"category":"USER_DEFINED","typeId":5}]}`
	const plain = `{"toObjectId":9,"associationTypes":[{"category":"HUBSPOT_DEFINED","typeId":341}]}`
	const late = `{"toObjectId":"100","associationTypes":[{"category":"HUBSPOT_DEFINED","typeId":341}]}`
	for _, order := range []string{own + "," + plain + "," + late, late + "," + plain + "," + own, late + "," + own + "," + plain} {
		con := stub(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.Contains(r.URL.Path, "/deals/companies/"):
				_, _ = fmt.Fprint(w, `{"results":[{"from":{"id":"77"},"to":[`+order+`]}]}`)
			case strings.Contains(r.URL.Path, "/associations/"):
				_, _ = fmt.Fprint(w, `{"results":[]}`)
			default:
				_, _ = fmt.Fprint(w, `{"results":[`+bareDeal("77")+`,`+bareDeal("78")+`]}`)
			}
		})
		list, err := con.Reader.Read(t.Context(), "deal", []string{"77", "78"})
		require.NoError(t, err)
		require.Contains(t, string(list[0].Fields["company"]), `"id":"9"`)
		require.Equal(t, "null", string(list[1].Fields["company"]))
	}
}

func bareDeal(id string) string {
	return `{"id":"` + id + `","properties":{"hs_is_closed_won":"true","hs_lastmodifieddate":"2026-11-23T10:00:00Z"}}`
}
