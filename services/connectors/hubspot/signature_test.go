package hubspot_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/connectors/hubspot"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	hubspotbox "github.com/spoke-sync/spoke/services/internal/sandbox/hubspot"
	"github.com/spoke-sync/spoke/services/internal/secret"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func atNoon(_ *hubspotbox.Options, _ *hubspot.Settings, d *connector.Deps) {
	d.Now = func() time.Time { return noon }
}

const target = "https://hooks.example.com/in/hubspot?tenant=a%20b"

// v3 signs text that was decoded by hand.
func v3(key, signed string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(signed))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func ms(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func delivery(url, body string, headers ...string) connector.Delivery {
	d := connector.Delivery{Method: http.MethodPost, URL: url, Header: http.Header{}, Body: []byte(body), Received: noon}
	for i := 0; i < len(headers); i += 2 {
		d.Header.Add(headers[i], headers[i+1])
	}
	return d
}

func TestVerifyV3(t *testing.T) {
	t.Parallel()
	w := newBench(t, atNoon).con.Webhooks
	const body = `[{"eventId":1}]`
	good := v3(clientSecret, "POST"+target+body+ms(noon))
	for _, c := range []struct {
		name       string
		url, body  string
		sign, time string
		ok         bool
	}{
		{"genuine", target, body, good, ms(noon), true},
		{"other body", target, body + " ", good, ms(noon), false},
		{"other query", target + "x", body, good, ms(noon), false},
		{"other host", strings.Replace(target, "hooks", "evil", 1), body, good, ms(noon), false},
		{"other time", target, body, good, ms(noon.Add(time.Millisecond)), false},
		{"other secret", target, body, v3("another-secret", "POST"+target+body+ms(noon)), ms(noon), false},
		{"hex instead of base64", target, body, digest(clientSecret + body), ms(noon), false},
		{"without padding", target, body, strings.TrimRight(good, "="), ms(noon), false},
		{"empty body", target, "", v3(clientSecret, "POST"+target+ms(noon)), ms(noon), true},
		{"no signature", target, body, "", ms(noon), false},
		{"no time", target, body, good, "", false},
		{"no number", target, body, good, "soon", false},
		{"signed garbage time", target, body, v3(clientSecret, "POST"+target+body+"NaN"), "NaN", false},
	} {
		d := delivery(c.url, c.body)
		if c.sign != "" {
			d.Header.Set("X-HubSpot-Signature-v3", c.sign)
		}
		if c.time != "" {
			d.Header.Set("X-HubSpot-Request-Timestamp", c.time)
		}
		check(t, c.name, w.Verify(d), c.ok)
	}
}

func check(t *testing.T, name string, err error, ok bool) {
	t.Helper()
	if ok {
		require.NoError(t, err, name)
		return
	}
	require.Error(t, err, name)
	require.Equal(t, fault.Unauthorized, fault.KindOf(err), name)
	require.NotContains(t, err.Error(), clientSecret)
}

func TestVerifyTime(t *testing.T) {
	t.Parallel()
	w := newBench(t, atNoon).con.Webhooks
	for _, c := range []struct {
		away time.Duration
		ok   bool
	}{
		{0, true},
		{-hubspot.MaxSkew, true},
		{-hubspot.MaxSkew - time.Millisecond, false},
		{hubspot.MaxSkew, true},
		{hubspot.MaxSkew + time.Millisecond, false},
		{-24 * time.Hour, false},
		{24 * time.Hour, false},
	} {
		at := ms(noon.Add(c.away))
		d := delivery(target, "[]", "X-HubSpot-Signature-v3", v3(clientSecret, "POST"+target+"[]"+at), "X-HubSpot-Request-Timestamp", at)
		check(t, c.away.String(), w.Verify(d), c.ok)
	}
	for _, at := range []string{"-9223372036854775808", "9223372036854775807", "9223372036854775808"} {
		d := delivery(target, "[]", "X-HubSpot-Signature-v3", v3(clientSecret, "POST"+target+"[]"+at), "X-HubSpot-Request-Timestamp", at)
		check(t, at, w.Verify(d), false)
	}
}

// TestVerifyEscapes: HubSpot decodes twelve escapes before it signs, in one
// pass, in path and query.
func TestVerifyEscapes(t *testing.T) {
	t.Parallel()
	w := newBench(t, atNoon).con.Webhooks
	for called, signed := range map[string]string{
		"%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$",
		"%27": "'", "%28": "(", "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";",
		"%20": "%20", "%26": "%26", "%3D": "%3D", "%25": "%25", "%2B": "%2B", "%23": "%23", "%22": "%22",
		"%253A": "%253A", "%25%33A": "%25%33A", "%3A%3A": "::", "%%3A": "%:", "%3": "%3", "%": "%",
		"%3a": "%3a", "%C3%A4": "%C3%A4", "+": "+", "%2F%2F": "//",
	} {
		for _, form := range []string{"https://h.example/in/@?q=1", "https://h.example/in?q=@"} {
			url, text := strings.Replace(form, "@", called, 1), strings.Replace(form, "@", signed, 1)
			d := delivery(url, "[]", "X-HubSpot-Signature-v3", v3(clientSecret, "POST"+text+"[]"+ms(noon)),
				"X-HubSpot-Request-Timestamp", ms(noon))
			check(t, url, w.Verify(d), true)
			if called != signed {
				d.Header.Set("X-HubSpot-Signature-v3", v3(clientSecret, "POST"+url+"[]"+ms(noon)))
				check(t, "not decoded: "+url, w.Verify(d), false)
			}
		}
	}
}

func TestVerifyOlderVersions(t *testing.T) {
	t.Parallel()
	w := newBench(t, atNoon).con.Webhooks
	const body = `[{"eventId":1}]`
	const escaped = "https://h.example/in?q=%3A%20"
	sig1, sig2 := digest(clientSecret+body), digest(clientSecret+"POST"+escaped+body)
	for _, c := range []struct {
		name, version, signature string
		ok                       bool
	}{
		{"v1", "v1", sig1, true},
		{"v2 signs the address as it is", "v2", sig2, true},
		{"v1 in capitals", "v1", strings.ToUpper(sig1), false},
		{"v1 as v2", "v2", sig1, false},
		{"v2 as v1", "v1", sig2, false},
		{"v2 decoded", "v2", digest(clientSecret + "POST" + "https://h.example/in?q=:%20" + body), false},
		{"v3 in the wrong header", "v3", v3(clientSecret, "POST"+escaped+body+ms(noon)), false},
		{"no version", "", sig1, false},
		{"cut", "v1", sig1[:63], false},
	} {
		d := delivery(escaped, body, "X-HubSpot-Signature", c.signature)
		if c.version != "" {
			d.Header.Set("X-HubSpot-Signature-Version", c.version)
		}
		check(t, c.name, w.Verify(d), c.ok)
	}
	check(t, "nothing", w.Verify(delivery(escaped, body)), false)
}

// TestVerifyNoFallback: one v3 header is enough to rule the others out.
func TestVerifyNoFallback(t *testing.T) {
	t.Parallel()
	w := newBench(t, atNoon).con.Webhooks
	old := []string{"X-HubSpot-Signature", digest(clientSecret + "[]"), "X-HubSpot-Signature-Version", "v1"}
	good := v3(clientSecret, "POST"+target+"[]"+ms(noon))
	stale := ms(noon.Add(-time.Hour))
	for name, headers := range map[string][]string{
		"wrong v3":      {"X-HubSpot-Signature-v3", "AAAA", "X-HubSpot-Request-Timestamp", ms(noon)},
		"only the time": {"X-HubSpot-Request-Timestamp", ms(noon)},
		"only v3":       {"X-HubSpot-Signature-v3", good},
		"empty v3":      {"X-HubSpot-Signature-v3", ""},
		"stale": {
			"X-HubSpot-Signature-v3", v3(clientSecret, "POST"+target+"[]"+stale), "X-HubSpot-Request-Timestamp", stale,
		},
		"two": {"X-HubSpot-Signature-v3", good, "X-HubSpot-Signature-v3", good, "X-HubSpot-Request-Timestamp", ms(noon)},
	} {
		check(t, name, w.Verify(delivery(target, "[]", append(headers, old...)...)), false)
	}
	check(t, "v1 alone", w.Verify(delivery(target, "[]", old...)), true)
}

func TestVerifyTwoSecrets(t *testing.T) {
	t.Parallel()
	w := newBench(t, atNoon, func(_ *hubspotbox.Options, s *hubspot.Settings, _ *connector.Deps) {
		s.ClientSecrets = []secret.Value{secret.New("old-secret-1"), secret.New("new-secret-2")}
	}).con.Webhooks
	for key, ok := range map[string]bool{"old-secret-1": true, "new-secret-2": true, "third-secret": false, "": false} {
		d := delivery(target, "[]", "X-HubSpot-Signature-v3", v3(key, "POST"+target+"[]"+ms(noon)), "X-HubSpot-Request-Timestamp", ms(noon))
		check(t, key, w.Verify(d), ok)
	}
}

// TestVerifyPublicURL: the configured address stands in where the delivery
// does not say what was called.
func TestVerifyPublicURL(t *testing.T) {
	t.Parallel()
	const public = "https://hooks.example.com/in/hubspot"
	w := newBench(t, atNoon, func(_ *hubspotbox.Options, s *hubspot.Settings, _ *connector.Deps) { s.PublicURL = public }).con.Webhooks
	for called, signed := range map[string]string{
		"":                       public,
		"/in/hubspot?a=%2F":      public + "?a=/",
		"https://other.example/": "https://other.example/",
	} {
		d := delivery(called, "[]", "X-HubSpot-Signature-v3", v3(clientSecret, "POST"+signed+"[]"+ms(noon)), "X-HubSpot-Request-Timestamp", ms(noon))
		check(t, called, w.Verify(d), true)
	}
}

// FuzzVerify: without the secret nothing verifies, whatever it looks like,
// and nothing panics.
func FuzzVerify(f *testing.F) {
	f.Add(target, []byte("[]"), "", "", ms(noon), "")
	f.Add("%3A%253A%3", []byte(nil), "AAAA", "v1", "", "deadbeef")
	f.Add("/in", []byte(`[{}]`), v3("guess", "POST/in[{}]"+ms(noon)), "v2", ms(noon), digest("guess"))
	w := newBench(f, atNoon).con.Webhooks
	f.Fuzz(func(t *testing.T, url string, body []byte, sig3, version, stamp, sig string) {
		d := connector.Delivery{Method: http.MethodPost, URL: url, Body: body, Header: http.Header{}}
		for name, v := range map[string]string{
			"X-HubSpot-Signature-v3": sig3, "X-HubSpot-Request-Timestamp": stamp,
			"X-HubSpot-Signature": sig, "X-HubSpot-Signature-Version": version,
		} {
			if v != "" {
				d.Header.Set(name, v)
			}
		}
		err := w.Verify(d)
		if err == nil {
			t.Fatalf("a delivery signed without the secret is verified")
		}
		if fault.KindOf(err) != fault.Unauthorized {
			t.Fatalf("%v", err)
		}
		// What the sandbox signs, with its own way to decode, verifies.
		d.Header = http.Header{}
		d.Header.Set("X-HubSpot-Request-Timestamp", ms(noon))
		d.Header.Set("X-HubSpot-Signature-v3", hubspotbox.SignV3(clientSecret, d.Method, url, body, noon))
		if err := w.Verify(d); err != nil {
			t.Fatalf("genuine, but %v", err)
		}
	})
}
