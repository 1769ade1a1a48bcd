package stripe

import (
	"strings"

	"golang.org/x/text/language"

	"github.com/spoke-sync/spoke/services/internal/country"
)

// countryCode returns the two-letter code of a country, which is all that
// Stripe takes. Sources write "Germany", "DEU" or "DE". ok is false for a
// name that is not known.
func countryCode(name string) (code string, ok bool) {
	name = strings.TrimSpace(name)
	switch strings.ToLower(strings.ReplaceAll(name, ".", "")) {
	case "":
		return "", false
	case "uk", "great britain", "england", "scotland", "wales", "northern ireland":
		return "GB", true
	case "usa", "united states of america":
		return "US", true
	case "czech republic":
		return "CZ", true
	case "holland", "the netherlands":
		return "NL", true
	case "turkey":
		return "TR", true
	case "south korea", "korea":
		return "KR", true
	}
	if len(name) == 2 || len(name) == 3 {
		r, err := language.ParseRegion(name)
		if err == nil && r.IsCountry() {
			return r.Canonicalize().String(), true
		}
	}
	code = country.Code(name)
	return code, code != ""
}
