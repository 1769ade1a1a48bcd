package netsuite_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/netsuite"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
	netsuitebox "github.com/spoke-sync/spoke/services/internal/sandbox/netsuite"
)

// TestBadAnswers: an answer that is not NetSuite's, or not whole, never sets a
// document apart and never passes for an absent record.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	page := strings.Repeat("<p>maintenance</p>", 20)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		kind   fault.Kind
		text   string // in the sentence or the hint
	}{
		"page":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(page)) }, fault.Transient, "connection's url"},
		"nothing": {func(http.ResponseWriter, *http.Request) {}, fault.Transient, "connection's url"},
		"half an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"id":"1"`))
		}, fault.Transient, "broke off"},
		"half of JSON": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"id":"1","links":[`)) }, fault.Transient, "not NetSuite's"},
		"error in a 200": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(body("USER_ERROR", "Please enter value(s) for: Class", "class")))
		}, fault.Rejected, "Please enter value(s)"},
		"error in a 200 with its own status": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Replace(body("UNEXPECTED_ERROR", "Oops", ""), `"status":400`, `"status":500`, 1)))
		}, fault.Transient, "Oops"},
		"page that says not found": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(page))
		}, fault.Unavailable, "connection's url"},
		"redirect to another host": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example/steal", http.StatusTemporaryRedirect)
		}, fault.Transient, "check the connection's url"},
		"an answer without end": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"id":"`))
			for range 17 {
				_, _ = w.Write([]byte(strings.Repeat("1", 1<<20)))
			}
		}, fault.Rejected, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := against(t, c.answer)
			b.guarded(t)
			f := fault.As(b.refuse(t, customer("1", "Acme")))
			require.Equal(t, c.kind.String(), f.Kind.String(), f)
			require.Contains(t, f.Error()+" "+f.Hint, c.text)
			_, found, err := b.target.Find(t.Context(), customer("1", "Acme"))
			require.False(t, found)
			require.Error(t, err)
			_, err = b.reader.Read(t.Context(), "customer", []string{"1"})
			require.Error(t, err, "an object is not deleted because a proxy speaks")
		})
	}
}

// guarded opens the connector with the client that connections have.
func (b *bundle) guarded(t testing.TB) {
	t.Helper()
	con, err := netsuite.Kind().Open(b.settings, connector.Deps{
		Connection: "erp", Tenant: "acme", HTTP: rest.NewHTTP(&b.wire.real), Now: time.Now,
	})
	require.NoError(t, err)
	b.target, b.reader = con.Target, con.Reader
}

// TestContentThatNetSuiteRefuses: each refusal names the field as the flow does
// and says what to do; nothing was written, and what is mended goes through.
func TestContentThatNetSuiteRefuses(t *testing.T) {
	t.Parallel()
	type world struct {
		*bundle
		t              *testing.T
		customer, item string
	}
	for name, c := range map[string]struct {
		spoil func(t *testing.T, w world)
		doc   func(w world) connector.Document
		field string
		hint  string
		mend  func(t *testing.T, w world)
	}{
		"closed period": {
			spoil: func(_ *testing.T, w world) { w.box.ClosePeriod("2026-12-01") },
			doc:   func(w world) connector.Document { return order("77", w.customer, w.item) },
			field: "tranDate", hint: "period is closed",
			mend: func(_ *testing.T, w world) { w.box.ClosePeriod("") },
		},
		"inactive item": {
			spoil: func(t *testing.T, w world) { t.Helper(); require.NoError(t, w.box.Deactivate(w.item)) },
			doc:   func(w world) connector.Document { return order("77", w.customer, w.item) },
			field: "item[0].item", hint: "make it active",
			mend: func(t *testing.T, w world) {
				t.Helper()
				require.NoError(t, w.box.Edit(w.item, map[string]any{"isInactive": false}))
			},
		},
		"another currency than the invoice's": {
			doc: func(w world) connector.Document {
				invoice := w.apply(w.t, invoiceFor("a", w.customer, w.item)).ID
				doc := payment("9", w.customer)
				doc.Fields = with(doc, map[string]any{"currency": "GBP", "apply": []any{allocation(invoice, "1")}})
				return doc
			},
			field: "apply[0].doc", hint: "currency",
		},
		"a currency that the account does not have": {
			doc:   func(w world) connector.Document { return having(order("77", w.customer, w.item), "currency", "CHF") },
			field: "currency", hint: "create the currency",
		},
		"a customer that was deleted": {
			doc:   func(w world) connector.Document { return order("77", "4711", w.item) },
			field: "entity", hint: "gone or may not be used",
		},
		"a contact of a name that is taken": {
			spoil: func(t *testing.T, w world) {
				t.Helper()
				w.apply(t, contact("1", w.customer))
			},
			doc: func(w world) connector.Document {
				doc := contact("2", w.customer)
				return having(doc, "lastName", "Roe 1")
			},
			field: "entityId", hint: "another entity of this name",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world{bundle: setup(t, nil)}
			w.customer, w.item = w.stock(t)
			w.t = t
			if c.spoil != nil {
				c.spoil(t, w)
			}
			doc := c.doc(w)
			before := fmt.Sprint(w.box.Orders(), w.box.Payments(), len(w.box.Records("contact")))
			f := fault.As(w.refuse(t, doc))
			require.Equal(t, fault.Rejected, f.Kind, f)
			require.Equal(t, c.field, f.Field)
			require.Contains(t, f.Hint, c.hint)
			require.Equal(t, before, fmt.Sprint(w.box.Orders(), w.box.Payments(), len(w.box.Records("contact"))))
			if c.mend != nil {
				c.mend(t, w)
				w.apply(t, doc)
			}
		})
	}
}

// TestWrongAccount: NetSuite gives no reason, so the remedy names all there are.
func TestWrongAccount(t *testing.T) {
	t.Parallel()
	for name, credentials := range map[string]*netsuite.TBA{"TBA": tba(), "OAuth 2.0": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(_ *netsuitebox.Options, s *netsuite.Settings) { s.TBA = credentials })
			if credentials != nil {
				b.settings.Account = "7654321"
			} else {
				b.settings.OAuth2.ClientID = "of another account"
			}
			b.open(t, time.Now)
			f := fault.As(b.refuse(t, customer("1", "Acme")))
			require.Equal(t, fault.Unauthorized, f.Kind)
			require.Contains(t, f.Hint, "account id")
			require.Contains(t, f.Hint, "Login Audit Trail")
		})
	}
}

// TestSeveralErrors: the one that names a property leads, the others follow it.
func TestSeveralErrors(t *testing.T) {
	t.Parallel()
	p, ok := netsuite.ParseProblem([]byte(`{"title":"Bad","status":400,"o:errorDetails":[
		{"detail":"Two errors.","o:errorCode":"USER_ERROR"},
		{"detail":"No such item.","o:errorCode":"INVALID_KEY_OR_REF","o:errorPath":"item.items[3].item"}]}`))
	require.True(t, ok)
	require.Equal(t, []string{"No such item.; Two errors.", "item[3].item", "INVALID_KEY_OR_REF"}, p.Texts())
	for path, want := range map[string]string{
		"addressBook.items[0].addressBookAddress.country": "billCountry", "$.memo": "memo", "apply.items[12].doc": "apply[12].doc", "": "",
	} {
		require.Equal(t, want, netsuite.FlowField(path))
	}
}

// FuzzRows: whatever a query answers, it is rows or it is not.
func FuzzRows(f *testing.F) {
	f.Add([]byte(`{"items":[{"id":"1","modified":"2026-11-20 10:00:00"}],"hasMore":true,"totalResults":7}`))
	f.Add([]byte(`{"items":[{"id":1.5,"x":null,"y":{"z":[]}}],"totalResults":"7"}`))
	f.Add([]byte(`{"items":null}`))
	f.Add([]byte(`<html>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		rows, total, ok := netsuite.ParseRows(text)
		if !ok {
			require.Empty(t, rows)
			return
		}
		require.GreaterOrEqual(t, total, 0)
		_, err := json.Marshal(rows)
		require.NoError(t, err)
	})
}

// FuzzChanges: a row of any content becomes a change or an error, and a change
// has its identity.
func FuzzChanges(f *testing.F) {
	f.Add("invoice", "7", "2026-11-20 10:00:00", "12.50", "CustInvc:A", "spoke-deal-1")
	f.Add("customer", "x", "", "-", "", "spoke-")
	f.Add("item", "1", "2026-11-20 10:00:00", "1e400", "Service", "\x00")
	f.Fuzz(func(t *testing.T, object, id, modified, amount, status, external string) {
		c, err := netsuite.ChangeOf(object, map[string]any{
			"id": id, "modified": modified, "foreigntotal": amount, "foreignamountunpaid": amount, "cost": amount, "status": status,
			"itemtype": status, "externalid": external, "companyname": external, "url": external, "tranid": status,
		})
		if err != nil {
			return
		}
		require.Equal(t, id, c.ID)
		require.False(t, c.At.IsZero())
		_, err = json.Marshal(c)
		require.NoError(t, err)
	})
}

// FuzzToken: a token from anywhere is one of ours or Malformed, and never
// reaches a query as it is.
func FuzzToken(f *testing.F) {
	f.Add(`{"to":"2026-11-20 10:00:00","offset":3600,"date":"2026-11-20 09:00:00","id":"7"}`)
	f.Add(`{"to":"2026-11-20 10:00:00","id":"7) OR (1=1"}`)
	f.Add(`{"to":"'","type":"'; DROP"}`)
	f.Fuzz(func(t *testing.T, token string) {
		q, ok := netsuite.Conditions(token)
		if !ok {
			return
		}
		require.Zero(t, strings.Count(q, "'")%2, q)
	})
}
