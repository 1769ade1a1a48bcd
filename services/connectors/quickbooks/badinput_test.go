package quickbooks_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	quickbooksbox "github.com/spoke-sync/spoke/services/internal/sandbox/quickbooks"
)

// TestWriteMeetsBadAnswers: whatever comes back for the create of a form, its
// kind says whether to try again, and a refusal names field and remedy.
func TestWriteMeetsBadAnswers(t *testing.T) {
	t.Parallel()
	refusal := func(code, element string) string {
		return `{"Fault":{"Error":[{"Message":"m","Detail":"d","code":"` + code + `","element":"` + element + `"}],"type":"ValidationFault"},"time":"t"}`
	}
	cases := map[string]struct {
		status int
		body   string
		kind   fault.Kind
		field  string
	}{
		// With its request id a call is made again without a second effect.
		"html":              {200, "<html>maintenance</html>", fault.Transient, ""},
		"html, gateway":     {502, "<html>bad gateway</html>", fault.Transient, ""},
		"empty":             {200, "", fault.Transient, ""},
		"truncated":         {200, `{"Invoice":{"Id":"1`, fault.Transient, ""},
		"another object":    {200, `{"Bill":{"Id":"1"}}`, fault.Transient, ""},
		"a list":            {200, `[]`, fault.Transient, ""},
		"fault in 200":      {200, refusal("6000", ""), fault.Rejected, ""},
		"throttled in 200":  {200, refusal("3001", ""), fault.Throttled, ""},
		"unknown enum":      {400, refusal("2170", "TxnStatus"), fault.Rejected, "TxnStatus"},
		"missing parameter": {400, refusal("2020", "Line"), fault.Rejected, "Line"},
		"closed period":     {400, refusal("6210", ""), fault.Rejected, "TxnDate"},
		"inactive item":     {400, refusal("2500", "Line.ItemRef"), fault.Rejected, "Line.ItemRef"},
		"number taken":      {400, refusal("6140", ""), fault.Rejected, ""},
		"unknown code":      {400, refusal("9999", "X"), fault.Rejected, "X"},
		"lapsed":            {403, refusal("6190", ""), fault.Unauthorized, ""},
		"token":             {401, `{"fault":{"type":"AUTHENTICATION","error":[{"message":"m","detail":"d","code":"3200"}]}}`, fault.Unauthorized, ""},
	}
	for name, c := range cases {
		for _, f := range append(saleForms(), saleForm{"Invoice", events.EntityDeal, "I-31"}) {
			t.Run(name+"/"+f.object, func(t *testing.T) {
				t.Parallel()
				con := canned(t, c.status, c.body)
				doc := form(f.object, f.entity, "31", "1", "2", "10")
				e := requireFault(t, (&bundle{Connector: con}).apply(t, doc).Err, c.kind, "")
				if c.field != "" {
					require.Equal(t, c.field, e.Field)
				}
				if c.kind == fault.Unauthorized || c.kind == fault.Rejected && name != "unknown code" {
					require.NotEmpty(t, e.Hint)
				}
			})
		}
	}
}

// TestWriteMeetsBadState: the same for what the sandbox makes true.
func TestWriteMeetsBadState(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change func(t *testing.T, b *bundle, customer, item string)
		doc    func(customer, item string) map[string]any
		kind   fault.Kind
		code   string
	}{
		"inactive item": {
			change: func(t *testing.T, b *bundle, _, item string) {
				require.NoError(t, b.box.Edit("Item", item, map[string]any{"Active": false}))
			}, kind: fault.Rejected, code: "2500",
		},
		"inactive customer": {
			change: func(t *testing.T, b *bundle, customer, _ string) {
				require.NoError(t, b.box.Edit("Customer", customer, map[string]any{"Active": false}))
			}, kind: fault.Rejected, code: "2500",
		},
		"wrong realm": {
			change: func(t *testing.T, b *bundle, _, _ string) {
				b.settings.RealmID = "4711"
				b.Connector = open(t, b.settings, b.store)
			}, kind: fault.Unauthorized, code: "3100",
		},
		"revoked token": {
			change: func(t *testing.T, b *bundle, _, _ string) {
				b.settings.RefreshToken = secretOf("revoked")
				b.Connector = open(t, b.settings, nil)
			}, kind: fault.Unauthorized,
		},
		"unknown currency": {
			change: func(*testing.T, *bundle, string, string) {},
			doc: func(customer, item string) map[string]any {
				return map[string]any{"CustomerRef": customer, "Line": []any{map[string]any{"ItemRef": item, "Amount": money("1", "CHF")}}}
			}, kind: fault.Rejected, code: "6000",
		},
	}
	for name, c := range cases {
		for _, f := range append(saleForms(), saleForm{"Invoice", events.EntityDeal, "I-31"}) {
			t.Run(name+"/"+f.object, func(t *testing.T) {
				t.Parallel()
				b := setup(t, quickbooksbox.Options{})
				customer, item := b.sale(t)
				c.change(t, b, customer, item)
				doc := form(f.object, f.entity, "31", customer, item, "10")
				if c.doc != nil {
					doc.Fields = c.doc(customer, item)
				}
				e := requireFault(t, b.apply(t, doc).Err, c.kind, c.code)
				require.NotEmpty(t, e.Hint)
				require.Empty(t, b.box.List(f.object))
			})
		}
	}
}

func TestUpdateOfWhatWasDeletedThere(t *testing.T) {
	t.Parallel()
	for _, f := range saleForms() {
		t.Run(f.object, func(t *testing.T) {
			t.Parallel()
			b := setup(t, quickbooksbox.Options{})
			customer, item := b.sale(t)
			doc := form(f.object, f.entity, "31", customer, item, "10")
			made := b.must(t, doc)
			gone := doc
			gone.ExternalID, gone.Op = made.ID, events.DesiredDelete
			b.must(t, gone)
			doc.ExternalID = made.ID
			doc.Fields = form(f.object, f.entity, "31", customer, item, "11").Fields
			e := requireFault(t, b.apply(t, doc).Err, fault.Rejected, "610")
			require.Contains(t, e.Hint, "unlink")
			require.Equal(t, 1, b.box.Counts().Total(f.object+" created"))
		})
	}
}

// A lost answer makes no second form and no second application of a credit.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t, quickbooksbox.Options{})
	customer, item, first, _ := twoInvoices(t, b)
	docs := []func() (string, error){}
	for _, f := range saleForms() {
		doc := form(f.object, f.entity, "31", customer, item, "10")
		if f.object == "CreditMemo" {
			doc.Fields["Apply"] = []any{part(first, "10")}
		}
		docs = append(docs, func() (string, error) {
			r := b.apply(t, doc)
			return r.ID, r.Err
		})
	}
	loseAnswers(t, b)
	for _, apply := range docs {
		for id := ""; id == ""; {
			var err error
			if id, err = apply(); err != nil {
				requireFault(t, err, fault.Transient, "")
			}
		}
	}
	for _, f := range saleForms() {
		require.Equal(t, 1, b.box.Counts().Total(f.object+" created"), f.object)
	}
	require.Equal(t, 1, b.box.Counts().Total("Payment created"))
	require.Equal(t, "20.00", balances(t, b)[first])
}

// loseAnswers puts a network before the sandbox that loses the answer of the
// first try of every write.
func loseAnswers(t testing.TB, b *bundle) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	seen := map[string]bool{}
	client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		resp, err := transport.RoundTrip(r)
		id := r.URL.Query().Get("requestid")
		if err != nil || r.Method != http.MethodPost || id == "" || seen[id] {
			return resp, err
		}
		seen[id] = true
		return answer(r, http.StatusOK, ""), resp.Body.Close()
	})}
	var err error
	b.Connector, err = quickbooks.Open(b.settings, connector.Deps{Connection: "qbo", HTTP: client, Now: time.Now, Tokens: b.store})
	require.NoError(t, err)
}
