package match_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/match"
)

func TestNormal(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ field, value, want string }{
		{"email", `"  Ann@Acme.Example "`, "ann@acme.example"},
		{"email", `"nobody"`, ""},
		{"email", `"@acme.example"`, ""},
		{"domain", `"https://www.Acme.example/about?x"`, "acme.example"},
		{"domain", `"acme.example."`, "acme.example"},
		{"domain", `"Gmail.com"`, ""},
		{"domain", `"www.gmail.com"`, ""},
		{"domain", `"acme"`, ""},
		{"taxId", `"DE 123-456.789"`, "123456789"},
		{"taxId", `"123456789"`, "123456789"},
		{"taxId", `"n/a"`, ""},
		{"taxId", `"000000000"`, ""},
		{"taxId", `"12345"`, ""},
		{"sku", `" CH-1  a "`, "ch-1 a"},
		{"custom.erp", `42`, "42"},
		{"custom.erp", `[1]`, ""},
		{"custom.erp", `null`, ""},
		{"custom.erp", ``, ""},
	} {
		require.Equal(t, tc.want, match.Normal(tc.field, json.RawMessage(tc.value)), "%s %s", tc.field, tc.value)
	}
}

// TestNormalIsStable: a normal form is its own normal form.
func TestNormalIsStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		field := rapid.SampledFrom([]string{"email", "domain", "taxId", "phone", "sku"}).Draw(t, "field")
		raw, err := json.Marshal(rapid.String().Draw(t, "value"))
		if err != nil {
			t.Fatal(err)
		}
		once := match.Normal(field, raw)
		again, err := json.Marshal(once)
		if err != nil {
			t.Fatal(err)
		}
		if twice := match.Normal(field, again); twice != once && field != "domain" {
			t.Fatalf("%q becomes %q", once, twice)
		}
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	require.Empty(t, match.Default().Check())
	require.Equal(t, []string{
		"match.compny: no such entity",
		`match.deal: deal has no field "nam" (a custom one is written custom.<name>)`,
		"match.deal: amount can't be indexed: want a field with a text that names the deal, such as an email or a number",
		"match.deal: lines can't be indexed: want a field with a text that names the deal, such as an email or a number",
		"match.deal: closeDate can't be indexed: want a field with a text that names the deal, such as an email or a number",
		"match.deal: name stands there twice",
	}, match.Rules{"compny": {"x"}, events.EntityDeal: {"nam", "amount", "lines", "closeDate", "name", "name", "custom.po"}}.Check())
}

func TestOver(t *testing.T) {
	t.Parallel()
	r := match.Rules{events.EntityCompany: {}, events.EntityDeal: {"custom.po"}}.Over(match.Default())
	require.Empty(t, r[events.EntityCompany])
	require.Equal(t, []string{"sku"}, r[events.EntityProduct])
	require.Equal(t, []string{"custom.po"}, r[events.EntityDeal])
}
