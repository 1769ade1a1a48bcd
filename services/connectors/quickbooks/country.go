package quickbooks

import (
	"cmp"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/spoke-sync/spoke/services/internal/country"
)

// spellings are names of countries that QuickBooks companies use beside those
// that package country knows, with their ISO 3166 codes.
var spellings = map[string]string{"u.s.a.": "US", "u.s.": "US", "england": "GB"}

// iso3 is a country in the form in which QuickBooks gives all of them back,
// whatever was written; "" for what is no country that we know.
func iso3(text string) string {
	text = strings.TrimSpace(text)
	code := cmp.Or(spellings[strings.ToLower(text)], country.Code(text))
	if code == "" && len(text) == 3 {
		code = strings.ToUpper(text)
	}
	r, err := language.ParseRegion(code)
	if err != nil || !r.IsCountry() {
		return ""
	}
	return r.Canonicalize().ISO3()
}

// countryName is the English name of a country that is given by its code, and
// anything else as it is.
func countryName(code string) string {
	if len(code) != 3 {
		return code
	}
	r, err := language.ParseRegion(code)
	if err != nil || !r.IsCountry() {
		return code
	}
	return display.English.Regions().Name(r)
}

// sameCountry reports whether two ways to write a country mean the same one.
func sameCountry(a, b string) bool {
	if strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) {
		return true
	}
	code := iso3(a)
	return code != "" && code == iso3(b)
}
