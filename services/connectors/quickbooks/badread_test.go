package quickbooks_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

// reads are the four ways to read, each by what it asks for.
var reads = map[string]func(testing.TB, connector.Connector) ([]events.Change, error){
	"get": func(t testing.TB, con connector.Connector) ([]events.Change, error) {
		return con.Reader.Read(t.Context(), "Invoice", []string{"1"})
	},
	"query": func(t testing.TB, con connector.Connector) ([]events.Change, error) {
		return con.Reader.Read(t.Context(), "Invoice", []string{"1", "2"})
	},
	"scan": func(t testing.TB, con connector.Connector) ([]events.Change, error) {
		p, err := con.Scanner.Scan(t.Context(), connector.Scan{Feed: "Invoice", Until: time.Now()})
		return p.Changes, err
	},
	"cdc": func(t testing.TB, con connector.Connector) ([]events.Change, error) {
		p, err := con.Scanner.Scan(t.Context(), connector.Scan{Feed: "cdc", Since: time.Now().Add(-time.Hour), Until: time.Now()})
		return p.Changes, err
	},
}

// TestReadMeetsBadAnswers: an answer that can't be read is an error of its
// kind, never an empty list: that would tell of deletions, or end a pass past
// changes that nobody saw.
func TestReadMeetsBadAnswers(t *testing.T) {
	t.Parallel()
	inner := func(code, element string) string {
		return `"Fault":{"Error":[{"Message":"m","Detail":"d","code":"` + code + `","element":"` + element + `"}],"type":"ValidationFault"}`
	}
	refusal := func(code, element string) string { return `{` + inner(code, element) + `,"time":"t"}` }
	both := func(response string) string {
		return `{"QueryResponse":` + response + `,"CDCResponse":[{"QueryResponse":[{},` + response + `]}]}`
	}
	const lists = "query scan cdc"
	cases := map[string]struct {
		status int
		body   string
		kind   fault.Kind
		field  string
		only   string // the reads that it concerns; all when empty
	}{
		"html":                {200, "<html>maintenance</html>", fault.Transient, "", ""},
		"html, gateway":       {502, "<html>bad gateway</html>", fault.Transient, "", ""},
		"empty":               {200, "", fault.Transient, "", ""},
		"truncated":           {200, `{"QueryResponse":{"Invoice":[{"Id":"1`, fault.Transient, "", ""},
		"null":                {200, `null`, fault.Transient, "", ""},
		"a list":              {200, `[]`, fault.Transient, "", ""},
		"nothing of it":       {200, `{}`, fault.Transient, "", ""},
		"oversized":           {200, strings.Repeat(" ", 16<<20+1), fault.Rejected, "", ""},
		"fault in 200":        {200, refusal("6000", ""), fault.Rejected, "", ""},
		"throttled in 200":    {200, refusal("3001", ""), fault.Throttled, "", ""},
		"unknown enum":        {400, refusal("2170", "TxnStatus"), fault.Rejected, "TxnStatus", ""},
		"unknown code":        {400, refusal("9999", "X"), fault.Rejected, "X", ""},
		"revoked":             {401, `{"fault":{"type":"AUTHENTICATION","error":[{"message":"m","detail":"d","code":"3200"}]}}`, fault.Unauthorized, "", ""},
		"wrong realm":         {403, refusal("3100", ""), fault.Unauthorized, "", ""},
		"lapsed":              {403, refusal("6190", ""), fault.Unauthorized, "", ""},
		"fault inside":        {200, both(`{` + inner("6000", "Invoice") + `}`), fault.Rejected, "Invoice", lists},
		"throttled inside":    {200, both(`{` + inner("3001", "") + `}`), fault.Throttled, "", lists},
		"fault of the log":    {200, `{"CDCResponse":[{` + inner("6000", "") + `}]}`, fault.Rejected, "", "cdc"},
		"no list in the log":  {200, `{"CDCResponse":[{"QueryResponse":"x"}]}`, fault.Transient, "", "cdc"},
		"no list":             {200, both(`{"Invoice":"x"}`), fault.Transient, "", lists},
		"a list of no object": {200, both(`{"Invoice":[null,1]}`), fault.Transient, "", lists},
		"an object of no id":  {200, both(`{"Invoice":[{"DocNumber":"1"}]}`), fault.Transient, "", lists},
	}
	for name, c := range cases {
		for how, read := range reads {
			if c.only != "" && !strings.Contains(c.only, how) {
				continue
			}
			t.Run(name+"/"+how, func(t *testing.T) {
				t.Parallel()
				changes, err := read(t, canned(t, c.status, c.body))
				e := requireFault(t, err, c.kind, "")
				require.Empty(t, changes)
				require.Equal(t, c.field, e.Field)
				if c.kind == fault.Unauthorized || c.kind == fault.Rejected && name != "unknown code" {
					require.NotEmpty(t, e.Hint)
				}
			})
		}
	}
}

// TestReadOfWhatIsGone: only QuickBooks's word that it lacks an object counts
// as a deletion.
func TestReadOfWhatIsGone(t *testing.T) {
	t.Parallel()
	for how, c := range map[string]struct {
		status int
		body   string
		gone   int
	}{
		"get":   {400, `{"Fault":{"Error":[{"Message":"Object Not Found","code":"610"}],"type":"ValidationFault"}}`, 1},
		"query": {200, `{"QueryResponse":{},"time":"t"}`, 2},
		"scan":  {200, `{"QueryResponse":{},"time":"t"}`, 0},
		"cdc":   {200, `{"CDCResponse":[{"QueryResponse":[{"Invoice":[{"Id":"1","status":"Deleted"}]}]}]}`, 1},
	} {
		changes, err := reads[how](t, canned(t, c.status, c.body))
		require.NoError(t, err, how)
		require.Len(t, changes, c.gone, how)
		for _, change := range changes {
			require.Equal(t, events.OpDeleted, change.Op, how)
		}
	}
}

// TestAnInvoiceEditedInQuickBooksIsSeenByTheRecord: what people change of an
// invoice that Spoke made is told by each way to read.
func TestAnInvoiceEditedInQuickBooksIsSeenByTheRecord(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, item := b.sale(t)
	made := b.must(t, invoice(customer, item, "77", map[string]any{"Qty": json.Number("2"), "UnitPrice": usd("50")}))
	require.NoError(t, b.box.Edit("Invoice", made.ID, map[string]any{
		"DueDate": "2027-01-31", "Line": []any{map[string]any{
			"Amount": 150, "DetailType": "SalesItemLineDetail", "Description": "Three of them",
			"SalesItemLineDetail": map[string]any{"ItemRef": to(item), "Qty": 3, "UnitPrice": 50},
		}},
	}))
	seen := map[string]events.Change{"get": b.read(t, "Invoice", made.ID)[0]}
	for _, c := range b.read(t, "Invoice", made.ID, "4711") {
		if c.ID == made.ID {
			seen["query"] = c
		}
	}
	for feed, since := range map[string]time.Time{"Invoice": {}, "cdc": time.Now().Add(-time.Hour)} {
		p, err := b.Scanner.Scan(t.Context(), connector.Scan{Feed: feed, Since: since, Until: time.Now().Add(time.Hour)})
		require.NoError(t, err)
		for _, c := range p.Changes {
			if c.Object == "Invoice" && c.ID == made.ID {
				seen[feed] = c
			}
		}
	}
	require.Len(t, seen, 4)
	for how, c := range seen {
		require.True(t, c.Snapshot, how)
		require.Equal(t, key(events.EntityDeal, "77"), c.Record, how)
		require.Equal(t, "2027-01-31", c.Fields.Text("dueOn"), how)
		require.Equal(t, "150.00 USD", c.Fields.Money("total").String(), how)
		require.Equal(t, "150.00 USD", c.Fields.Money("amountDue").String(), how)
		require.Equal(t, "0.00 USD", c.Fields.Money("amountPaid").String(), how)
		require.Contains(t, string(c.Fields["company"]), `"id":"`+customer+`"`, how)
		var lines []events.Line
		require.NoError(t, json.Unmarshal(c.Fields["lines"], &lines), how)
		require.Len(t, lines, 1, how)
		require.Equal(t, "3", lines[0].Quantity.String(), how)
		require.Equal(t, "Three of them", lines[0].Name, how)
		require.Equal(t, "150.00 USD", lines[0].Amount.String(), how)
	}
}

// FuzzScan: what a feed yields always names its object, and errors have a kind.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		`{"CDCResponse":[{"QueryResponse":[{"Invoice":[{"Id":"1","status":"Deleted","MetaData":{"LastUpdatedTime":"2026-11-15T14:37:43-08:00"}}]},{}]}]}`,
		`{"CDCResponse":[{"QueryResponse":[{"Fault":{"Error":[{"code":"3001"}]}}]}]}`,
		`{"QueryResponse":{"Invoice":[{"Id":"1","TotalAmt":1e3,"MetaData":7}]}}`, `{"CDCResponse":[{}]}`, `{"CDCResponse":7}`, `null`, ``,
	} {
		f.Add(s, "")
		f.Add(s, "0:0:1:")
	}
	f.Fuzz(func(t *testing.T, body, token string) {
		con := canned(t, 200, body)
		for _, feed := range []string{"cdc", "Invoice"} {
			p, err := con.Scanner.Scan(t.Context(), connector.Scan{Feed: feed, Since: time.Unix(1, 0), Until: time.Now(), Token: token})
			var e *fault.Error
			if err != nil && !errors.As(err, &e) {
				t.Fatalf("error %v has no kind", err)
			}
			for _, c := range p.Changes {
				if c.ID == "" || c.Object == "" {
					t.Fatalf("a change of nothing: %+v", c)
				}
			}
		}
	})
}

// TestAFaultWithinALookUpIsNotAbsence: what a look-up could not see would be
// made a second time.
func TestAFaultWithinALookUpIsNotAbsence(t *testing.T) {
	t.Parallel()
	con := canned(t, 200, `{"QueryResponse":{"Fault":{"Error":[{"Message":"m","code":"3001"}],"type":"SERVICE"}}}`)
	for _, f := range append(saleForms(), saleForm{"Invoice", events.EntityDeal, "I-31"}) {
		_, found, err := con.Target.Find(t.Context(), form(f.object, f.entity, "31", "1", "2", "10"))
		require.False(t, found, f.object)
		requireFault(t, err, fault.Throttled, "3001")
	}
}
