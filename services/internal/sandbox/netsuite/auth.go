package netsuitebox

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

const (
	tokenPath     = restRoot + "/auth/oauth2/v1/token"
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// maxAssertion is the life that NetSuite allows an assertion, exclusive.
	maxAssertion = time.Hour
	// maxSkew is how far a caller's clock may be off.
	maxSkew = 5 * time.Minute
)

// auth is who may call.
type auth struct {
	clients map[string]registered // by certificate id
	tokens  map[string]time.Time  // access tokens and their end
	tba     map[string]Token      // by token id
	nonces  map[string]bool
}

// registered is a client with the public key of one certificate.
type registered struct {
	client string
	key    crypto.PublicKey
}

func newAuth() auth {
	return auth{
		clients: map[string]registered{}, tokens: map[string]time.Time{},
		tba: map[string]Token{}, nonces: map[string]bool{},
	}
}

// RegisterClient maps a certificate to a client, as an administrator does
// under OAuth 2.0 Client Credentials Setup. The key is *rsa.PublicKey or
// *ecdsa.PublicKey.
func (b *Box) RegisterClient(clientID, certificateID string, key crypto.PublicKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.auth.clients[certificateID] = registered{client: clientID, key: key}
}

// ExpireTokens ends all access tokens, as a refresh of the account does.
func (b *Box) ExpireTokens() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.auth.tokens)
}

func (b *Box) serveToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if r.ParseForm() != nil || r.PostForm.Get("grant_type") != "client_credentials" || r.PostForm.Get("client_assertion_type") != assertionType {
		denyToken(w, http.StatusBadRequest, "invalid_request")
		return
	}
	audience := "https://" + r.Host + tokenPath
	if r.TLS == nil {
		audience = "http://" + r.Host + tokenPath
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if code := b.checkAssertion(r.PostForm.Get("client_assertion"), audience); code != "" {
		denyToken(w, http.StatusUnauthorized, code)
		return
	}
	token := rand.Text()
	b.auth.tokens[token] = b.opts.Now().Add(b.opts.TokenLife)
	sandbox.JSON(w, http.StatusOK, map[string]any{
		"access_token": token, "expires_in": int(b.opts.TokenLife.Seconds()), "token_type": "bearer",
	})
}

func denyToken(w http.ResponseWriter, status int, code string) {
	sandbox.JSON(w, status, map[string]string{"error": code, "error_description": "The token request was refused."})
}

// checkAssertion verifies a JWT and returns the OAuth error code, or "".
func (b *Box) checkAssertion(jwt, audience string) string {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return "invalid_request"
	}
	var head struct{ Typ, Alg, Kid string }
	var claims struct {
		Iss   string `json:"iss"`
		Aud   string `json:"aud"`
		Iat   int64  `json:"iat"`
		Exp   int64  `json:"exp"`
		Scope any    `json:"scope"`
	}
	if !decodePart(parts[0], &head) || !decodePart(parts[1], &claims) {
		return "invalid_request"
	}
	reg, ok := b.auth.clients[head.Kid]
	if !ok || head.Typ != "JWT" || reg.client != claims.Iss {
		return "invalid_client"
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !verified(reg.key, head.Alg, parts[0]+"."+parts[1], signature) {
		return "invalid_client"
	}
	now, iat, exp := b.opts.Now(), time.Unix(claims.Iat, 0), time.Unix(claims.Exp, 0)
	if claims.Aud != audience || !scoped(claims.Scope) || exp.Sub(iat) >= maxAssertion ||
		iat.After(now.Add(maxSkew)) || !exp.After(now) {
		return "invalid_grant"
	}
	return ""
}

func decodePart(part string, v any) bool {
	text, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(text, v) == nil
}

// scoped reports whether the scopes, a list or a text with commas, allow the
// record services.
func scoped(scope any) bool {
	switch x := scope.(type) {
	case string:
		return strings.Contains(","+strings.ReplaceAll(x, " ", "")+",", ",rest_webservices,")
	case []any:
		for _, s := range x {
			if s == "rest_webservices" {
				return true
			}
		}
	}
	return false
}

func verified(key crypto.PublicKey, alg, text string, signature []byte) bool {
	sum := sha256.Sum256([]byte(text))
	switch k := key.(type) {
	case *rsa.PublicKey:
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
		return alg == "PS256" && rsa.VerifyPSS(k, crypto.SHA256, sum[:], signature, options) == nil
	case *ecdsa.PublicKey:
		if alg != "ES256" || len(signature) != 64 {
			return false
		}
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return ecdsa.Verify(k, sum[:], r, s)
	default:
		return false
	}
}

// authentic checks the credentials of one call.
func (b *Box) authentic(r *http.Request) bool {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	b.mu.Lock()
	defer b.mu.Unlock()
	switch scheme {
	case "Bearer":
		end, ok := b.auth.tokens[rest]
		return ok && b.opts.Now().Before(end)
	case "OAuth":
		return b.signed(r, rest)
	default:
		return false
	}
}
