package quickbooks

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// credentials are what the store keeps of one connection, for all replicas:
// one of them asks for an access token, and all of them use it.
type credentials struct {
	Refresh string `json:"refresh,omitempty"`
	// RefreshUntil is when the refresh token ends unless it is used, HardUntil
	// when the connection ends whatever is done: Intuit ends every consent five
	// years after it was given. Zero where Intuit did not say.
	RefreshUntil time.Time `json:"refreshUntil,omitzero"`
	HardUntil    time.Time `json:"hardUntil,omitzero"`
	Access       string    `json:"access,omitempty"`
	// Until is when the access token is no longer used.
	Until time.Time `json:"until,omitzero"`
	// Claim is set while one replica asks for the next tokens.
	Claim claim `json:"claim,omitzero"`
}

// claim is the right of one replica to use the refresh token. It runs out, so
// that a replica that died with it stops nobody.
type claim struct {
	By    string    `json:"by"`
	Until time.Time `json:"until"`
}

// parseCredentials reads what the store holds. A bare refresh token is what
// earlier versions kept.
func parseCredentials(text string) (credentials, error) {
	if !strings.HasPrefix(text, "{") {
		return credentials{Refresh: text}, nil
	}
	var c credentials
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		// The decoder's own words could repeat a token.
		return credentials{}, fault.New(fault.Internal, opToken, "the stored credentials can't be read")
	}
	return c, nil
}

func loadCredentials(ctx context.Context, store connector.TokenStore) (credentials, uint64, error) {
	text, rev, err := store.Load(ctx)
	if err != nil {
		return credentials{}, 0, fault.New(fault.Transient, opToken, "load the credentials: %w", err)
	}
	c, err := parseCredentials(text)
	return c, rev, err
}

func saveCredentials(ctx context.Context, store connector.TokenStore, c credentials, rev uint64) (uint64, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return 0, err
	}
	return store.Save(ctx, string(text), rev)
}

// How long before its end a refresh token is complained about. It is renewed
// with every access token, so that only a company that nothing was written to
// for long comes near the first; the second can't be renewed.
const (
	refreshNotice = 14 * 24 * time.Hour
	hardNotice    = 30 * 24 * time.Hour
	noticeEvery   = 24 * time.Hour
)

// ending returns the alert about credentials that end soon, or false.
func (c credentials) ending(now time.Time, connection string) (events.Alert, bool) {
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
