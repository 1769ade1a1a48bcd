package quickbooksbox

import (
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// refreshLife and hardLife are what Intuit tells about a refresh token, in
// seconds: about 100 days after its last use, five years in all.
const (
	refreshLife = 8_726_400
	hardLife    = 157_680_000
)

// maxForm bounds a token request.
const maxForm = 1 << 16

// serveToken renews an access token. A new refresh token comes with it; the
// old one ends when the new one is used.
func (b *Box) serveToken(w http.ResponseWriter, r *http.Request) {
	id, secret, ok := r.BasicAuth()
	if !ok || id != b.opts.ClientID || secret != b.opts.ClientSecret {
		writeOAuth(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") != "refresh_token" {
		writeOAuth(w, http.StatusBadRequest, "unsupported_grant_type")
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	used := r.PostForm.Get("refresh_token")
	switch used {
	case b.state.Refresh:
		b.state.OldRefresh = ""
	case b.state.OldRefresh:
		if used == "" {
			writeOAuth(w, http.StatusBadRequest, "invalid_grant")
			return
		}
	default:
		writeOAuth(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	if !b.opts.KeepRefresh {
		b.state.OldRefresh, b.state.Refresh = used, "box-refresh-"+rand.Text()
	}
	access := "box-access-" + rand.Text()
	b.state.Access[access] = b.opts.Now().Add(b.opts.AccessLife)
	b.save()
	sandbox.JSON(w, http.StatusOK, map[string]any{
		"token_type": "bearer", "access_token": access, "expires_in": int64(b.opts.AccessLife.Seconds()),
		"refresh_token": b.state.Refresh, "x_refresh_token_expires_in": refreshLife, "x_refresh_token_hard_expires_in": hardLife,
	})
}

func writeOAuth(w http.ResponseWriter, status int, code string) {
	sandbox.JSON(w, status, map[string]string{"error": code, "error_description": "refused by the sandbox"})
}

func (b *Box) authorized(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	until, known := b.state.Access[token]
	return known && b.opts.Now().Before(until)
}

// RefreshToken returns the newest refresh token.
func (b *Box) RefreshToken() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state.Refresh
}

// Disconnect ends every token, as a user does who disconnects the app. The
// refresh token given is what connecting again gets.
func (b *Box) Disconnect(refresh string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.state.Access)
	b.state.Refresh, b.state.OldRefresh = refresh, ""
	b.save()
}
