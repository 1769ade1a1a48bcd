package quickbooks

import (
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/oauth"
)

// How long before its end a refresh token is complained about. It is renewed
// with every access token, so that only a company that nothing was written to
// for long comes near the first; the second can't be renewed.
const (
	refreshNotice = 14 * 24 * time.Hour
	hardNotice    = 30 * 24 * time.Hour
)

// ending returns the alert about credentials that end soon, or false.
func ending(c oauth.Credentials, now time.Time, connection string) (events.Alert, bool) {
	hard := !c.HardUntil.IsZero() && c.HardUntil.Sub(now) < hardNotice
	if !hard && (c.RefreshUntil.IsZero() || c.RefreshUntil.Sub(now) >= refreshNotice) {
		return events.Alert{}, false
	}
	until := c.RefreshUntil
	if hard {
		until = c.HardUntil
	}
	return events.Alert{
		Severity: "warning", Kind: "credentials",
		Message: "quickbooks: Intuit ends the connection to the company on " + until.UTC().Format(time.DateOnly),
		Hint:    "before that day " + reconnect(connection),
	}, true
}

// reconnect is the remedy for credentials that are no good.
func reconnect(connection string) string {
	return "run: spoke connect " + connection
}

// newTokens keeps the company's tokens.
func newTokens(s *Settings, deps connector.Deps) *oauth.Source {
	return oauth.New(oauth.Options{
		Op: opToken, Refresh: newGranter(s, deps).refresh, Configured: s.RefreshToken.Reveal(), Reconnect: reconnect(deps.Connection),
		Ending: func(c oauth.Credentials, now time.Time) (events.Alert, bool) { return ending(c, now, deps.Connection) },
	}, deps)
}
