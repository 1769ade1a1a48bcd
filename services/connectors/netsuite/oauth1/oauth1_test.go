package oauth1_test

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	library "github.com/dghubble/oauth1"
	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/netsuite/oauth1"
)

// TestBaseString has the example of RFC 5849, section 3.4.1.1, with the
// form's parameters moved into the query, where they count the same.
func TestBaseString(t *testing.T) {
	t.Parallel()
	rfc := map[string]string{
		"oauth_consumer_key": "9djdj82h48djs9d2", "oauth_token": "kkk9d7dh3k39sjv7",
		"oauth_signature_method": "HMAC-SHA1", "oauth_timestamp": "137131201", "oauth_nonce": "7d8f3e4a",
	}
	cases := map[string]struct {
		method, url string
		params      map[string]string
		want        string
	}{
		"the RFC's example": {
			"post", "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b&c2&a3=2+q", rfc,
			"POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26" +
				"oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26" +
				"oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7",
		},
		"no parameters": {"GET", "https://example.com", nil, "GET&https%3A%2F%2Fexample.com%2F&"},
		"other port":    {"GET", "https://example.com:8443/a", nil, "GET&https%3A%2F%2Fexample.com%3A8443%2Fa&"},
		"default port":  {"GET", "https://example.com:443/a", nil, "GET&https%3A%2F%2Fexample.com%2Fa&"},
		"sorted by name before value": {
			"GET", "https://example.com/a?a1=x&a=z&a=y", nil,
			"GET&https%3A%2F%2Fexample.com%2Fa&a%3Dy%26a%3Dz%26a1%3Dx",
		},
		"external id and list": {
			"PUT", "https://example.com/record/v1/salesOrder/eid:spoke-deal-7?replace=item%2Capply", nil,
			"PUT&https%3A%2F%2Fexample.com%2Frecord%2Fv1%2FsalesOrder%2Feid%3Aspoke-deal-7&replace%3Ditem%252Capply",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(c.url)
			require.NoError(t, err)
			got, err := oauth1.BaseString(c.method, u, c.params)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	_, err := oauth1.BaseString("GET", &url.URL{Scheme: "https", Host: "a", RawQuery: "a=%zz"}, nil)
	require.Error(t, err)
}

// TestSign has a signature that another implementation computed:
//
//	printf %s "$BASE_STRING" | openssl dgst -sha256 -hmac 'consumer%20secret&token%26secret' -binary | base64
func TestSign(t *testing.T) {
	t.Parallel()
	s := oauth1.Signer{
		Realm: "1234567_SB1", ConsumerKey: "ck", ConsumerSecret: "consumer secret", TokenID: "tk", TokenSecret: "token&secret",
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://1234567-sb1.suitetalk.api.netsuite.com/services/rest/record/v1/customer?limit=1", http.NoBody)
	require.NoError(t, err)

	require.NoError(t, s.Sign(r, "abcdef123456", time.Unix(1700000000, 0)))

	require.Equal(t, `OAuth realm="1234567_SB1", oauth_consumer_key="ck", oauth_nonce="abcdef123456", `+
		`oauth_signature="b1%2BWMuTzHTK6uO2PCYsFIF%2FF815PeNi%2B0531y3ioIl4%3D", oauth_signature_method="HMAC-SHA256", `+
		`oauth_timestamp="1700000000", oauth_token="tk", oauth_version="1.0"`, r.Header.Get("Authorization"))
}

// capture is a transport that keeps the request it was given.
type capture struct{ sent *http.Request }

func (c *capture) RoundTrip(r *http.Request) (*http.Response, error) {
	c.sent = r
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: r}, nil
}

// TestSignsAsTheLibraryDoes compares the whole header with the one that the
// library's own transport makes at the same second with the same nonce.
func TestSignsAsTheLibraryDoes(t *testing.T) {
	t.Parallel()
	s := oauth1.Signer{Realm: "1234567_SB1", ConsumerKey: "c k", ConsumerSecret: "s+/&=", TokenID: "t~k", TokenSecret: "ü%"}
	for _, target := range []string{
		"https://1234567-sb1.suitetalk.api.netsuite.com/services/rest/record/v1/salesOrder/eid:spoke-deal-7?replace=item%2Capply",
		"https://example.com/services/rest/query/v1/suiteql?limit=1000&offset=0",
		"https://example.com/a%20b?q=a+b%2Bc~*",
	} {
		wire := &capture{}
		config := &library.Config{
			ConsumerKey: s.ConsumerKey, Realm: s.Realm, Signer: &library.HMAC256Signer{ConsumerSecret: s.ConsumerSecret},
		}
		ctx := context.WithValue(t.Context(), library.HTTPClient, &http.Client{Transport: wire})
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, target, http.NoBody)
		require.NoError(t, err)
		resp, err := config.Client(ctx, library.NewToken(s.TokenID, s.TokenSecret)).Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		theirs := parameters(t, wire.sent.Header.Get("Authorization"))
		seconds, err := strconv.ParseInt(theirs["oauth_timestamp"], 10, 64)
		require.NoError(t, err)

		require.NoError(t, s.Sign(r, theirs["oauth_nonce"], time.Unix(seconds, 0)))

		require.Equal(t, theirs, parameters(t, r.Header.Get("Authorization")), target)
	}
}

func parameters(t *testing.T, header string) map[string]string {
	t.Helper()
	rest, ok := strings.CutPrefix(header, "OAuth ")
	require.True(t, ok)
	all := map[string]string{}
	for _, part := range strings.Split(rest, ", ") {
		name, quoted, _ := strings.Cut(part, "=")
		value, err := url.PathUnescape(strings.Trim(quoted, `"`))
		require.NoError(t, err)
		all[name] = value
	}
	return all
}

func TestNonce(t *testing.T) {
	t.Parallel()
	require.Regexp(t, `^[A-Za-z0-9]{6,64}$`, oauth1.Nonce())
	first, second := oauth1.Nonce(), oauth1.Nonce()
	require.NotEqual(t, first, second)
}

func FuzzBaseString(f *testing.F) {
	f.Add("a=b&c=d", "v")
	f.Add("a=%3D&&=&b", "ü ~*+")
	f.Add("%", "")
	f.Fuzz(func(t *testing.T, query, value string) {
		u := &url.URL{Scheme: "https", Host: "example.com", Path: "/a", RawQuery: query}
		got, err := oauth1.BaseString("GET", u, map[string]string{"p": value})
		if err == nil {
			require.Regexp(t, `^GET&https%3A%2F%2Fexample\.com%2Fa&[A-Za-z0-9%._~-]+$`, got)
		}
	})
}
