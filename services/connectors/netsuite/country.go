package netsuite

import (
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// countryNames maps English names in lower case to ISO 3166 codes.
var countryNames = sync.OnceValue(func() map[string]string {
	all := map[string]string{"usa": "US", "united states of america": "US", "uk": "GB", "great britain": "GB"}
	names := display.English.Regions()
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			r, err := language.ParseRegion(code)
			if err != nil || !r.IsCountry() || r.Canonicalize().String() != code {
				continue // no country, or one of the past
			}
			if name := names.Name(r); name != "" {
				all[strings.ToLower(name)] = code
			}
		}
	}
	return all
})

// countryCode returns the two-letter code that NetSuite wants for a country
// as people write it, or "" when it can't be told: an address without country
// is better than a customer that is refused for it.
func countryCode(s string) string {
	s = strings.TrimSpace(s)
	if len(s) == 2 {
		code := strings.ToUpper(s)
		if r, err := language.ParseRegion(code); err == nil && r.IsCountry() {
			return r.Canonicalize().String()
		}
	}
	return countryNames()[strings.ToLower(s)]
}
