// Package oauth1 signs requests as NetSuite's token-based authentication
// wants them: OAuth 1.0a (RFC 5849) with HMAC-SHA256, a realm, and the
// parameters in the Authorization header. It does not obtain tokens.
//
// Encoding and signature are github.com/dghubble/oauth1's. That module's own
// transport is not used, because it takes its time from the machine's clock,
// which NetSuite refuses when it is five minutes off, and because it keeps one
// of several query parameters with the same name only.
package oauth1

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dghubble/oauth1"
)

// Signer holds the credentials of one integration and one user.
type Signer struct {
	// Realm is the account id as NetSuite shows it, upper case with '_'.
	Realm          string
	ConsumerKey    string
	ConsumerSecret string
	TokenID        string
	TokenSecret    string
}

// Nonce returns 26 random letters and digits; NetSuite takes 6 to 64.
func Nonce() string { return rand.Text() }

// Sign puts the Authorization header on a request. Each try needs a nonce of
// its own, so a request is signed anew before it is repeated.
func (s Signer) Sign(r *http.Request, nonce string, at time.Time) error {
	method := oauth1.HMAC256Signer{ConsumerSecret: s.ConsumerSecret}
	params := map[string]string{
		"oauth_consumer_key":     s.ConsumerKey,
		"oauth_nonce":            nonce,
		"oauth_signature_method": method.Name(),
		"oauth_timestamp":        strconv.FormatInt(at.Unix(), 10),
		"oauth_token":            s.TokenID,
		"oauth_version":          "1.0",
	}
	base, err := BaseString(r.Method, r.URL, params)
	if err != nil {
		return err
	}
	if params["oauth_signature"], err = method.Sign(s.TokenSecret, base); err != nil {
		return fmt.Errorf("oauth1: %w", err)
	}
	parts := []string{`realm="` + oauth1.PercentEncode(s.Realm) + `"`}
	for _, name := range sorted(params) {
		parts = append(parts, name+`="`+oauth1.PercentEncode(params[name])+`"`)
	}
	r.Header.Set("Authorization", "OAuth "+strings.Join(parts, ", "))
	return nil
}

// BaseString is the text that is signed: method, URL without query, and all
// parameters of the query and of the header but realm and oauth_signature. A
// JSON body is no part of it.
func BaseString(method string, u *url.URL, params map[string]string) (string, error) {
	var pairs []string
	for _, pair := range strings.Split(u.RawQuery, "&") {
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		// The query is decoded once, as the server does, where '+' is a space.
		name, err := url.QueryUnescape(k)
		if err != nil {
			return "", fmt.Errorf("oauth1: query: %w", err)
		}
		value, err := url.QueryUnescape(v)
		if err != nil {
			return "", fmt.Errorf("oauth1: query: %w", err)
		}
		pairs = append(pairs, pairOf(name, value))
	}
	for name, value := range params {
		pairs = append(pairs, pairOf(name, value))
	}
	slices.Sort(pairs)
	for i, p := range pairs {
		pairs[i] = strings.Replace(p, separator, "=", 1)
	}
	return strings.ToUpper(method) + "&" + oauth1.PercentEncode(baseURL(u)) + "&" + oauth1.PercentEncode(strings.Join(pairs, "&")), nil
}

// separator stands between name and value while pairs are sorted, since they
// are ordered by name first: it is less than any byte of an escaped text,
// whereas '=' is not.
const separator = "\x00"

func pairOf(name, value string) string {
	return oauth1.PercentEncode(name) + separator + oauth1.PercentEncode(value)
}

// baseURL has scheme and host in lower case, no default port and no query.
func baseURL(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if p := u.Port(); (scheme == "https" && p == "443") || (scheme == "http" && p == "80") {
		host = strings.TrimSuffix(host, ":"+p)
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return scheme + "://" + host + path
}

func sorted(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
