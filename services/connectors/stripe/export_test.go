package stripe

// What the money table tests.
var (
	ToMinor        = toMinor
	ToMinorDecimal = toMinorDecimal
	FromMinor      = fromMinor
	CountryCode    = countryCode
)
