package hubspot_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/hubspot"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
)

// deals seeds plain deals 1000, 1001, … and returns their ids.
func (b *bench) deals(t testing.TB, n int) []string {
	t.Helper()
	var ids []string
	for i := range n {
		id, err := b.AddDeal(hubspotbox.Deal{ID: strconv.Itoa(1000 + i), Name: fmt.Sprint("Deal ", i)})
		require.NoError(t, err)
		ids = append(ids, id)
	}
	return ids
}

func TestApplyOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.seed(t)
	d := doc("deal", "77", map[string]any{
		"dealname": "Renamed", "amount": map[string]any{"amount": "140.50", "currency": "USD"}, "closedate": "2026-12-01",
		"description": nil, "spoke_amount_paid": json.Number("12.30"),
	})
	first := apply(t, b.con, d)[0]
	require.NoError(t, first.Err)
	require.Equal(t, connector.Result{ID: "77", URL: "https://app.hubspot.com/contacts/48012345/record/0-3/77", Effect: events.EffectUpdated}, first)
	got := b.Deal("77")
	require.Equal(t, "Renamed", got["dealname"])
	require.Equal(t, "140.50", got["amount"])
	require.Equal(t, "2026-12-01T00:00:00.000Z", got["closedate"])
	require.Equal(t, "12.30", got["spoke_amount_paid"])
	require.NoError(t, apply(t, b.con, d)[0].Err)
	require.Equal(t, 1, b.Counts().Total("deal updated"), "twice the same document is one change")
}

// TestApplyCreatesOwnPropertiesOnce: also when many need them at once.
func TestApplyCreatesOwnPropertiesOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ids := b.deals(t, 8)
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			r := b.con.Target.Apply(t.Context(), []connector.Document{doc("deal", id, map[string]any{
				"spoke_netsuite_order": "SO" + strconv.Itoa(i), "spoke_amount_paid": json.Number("1"), "spoke_other": "x",
			})})
			if r[0].Err != nil {
				t.Errorf("deal %s: %v", id, r[0].Err)
			}
		})
	}
	wg.Wait()
	counts := b.Counts()
	require.Empty(t, cmp.Diff(map[string]int{
		"deals/spoke_netsuite_order": 1, "deals/spoke_amount_paid": 1, "deals/spoke_other": 1,
	}, counts.Effects["property created"]))
	require.Equal(t, 1, counts.Total("property group created"))
	for i, id := range ids {
		require.Equal(t, "SO"+strconv.Itoa(i), b.Deal(id)["spoke_netsuite_order"])
	}
	// What exists takes one call.
	before := calls(b)["deals update"]
	require.NoError(t, apply(t, b.con, doc("deal", ids[0], map[string]any{"spoke_other": "y"}))[0].Err)
	require.Equal(t, before+1, calls(b)["deals update"])
	require.Equal(t, "y", b.Deal(ids[0])["spoke_other"])
}

// TestApplyPropertyTypes: a number is created as one, so that HubSpot can sum
// it up.
func TestApplyPropertyTypes(t *testing.T) {
	t.Parallel()
	var got []map[string]any
	known := false
	con := stub(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/properties/") && len(got) == 1:
			got = append(got, map[string]any{"type": "string"})
			w.WriteHeader(http.StatusBadRequest) // or says so in this way
			_, _ = fmt.Fprint(w, `{"status":"error","category":"VALIDATION_ERROR","subCategory":"Properties.PROPERTY_WITH_NAME_EXISTS"}`)
		case strings.HasSuffix(r.URL.Path, "/groups"):
			w.WriteHeader(http.StatusConflict) // somebody was faster
			_, _ = fmt.Fprint(w, `{"status":"error","category":"CONFLICT"}`)
		case strings.Contains(r.URL.Path, "/properties/"):
			var v map[string]any
			_ = json.NewDecoder(r.Body).Decode(&v)
			got, known = append(got, v), true
			w.WriteHeader(http.StatusCreated)
			_, _ = fmt.Fprint(w, `{}`)
		case known:
			_, _ = fmt.Fprint(w, `{"id":"77","properties":{}}`)
		default:
			w.WriteHeader(http.StatusBadRequest)
			// The older form: the list is within the message.
			_, _ = fmt.Fprint(w, `{"status":"error","category":"VALIDATION_ERROR","message":"Property values were not valid: [`+
				`{\"isValid\":false,\"message\":\"no\",\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"spoke_amount_paid\"},`+
				`{\"isValid\":false,\"message\":\"no\",\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"spoke_sync_state\"}] more"}`)
		}
	})
	require.NoError(t, apply(t, con, doc("deal", "77", map[string]any{"spoke_amount_paid": json.Number("1"), "spoke_sync_state": "synced"}))[0].Err)
	require.Len(t, got, 2)
	require.Empty(t, cmp.Diff(map[string]any{
		"name": "spoke_amount_paid", "label": "Spoke amount paid", "description": "Paid so far, in the deal's currency",
		"groupName": "spoke", "type": "number", "fieldType": "number",
	}, got[0]))
	require.Equal(t, "string", got[1]["type"])
}

// TestApplyDoesNotCreateForEver: HubSpot may go on denying a property that it
// has just created.
func TestApplyDoesNotCreateForEver(t *testing.T) {
	t.Parallel()
	created := 0
	con := stub(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/properties/") {
			created++
			w.WriteHeader(http.StatusCreated)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"status":"error","category":"VALIDATION_ERROR","errors":[{"code":"PROPERTY_DOESNT_EXIST","context":{"propertyName":["spoke_x"]}}]}`)
	})
	err := apply(t, con, doc("deal", "77", map[string]any{"spoke_x": "1"}))[0].Err
	require.Equal(t, fault.Transient, fault.KindOf(err))
	require.Equal(t, 2, created, "the group and the property")
}

func TestApplyBatch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ids := b.deals(t, 230)
	_, err := b.AddCompany(hubspotbox.Company{ID: "9", Name: "Acme"})
	require.NoError(t, err)
	var docs []connector.Document
	for i, id := range ids {
		docs = append(docs, doc("deal", id, map[string]any{"dealname": "New " + strconv.Itoa(i)}))
	}
	docs = append(docs, doc("company", "9", map[string]any{"city": "Bonn"}), doc("deal", ids[0], map[string]any{"dealname": "Last"}))
	for i, r := range apply(t, b.con, docs...) {
		require.NoError(t, r.Err)
		require.Equal(t, docs[i].ExternalID, r.ID, "results in the order of the documents")
	}
	require.Equal(t, map[string]int{"deals batch update": 3, "companies update": 1}, calls(b))
	require.Equal(t, "Last", b.Deal(ids[0])["dealname"], "the later document of a record comes later")
	require.Equal(t, "New 229", b.Deal(ids[229])["dealname"])
}

// TestApplyBatchFailures: one bad document of many fails alone, whichever way
// HubSpot puts it.
func TestApplyBatchFailures(t *testing.T) {
	t.Parallel()
	for _, named := range []bool{false, true} {
		b := newBench(t, func(o *hubspotbox.Options, _ *hubspot.Settings, _ *connector.Deps) { o.NameBadInputs = named })
		ids := b.deals(t, 4)
		require.NoError(t, b.Delete("deal", ids[3]))
		results := apply(t, b.con,
			doc("deal", ids[0], map[string]any{"dealname": "good", "spoke_sync_state": "synced"}),
			doc("deal", ids[1], map[string]any{"amount": "many"}),
			doc("deal", ids[2], map[string]any{"nosuch": "x"}),
			doc("deal", ids[3], map[string]any{"dealname": "deleted"}),
			doc("deal", "555", map[string]any{"dealname": "never was"}),
		)
		require.NoError(t, results[0].Err)
		require.Equal(t, "good", b.Deal(ids[0])["dealname"])
		require.Equal(t, "synced", b.Deal(ids[0])["spoke_sync_state"])
		for i, want := range []struct{ code, field string }{
			{}, {"INVALID_DOUBLE", "amount"}, {"PROPERTY_DOESNT_EXIST", "nosuch"}, {"OBJECT_NOT_FOUND", ""}, {"OBJECT_NOT_FOUND", ""},
		} {
			if want.code == "" {
				continue
			}
			f := fault.As(results[i].Err)
			require.Equal(t, fault.Rejected, f.Kind, "%v", results[i].Err)
			require.Equal(t, want.code, f.Code)
			require.Equal(t, want.field, f.Field)
			require.NotEmpty(t, f.Hint)
			require.NotContains(t, results[i].Err.Error(), "many", "HubSpot's texts quote values")
		}
		require.Equal(t, 1, b.Counts().Effects["deal updated"][ids[0]])
	}
}

func TestApplyFollowsMerges(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, id := range []string{"8", "9", "10"} {
		_, err := b.AddCompany(hubspotbox.Company{ID: id, Name: "c" + id})
		require.NoError(t, err)
	}
	send(t, b, http.MethodPost, "/crm/objects/2026-09/companies/merge", `{"primaryObjectId":"9","objectIdToMerge":"8"}`)
	results := apply(t, b.con, doc("company", "8", map[string]any{"city": "Bonn"}), doc("company", "10", map[string]any{"city": "Ulm"}))
	require.NoError(t, results[0].Err)
	require.Equal(t, "9", results[0].ID)
	require.Equal(t, "Bonn", b.Object("company", "9")["city"])
	require.Equal(t, "Ulm", b.Object("company", "10")["city"])
}

// TestApplyStopsOnFaultsOfTheConnection: a storm of calls would mend nothing.
func TestApplyStopsOnFaultsOfTheConnection(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]fault.Kind{sandbox.FaultThrottle: fault.Throttled, sandbox.FaultExpire: fault.Unauthorized} {
		b := newBench(t)
		ids := b.deals(t, 5)
		var docs []connector.Document
		for _, id := range ids {
			docs = append(docs, doc("deal", id, map[string]any{"nosuch": "x"})) // refuses the batch
		}
		b.Inject(sandbox.Fault{Op: "deals update", Kind: kind})
		for _, r := range apply(t, b.con, docs...) {
			require.Equal(t, want, fault.KindOf(r.Err))
		}
		require.Equal(t, 1, calls(b)["deals update"])
	}
}

func TestApplyWithoutCalls(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.seed(t)
	void, remove, strange := doc("deal", "77", nil), doc("deal", "77", nil), doc("deal", "77", nil)
	void.Op, remove.Op, strange.Op = events.DesiredVoid, events.DesiredDelete, "explode"
	known := doc("deal", "", map[string]any{})
	known.KnownID = "77"
	nowhere := doc("deal", "", map[string]any{"dealname": "x"})
	nowhere.Key = ""
	remove.ExternalID, remove.Key = "", ""
	results := apply(t, b.con,
		void, remove, strange,
		nowhere,
		doc("deal", "abc", map[string]any{"dealname": "x"}),
		doc("line_item", "3", map[string]any{"name": "x"}),
		doc("ticket", "3", map[string]any{"name": "x"}),
		doc("deal", "77", map[string]any{"dealname": []any{"x"}}),
		doc("deal", "77", map[string]any{"deal name": "x"}),
		known,
	)
	for i, code := range []string{
		"NOT_SUPPORTED", "NOT_IN_HUBSPOT", "NOT_SUPPORTED", "NOT_IN_HUBSPOT", "NOT_IN_HUBSPOT",
		"UNKNOWN_OBJECT", "UNKNOWN_OBJECT", "INVALID_FIELD", "INVALID_FIELD",
	} {
		f := fault.As(results[i].Err)
		require.Equal(t, fault.Rejected, f.Kind)
		require.Equal(t, code, f.Code)
	}
	require.NoError(t, results[9].Err)
	require.Equal(t, events.EffectUnchanged, results[9].Effect)
	require.Equal(t, "77", results[9].ID)
	require.Empty(t, calls(b))
	require.Empty(t, apply(t, b.con))
}

func TestFindAndCheck(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.seed(t)
	r, found, err := b.con.Target.Find(t.Context(), doc("deal", "77", nil))
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "77", r.ID)
	_, found, err = b.con.Target.Find(t.Context(), doc("deal", "78", nil))
	require.NoError(t, err)
	require.False(t, found)
	_, found, err = b.con.Target.Find(t.Context(), doc("deal", "", nil))
	require.NoError(t, err)
	require.False(t, found, "there is no property for keys yet")
	require.NoError(t, b.con.Target.Check(t.Context()))

	other := newBench(t, func(_ *hubspotbox.Options, s *hubspot.Settings, _ *connector.Deps) { s.PortalID = 1 })
	err = other.con.Target.Check(t.Context())
	require.Equal(t, "WRONG_PORTAL", fault.As(err).Code)
	require.Equal(t, fault.Unauthorized, fault.KindOf(err))
}

// TestApplyBatchConflict: a value that another record has is one document's
// fault, too.
func TestApplyBatchConflict(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, id := range []string{"5", "6", "7"} {
		_, err := b.AddContact(hubspotbox.Contact{ID: id, Email: "c" + id + "@acme.example"})
		require.NoError(t, err)
	}
	results := apply(t, b.con, doc("contact", "5", map[string]any{"email": "c7@acme.example"}), doc("contact", "6", map[string]any{"phone": "1"}))
	require.Equal(t, fault.Conflict, fault.KindOf(results[0].Err))
	require.NoError(t, results[1].Err)
	require.Equal(t, "1", b.Object("contact", "6")["phone"])
}
