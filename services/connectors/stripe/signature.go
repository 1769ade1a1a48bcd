package stripe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// signatureHeader holds "t=<unix>,v1=<hex>[,v1=…]". Source:
// docs.stripe.com/webhooks, verify manually.
const signatureHeader = "Stripe-Signature"

// maxSignatures bounds the work that a stranger's header can ask for. Stripe
// sends one for each secret, of which there are two while one is rolled.
const maxSignatures = 8

const opVerify = "stripe: verify webhook"

// Verify implements connector.Webhooks. Unlike Stripe's own libraries it
// refuses times in the future as well: a signature made for later could be
// kept and replayed.
func (w *webhooks) Verify(d connector.Delivery) error {
	stamp, signatures, err := parseSignature(d.Header)
	if err != nil {
		return err
	}
	genuine := false
	for _, secret := range w.secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(stamp + "."))
		mac.Write(d.Body)
		sum := mac.Sum(nil)
		for _, s := range signatures {
			genuine = hmac.Equal(s, sum) || genuine // no early end: time tells nothing
		}
	}
	if !genuine {
		return fault.New(fault.Unauthorized, opVerify, "no signature matches").
			WithHint("compare webhook_secrets with the endpoint's signing secret in Stripe")
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return fault.New(fault.Malformed, opVerify, "the time is no number")
	}
	if age := w.now().Sub(time.Unix(seconds, 0)); age > Tolerance || age < -Tolerance {
		return fault.New(fault.Unauthorized, opVerify, "signed %s ago, more than %s away", age.Round(time.Second), Tolerance).
			WithHint("check this machine's clock; if it is right, the delivery was replayed")
	}
	return nil
}

// parseSignature takes the header apart. Schemes other than v1 are ignored.
func parseSignature(h http.Header) (stamp string, signatures [][]byte, err error) {
	header := h.Get(signatureHeader)
	if header == "" {
		return "", nil, fault.New(fault.Unauthorized, opVerify, "the header %s is missing", signatureHeader)
	}
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			if stamp != "" {
				return "", nil, fault.New(fault.Malformed, opVerify, "the header has two times")
			}
			stamp = value
		case "v1":
			sum, err := hex.DecodeString(value)
			if err != nil || len(sum) != sha256.Size {
				continue
			}
			if signatures = append(signatures, sum); len(signatures) > maxSignatures {
				return "", nil, fault.New(fault.Malformed, opVerify, "more than %d signatures", maxSignatures)
			}
		}
	}
	if stamp == "" {
		return "", nil, fault.New(fault.Malformed, opVerify, "the header has no time")
	}
	if len(signatures) == 0 {
		return "", nil, fault.New(fault.Unauthorized, opVerify, "the header has no v1 signature")
	}
	return stamp, signatures, nil
}
