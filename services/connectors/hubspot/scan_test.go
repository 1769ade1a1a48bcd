package hubspot_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/hubspot"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
)

// pass reads a feed to its end and counts each object.
func (b *bench) pass(t testing.TB, s connector.Scan) (seen map[string]int, pages int) {
	t.Helper()
	seen = map[string]int{}
	for {
		p, err := b.con.Scanner.Scan(t.Context(), s)
		require.NoError(t, err)
		pages++
		for _, c := range p.Changes {
			seen[c.ID]++
		}
		if s.Token = p.Next; s.Token == "" {
			return seen, pages
		}
	}
}

// TestPollOverManyRecordsWithOneTime: a bulk edit gives 25,000 records one time,
// more than a search yields in all. Each comes once.
func TestPollOverManyRecordsWithOneTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	at := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	const n = 25_000
	require.NoError(t, b.AddBulk(hubspotbox.Bulk{Object: "contact", Count: n, Modified: at}))
	require.NoError(t, b.AddBulk(hubspotbox.Bulk{Object: "contact", Count: 10, Modified: at.Add(-time.Second)}))
	seen, pages := b.pass(t, connector.Scan{Feed: "contact", Since: at, Until: at})
	require.Len(t, seen, n)
	for id, times := range seen {
		require.Equal(t, 1, times, id)
	}
	require.Equal(t, n/100+1, pages)
	require.Equal(t, map[string]int{"contacts search": pages, "associations batch read": pages - 1}, calls(b))
}

// TestBackfillTakesTheFewestCalls: one call for a hundred records, however many
// there are.
func TestBackfillTakesTheFewestCalls(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const n = 20_050
	require.NoError(t, b.AddBulk(hubspotbox.Bulk{Object: "company", Count: n}))
	seen, _ := b.pass(t, connector.Scan{Feed: "company"})
	require.Len(t, seen, n)
	require.LessOrEqual(t, float64(b.Counts().TotalCalls()), 1.03*float64((n+99)/100))
}

// TestBackfillOfDealsReadsLinesInBatches, and says the same as a read.
func TestBackfillOfDealsReadsLinesInBatches(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.seed(t)
	page, err := b.con.Scanner.Scan(t.Context(), connector.Scan{Feed: "deal"})
	require.NoError(t, err)
	require.Equal(t, map[string]int{"deals list": 1, "line_items batch read": 1}, calls(b))
	require.Equal(t, text(b.read(t, "deal", "77")["deal/77"].Fields), text(page.Changes[0].Fields))
	s := connector.Scan{Feed: "deal", Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour)}
	searched, err := b.con.Scanner.Scan(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, text(page.Changes[0].Fields), text(searched.Changes[0].Fields))
	require.Equal(t, 1, searched.Total)
}

// TestPollsYieldEachRecordOnceWhateverHappens: whatever changes between the pages of a pass,
// each record that stays as it is comes exactly once.
func TestPollsYieldEachRecordOnceWhateverHappens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t)
		at := time.Now().Add(-time.Hour).UTC()
		n := rapid.IntRange(0, 350).Draw(rt, "records")
		if n > 0 {
			require.NoError(t, b.AddBulk(hubspotbox.Bulk{Object: "product", Count: n, Modified: at, First: 1000}))
		}
		s := connector.Scan{Feed: "product", Since: at.Add(-time.Minute), Until: at.Add(time.Minute)}
		seen := map[string]int{}
		gone := map[string]bool{}
		for {
			p, err := b.con.Scanner.Scan(t.Context(), s)
			require.NoError(t, err)
			for _, c := range p.Changes {
				seen[c.ID]++
			}
			for range rapid.IntRange(0, 3).Draw(rt, "changes") {
				id := fmt.Sprint(1000 + rapid.IntRange(0, 349).Draw(rt, "id"))
				if b.Set("product", id, map[string]string{"description": "x"}) == nil {
					gone[id] = true // out of the window
				}
			}
			if s.Token = p.Next; s.Token == "" {
				break
			}
		}
		for i := range n {
			id := fmt.Sprint(1000 + i)
			if seen[id] > 1 || (seen[id] == 0 && !gone[id]) {
				rt.Fatalf("record %s comes %d times", id, seen[id])
			}
		}
	})
}

// TestFeedsDependOnHowAPortalIsHeard: searches stand in for webhooks where there are
// none, and heal them where there are.
func TestFeedsDependOnHowAPortalIsHeard(t *testing.T) {
	t.Parallel()
	s := hubspot.DefaultSettings()
	f, ok := hubspot.Kind().For(s).Feed("deal")
	require.True(t, ok)
	require.Equal(t, time.Minute, f.Every)
	s.Journal = &hubspot.JournalSettings{}
	k := hubspot.Kind().For(s)
	f, _ = k.Feed("deal")
	require.Equal(t, 15*time.Minute, f.Every)
	require.True(t, k.Polled("line_item"))
	require.False(t, k.Backfilled("line_item"))
	_, ok = k.Feed("journal")
	require.True(t, ok)
	require.NotPanics(t, func() { hubspot.Kind().For(nil) })
}

// TestTiers: bursts included, any ten seconds stay within what HubSpot takes.
func TestTiers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tier      string
		increases int
		ten       float64
		day       int
	}{
		{"free", 0, 100, 250_000},
		{"starter", 0, 100, 250_000},
		{"professional", 0, 190, 625_000},
		{"enterprise", 0, 190, 1_000_000},
		{"enterprise", 2, 250, 3_000_000},
		{"oauth", 0, 110, 0},
		{"oauth", 2, 110, 0},
		{"unknown", 0, 190, 625_000},
	} {
		s := hubspot.DefaultSettings()
		s.Tier, s.LimitIncreases = c.tier, c.increases
		l := hubspot.Kind().For(s).Limits
		require.LessOrEqual(t, 10*l.PerSecond+float64(l.Burst), c.ten, c.tier)
		require.Greater(t, 10*l.PerSecond+float64(l.Burst), 0.9*c.ten, c.tier)
		require.Equal(t, c.day, l.PerDay, c.tier)
		pool := func(path string) string {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.hubapi.com"+path, nil)
			require.NoError(t, err)
			for _, p := range l.Pools {
				if p.Match(r) {
					return p.Name
				}
			}
			return ""
		}
		require.Equal(t, "search", pool("/crm/objects/2026-09/deals/search"))
		require.Equal(t, "associations", pool("/crm/associations/2026-09/deals/companies/batch/read"))
		require.Empty(t, pool("/crm/objects/2026-09/deals/batch/read"))
		require.LessOrEqual(t, l.Pools[0].PerSecond+float64(l.Pools[0].Burst), 5.0, "any second of searches")
	}
}

// TestBadInput: what a vendor should not answer gets its kind, a remedy, and is
// never taken for the end of a list or for a record.
func TestBadInput(t *testing.T) {
	t.Parallel()
	const page = "<!DOCTYPE html><html><body>Sign in</body></html>"
	for _, c := range []struct {
		name   string
		status int
		body   string
		kind   fault.Kind
		hint   string
	}{
		{"page for JSON", 200, page, fault.Transient, "proxy"},
		{"nothing for JSON", 200, "", fault.Transient, "proxy"},
		{"truncated", 200, `{"results":[{"id":"1","prop`, fault.Transient, "proxy"},
		{"another shape", 200, `{"ok":true}`, fault.Transient, "proxy"},
		{"no id", 200, `{"results":[{"properties":{"name":"x"}}],"id":"","properties":null}`, fault.Transient, "proxy"},
		{"200 with an error body", 200, `{"status":"error","category":"VALIDATION_ERROR","message":"no"}`, fault.Rejected, "mend"},
		{"200 with a revoked token", 200, `{"status":"error","category":"INVALID_AUTHENTICATION","message":"no"}`, fault.Unauthorized, "revoked"},
		{"revoked token", 401, `{"status":"error","category":"INVALID_AUTHENTICATION","message":"no"}`, fault.Unauthorized, "revoked"},
		{"missing scope", 403, `{"status":"error","category":"MISSING_SCOPES","errors":[{"context":{"requiredGranularScopes":["crm.objects.deals.read"]}}]}`, fault.Unauthorized, "crm.objects.deals.read"},
		{"oversized", 200, `{"results":[],"x":"` + strings.Repeat("a", 17<<20) + `"}`, fault.Rejected, "fewer objects"},
	} {
		con := stub(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = fmt.Fprint(w, c.body)
		})
		window := connector.Scan{Feed: "product", Since: time.Now().Add(-time.Hour), Until: time.Now()}
		for how, call := range map[string]func() error{
			"list":   func() error { _, err := con.Scanner.Scan(t.Context(), connector.Scan{Feed: "product"}); return err },
			"search": func() error { _, err := con.Scanner.Scan(t.Context(), window); return err },
			"read":   func() error { _, err := con.Reader.Read(t.Context(), "product", []string{"3"}); return err },
			"many":   func() error { _, err := con.Reader.Read(t.Context(), "product", []string{"3", "4"}); return err },
			"create": func() error {
				return con.Target.Apply(t.Context(), []connector.Document{fresh("product", elsewhere(events.EntityProduct, 1), map[string]any{"name": "x"})})[0].Err
			},
		} {
			err := call()
			require.Error(t, err, "%s, %s", c.name, how)
			f := fault.As(err)
			require.Equal(t, c.kind, f.Kind, "%s, %s: %v", c.name, how, err)
			require.Contains(t, f.Hint, c.hint, "%s, %s", c.name, how)
		}
	}
}

// TestRequiredProperties: a portal's own rule is told with the property and
// what mends it, and the other documents go through.
func TestRequiredProperties(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ids := b.deals(t, 2)
	b.Require("deal", "dealstage", "closedwon", "closedate")
	results := apply(t, b.con, doc("deal", ids[0], map[string]any{"dealstage": "closedwon"}), doc("deal", ids[1], map[string]any{"dealname": "x"}))
	f := fault.As(results[0].Err)
	require.Equal(t, fault.Rejected, f.Kind)
	require.Equal(t, "MISSING_CONDITIONAL_REQUIRED_PROPERTY", f.Code)
	require.Equal(t, "closedate", f.Field)
	require.Contains(t, f.Hint, "fill it in at the record")
	require.NoError(t, results[1].Err)
}

// TestUnknownWords: a status that is not known is kept as HubSpot says it, and
// never taken for one that it may not mean.
func TestUnknownWords(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.seed(t)
	b.payment71(t, "on_hold")
	c := b.read(t, "commerce_payment", "71")["commerce_payment/71"]
	require.Equal(t, "null", string(c.Fields["status"]))
	require.Equal(t, `"on_hold"`, string(c.Fields["custom.hs_latest_status"]))
}

func (b *bench) payment71(t testing.TB, status string) {
	t.Helper()
	_, err := b.Add("commerce_payment", "71", map[string]string{"hs_initial_amount": "1", "hs_currency_code": "EUR", "hs_latest_status": status})
	require.NoError(t, err)
}

// TestOwnWrites: only a plain change with exactly the configured source is
// dropped.
func TestOwnWrites(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(_ *hubspotbox.Options, s *hubspot.Settings, _ *connector.Deps) {
		s.OwnWrites = []string{"INTEGRATION:4711"}
	})
	for body, want := range map[string]int{
		note("deal.propertyChange", `"objectId":77,"propertyName":"amount","changeSource":"INTEGRATION","sourceId":"4711"`):  0,
		note("deal.creation", `"objectId":77,"changeSource":"INTEGRATION","sourceId":4711`):                                  0,
		note("deal.propertyChange", `"objectId":77,"propertyName":"amount","changeSource":"INTEGRATION","sourceId":"47112"`): 1,
		note("deal.propertyChange", `"objectId":77,"propertyName":"amount","changeSource":"CRM_UI","sourceId":"4711"`):       1,
		note("deal.propertyChange", `"objectId":77,"propertyName":"amount"`):                                                 1,
		note("deal.deletion", `"objectId":77,"changeSource":"INTEGRATION","sourceId":"4711"`):                                1,
	} {
		list, err := b.con.Webhooks.Decode(delivery("https://x", "["+body+"]"))
		require.NoError(t, err)
		require.Len(t, list, want, body)
	}
}
