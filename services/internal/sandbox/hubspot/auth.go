package hubspotbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// mayCall reports whether a call carries the static token or an access token
// that has not ended.
func (b *Box) mayCall(r *http.Request) bool {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	b.mu.Lock()
	defer b.mu.Unlock()
	if token == b.opts.Token {
		return !b.revoked
	}
	until, ok := b.tokens[token]
	return ok && b.opts.Now().Before(until)
}

// Revoke refuses every token and grant that was given out, as when the app is
// uninstalled.
func (b *Box) Revoke() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.revoked, b.tokens = true, nil
}

// ExpireTokens ends the access tokens, as time does.
func (b *Box) ExpireTokens() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = nil
}

// serveToken gives out access tokens for a refresh token or for the app's own
// credentials. It takes its parameters from the form alone.
func (b *Box) serveToken(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.PathValue("version") == "v1" {
		b.refuseGrant(w, "BAD_REQUEST", "invalid_request")
		return
	}
	f := r.PostForm
	if f.Get("client_id") != b.opts.ClientID || f.Get("client_secret") != b.opts.ClientSecret {
		b.refuseGrant(w, "BAD_CLIENT_ID", "invalid_client")
		return
	}
	b.mu.Lock()
	revoked := b.revoked
	b.mu.Unlock()
	answer := map[string]any{"token_type": "bearer", "expires_in": int(b.opts.TokenLife.Seconds())}
	switch grant := f.Get("grant_type"); {
	case grant == "refresh_token" && f.Get("refresh_token") == b.opts.RefreshToken && !revoked:
		answer["refresh_token"], answer["hub_id"] = b.opts.RefreshToken, b.opts.PortalID
		answer["scopes"] = []string{"oauth", "crm.objects.deals.read"}
	case grant == "client_credentials" && !revoked:
		answer["scopes"] = strings.Fields(f.Get("scope"))
	default:
		b.refuseGrant(w, "BAD_REFRESH_TOKEN", "invalid_grant")
		return
	}
	b.mu.Lock()
	b.grants++
	token := fmt.Sprintf("at-%06d-hubspot-box", b.grants)
	if b.tokens == nil {
		b.tokens = map[string]time.Time{}
	}
	b.tokens[token] = b.opts.Now().Add(b.opts.TokenLife)
	b.mu.Unlock()
	answer["access_token"] = token
	sandbox.JSON(w, http.StatusOK, answer)
}

func (b *Box) refuseGrant(w http.ResponseWriter, status, code string) {
	sandbox.JSON(w, http.StatusBadRequest, map[string]any{
		"status": status, "error": code, "error_description": "the grant is not accepted", "message": "the grant is not accepted",
		"correlationId": b.correlationID(),
	})
}

// allowed answers 403 where the token lacks a scope.
func (b *Box) allowed(w http.ResponseWriter, scope string) bool {
	if b.opts.Scopes == nil || slices.Contains(b.opts.Scopes, scope) {
		return true
	}
	b.fail(w, http.StatusForbidden, problem{
		Category: "MISSING_SCOPES", Message: "This app hasn't been granted all required scopes to make this call.",
		Errors: []detail{{
			Message: "One or more of the following scopes are required.",
			Context: map[string][]string{"requiredGranularScopes": {scope}},
		}},
	})
	return false
}
