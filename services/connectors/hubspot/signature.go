package hubspot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// The headers of HubSpot's signatures.
const (
	headerV3        = "X-HubSpot-Signature-v3"
	headerTimestamp = "X-HubSpot-Request-Timestamp"
	headerSignature = "X-HubSpot-Signature"
	headerVersion   = "X-HubSpot-Signature-Version"
)

const opVerify = "hubspot: verify webhook"

// webhooks are HubSpot's deliveries.
type webhooks struct {
	connection string
	portal     int64
	app        int64
	kinds      catalog
	ownWrites  []string
	secrets    [][]byte
	public     string
	now        func() time.Time
	log        *slog.Logger
}

func newWebhooks(s *Settings, deps connector.Deps) *webhooks {
	w := &webhooks{
		connection: deps.Connection, portal: s.PortalID, app: s.AppID, public: s.PublicURL,
		kinds: newCatalog(s), ownWrites: s.OwnWrites,
		now: deps.Now, log: deps.Log,
	}
	for _, v := range s.ClientSecrets {
		w.secrets = append(w.secrets, []byte(v.Reveal()))
	}
	return w
}

// Verify checks the signature. When a delivery has one of the v3 headers,
// only v3 counts: the older signatures hold no time, so that falling back to
// them would let anyone replay a delivery who saw one.
func (w *webhooks) Verify(d connector.Delivery) error {
	v3, stamp := d.Header.Values(headerV3), d.Header.Values(headerTimestamp)
	if len(v3)+len(stamp) > 0 {
		return w.verifyV3(d, v3, stamp)
	}
	return w.verifyOld(d)
}

func (w *webhooks) verifyV3(d connector.Delivery, signatures, stamps []string) error {
	if len(signatures) != 1 || len(stamps) != 1 {
		return forged("want one %s and one %s", headerV3, headerTimestamp)
	}
	ms, err := strconv.ParseInt(stamps[0], 10, 64)
	if err != nil {
		return forged("%s is no number of milliseconds", headerTimestamp)
	}
	if now, skew := w.now().UnixMilli(), MaxSkew.Milliseconds(); ms < now-skew || ms > now+skew {
		return forged("the signature is not from the last %s", MaxSkew).WithCode("STALE").
			WithHint("check the clock of this host: HubSpot signs every delivery anew")
	}
	uri := unescape(w.target(d))
	return w.match(signatures[0], func(secret []byte) string {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(d.Method))
		mac.Write([]byte(uri))
		mac.Write(d.Body)
		mac.Write([]byte(stamps[0]))
		return base64.StdEncoding.EncodeToString(mac.Sum(nil))
	})
}

// verifyOld checks v1, which signs the body, and v2, which signs the call as
// it was made, without any decoding.
func (w *webhooks) verifyOld(d connector.Delivery) error {
	signatures, versions := d.Header.Values(headerSignature), d.Header.Values(headerVersion)
	if len(signatures) != 1 || len(versions) != 1 {
		return forged("the delivery is not signed")
	}
	var before string
	switch versions[0] {
	case "v1":
	case "v2":
		before = d.Method + w.target(d)
	default:
		return forged("unknown %s", headerVersion)
	}
	return w.match(signatures[0], func(secret []byte) string {
		h := sha256.New()
		h.Write(secret)
		h.Write([]byte(before))
		h.Write(d.Body)
		return hex.EncodeToString(h.Sum(nil))
	})
}

// match compares with the signature under each secret in constant time.
func (w *webhooks) match(given string, sign func(secret []byte) string) error {
	ok := false
	for _, s := range w.secrets {
		ok = hmac.Equal([]byte(sign(s)), []byte(given)) || ok
	}
	if !ok {
		return forged("the signature does not match").
			WithHint("check client_secrets, and that the public address of this service is the target URL entered in HubSpot")
	}
	return nil
}

func forged(format string, args ...any) *fault.Error {
	return fault.New(fault.Unauthorized, opVerify, format, args...).WithCode("SIGNATURE")
}

// target is the address that HubSpot called. Only the path and query of a
// delivery without a host are taken from it.
func (w *webhooks) target(d connector.Delivery) string {
	if w.public == "" || strings.Contains(d.URL, "://") {
		return d.URL
	}
	if d.URL == "" {
		return w.public
	}
	u, err := url.Parse(w.public)
	if err != nil {
		return d.URL
	}
	return u.Scheme + "://" + u.Host + d.URL
}

// unescaped are the escapes that HubSpot decodes before it signs, and no
// others: not %20, %26, %3D or %25, and none in lower case.
var unescaped = map[string]byte{
	"%3A": ':', "%2F": '/', "%3F": '?', "%40": '@', "%21": '!', "%24": '$',
	"%27": '\'', "%28": '(', "%29": ')', "%2A": '*', "%2C": ',', "%3B": ';',
}

// unescape decodes them in one pass, so that %253A stays as it is.
func unescape(uri string) string {
	if !strings.Contains(uri, "%") {
		return uri
	}
	var b strings.Builder
	for i := 0; i < len(uri); {
		if i+3 <= len(uri) && uri[i] == '%' {
			if c, ok := unescaped[uri[i:i+3]]; ok {
				b.WriteByte(c)
				i += 3
				continue
			}
		}
		b.WriteByte(uri[i])
		i++
	}
	return b.String()
}
