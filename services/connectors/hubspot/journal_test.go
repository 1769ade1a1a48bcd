package hubspot_test

import (
	"fmt"
	"net/http"
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

func withJournal(_ *hubspotbox.Options, s *hubspot.Settings, _ *connector.Deps) {
	s.ClientID, s.Journal = hubspotbox.DefaultClientID, &hubspot.JournalSettings{}
}

// TestJournalTellsWhatHappened: everything that webhooks tell of, read from the
// journal instead.
func TestJournalTellsWhatHappened(t *testing.T) {
	t.Parallel()
	b := newBench(t, withJournal)
	b.seed(t)
	_, err := b.AddCompany(hubspotbox.Company{ID: "8", Name: "Acme Inc"})
	require.NoError(t, err)
	for _, k := range []string{"OBJECT", "ASSOCIATION", "GDPR_PRIVACY_DELETION"} {
		b.Subscribe(k, "", "CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE", "ASSOCIATION_ADDED", "ASSOCIATION_REMOVED", "GDPR_DELETE")
	}
	since := time.Now().Add(-time.Hour)
	mark := ""
	for _, c := range []struct {
		name string
		do   func()
		want []string
	}{
		{"nothing", func() {}, nil},
		{"changed", func() { require.NoError(t, b.SetDeal("77", map[string]string{"amount": "9"})) }, []string{"deal/77 changed signal"}},
		{"line", func() { require.NoError(t, b.Set("line_item", "771", map[string]string{"quantity": "9"})) }, []string{"line_item/771 changed signal"}},
		{"ours", func() {
			require.NoError(t, apply(t, b.con, doc("deal", "77", map[string]any{"spoke_sync_state": "synced"}))[0].Err)
		}, nil},
		{"merged", func() {
			send(t, b, http.MethodPost, "/crm/objects/2026-09/companies/merge", `{"primaryObjectId":"9","objectIdToMerge":"8"}`)
		}, []string{"company/9 changed signal", "company/8 merged into 9"}},
		{"deleted", func() { require.NoError(t, b.Delete("product", "3")) }, []string{"product/3 deleted"}},
		{"restored", func() { require.NoError(t, b.Restore("product", "3")) }, []string{"product/3 restored", "product/3 changed signal"}},
		{
			"forgotten", func() { require.NoError(t, b.Erase("5")) },
			[]string{"deal/77 changed signal", "contact/5 changed signal", "contact/5 deleted", "contact/5 erased"},
		},
	} {
		c.do()
		got := map[string]bool{}
		s := connector.Scan{Feed: "journal", Since: since, Until: time.Now(), Mark: mark}
		for {
			p, err := b.con.Scanner.Scan(t.Context(), s)
			require.NoError(t, err, c.name)
			for _, change := range p.Changes {
				text := change.Object + "/" + change.ID + " " + string(change.Op)
				if change.Signal {
					text += " signal"
				}
				if change.Into != "" {
					text += " into " + change.Into
				}
				got[text] = true
			}
			if s.Token, mark = p.Next, p.Mark; s.Token == "" {
				break
			}
		}
		want := map[string]bool{}
		for _, w := range c.want {
			want[w] = true
		}
		require.Empty(t, cmp.Diff(want, got), c.name)
	}
}

// TestJournalIsSetUp: object types without a subscription are named.
func TestJournalIsSetUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, withJournal)
	b.Subscribe("OBJECT", "0-3", "CREATE", "UPDATE")
	f := fault.As(b.con.Target.Check(t.Context()))
	require.Equal(t, "NO_SUBSCRIPTION", f.Code)
	require.Contains(t, f.Error(), "company (0-2)")
	require.NotContains(t, f.Error(), "deal (0-3)")
	require.NotEmpty(t, f.Hint)
}

// TestJournalAfterALongGap: an entry that HubSpot no longer has is followed by
// the first that it has.
func TestJournalAfterALongGap(t *testing.T) {
	t.Parallel()
	b := newBench(t, withJournal)
	b.seed(t)
	b.Subscribe("OBJECT", "", "UPDATE")
	require.NoError(t, b.SetDeal("77", map[string]string{"amount": "9"}))
	p, err := b.con.Scanner.Scan(t.Context(), connector.Scan{
		Feed: "journal", Since: time.Now().Add(-time.Hour), Until: time.Now(), Mark: "00000000-0000-0000-0000-000000000000",
	})
	require.NoError(t, err)
	require.Len(t, p.Changes, 1)
}

// TestJournalFilesAreFetchedFromHubSpotOnly, without credentials.
func TestJournalFilesAreFetchedFromHubSpotOnly(t *testing.T) {
	t.Parallel()
	var file string
	asked := false
	con := stub(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/oauth/"):
			_, _ = fmt.Fprint(w, `{"access_token":"t","expires_in":1800}`)
		case strings.HasPrefix(r.URL.Path, "/webhooks-journal/"):
			_, _ = fmt.Fprintf(w, `{"currentOffset":"a-1","url":%q}`, strings.ReplaceAll(file, "HERE", "http://"+r.Host))
		default:
			asked = asked || r.Header.Get("Authorization") != ""
			_, _ = fmt.Fprint(w, map[string]string{
				"/good": `{"journalEvents":[]}`, "/page": "<html></html>", "/short": `{"journalEvents":[{"objectId":1`, "/other": `{"ok":true}`,
				"/bad": `{"journalEvents":[{"action":"UPDATE","objectTypeId":"0-3"}]}`,
			}[r.URL.Path])
		}
	}, withJournal)
	for address, want := range map[string]struct {
		kind  fault.Kind
		field string
	}{
		"HERE/good": {fault.Internal, ""}, "HERE/page": {fault.Transient, ""}, "HERE/short": {fault.Transient, ""},
		"HERE/other": {fault.Transient, ""}, "HERE/bad": {fault.Malformed, "journalEvents[0].objectId"},
		"http://169.254.169.254/latest": {fault.Rejected, ""}, "https://evil.example/x": {fault.Rejected, ""}, "": {fault.Rejected, ""},
		"https://hubspot.com.evil.example/x": {fault.Rejected, ""}, "http://files.hubspot.com/x": {fault.Rejected, ""},
	} {
		file = address
		_, err := con.Scanner.Scan(t.Context(), connector.Scan{Feed: "journal", Since: time.Now(), Until: time.Now()})
		if strings.HasSuffix(address, "/good") {
			require.NoError(t, err)
			continue
		}
		f := fault.As(err)
		require.Equal(t, want.kind, f.Kind, "%s: %v", address, err)
		require.Equal(t, want.field, f.Field, address)
	}
	require.False(t, asked, "files are fetched without credentials")
}

// FuzzJournal reads files of any content: it never panics, and never reads past
// what is broken.
func FuzzJournal(f *testing.F) {
	for _, text := range []string{
		`{"offset":"a","journalEvents":[{"type":"OBJECT","portalId":48012345,"occurredAt":"2026-11-23T09:00:00.000Z","action":"UPDATE","objectTypeId":"0-3","objectId":77,"propertyChanges":{"amount":"1"}}],"publishedAt":"2026-11-23T09:00:00Z"}`,
		`{"journalEvents":[{"action":"MERGE","objectTypeId":"0-2","primaryObjectId":9,"mergedObjectIds":[8]}]}`,
		`{"journalEvents":[{"action":"ASSOCIATION_ADDED","fromObjectTypeId":"0-3","toObjectTypeId":"0-2","fromObjectId":77,"toObjectId":9}]}`,
		`{"journalEvents":null}`, `[]`, `{"journalEvents":[`, ``,
	} {
		f.Add([]byte(text), 0)
	}
	f.Fuzz(func(t *testing.T, file []byte, from int) {
		changes, last, err := hubspot.ParseJournal(file, from)
		if err != nil && len(changes) > 0 {
			t.Fatal("changes of a file that can't be read")
		}
		if err == nil && from > len(file) && !last {
			t.Fatal("there are never more events than bytes")
		}
		for _, c := range changes {
			if c.ID == "" || c.At.IsZero() || (c.Op == events.OpMerged) != (c.Into != "") {
				t.Fatalf("%+v", c)
			}
		}
	})
}
