package quickbooks_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/quickbooks"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

func TestSettingsReportEveryProblem(t *testing.T) {
	t.Parallel()
	s := quickbooks.DefaultSettings()
	s.URL, s.RealmID, s.HomeCurrency = "quickbooks.api.intuit.com", "12a", "dollars"
	s.Tax.USAutomated = false
	s.VerifierTokens = append(s.VerifierTokens, secretOf(""))
	_, err := quickbooks.Open(s, connector.Deps{})
	for _, want := range []string{
		"realm_id", "client_id", "client_secret", "verifier_tokens[0]", " url:", "home_currency", "tax.default_tax_code",
	} {
		require.ErrorContains(t, err, want)
	}
	s = quickbooks.DefaultSettings()
	s.Tax.DefaultTaxCode = "5"
	require.ErrorContains(t, s.Validate(), "TAX or NON")
	s.Refunds, s.DepositAccount = &quickbooks.Refunds{As: "Bill"}, ""
	for _, want := range []string{"refunds.as", "refunds.item", "refund_account"} {
		require.ErrorContains(t, s.Validate(), want)
	}
	_, err = quickbooks.Kind().Open("text", connector.Deps{})
	require.Error(t, err)
}
