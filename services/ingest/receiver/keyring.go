package receiver

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
)

// keyring knows the tokens of all upstreams, hashed.
type keyring []upstreamKey

type upstreamKey struct {
	name string
	hash [sha256.Size]byte
}

func newKeyring(upstreams []Upstream) (keyring, error) {
	var keys keyring
	var problems []error
	for _, u := range upstreams {
		if u.Name == "" || u.Token.IsZero() {
			problems = append(problems, fmt.Errorf("upstream %q: name and token are required", u.Name))
			continue
		}
		hash := sha256.Sum256([]byte(u.Token.Reveal()))
		for _, k := range keys {
			if k.name == u.Name {
				problems = append(problems, fmt.Errorf("upstream %q is there twice", u.Name))
			}
			if k.hash == hash {
				problems = append(problems, fmt.Errorf("upstreams %q and %q have the same token", k.name, u.Name))
			}
		}
		keys = append(keys, upstreamKey{u.Name, hash})
	}
	return keys, errors.Join(problems...)
}

// find returns the upstream of an Authorization header. It looks at every
// token in full, so that the time it takes tells nothing.
func (k keyring) find(authorization string) (name string, ok bool) {
	scheme, token, _ := strings.Cut(authorization, " ")
	hash := sha256.Sum256([]byte(strings.TrimSpace(token)))
	found := -1
	for i := range k {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], k[i].hash[:]), i, found)
	}
	if found < 0 || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return k[found].name, true
}
