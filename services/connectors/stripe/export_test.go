package stripe

import (
	"net/http"

	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

// What the money table tests.
var (
	ToMinor        = toMinor
	ToMinorDecimal = toMinorDecimal
	FromMinor      = fromMinor
	CountryCode    = countryCode
)

// Problem makes a fault of an answer that is no success.
func Problem(status int, header http.Header, body []byte) *fault.Error {
	return problem(rest.Request{Op: "stripe: test"}, &rest.Response{Status: status, Header: header, Body: body})
}
