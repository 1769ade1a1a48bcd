package events

import (
	"crypto/sha256"
	"encoding/base64"
	"time"
)

// Digest names what a change says: two that say the same have one digest,
// whoever read them, when and however often. It is the id of the event of a
// change that was read, and has 32 characters that are safe everywhere.
func (c Change) Digest() string {
	c.Read = time.Time{}
	sum := sha256.Sum256(changeJSON(c))
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}
