package stripebox

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// call is one call that has passed the checks that are common to all.
type call struct {
	r    *http.Request
	form form
	id   string // of the path
}

// stored is the first answer to an idempotency key.
type stored struct {
	Fingerprint string    `json:"fingerprint"`
	Status      int       `json:"status"`
	Body        []byte    `json:"body"`
	At          time.Time `json:"at"`
}

const (
	maxBody = 1 << 20
	// keyLife is how long Stripe keeps an idempotency key at the least.
	keyLife = 24 * time.Hour
)

// versionForm is the form of every version since the trains have names, and
// before.
var versionForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$`)

// op serves one operation of the API.
func (b *Box) op(name, pattern string, spec params, run func(*call) (any, *problem)) {
	b.Handle(name, pattern, func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		w.Header().Set("Request-Id", newID("req"))
		if p := b.admit(w, r); p != nil {
			p.write(w)
			return
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			return // the caller has left
		}
		b.answer(w, r, string(body), spec, run)
	})
}

// admit checks key, version and rate.
func (b *Box) admit(w http.ResponseWriter, r *http.Request) *problem {
	key, basic, _ := r.BasicAuth()
	if basic != "" {
		key = ""
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		key = bearer
	}
	if key == "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="Stripe"`)
		return &problem{Status: http.StatusUnauthorized, Message: "You did not provide an API key."}
	}
	if subtle.ConstantTimeCompare([]byte(key), []byte(b.opt.Key)) != 1 {
		return &problem{Status: http.StatusUnauthorized, Message: "Invalid API Key provided: " + masked(key)}
	}
	// Stripe falls back on the account's version; the sandbox wants callers to
	// say which they were written for.
	if v := r.Header.Get("Stripe-Version"); !versionForm.MatchString(v) {
		return &problem{Message: "Invalid Stripe API version: " + v}
	}
	if at := r.Header.Get("Stripe-Context"); at != "" && at != b.opt.Account {
		return &problem{Status: http.StatusForbidden, Code: "account_invalid", Message: "The provided key does not have access to account '" + at + "'."}
	}
	if !b.limit.AllowN(b.opt.Now(), 1) {
		withReason(w)
		return tooMany()
	}
	return nil
}

func masked(key string) string {
	if len(key) < 12 {
		return strings.Repeat("*", len(key))
	}
	return key[:8] + strings.Repeat("*", len(key)-12) + key[len(key)-4:]
}

// answer runs the operation, or repeats what it answered to the same key.
func (b *Box) answer(w http.ResponseWriter, r *http.Request, body string, spec params, run func(*call) (any, *problem)) {
	key := r.Header.Get("Idempotency-Key")
	if r.Method != http.MethodPost {
		key, body = "", r.URL.RawQuery
	} else if ct := r.Header.Get("Content-Type"); body != "" && !strings.HasPrefix(ct, "application/x-www-form-urlencoded") {
		(&problem{Message: "Invalid request content type: " + ct}).write(w)
		return
	}
	sum := sha256.Sum256([]byte(r.Method + r.URL.Path + "\n" + body))
	fingerprint := hex.EncodeToString(sum[:])
	if done := b.repeat(w, key, fingerprint); done {
		return
	}
	f, p := parseForm(body, spec)
	var v any
	if p == nil {
		v, p = run(&call{r: r, form: f, id: r.PathValue("id")})
	}
	if p == nil {
		v, p = b.expand(v, f.list("expand"))
	}
	if p != nil {
		// What fails its checks is not stored under the key.
		p.write(w)
		return
	}
	out, err := json.Marshal(v)
	if err != nil {
		(&problem{Status: http.StatusInternalServerError, Type: "api_error", Message: err.Error()}).write(w)
		return
	}
	if key != "" {
		b.keys[key] = stored{Fingerprint: fingerprint, Status: http.StatusOK, Body: out, At: b.opt.Now()}
		w.Header().Set("Idempotency-Key", key)
	}
	if r.Method != http.MethodGet {
		b.save()
	}
	sandbox.JSON(w, http.StatusOK, json.RawMessage(out))
}

// repeat answers a key that was used before.
func (b *Box) repeat(w http.ResponseWriter, key, fingerprint string) bool {
	if key == "" {
		return false
	}
	if len(key) > 255 {
		(&problem{Type: "idempotency_error", Message: "Idempotency keys can have up to 255 characters."}).write(w)
		return true
	}
	s, ok := b.keys[key]
	if !ok || b.opt.Now().Sub(s.At) > keyLife {
		return false
	}
	if s.Fingerprint != fingerprint {
		(&problem{
			Type: "idempotency_error",
			Message: "Keys for idempotent requests can only be used with the same parameters they were first used with. " +
				"Try using a key other than '" + key + "' if you meant to execute a different request.",
		}).write(w)
		return true
	}
	w.Header().Set("Idempotency-Key", key)
	w.Header().Set("Idempotent-Replayed", "true")
	sandbox.JSON(w, s.Status, json.RawMessage(s.Body))
	return true
}
