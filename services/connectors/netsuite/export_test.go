package netsuite

// ParseProblem and CountryCode are tested from outside.
var (
	ParseProblem = parseProblem
	CountryCode  = countryCode
)

// Text and Path let tests see what of a problem reaches people.
func (p problem) Texts() []string { return []string{p.Text, p.Path, p.Code} }
