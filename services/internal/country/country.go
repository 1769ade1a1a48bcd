// Package country knows the ways in which systems write one country, and one
// state of North America.
package country

import (
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// names maps English names in lower case to ISO 3166 codes.
var names = sync.OnceValue(func() map[string]string {
	all := map[string]string{"usa": "US", "united states of america": "US", "uk": "GB", "great britain": "GB"}
	english := display.English.Regions()
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			r, err := language.ParseRegion(code)
			if err != nil || !r.IsCountry() || r.Canonicalize().String() != code {
				continue // no country, or one of the past
			}
			if name := english.Name(r); name != "" {
				all[strings.ToLower(name)] = code
			}
		}
	}
	return all
})

// Code returns the two-letter ISO 3166 code of a country as people write it: a
// code or an English name, whatever its case. It is "" when it can't be told.
func Code(s string) string {
	s = strings.TrimSpace(s)
	if len(s) == 2 {
		code := strings.ToUpper(s)
		if r, err := language.ParseRegion(code); err == nil && r.IsCountry() {
			return r.Canonicalize().String()
		}
	}
	return names()[strings.ToLower(s)]
}

// State returns the two-letter postal code of a state of the United States or
// a province of Canada as people write it. It is "" when it can't be told.
func State(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if code, ok := states()[s]; ok {
		return code
	}
	if code := strings.ToUpper(s); codes()[code] {
		return code
	}
	return ""
}

var states = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	for pair := range strings.SplitSeq(stateNames, ",") {
		code, name, _ := strings.Cut(strings.TrimSpace(pair), " ")
		all[strings.ToLower(name)] = code
	}
	return all
})

var codes = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for _, code := range states() {
		all[code] = true
	}
	return all
})

const stateNames = `AL Alabama, AK Alaska, AZ Arizona, AR Arkansas, CA California, CO Colorado, CT Connecticut,
	DE Delaware, DC District of Columbia, FL Florida, GA Georgia, HI Hawaii, ID Idaho, IL Illinois, IN Indiana,
	IA Iowa, KS Kansas, KY Kentucky, LA Louisiana, ME Maine, MD Maryland, MA Massachusetts, MI Michigan,
	MN Minnesota, MS Mississippi, MO Missouri, MT Montana, NE Nebraska, NV Nevada, NH New Hampshire,
	NJ New Jersey, NM New Mexico, NY New York, NC North Carolina, ND North Dakota, OH Ohio, OK Oklahoma,
	OR Oregon, PA Pennsylvania, PR Puerto Rico, RI Rhode Island, SC South Carolina, SD South Dakota,
	TN Tennessee, TX Texas, UT Utah, VT Vermont, VA Virginia, WA Washington, WV West Virginia,
	WI Wisconsin, WY Wyoming, AB Alberta, BC British Columbia, MB Manitoba, NB New Brunswick,
	NL Newfoundland and Labrador, NS Nova Scotia, NT Northwest Territories, NU Nunavut, ON Ontario,
	PE Prince Edward Island, QC Quebec, SK Saskatchewan, YT Yukon`
