package quickbooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// signatureHeader holds base64 of the HMAC-SHA256 of the raw body.
const signatureHeader = "intuit-signature"

// webhooks reads Intuit's notifications. They say only that something
// changed; one body may speak of several companies.
type webhooks struct {
	settings   *Settings
	connection string
	now        func() time.Time
	count      func(what string, n int)
}

// Verify implements connector.Webhooks. Any of the verifier tokens will do.
// Intuit signs no time, so that an old delivery can't be told from a new one:
// what it names is read anew anyway.
func (w *webhooks) Verify(d connector.Delivery) error {
	const op = Name + ": verify webhook"
	header := d.Header.Get(signatureHeader)
	if header == "" {
		return fault.New(fault.Unauthorized, op, "no header %s", signatureHeader)
	}
	given, err := base64.StdEncoding.Strict().DecodeString(header)
	if err != nil {
		return fault.New(fault.Unauthorized, op, "header %s is not base64", signatureHeader)
	}
	genuine := false
	for _, token := range w.settings.VerifierTokens {
		mac := hmac.New(sha256.New, []byte(token.Reveal()))
		mac.Write(d.Body)
		// All tokens are compared, so that time tells nothing about which.
		genuine = hmac.Equal(mac.Sum(nil), given) || genuine
	}
	if !genuine {
		return fault.New(fault.Unauthorized, op, "the signature is not that of the body").
			WithHint("compare verifier_tokens with the token that Intuit shows for the app and environment")
	}
	return nil
}
