package hubspotbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
)

// TestWebhooks receives what the box sends.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	for _, generic := range []bool{false, true} {
		received := make(chan []map[string]any, 10)
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			var list []map[string]any
			dec := json.NewDecoder(bytes.NewReader(body))
			dec.UseNumber()
			if dec.Decode(&list) == nil && r.Header.Get("X-HubSpot-Signature") == hubspotbox.SignV1(hubspotbox.DefaultClientSecret, body) &&
				r.Header.Get("X-HubSpot-Signature-v3") != "" {
				received <- list
			}
		}))
		t.Cleanup(srv.Close)
		b := open(t, hubspotbox.Options{WebhookURL: srv.URL, Generic: generic, Gather: time.Hour})
		seeded(t, b)
		require.NoError(t, b.SetDeal("77", map[string]string{"dealstage": "closedwon", "amount": "12"}))
		flush(t, b)
		list := <-received
		require.Len(t, list, 2, "one for each property, none for the seeds")
		want := "deal.propertyChange"
		if generic {
			want = "object.propertyChange"
		}
		require.Equal(t, want, list[0]["subscriptionType"])
		require.Equal(t, json.Number("77"), list[0]["objectId"])

		code, _ := ask(t, b, http.MethodPut, root+"/deals/77/associations/default/companies/9", "")
		require.Equal(t, http.StatusOK, code)
		flush(t, b)
		require.Empty(t, received, "what stands already is no change")
		_, err := b.AddCompany(hubspotbox.Company{ID: "10", Name: "Other"})
		require.NoError(t, err)
		code, _ = ask(t, b, http.MethodPut, root+"/deals/77/associations/companies/10", `[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":5}]`)
		require.Equal(t, http.StatusOK, code)
		flush(t, b)
		list = <-received
		require.Len(t, list, 2, "one from either side")
		require.Equal(t, true, list[0]["isPrimaryAssociation"])
	}
}

func flush(t *testing.T, b *hubspotbox.Box) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, b.Flush(ctx))
}

func TestOwnPropertiesAreQuietAndCountedOnce(t *testing.T) {
	t.Parallel()
	var calls int
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ }))
	t.Cleanup(srv.Close)
	b := open(t, hubspotbox.Options{WebhookURL: srv.URL})
	seeded(t, b)
	for _, body := range []string{`{"name":"spoke","label":"Spoke"}`, `{"name":"spoke","label":"Spoke"}`} {
		ask(t, b, http.MethodPost, "/crm/properties/2026-09/deals/groups", body)
	}
	code, _ := ask(t, b, http.MethodPost, "/crm/properties/2026-09/deals",
		`{"name":"spoke_x","label":"X","groupName":"spoke","type":"number","fieldType":"number"}`)
	require.Equal(t, http.StatusCreated, code)
	for range 2 {
		code, _ := ask(t, b, http.MethodPatch, root+"/deals/77", `{"properties":{"spoke_x":12.50}}`)
		require.Equal(t, http.StatusOK, code)
	}
	flush(t, b)
	require.Zero(t, calls)
	counts := b.Counts()
	require.Equal(t, 1, counts.Total("deal updated"))
	require.Equal(t, 1, counts.Total("property group created"))
	require.Equal(t, "12.50", b.Deal("77")["spoke_x"])
}
