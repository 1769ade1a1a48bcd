package events

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// Key names a golden record within a tenant: "deal/77".
type Key struct {
	Entity Entity
	ID     string
}

// ParseKey reads "entity/id". The id may hold any character but control ones.
func ParseKey(s string) (Key, error) {
	entity, id, ok := strings.Cut(s, "/")
	k := Key{Entity(entity), id}
	if !ok || id == "" {
		return Key{}, fmt.Errorf("record %q: want entity/id, such as deal/77", s)
	}
	if !k.Entity.Known() {
		return Key{}, fmt.Errorf("record %q: %q is no entity (one of %s)", s, entity, joinEntities())
	}
	if len(id) > maxID || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' }) {
		return Key{}, fmt.Errorf("record %q: ids have at most %d bytes and no control characters", s, maxID)
	}
	return k, nil
}

// maxID bounds an external id; the longest that a vendor of ours gives is
// 255 (Stripe allows 255 characters).
const maxID = 255

func joinEntities() string {
	var b strings.Builder
	for i, e := range Entities() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(e))
	}
	return b.String()
}

// String returns "entity/id".
func (k Key) String() string { return string(k.Entity) + "/" + k.ID }

// IsZero reports whether k names nothing.
func (k Key) IsZero() bool { return k == Key{} }

// MarshalText writes "entity/id", or nothing for the zero Key.
func (k Key) MarshalText() ([]byte, error) {
	if k.IsZero() {
		return nil, nil
	}
	return []byte(k.String()), nil
}

// UnmarshalText reads "entity/id" or nothing.
func (k *Key) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*k = Key{}
		return nil
	}
	v, err := ParseKey(string(b))
	if err != nil {
		return err
	}
	*k = v
	return nil
}

// Token makes s safe as one token of a NATS subject or KV key. Letters,
// digits, '-' and '_' stay; anything else makes the whole token base64url
// behind a '=' sign, which no plain token starts with. The empty string
// becomes "=". Token never maps two strings to one.
func Token(s string) string {
	if s != "" && !strings.ContainsFunc(s, unsafeInToken) {
		return s
	}
	return "=" + base64.RawURLEncoding.EncodeToString([]byte(s))
}

func unsafeInToken(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// Untoken is the inverse of Token.
func Untoken(t string) (string, error) {
	enc, ok := strings.CutPrefix(t, "=")
	if !ok {
		if t == "" || strings.ContainsFunc(t, unsafeInToken) {
			return "", fmt.Errorf("subject token %q: not made by Token", t)
		}
		return t, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(enc)
	if err != nil {
		return "", fmt.Errorf("subject token %q: %w", t, err)
	}
	if s := string(b); Token(s) == t {
		return s, nil
	}
	return "", fmt.Errorf("subject token %q: not the shortest form", t)
}
