package netsuitebox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Token are the credentials of token-based authentication.
type Token struct {
	ConsumerKey    string
	ConsumerSecret string
	TokenID        string
	TokenSecret    string
}

// RegisterToken lets a token in.
func (b *Box) RegisterToken(t Token) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.auth.tba[t.TokenID] = t
}

var nonceForm = regexp.MustCompile(`^[A-Za-z0-9]{6,64}$`)

// signed verifies an OAuth 1.0a header. Every nonce is good for one call.
func (b *Box) signed(r *http.Request, header string) bool {
	p := map[string]string{}
	for _, part := range strings.Split(header, ",") {
		name, quoted, ok := strings.Cut(strings.TrimSpace(part), "=")
		value, err := url.PathUnescape(strings.Trim(quoted, `"`))
		if !ok || err != nil {
			return false
		}
		p[name] = value
	}
	token, ok := b.auth.tba[p["oauth_token"]]
	seconds, err := strconv.ParseInt(p["oauth_timestamp"], 10, 64)
	skew := b.opts.Now().Sub(time.Unix(seconds, 0)).Abs()
	if !ok || err != nil || skew > maxSkew || p["realm"] != b.opts.Account || p["oauth_consumer_key"] != token.ConsumerKey ||
		p["oauth_signature_method"] != "HMAC-SHA256" || p["oauth_version"] != "1.0" ||
		!nonceForm.MatchString(p["oauth_nonce"]) || b.auth.nonces[p["oauth_nonce"]] {
		return false
	}
	got, err := base64.StdEncoding.DecodeString(p["oauth_signature"])
	delete(p, "realm")
	delete(p, "oauth_signature")
	mac := hmac.New(sha256.New, []byte(percent(token.ConsumerSecret)+"&"+percent(token.TokenSecret)))
	mac.Write([]byte(r.Method + "&" + percent(callURL(r)) + "&" + percent(normalized(r.URL.Query(), p))))
	if err != nil || !hmac.Equal(got, mac.Sum(nil)) {
		return false
	}
	b.auth.nonces[p["oauth_nonce"]] = true
	return true
}

func callURL(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + strings.ToLower(r.Host) + r.URL.EscapedPath()
}

// normalized joins the parameters in the order that is signed.
func normalized(query url.Values, p map[string]string) string {
	type pair struct{ name, value string }
	var all []pair
	for name, values := range query {
		for _, v := range values {
			all = append(all, pair{percent(name), percent(v)})
		}
	}
	for name, v := range p {
		all = append(all, pair{percent(name), percent(v)})
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].name != all[j].name {
			return all[i].name < all[j].name
		}
		return all[i].value < all[j].value
	})
	texts := make([]string, len(all))
	for i, x := range all {
		texts[i] = x.name + "=" + x.value
	}
	return strings.Join(texts, "&")
}

// percent escapes all that RFC 3986 does not call unreserved.
func percent(s string) string {
	return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(s))
}
