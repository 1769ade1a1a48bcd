package stripe_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	stripebox "github.com/spoke-sync/spoke/services/internal/sandbox/stripe"
)

// bill is the invoice of invoiceDoc: 29.97 + 12.50 + 200.00.
const billTotal = 2997 + 1250 + 20000

func wantLines(product string) []stripebox.Line {
	return []stripebox.Line{
		{Product: product, Description: "Widget", Quantity: "3", Unit: "999", Amount: 2997},
		{Product: product, Description: "Sub-cent", Quantity: "1000", Unit: "1.25", Amount: 1250},
		{Description: "Hours", Quantity: "2.5", Unit: "8000", Amount: 20000},
	}
}

// requireOneInvoice fails unless there is exactly the invoice of invoiceDoc.
func requireOneInvoice(t testing.TB, b *bundle, product string) {
	t.Helper()
	all := b.box.Invoices()
	require.Len(t, all, 1)
	require.Equal(t, "open", all[0].Status)
	require.EqualValues(t, billTotal, all[0].Total)
	byText := cmp.Transformer("byText", func(lines []stripebox.Line) map[string]stripebox.Line {
		m := map[string]stripebox.Line{}
		for _, l := range lines {
			m[l.Description] = l
		}
		return m
	})
	require.Len(t, all[0].Lines, 3)
	require.Empty(t, cmp.Diff(wantLines(product), all[0].Lines, byText))
	require.Equal(t, 1, b.box.Counts().Total("invoice created"))
	require.Equal(t, 1, b.box.Counts().Total("invoice finalized"))
	require.Equal(t, 3, b.box.Counts().Total("invoiceitem created"))
}

// steps counts the calls of one undisturbed invoice.
func steps(t testing.TB) int {
	b := start(t)
	customer, product := b.customer(t), b.mustApply(t, productDoc()).ID
	before := len(b.wire.calls())
	b.mustApply(t, invoiceDoc(customer, product))
	requireOneInvoice(t, b, product)
	return len(b.wire.calls()) - before
}

func TestInvoiceSurvivesACrashAtEveryStep(t *testing.T) {
	t.Parallel()
	n := steps(t)
	require.GreaterOrEqual(t, n, 6) // look, draft, three lines, finalize
	for _, way := range failures() {
		for first := range n {
			t.Run(fmt.Sprintf("%s at call %d", way.name, first), func(t *testing.T) {
				t.Parallel()
				b := start(t)
				customer, product := b.customer(t), b.mustApply(t, productDoc()).ID
				doc := invoiceDoc(customer, product)
				b.wire.failAt(first, way)
				require.Error(t, b.apply(t, doc).Err)
				b.wire.set(nil)
				r := b.mustApply(t, doc)
				requireOneInvoice(t, b, product)
				require.Equal(t, b.box.Invoices()[0].ID, r.ID)
				require.Equal(t, b.box.Invoices()[0].Number, r.Number)
			})
		}
	}
}

func TestInvoiceSurvivesTwoCrashes(t *testing.T) {
	t.Parallel()
	lost := failures()[0]
	n := steps(t)
	for first := range n {
		t.Run(fmt.Sprint("first at call ", first), func(t *testing.T) {
			t.Parallel()
			for second := range n + 4 { // a later try reads more
				b := start(t)
				customer, product := b.customer(t), b.mustApply(t, productDoc()).ID
				doc := invoiceDoc(customer, product)
				b.wire.failAt(first, lost)
				require.Error(t, b.apply(t, doc).Err)
				b.wire.failAt(second, lost)
				_ = b.apply(t, doc) // may end before the second failure
				b.wire.set(nil)
				b.mustApply(t, doc)
				requireOneInvoice(t, b, product)
			}
		})
	}
}

// A crash, and before the next try the deal has changed: the draft of the
// first content must become the invoice of the second one.
func TestInvoiceChangesBetweenTries(t *testing.T) {
	t.Parallel()
	n := steps(t)
	for at := range n {
		t.Run(fmt.Sprint("at call ", at), func(t *testing.T) {
			t.Parallel()
			b := start(t)
			customer, product := b.customer(t), b.mustApply(t, productDoc()).ID
			b.wire.failAt(at, failures()[0])
			require.Error(t, b.apply(t, invoiceDoc(customer, product)).Err)
			b.wire.set(nil)
			fields := invoiceFields(customer, product)
			fields["description"] = "Bigger deal"
			fields["lines"].([]any)[0].(map[string]any)["quantity"] = json.Number("4")
			delete(fields["lines"].([]any)[0].(map[string]any), "amount")
			changed := document("invoice", invoiceDoc("", "").Record, fields)
			r := b.apply(t, changed)
			all := b.box.Invoices()
			require.Len(t, all, 1)
			require.Equal(t, "open", all[0].Status)
			if at == n-1 { // it was finalized with the first content
				require.True(t, fault.Is(r.Err, fault.Rejected), "%v", r.Err)
				require.Contains(t, fault.As(r.Err).Hint, "void")
				require.EqualValues(t, billTotal, all[0].Total)
				return
			}
			require.NoError(t, r.Err)
			require.EqualValues(t, billTotal+999, all[0].Total)
			require.Len(t, all[0].Lines, 3)
		})
	}
}

// A deal that moves to another company after a crash leaves no draft behind.
func TestInvoiceChangesCustomerBetweenTries(t *testing.T) {
	t.Parallel()
	for at := range steps(t) - 1 {
		b := start(t)
		customer, product := b.customer(t), b.mustApply(t, productDoc()).ID
		other := customerDoc()
		other.Key, other.Record.ID = "spoke-company-13", "13"
		another := b.mustApply(t, other).ID
		b.wire.failAt(at, failures()[0])
		require.Error(t, b.apply(t, invoiceDoc(customer, product)).Err)
		b.wire.set(nil)
		r := b.mustApply(t, invoiceDoc(another, product))
		all := b.box.Invoices()
		require.Len(t, all, 1, "after a crash at call %d", at)
		require.Equal(t, r.ID, all[0].ID)
		require.Equal(t, another, all[0].Customer)
		require.EqualValues(t, billTotal, all[0].Total)
	}
}

// Stripe forgets idempotency keys after a day.
func TestLateTryFindsWhatWasMade(t *testing.T) {
	t.Parallel()
	for _, doc := range []connector.Document{customerDoc(), withoutEmail(customerDoc()), productDoc()} {
		b := start(t)
		b.wire.failAt(0, failures()[0])
		require.Error(t, b.apply(t, doc).Err)
		b.wire.set(nil)
		b.clock.advance(30 * time.Hour)
		b.mustApply(t, doc)
		require.Equal(t, 1, b.box.Counts().Total(doc.Object+" created"))
	}
	b := start(t)
	customer, product := b.customer(t), b.mustApply(t, productDoc()).ID
	doc := invoiceDoc(customer, product)
	b.wire.failAt(3, failures()[0])
	require.Error(t, b.apply(t, doc).Err)
	b.wire.set(nil)
	b.clock.advance(30 * time.Hour)
	b.mustApply(t, doc)
	requireOneInvoice(t, b, product)
}

func withoutEmail(doc connector.Document) connector.Document {
	fields := map[string]any{}
	for k, v := range doc.Fields {
		if k != "email" {
			fields[k] = v
		}
	}
	return document(doc.Object, doc.Record, fields)
}

// storing answers every call of a method and path with 500, again and again
// under the key that got it first, as Stripe does for a failure that it has
// stored. Other keys pass once the first is spent.
func storing(method, path string) func(*http.Request, func() (*http.Response, error)) (*http.Response, error) {
	var mu sync.Mutex
	key := ""
	return func(r *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		k := r.Header.Get("Idempotency-Key")
		if r.Method != method || r.URL.Path != path || (key != "" && k != key) {
			return pass()
		}
		drain(r)
		header := http.Header{}
		if key == k {
			header.Set("Idempotent-Replayed", "true")
		}
		key = k
		return reply(r, 500, header, `{"error":{"type":"api_error","message":"An unknown error occurred"}}`), nil
	}
}

func TestAStoredFailureIsNotRepeatedForADay(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/v1/invoices", "/v1/invoiceitems"} {
		b := start(t)
		customer, product := b.customer(t), b.mustApply(t, productDoc()).ID
		doc := invoiceDoc(customer, product)
		b.wire.set(storing(http.MethodPost, path))
		require.True(t, fault.Is(b.apply(t, doc).Err, fault.Transient))
		b.mustApply(t, doc)
		requireOneInvoice(t, b, product)
	}
	b := start(t)
	b.wire.set(storing(http.MethodPost, "/v1/customers"))
	require.True(t, fault.Is(b.apply(t, customerDoc()).Err, fault.Transient))
	b.mustApply(t, customerDoc())
	require.Equal(t, 1, b.box.Counts().Total("customer created"))
}

// The stored failure may have had its effect before it failed.
func TestAStoredFailureWithAnEffectIsFound(t *testing.T) {
	t.Parallel()
	b := start(t)
	var mu sync.Mutex
	var once string
	b.wire.set(func(r *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method != http.MethodPost || r.URL.Path != "/v1/customers" {
			return pass()
		}
		header := http.Header{}
		if once == "" {
			once = r.Header.Get("Idempotency-Key")
			resp, err := pass()
			if err != nil {
				return nil, err
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		} else {
			drain(r)
			header.Set("Idempotent-Replayed", "true")
		}
		return reply(r, 500, header, `{"error":{"type":"api_error","message":"An unknown error occurred"}}`), nil
	})
	require.Error(t, b.apply(t, customerDoc()).Err)
	b.mustApply(t, customerDoc())
	require.Equal(t, 1, b.box.Counts().Total("customer created"))
}

// A customer that was deleted at Stripe comes back as another one, although
// the idempotency key would still answer with the deleted one.
func TestDeletedCustomerIsMadeAnew(t *testing.T) {
	t.Parallel()
	b := start(t)
	first := b.mustApply(t, customerDoc())
	gone := customerDoc()
	gone.Op, gone.ExternalID = "delete", first.ID
	require.NoError(t, b.apply(t, gone).Err)
	again := customerDoc()
	again.ExternalID = first.ID
	second := b.mustApply(t, again)
	require.NotEqual(t, first.ID, second.ID)
	require.Equal(t, second.ID, b.mustApply(t, customerDoc()).ID)
	require.Equal(t, 2, b.box.Counts().Total("customer created"))
}

// A customer whose content changed while the answer was lost stays one.
func TestCustomerChangesBetweenTries(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.wire.failAt(0, failures()[0])
	require.Error(t, b.apply(t, customerDoc()).Err)
	b.wire.set(nil)
	fields := customerDoc().Fields
	fields["name"], fields["email"] = "Acme Limited", "pay@acme.example"
	r := b.mustApply(t, document("customer", customerDoc().Record, fields))
	require.Equal(t, "updated", string(r.Effect))
	require.Equal(t, 1, b.box.Counts().Total("customer created"))
}

// Should Stripe ever make another amount of a line than it was asked for, the
// invoice is not issued.
func TestAWrongLineIsNeverIssued(t *testing.T) {
	t.Parallel()
	b := startSold(t)
	b.wire.set(func(r *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
		resp, err := pass()
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/invoiceitems" {
			return resp, err
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		_ = resp.Body.Close()
		return reply(r, resp.StatusCode, resp.Header, strings.Replace(string(body), `"amount":2997`, `"amount":2996`, 1)), nil
	})
	r := b.apply(t, invoiceDoc(b.customerID, b.productID))
	require.True(t, fault.Is(r.Err, fault.Rejected), "%v", r.Err)
	require.Equal(t, "lines[0]", fault.As(r.Err).Field)
	require.Zero(t, b.box.Counts().Total("invoice finalized"))
}
