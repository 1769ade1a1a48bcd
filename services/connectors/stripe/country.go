package stripe

import (
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
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
	return countryNamed(name)
}

// countryNamed goes through the English names of all countries. It is called
// once for a customer's write, beside which it costs nothing.
func countryNamed(name string) (string, bool) {
	names := display.English.Regions()
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			r, err := language.ParseRegion(string([]rune{a, b}))
			// Codes of states that are no more stand for their successors.
			if err != nil || !r.IsCountry() || r.Canonicalize() != r {
				continue
			}
			if strings.EqualFold(names.Name(r), name) {
				return r.String(), true
			}
		}
	}
	return "", false
}
