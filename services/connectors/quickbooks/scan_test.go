package quickbooks_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/connector"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

// scanBox is a company whose clock the test moves.
func scanBox(t *testing.T, page int) (*quickbooksbox.Box, connector.Scanner, *atomic.Int64) {
	t.Helper()
	began, ahead := time.Now(), &atomic.Int64{}
	box, settings := startBox(t, quickbooksbox.Options{PerMinute: -1, Now: func() time.Time {
		return began.Add(time.Duration(ahead.Load()) * time.Second)
	}})
	settings.PageSize = page
	con, err := quickbooks.Open(settings, connector.Deps{Connection: "quickbooks", Tenant: "acme", HTTP: http.DefaultClient})
	require.NoError(t, err)
	return box, con.Scanner, ahead
}

func parties(t *testing.T, box *quickbooksbox.Box, from, n int) (ids []string) {
	t.Helper()
	for i := range n {
		id, err := box.Add("Customer", map[string]any{"DisplayName": fmt.Sprintf("Party %d", from+i)})
		require.NoError(t, err)
		ids = append(ids, id)
	}
	return ids
}

// TestNothingIsSkippedWhileObjectsChange: objects that change between two pages
// take others' positions; each must come all the same, also where many have one
// time.
func TestNothingIsSkippedWhileObjectsChange(t *testing.T) {
	t.Parallel()
	for _, page := range []int{1, 2, 7, 10, 25} {
		t.Run(fmt.Sprint(page), func(t *testing.T) {
			t.Parallel()
			box, scanner, ahead := scanBox(t, page)
			ids := parties(t, box, 0, 40) // all of one second
			ahead.Add(2)
			ids = append(ids, parties(t, box, 40, 10)...)
			until := time.Now().Add(time.Hour)
			seen := map[string]int{}
			token, changed := "", 0
			for range 1000 {
				p, err := scanner.Scan(t.Context(), connector.Scan{Feed: "Customer", Until: until, Token: token})
				require.NoError(t, err)
				for _, c := range p.Changes {
					seen[c.ID]++
				}
				if token = p.Next; token == "" {
					break
				}
				if page > 2 && changed < 20 { // one of the first of those that share a second
					ahead.Add(1)
					require.NoError(t, box.Edit("Customer", ids[changed], map[string]any{"Notes": fmt.Sprint(changed)}))
					changed++
				}
			}
			require.Empty(t, token, "no end")
			for _, id := range ids {
				require.Positive(t, seen[id], id)
			}
		})
	}
}

// TestAFullAnswerIsReadTypeByType: change data capture has no second page.
func TestAFullAnswerIsReadTypeByType(t *testing.T) {
	t.Parallel()
	box, scanner, _ := scanBox(t, 1000)
	since := time.Now().Add(-time.Minute)
	ids := parties(t, box, 0, 1200)
	pay, err := box.Add("Payment", map[string]any{"CustomerRef": map[string]any{"value": ids[0]}, "TotalAmt": 10})
	require.NoError(t, err)
	seen, token, pages := map[string]events.Op{}, "", 0
	for {
		p, err := scanner.Scan(t.Context(), connector.Scan{Feed: "cdc", Since: since, Until: time.Now().Add(time.Minute), Token: token})
		require.NoError(t, err)
		for _, c := range p.Changes {
			seen[c.Object+"/"+c.ID] = c.Op
		}
		pages++
		if token = p.Next; token == "" {
			break
		}
	}
	require.Len(t, seen, len(ids)+1)
	require.Equal(t, events.OpChanged, seen["Payment/"+pay])
	require.Less(t, pages, 20)
	require.NoError(t, box.Remove("Payment", pay))
	p, err := scanner.Scan(t.Context(), connector.Scan{Feed: "cdc", Since: time.Now().Add(time.Second), Until: time.Now().Add(time.Minute)})
	require.NoError(t, err)
	require.Empty(t, p.Changes, "nothing has changed since")
}
