package stripe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

const (
	// keyLife is how long an idempotency key is trusted. Stripe forgets keys
	// after 24 hours at the earliest; the rest is a margin for slow clocks.
	keyLife = 20 * time.Hour
	// lookBack is how far before a document's first try a look-up by time of
	// creation begins: earlier documents of the same record may have made the
	// object.
	lookBack = 7 * 24 * time.Hour
	// maxKeys bounds how often a spent key is followed by another one.
	maxKeys = 8
)

// creation is one call that makes an object, at most once.
//
// Stripe stores the first answer to a key for a day, failures included, and
// repeats it whatever has happened since. So a repeated answer is no proof:
// the object may be deleted by now, or the stored answer may be a failure
// that will never end. In both cases, and when the key turns out to have
// stood for other content, the object is looked for; only when it is certain
// that there is none, the next key of a fixed sequence is used. As the
// sequence depends on nothing but what Stripe answers, every try after a
// crash walks the same way.
type creation struct {
	op, path string
	form     url.Values
	// seed makes the keys. It names the object that is to be, not its
	// content: the same record must not get a second object because its
	// content changed while the first answer was lost.
	seed []string
	// current reads the object that a repeated answer names; false when it no
	// longer serves.
	current func(ctx context.Context, id string) (json.RawMessage, bool, error)
	// find looks for the object by other means than its id.
	find func(ctx context.Context) (json.RawMessage, bool, error)
}

// origin says where an object came from.
type origin int

const (
	madeNow    origin = iota // by this very call
	madeBefore               // by an earlier try with the same content
	foundThere               // by an earlier try with other content
)

// create makes the object or returns the one that is there.
func (a *api) create(ctx context.Context, c creation) (json.RawMessage, origin, error) {
	seed := c.seed
	for range maxKeys {
		r, resp, err := a.call(ctx, c.op, http.MethodPost, c.path, c.form, a.key(seed))
		if err != nil {
			return nil, 0, err
		}
		repeated := resp.Header.Get("Idempotent-Replayed") == "true"
		if resp.OK() {
			raw, err := answer(r, resp)
			if err != nil || !repeated {
				return raw, madeNow, err
			}
			made, err := decode[identity](c.op, raw)
			if err != nil {
				return nil, 0, err
			}
			if raw, ok, err := c.current(ctx, made.ID); err != nil || ok {
				return raw, madeBefore, err
			}
			seed = append(seed[:len(seed):len(seed)], made.ID)
			continue
		}
		e := problem(r, resp)
		spent := repeated && resp.Status >= http.StatusInternalServerError
		if e.Code != typeIdempotency && !spent {
			return nil, 0, e
		}
		if raw, ok, err := c.find(ctx); err != nil || ok {
			return raw, foundThere, err
		}
		seed = append(seed[:len(seed):len(seed)], strconv.Itoa(resp.Status))
	}
	return nil, 0, fault.New(fault.Conflict, "stripe: "+c.op, "%d idempotency keys are spent", maxKeys)
}

// key makes an idempotency key of at most 255 characters. It begins with what
// people can read in Stripe's logs.
func (a *api) key(seed []string) string {
	sum := sha256.Sum256([]byte(a.owner + "\n" + strings.Join(seed, "\n")))
	return seed[0] + "-" + seed[1] + "-" + hex.EncodeToString(sum[:12])
}

// lookFirst reports whether the object must be looked for before a create,
// because idempotency keys may be forgotten or another writer was seen.
func (a *api) lookFirst(doc connector.Document) bool {
	return doc.Reapply || (!doc.First.IsZero() && a.now().Sub(doc.First) > keyLife)
}

// since is where a look-up by time of creation begins.
func (a *api) since(doc connector.Document) string {
	first := a.now()
	if !doc.First.IsZero() && doc.First.Before(first) {
		first = doc.First
	}
	return strconv.FormatInt(first.Add(-lookBack).Unix(), 10)
}

// shortSum names a content.
func shortSum(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:12])
}

// clone copies a form.
func clone(form url.Values) url.Values {
	out := make(url.Values, len(form))
	for name, v := range form {
		out[name] = v
	}
	return out
}

// onlyMetadata keeps what can be set of an object at any time.
func onlyMetadata(form url.Values) url.Values {
	out := url.Values{}
	for name, v := range form {
		if strings.HasPrefix(name, "metadata[") {
			out[name] = v
		}
	}
	return out
}

func hasPrefix(id string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(id, p) })
}
