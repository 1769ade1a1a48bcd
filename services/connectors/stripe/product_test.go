package stripe_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/connectors/stripe"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// post makes a call as a person in Stripe's dashboard would cause it.
func (b *bundle) post(t testing.TB, path, form string) string {
	t.Helper()
	return b.byHand(t, http.MethodPost, path, form)
}

// byHand makes any call and returns the id in the answer.
func (b *bundle) byHand(t testing.TB, method, path, form string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(form))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Stripe-Version", stripe.Version)
	resp, err := b.wire.real.RoundTrip(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
	var made struct {
		ID string `json:"id"`
	}
	require.NoError(t, json.Unmarshal(body, &made))
	return made.ID
}

func (b *bundle) voidByHand(t testing.TB, id string) {
	t.Helper()
	b.post(t, "/v1/invoices/"+id+"/void", "")
}

func productAt(amount string) connector.Document {
	doc := productDoc()
	return document(doc.Object, doc.Record, map[string]any{"name": "Widget", "price": money(amount, "EUR")})
}

// price reads the list price.
func (b *bundle) price(t testing.TB, id string) string {
	t.Helper()
	changes, err := b.Reader.Read(t.Context(), "product", []string{id})
	require.NoError(t, err)
	return changes[0].Fields.Money("price").String()
}

// activePrices returns the ids of prices that can be sold by.
func (b *bundle) activePrices(t testing.TB) int {
	t.Helper()
	n := 0
	for _, p := range b.objects(t)["price"].(map[string]any) {
		if p.(map[string]any)["active"] == true {
			n++
		}
	}
	return n
}

func TestProductPrice(t *testing.T) {
	t.Parallel()
	b := start(t)
	r := b.mustApply(t, productAt("9.99"))
	require.Equal(t, events.EffectCreated, r.Effect)
	require.Equal(t, "spoke-product-5", r.ID)
	require.Equal(t, "9.99 EUR", r.Seen.Money("price").String())
	for _, amount := range []string{"10", "9.99", "0.0125", "9.99"} { // back to an earlier one, too
		doc := productAt(amount)
		doc.ExternalID = r.ID
		require.Equal(t, events.EffectUpdated, b.mustApply(t, doc).Effect)
		want, err := events.NewMoney(amount, "EUR")
		require.NoError(t, err)
		changes, err := b.Reader.Read(t.Context(), "product", []string{r.ID})
		require.NoError(t, err)
		require.True(t, changes[0].Fields.Money("price").Equal(want))
		require.Equal(t, 1, b.activePrices(t))
		require.Equal(t, events.EffectUnchanged, b.mustApply(t, doc).Effect)
	}
	require.Equal(t, 5, b.box.Counts().Total("price created"))
}

func TestProductSurvivesACrashAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, way := range failures() {
		for at := range 8 {
			b := start(t)
			b.mustApply(t, productAt("9.99"))
			b.wire.failAt(at, way)
			_ = b.apply(t, productAt("12")) // has fewer calls than 8
			b.wire.set(nil)
			r := b.mustApply(t, productAt("12"))
			require.Equal(t, "12.00 EUR", b.price(t, r.ID), "%s at call %d", way.name, at)
			require.Equal(t, 1, b.activePrices(t), "%s at call %d", way.name, at)
			require.Equal(t, 1, b.box.Counts().Total("product created"))
			require.Equal(t, 2, b.box.Counts().Total("price created"), "%s at call %d", way.name, at)
		}
	}
}

func TestProductVoidAndDelete(t *testing.T) {
	t.Parallel()
	b := start(t)
	doc := productAt("9.99")
	b.mustApply(t, doc)
	doc.Op = events.DesiredDelete
	r := b.apply(t, doc)
	require.True(t, fault.Is(r.Err, fault.Rejected))
	require.Contains(t, fault.As(r.Err).Hint, "void")
	doc.Op = events.DesiredVoid
	require.Equal(t, events.EffectVoided, b.mustApply(t, doc).Effect)
	require.Equal(t, events.EffectUnchanged, b.mustApply(t, doc).Effect)

	plain := document("product", events.Key{Entity: events.EntityProduct, ID: "6"}, map[string]any{"name": "Free"})
	b.mustApply(t, plain)
	plain.Op = events.DesiredDelete
	require.Equal(t, events.EffectDeleted, b.mustApply(t, plain).Effect)
	require.Equal(t, events.EffectUnchanged, b.mustApply(t, plain).Effect)
	// Deleted by hand, it comes back under its key.
	plain.Op, plain.ExternalID = events.DesiredUpsert, "spoke-product-6"
	require.Equal(t, events.EffectCreated, b.mustApply(t, plain).Effect)
}

func TestProductPriceIsRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, price := range []map[string]any{money("5", "UGX"), money("-5", "EUR"), {"amount": "5"}} {
		doc := productDoc()
		doc.Fields["price"] = price
		r := b.apply(t, doc)
		require.True(t, fault.Is(r.Err, fault.Rejected), "%v", r.Err)
		require.Equal(t, "price", fault.As(r.Err).Field)
	}
	require.Zero(t, b.box.Counts().Total("product created"))
}
