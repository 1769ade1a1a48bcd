package netsuite_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/hub"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
)

// TestWhatIsReportedIsWhatIsRead, of the types that only some settings have; the
// suite does it for the others. Where something is not reported, an edit before
// the first read is not heard.
func TestWhatIsReportedIsWhatIsRead(t *testing.T) {
	t.Parallel()
	items, machines := setup(t, itemsAllowed), setup(t, withMachines)
	single := setup(t, func(o *netsuitebox.Options, s *netsuite.Settings) {
		o.Currencies, s.Currency = []string{"EUR"}, "EUR"
		itemsAllowed(o, s)
	})
	owner := machines.apply(t, customer("1", "Acme")).ID
	inDollars := map[string]any{"price": map[string]any{"amount": json.Number("9.90"), "currency": "USD"}}
	for name, tc := range map[string]struct {
		b         *bundle
		doc       connector.Document
		unchecked []string // what is read and not reported
		again     []string // the same of an update
	}{
		"item":           {b: items, doc: product("1", "A", nil), unchecked: []string{"kind"}, again: []string{"cost", "kind", "price"}},
		"service":        {b: items, doc: product("2", "B", map[string]any{"kind": "service", "displayName": nil}), unchecked: []string{"kind"}, again: []string{"cost", "kind", "price"}},
		"first currency": {b: items, doc: product("3", "C", inDollars), unchecked: []string{"kind"}, again: []string{"kind"}},
		"one currency":   {b: single, doc: product("4", "D", nil), unchecked: []string{"kind"}, again: []string{"kind"}},
		"custom record":  {b: machines, doc: machine("12", owner)},
		"customer of one currency": {
			b: single, doc: document("customer", events.EntityCompany, events.EntityCompany, "5", map[string]any{"companyName": "Acme", "billCity": "Berlin"}),
			unchecked: []string{"country", "state", "street", "zip"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 {
				r := tc.b.apply(t, tc.doc)
				if r.Effect == events.EffectUpdated && tc.doc.Object == "customer" {
					continue // its address is not written again
				}
				changes, err := tc.b.reader.Read(t.Context(), tc.doc.Object, []string{r.ID})
				require.NoError(t, err)
				require.Len(t, changes, 1)
				var left []string
				for _, field := range slices.Sorted(maps.Keys(changes[0].Fields)) {
					v, seen := r.Seen[field]
					sent, told := r.Sent[field]
					if !seen && !told {
						left = append(left, field)
						continue
					}
					if !seen {
						v = sent
					}
					require.True(t, hub.Holds(tc.doc.Entity, field, events.Seen{Value: v, Sent: !seen}, changes[0].Fields[field]),
						"%s: %s and %s", field, v, changes[0].Fields[field])
				}
				if want := tc.unchecked; r.Effect == events.EffectCreated {
					require.Equal(t, want, left)
				} else {
					require.Equal(t, tc.again, left, "an item may have prices in other currencies by now")
				}
			}
		})
	}
}

// TestWhatARoleDoesNotSeeIsNotReported: what was written and does not show may
// stand there all the same.
func TestWhatARoleDoesNotSeeIsNotReported(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	customerID, itemID := b.stock(t)
	for object, doc := range map[string]connector.Document{
		"customer": customer("2", "Bolt"), "contact": contact("3", customerID), "salesOrder": order("77", customerID, itemID),
		"customerPayment": payment("9", customerID),
	} {
		b.wire.next = transport(func(r *http.Request) (*http.Response, error) {
			resp, err := b.wire.send(r)
			if err != nil || r.Method != http.MethodGet || r.URL.Query().Get("fields") == "" || resp.StatusCode != http.StatusOK {
				return resp, err
			}
			var values map[string]any
			if err := json.NewDecoder(resp.Body).Decode(&values); err != nil {
				return nil, err
			}
			_ = resp.Body.Close()
			bare, err := json.Marshal(map[string]any{"id": values["id"], "currency": values["currency"]})
			resp.Body = io.NopCloser(bytes.NewReader(bare))
			resp.ContentLength = int64(len(bare))
			resp.Header.Set("Content-Length", strconv.Itoa(len(bare)))
			return resp, err
		})
		for name, v := range b.apply(t, doc).Seen {
			if name == "currency" {
				continue
			}
			require.True(t, events.IsNull(v), "%s %s", object, name)
			require.NotContains(t, []string{"name", "email", "firstName", "lastName", "company", "placedOn", "receivedOn", "amount"}, name, object)
		}
	}
}

// TestPagesTellWhenTheyWereRead, which is no part of what a change says.
func TestPagesTellWhenTheyWereRead(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.apply(t, customer("1", "Acme"))
	scan := func() events.Change {
		page, err := b.scanner.Scan(t.Context(), connector.Scan{Feed: "customer", Until: time.Now().Add(time.Hour)})
		require.NoError(t, err)
		require.Len(t, page.Changes, 1)
		return page.Changes[0]
	}
	one, two := scan(), scan()
	require.False(t, one.Read.IsZero())
	require.True(t, two.Read.After(one.Read))
	require.Equal(t, one.Digest(), two.Digest())
}
