package country_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/country"
)

func TestCode(t *testing.T) {
	t.Parallel()
	for text, code := range map[string]string{
		"US": "US", "us": "US", " United States ": "US", "usa": "US", "United States of America": "US", "UK": "GB", "great britain": "GB",
		"Germany": "DE", "germany": "DE", "Atlantis": "", "": "", "XX": "", "DEU": "",
	} {
		require.Equal(t, code, country.Code(text), text)
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	for text, code := range map[string]string{
		"California": "CA", " california ": "CA", "ca": "CA", "CA": "CA", "Quebec": "QC", "District of Columbia": "DC", "Bayern": "", "": "", "ZZ": "",
	} {
		require.Equal(t, code, country.State(text), text)
	}
}
