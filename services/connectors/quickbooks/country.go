package quickbooks

import (
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// countries maps the English names of countries, in lower case, to their ISO
// 3166 codes with three letters.
var countries = sync.OnceValue(func() map[string]string {
	all := map[string]string{
		"united states of america": "USA", "u.s.a.": "USA", "u.s.": "USA", "uk": "GBR", "great britain": "GBR", "england": "GBR",
	}
	names := display.English.Regions()
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			r, err := language.ParseRegion(string([]rune{a, b}))
			// Codes of states that are no more stand for their successors.
			if err != nil || !r.IsCountry() || r.Canonicalize() != r {
				continue
			}
			if name := names.Name(r); name != "" {
				all[strings.ToLower(name)] = r.ISO3()
			}
		}
	}
	return all
})

// iso3 is a country in the form in which QuickBooks gives all of them back,
// whatever was written; "" for what is no country that we know.
func iso3(country string) string {
	country = strings.TrimSpace(country)
	if code, ok := countries()[strings.ToLower(country)]; ok {
		return code
	}
	if len(country) == 2 || len(country) == 3 {
		if r, err := language.ParseRegion(strings.ToUpper(country)); err == nil && r.IsCountry() {
			return r.Canonicalize().ISO3()
		}
	}
	return ""
}

// countryName is the English name of a country that is given by its code, and
// anything else as it is.
func countryName(country string) string {
	if len(country) != 3 {
		return country
	}
	r, err := language.ParseRegion(country)
	if err != nil || !r.IsCountry() {
		return country
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
