package hubspot_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/hubspot"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
)

// TestReadMissing: what was deleted comes back as deleted at its time; what
// HubSpot does not find at all is dated back, so that it can still appear.
func TestReadMissing(t *testing.T) {
	t.Parallel()
	now := noon
	b := newBench(t, func(_ *hubspotbox.Options, _ *hubspot.Settings, d *connector.Deps) {
		d.Now = func() time.Time { return now }
	})
	b.seed(t)
	_, err := b.AddDeal(hubspotbox.Deal{ID: "78", Name: "gone"})
	require.NoError(t, err)
	require.NoError(t, b.Delete("deal", "78"))
	for _, ids := range [][]string{{"78"}, {"79"}, {"77", "78", "79"}} {
		all := b.read(t, "deal", ids...)
		require.ElementsMatch(t, ids, idsOf(all))
		if c, ok := all["deal/78"]; ok {
			require.Equal(t, events.OpDeleted, c.Op)
			require.WithinDuration(t, time.Now(), c.At, time.Minute, "when it was archived")
			require.Empty(t, c.Fields)
		}
		if c, ok := all["deal/79"]; ok {
			require.Equal(t, events.OpDeleted, c.Op)
			require.Equal(t, noon.Add(-time.Minute), c.At)
		}
		if c, ok := all["deal/77"]; ok {
			require.Equal(t, events.OpChanged, c.Op)
		}
	}
}

func idsOf(all map[string]events.Change) []string {
	var ids []string
	for _, c := range slices.Collect(maps.Values(all)) {
		ids = append(ids, c.ID)
	}
	return ids
}

func TestReadMerged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.seed(t)
	_, err := b.AddCompany(hubspotbox.Company{ID: "8", Name: "Acme Inc"})
	require.NoError(t, err)
	send(t, b, http.MethodPost, "/crm/objects/2026-09/companies/merge", `{"primaryObjectId":"9","objectIdToMerge":"8"}`)
	all := b.read(t, "company", "8")
	require.Equal(t, events.OpMerged, all["company/8"].Op)
	require.Equal(t, "9", all["company/8"].Into)
	require.Equal(t, events.OpChanged, all["company/9"].Op, "HubSpot answers the record that is left")
	all = b.read(t, "company", "8", "9")
	require.Equal(t, events.OpDeleted, all["company/8"].Op)
	require.Equal(t, events.OpChanged, all["company/9"].Op)
}

// TestReadWaitsForALine: a deal whose line can't be read is not read without
// it.
func TestReadWaitsForALine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.seed(t)
	require.NoError(t, b.Purge("line_item", "771"))
	_, err := b.con.Reader.Read(t.Context(), "deal", []string{"77"})
	require.Equal(t, fault.Transient, fault.KindOf(err))
	require.ErrorContains(t, err, "771")
}

// TestReadAnswersThatAreNone: what is no answer of HubSpot's must not pass
// for a deleted record, or for a record without links.
func TestReadAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	const good = `{"id":"77","properties":{"dealname":"x","hs_is_closed_won":"false","hs_is_closed_lost":"false","hs_lastmodifieddate":"2026-11-23T10:00:00Z"}}`
	for name, c := range map[string]struct {
		status int
		body   string
		kind   fault.Kind
	}{
		"page":            {200, "<html></html>", fault.Transient},
		"empty":           {200, "", fault.Transient},
		"no record":       {200, "{}", fault.Transient},
		"other JSON":      {200, `[1]`, fault.Transient},
		"not found page":  {404, "<html></html>", fault.Transient},
		"not found JSON":  {404, `{"error":"no such route"}`, fault.Transient},
		"bad gateway":     {502, "<html></html>", fault.Transient},
		"unavailable":     {503, "", fault.Unavailable},
		"forbidden page":  {403, "<html></html>", fault.Unauthorized},
		"no time":         {200, strings.Replace(good, "2026-11-23T10:00:00Z", "", 1), fault.Malformed},
		"impossible time": {200, strings.Replace(good, "2026-11-23T10:00:00Z", "99999999999999999", 1), fault.Malformed},
		"no number":       {200, strings.Replace(good, `"dealname":"x"`, `"amount":"ten"`, 1), fault.Malformed},
	} {
		con := stub(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = fmt.Fprint(w, c.body)
		})
		for _, ids := range [][]string{{"77"}, {"77", "78"}} {
			list, err := con.Reader.Read(t.Context(), "deal", ids)
			if len(ids) > 1 && c.kind == fault.Malformed {
				continue // the body is that of a single record
			}
			require.Error(t, err, name)
			require.Equal(t, c.kind, fault.KindOf(err), "%s: %v", name, err)
			require.Empty(t, list, name)
		}
	}
}

// TestReadPartOfABatch: an error in a 207 answer that is not about a missing
// record fails the read.
func TestReadPartOfABatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ path, body string }{
		"records":      {"/objects/", `{"results":[],"errors":[{"status":"error","category":"INTERNAL_ERROR","message":"x"}]}`},
		"associations": {"/associations/", `{"results":[],"errors":[{"status":"error","category":"RATE_LIMITS","message":"x"}]}`},
	} {
		con := stub(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusMultiStatus)
			if strings.Contains(r.URL.Path, c.path) {
				_, _ = fmt.Fprint(w, c.body)
				return
			}
			_, _ = fmt.Fprint(w, `{"results":[],"errors":[{"category":"OBJECT_NOT_FOUND"}]}`)
		})
		list, err := con.Reader.Read(t.Context(), "deal", []string{"77", "78"})
		require.Equal(t, fault.Transient, fault.KindOf(err), name)
		require.Empty(t, list, name)
	}
}

func TestReadRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.seed(t)
	for object, id := range map[string]string{"ticket": "1", "deal": "../companies/9", "contact": ""} {
		_, err := b.con.Reader.Read(t.Context(), object, []string{id})
		require.Equal(t, fault.Rejected, fault.KindOf(err))
	}
	require.Empty(t, calls(b))
	b.Inject(sandbox.Fault{Op: "line_items batch read", Kind: sandbox.FaultThrottle, Count: 1})
	_, err := b.con.Reader.Read(t.Context(), "deal", []string{"77"})
	require.Equal(t, fault.Throttled, fault.KindOf(err))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.con.Reader.Read(ctx, "deal", []string{"77", "78"})
	require.Error(t, err)
}
