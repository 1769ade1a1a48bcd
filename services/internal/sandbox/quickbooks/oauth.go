package quickbooksbox

import (
	"crypto/rand"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// DefaultRefreshLife and DefaultHardLife are what Intuit tells about a refresh
// token: about 100 days after its last use, five years in all.
const (
	DefaultRefreshLife = 8_726_400 * time.Second
	DefaultHardLife    = 157_680_000 * time.Second
)

// codeLife is how long the code of a consent can be traded for tokens.
const codeLife = 10 * time.Minute

// maxForm bounds a token request.
const maxForm = 1 << 16

// scope is the only one that there is.
const scope = "com.intuit.quickbooks.accounting"

// consent is what a code stands for.
type consent struct {
	Redirect string    `json:"redirect"`
	Until    time.Time `json:"until"`
}

// page is where a person connects a company.
var page = template.Must(template.New("connect").Parse(`<!DOCTYPE html>
<title>Connect to QuickBooks (sandbox)</title>
<h1>Spoke wants to reach Sandbox Company {{.Realm}}</h1>
<form method="post" action="?{{.Query}}">
<button name="decision" value="connect">Connect</button>
<button name="decision" value="cancel">No, cancel</button>
</form>
`))

// askConsent checks a request for consent and returns where it leads back to.
func (b *Box) askConsent(w http.ResponseWriter, r *http.Request) (*url.URL, bool) {
	q := r.URL.Query()
	redirect, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case q.Get("client_id") != b.opts.ClientID:
		http.Error(w, "the client_id is not known", http.StatusBadRequest)
	case err != nil || redirect.Host == "":
		http.Error(w, "the redirect_uri is not among those of the app", http.StatusBadRequest)
	case q.Get("response_type") != "code" || q.Get("scope") != scope || q.Get("state") == "":
		http.Error(w, "response_type, scope or state is missing or wrong", http.StatusBadRequest)
	default:
		return redirect, true
	}
	return nil, false
}

// serveConsent shows the page.
func (b *Box) serveConsent(w http.ResponseWriter, r *http.Request) {
	if _, ok := b.askConsent(w, r); !ok {
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, struct{ Realm, Query string }{b.opts.RealmID, r.URL.RawQuery})
}

// serveDecision sends the browser back with a code, or without.
func (b *Box) serveDecision(w http.ResponseWriter, r *http.Request) {
	redirect, ok := b.askConsent(w, r)
	if !ok {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	state := r.URL.Query().Get("state")
	answer := url.Values{"state": {state}, "error": {"access_denied"}}
	if r.PostFormValue("decision") == "connect" {
		code := "box-code-" + rand.Text()
		b.mu.Lock()
		b.state.Codes[code] = consent{redirect.String(), b.opts.Now().Add(codeLife)}
		b.save()
		b.mu.Unlock()
		answer = url.Values{"state": {state}, "code": {code}, "realmId": {b.opts.RealmID}}
	}
	redirect.RawQuery = answer.Encode()
	http.Redirect(w, r, redirect.String(), http.StatusFound)
}

// serveToken gives tokens for a refresh token or for the code of a consent.
func (b *Box) serveToken(w http.ResponseWriter, r *http.Request) {
	id, secret, ok := r.BasicAuth()
	if !ok || id != b.opts.ClientID || secret != b.opts.ClientSecret {
		writeOAuth(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		writeOAuth(w, http.StatusBadRequest, "invalid_request")
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch r.PostForm.Get("grant_type") {
	case "refresh_token":
		ok = b.renew(r.PostForm.Get("refresh_token"))
	case "authorization_code":
		ok = b.redeem(r.PostForm.Get("code"), r.PostForm.Get("redirect_uri"))
	default:
		writeOAuth(w, http.StatusBadRequest, "unsupported_grant_type")
		return
	}
	if !ok {
		writeOAuth(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	access := "box-access-" + rand.Text()
	now := b.opts.Now()
	b.state.Access[access] = now.Add(b.opts.AccessLife)
	b.state.RefreshUntil = now.Add(b.opts.RefreshLife)
	b.save()
	answer := map[string]any{
		"token_type": "bearer", "access_token": access, "expires_in": int64(b.opts.AccessLife.Seconds()),
		"refresh_token": b.state.Refresh, "x_refresh_token_expires_in": int64(b.opts.RefreshLife.Seconds()),
	}
	if r.Header.Get("X-Include-Refresh-Token-Hard-Expires-In") == "true" {
		answer["x_refresh_token_hard_expires_in"] = int64(b.state.HardUntil.Sub(now).Seconds())
	}
	sandbox.JSON(w, http.StatusOK, answer)
}

// renew takes a refresh token. A new one comes with each renewal; the old one
// ends when the new one is used.
func (b *Box) renew(used string) bool {
	now := b.opts.Now()
	ended := !b.state.RefreshUntil.IsZero() && now.After(b.state.RefreshUntil) || now.After(b.state.HardUntil)
	switch {
	case used == "" || ended:
		return false
	case used == b.state.Refresh:
		b.state.OldRefresh = ""
	case used != b.state.OldRefresh:
		return false
	}
	if !b.opts.KeepRefresh {
		b.state.OldRefresh, b.state.Refresh = used, "box-refresh-"+rand.Text()
	}
	return true
}

// redeem takes the code of a consent, once. The tokens of before end.
func (b *Box) redeem(code, redirect string) bool {
	c, ok := b.state.Codes[code]
	delete(b.state.Codes, code)
	if !ok || c.Redirect != redirect || b.opts.Now().After(c.Until) {
		return false
	}
	clear(b.state.Access)
	b.state.Refresh, b.state.OldRefresh = "box-refresh-"+rand.Text(), ""
	b.state.HardUntil = b.opts.Now().Add(b.opts.HardLife)
	return true
}

// serveRevoke ends the consent that a token belongs to.
func (b *Box) serveRevoke(w http.ResponseWriter, r *http.Request) {
	id, secret, ok := r.BasicAuth()
	if !ok || id != b.opts.ClientID || secret != b.opts.ClientSecret {
		writeOAuth(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	var in struct {
		Token string `json:"token"`
	}
	raw, err := readBody(r)
	if err != nil || decode(raw, &in) != nil || in.Token == "" {
		writeOAuth(w, http.StatusBadRequest, "invalid_request")
		return
	}
	b.mu.Lock()
	_, access := b.state.Access[in.Token]
	known := access || in.Token == b.state.Refresh || in.Token == b.state.OldRefresh
	b.mu.Unlock()
	if !known {
		writeOAuth(w, http.StatusBadRequest, "invalid_request")
		return
	}
	b.Disconnect("")
	w.WriteHeader(http.StatusOK)
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

// ExpireAccess ends every access token.
func (b *Box) ExpireAccess() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.state.Access)
}

// Disconnect ends every token, as a user does who disconnects the app. The
// refresh token given, if any, is what connecting again gets.
func (b *Box) Disconnect(refresh string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.state.Access)
	b.state.Refresh, b.state.OldRefresh = refresh, ""
	b.save()
}
