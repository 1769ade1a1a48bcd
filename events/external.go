package events

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// The external key is what a vendor's object carries to tell which record it
// stands for, in an external id, metadata, or a note. It fits every vendor's
// rules for such fields: letters, digits, '-' and '_', at most 60 characters.
const (
	externalPrefix = "spoke-"
	maxExternal    = 60
	// hashedBytes are enough that two ids of one tenant never meet.
	hashedBytes = 18
)

// ExternalKey returns the external key of a record's objects:
// "spoke-<entity>-<id>", or "spoke-<entity>--<hash>" for an id with other
// characters, or one that begins with '-' or is too long.
func ExternalKey(k Key) string {
	key := externalPrefix + string(k.Entity) + "-" + k.ID
	plain := k.ID != "" && k.ID[0] != '-' && !strings.ContainsFunc(k.ID, unsafeInToken)
	if plain && len(key) <= maxExternal {
		return key
	}
	sum := sha256.Sum256([]byte(k.ID))
	return externalPrefix + string(k.Entity) + "--" + base64.RawURLEncoding.EncodeToString(sum[:hashedBytes])
}

// RecordOf reads an external key back. ours is true for every key that
// ExternalKey can have made; the Key is zero for a hashed one, which does not
// tell its record.
func RecordOf(external string) (k Key, ours bool) {
	rest, ok := strings.CutPrefix(external, externalPrefix)
	if !ok {
		return Key{}, false
	}
	entity, id, ok := strings.Cut(rest, "-")
	if !ok || id == "" || !Entity(entity).Known() || strings.ContainsFunc(id, unsafeInToken) {
		return Key{}, false
	}
	if id[0] == '-' {
		return Key{}, true
	}
	return Key{Entity: Entity(entity), ID: id}, true
}
