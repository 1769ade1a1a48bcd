package quickbooks_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

// ready completes documents as the sink runtime does.
func ready(t testing.TB, docs ...connector.Document) []connector.Document {
	t.Helper()
	for i := range docs {
		require.NoError(t, docs[i].Seal())
		docs[i].IdempotencyKey, docs[i].First = docs[i].Key+docs[i].Hash[:8], time.Now()
	}
	return docs
}

func TestThirtyCustomersAreOneCall(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{TakenNames: []string{"Company 7"}})
	require.Equal(t, 30, b.Target.BatchSize())
	docs := customers(t, 0, 0, 30)
	docs[3].Fields = map[string]any{"DisplayName": 7} // never sent
	docs[5].Fields["CurrencyRef"] = "EUR"             // refused: the company has no such currency
	results := b.Target.Apply(t.Context(), docs)
	require.Len(t, results, 30)
	for i, r := range results {
		switch i {
		case 3:
			requireFault(t, r.Err, fault.Malformed, "")
		case 5:
			require.Equal(t, "CurrencyRef", requireFault(t, r.Err, fault.Rejected, "").Field)
		default:
			require.NoError(t, r.Err)
			found, ok, err := b.Target.Find(t.Context(), docs[i])
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, found.ID, r.ID, "each result is its document's")
		}
	}
	calls := b.box.Counts().Calls
	require.Equal(t, []int{1, 28, 1}, []int{calls["batch"], calls["batch.item"], calls["customer.write"]}, "one call, and one for the name that was taken")
	require.Equal(t, "Company 7 (7)", results[7].Seen.Text("name")+" ("+docs[7].Record.ID+")")

	// A second time nothing is written, and one metered call reads them all.
	docs = append(docs[:3:3], docs[8:]...)
	results = append(results[:3:3], results[8:]...)
	other := open(t, b.settings, b.store) // which remembers nothing
	queries := b.box.Counts().Calls["query"]
	for i := range docs {
		docs[i].ExternalID = results[i].ID
	}
	for _, r := range other.Target.Apply(t.Context(), docs) {
		require.NoError(t, r.Err)
		require.Equal(t, events.EffectUnchanged, r.Effect)
	}
	after := b.box.Counts().Calls
	require.Equal(t, []int{queries + 1, calls["batch"], 0}, []int{after["query"], after["batch"], after["customer.read"]})
}

// What only its request id keeps from being made twice never shares a call.
func TestNewTransactionsGoAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, item := b.sale(t)
	var docs []connector.Document
	for i := range 6 {
		docs = append(docs, document("Payment", key(events.EntityPayment, strconv.Itoa(i)), map[string]any{"CustomerRef": customer, "TotalAmt": usd("5")}))
	}
	docs = ready(t, append(docs, invoice(customer, item, "77", map[string]any{"Amount": usd("1")}))...)
	b.box.Inject(sandbox.Fault{Op: "payment.write", Kind: sandbox.FaultLost, Count: 2})
	first := b.Target.Apply(t.Context(), docs)
	again := b.Target.Apply(t.Context(), docs[:6])
	require.Zero(t, b.box.Counts().Calls["batch"])
	lost := 0
	for i, r := range first {
		if r.Err != nil {
			requireFault(t, r.Err, fault.Transient, "")
			lost++
			continue
		}
		if i < len(again) {
			require.Equal(t, r.ID, again[i].ID)
		}
	}
	require.Equal(t, 2, lost)
	require.Equal(t, 6, b.box.Counts().Total("Payment created"))
}

func TestLostAnswerToABatch(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	docs := customers(t, 0, 0, 14)
	b.box.Inject(sandbox.Fault{Op: "batch", Kind: sandbox.FaultLost, Count: 1})
	for i, r := range b.Target.Apply(t.Context(), docs) {
		requireFault(t, r.Err, fault.Ambiguous, "")
		found, ok, err := b.Target.Find(t.Context(), docs[i])
		require.NoError(t, err)
		require.True(t, ok)
		docs[i].ExternalID = found.ID
	}
	// Put together otherwise, as after a restart.
	for _, part := range [][]connector.Document{docs[:1], docs[1:]} {
		for _, r := range b.Target.Apply(t.Context(), part) {
			require.NoError(t, r.Err)
		}
	}
	require.Equal(t, 14, b.box.Counts().Total("Customer created"))
}

func TestStaleVersionsInABatch(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	docs := customers(t, 0, 0, 13)
	for i, r := range b.Target.Apply(t.Context(), docs) {
		require.NoError(t, r.Err)
		docs[i].ExternalID = r.ID
		docs[i].Fields = map[string]any{"DisplayName": docs[i].Fields["DisplayName"], "PrimaryEmailAddr": "new@acme.example"}
	}
	require.NoError(t, b.box.Edit("Customer", docs[1].ExternalID, map[string]any{"Notes": "call first"}))
	for _, r := range b.Target.Apply(t.Context(), ready(t, docs...)) {
		require.NoError(t, r.Err)
		require.Equal(t, events.EffectUpdated, r.Effect)
	}
	for _, c := range b.box.Customers() {
		require.Equal(t, map[string]any{"Address": "new@acme.example"}, c["PrimaryEmailAddr"])
	}
	require.Contains(t, b.box.Customers()[1]["Notes"], "call first", "what others wrote stays")
}

// Intuit tells a spent quota and too many calls a minute in the same words.
func TestSpentQuotaStopsTheConnection(t *testing.T) {
	t.Parallel()
	now := time.Now()
	box, settings := startBox(t, quickbooksbox.Options{PerMinute: -1, AccessLife: 24 * time.Hour})
	con, err := quickbooks.Open(settings, connector.Deps{Connection: "qbo", HTTP: plainHTTP(), Now: func() time.Time { return now }})
	require.NoError(t, err)
	require.NoError(t, con.Target.Check(t.Context()))
	box.Inject(sandbox.Fault{Op: "companyinfo", Kind: sandbox.FaultThrottle})
	for range 4 {
		requireFault(t, con.Target.Check(t.Context()), fault.Throttled, "3001")
		now = now.Add(time.Minute)
	}
	now = now.Add(time.Minute)
	f := requireFault(t, con.Target.Check(t.Context()), fault.Unavailable, "quota")
	require.Contains(t, f.Hint, "monthly quota")
	box.ClearFaults()
	require.NoError(t, con.Target.Check(t.Context()))
	box.Inject(sandbox.Fault{Op: "companyinfo", Kind: sandbox.FaultThrottle})
	requireFault(t, con.Target.Check(t.Context()), fault.Throttled, "3001")
}

func TestLimitsKnowBatches(t *testing.T) {
	t.Parallel()
	pools := quickbooks.Kind().Limits.Pools
	require.Len(t, pools, 1)
	require.True(t, pools[0].Shared)
	require.LessOrEqual(t, pools[0].PerSecond*60, 40.0)
	request := func(method, path string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), method, "https://quickbooks.api.intuit.com/v3/company/1"+path, http.NoBody)
		require.NoError(t, err)
		return r
	}
	require.True(t, pools[0].Match(request(http.MethodPost, "/batch?requestid=1")))
	require.False(t, pools[0].Match(request(http.MethodPost, "/invoice")))
}
