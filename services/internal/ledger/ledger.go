// Package ledger remembers, per connection and object, what was sent and what
// came of it, so that a crash at any point neither loses a write nor makes it
// twice. It is a JetStream key-value bucket that is only ever written with
// compare-and-set (rule 3).
package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// Entry is what is known of one object.
type Entry struct {
	// ID, Number and URL are the vendor's; empty until the object exists.
	ID     string `json:"id,omitempty"`
	Number string `json:"number,omitempty"`
	URL    string `json:"url,omitempty"`
	// Hash is the document that the vendor is known to hold.
	Hash string `json:"hash,omitempty"`
	// Outcome is the last one, published again when its message is delivered
	// again.
	Outcome *events.Outcome `json:"outcome,omitempty"`
	// Sending is set while a document is on its way.
	Sending *Sending `json:"sending,omitempty"`

	revision uint64
}

// Sending is a document on its way.
type Sending struct {
	Hash     string `json:"hash"`
	Sequence uint64 `json:"sequence"` // its position in HUB
	Key      string `json:"key"`      // idempotency key
	// First is when the first try under Key began.
	First time.Time `json:"first"`
	// Open is when the earliest try began whose outcome is not known; zero when
	// there is none but this one.
	Open time.Time `json:"open,omitzero"`
	// Attempts counts the tries that had an outcome other than "wait", Bounded
	// those of them that ended in a kind of error of which only a few are
	// tolerated: what an outage cost is not held against the document.
	Attempts int `json:"attempts"`
	Bounded  int `json:"bounded,omitempty"`
	// Unknown is true while a call may have taken effect without our knowing:
	// from before the call until its answer is stored.
	Unknown bool `json:"unknown"`
	// Reapply is set after a conflict.
	Reapply bool `json:"reapply,omitempty"`
	// Owner works on it until Lease.
	Owner string    `json:"owner"`
	Lease time.Time `json:"lease"`
}

// CodeCorrupt is the code of the error for an entry that can't be read.
const CodeCorrupt = "ledger_corrupt"

// ErrTaken means that another worker has changed the entry in between.
var ErrTaken = errors.New("ledger: changed by another worker")

// Ledger is the bucket of one connection.
type Ledger struct{ kv jetstream.KeyValue }

// Open returns the ledger in an existing bucket.
func Open(ctx context.Context, js jetstream.JetStream, bucket string) (*Ledger, error) {
	kv, err := js.KeyValue(ctx, bucket)
	if err != nil {
		return nil, fmt.Errorf("ledger: bucket %s: %w", bucket, err)
	}
	return &Ledger{kv: kv}, nil
}

// key is the entry of one object: the connection's bucket holds all objects.
func key(object string, k events.Key) string {
	return events.Token(object) + "." + events.Token(string(k.Entity)) + "." + events.Token(k.ID)
}

// Load returns the entry; a new one when there is none. The answer may be
// behind by a moment: Save refuses what is built on an old one. An entry that
// can't be read is an error of the kind Internal with a hint; only its object
// is concerned.
func (l *Ledger) Load(ctx context.Context, object string, k events.Key) (Entry, error) {
	kve, err := l.kv.Get(ctx, key(object, k))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Entry{}, nil
	}
	if err != nil {
		return Entry{}, fault.New(fault.Transient, "ledger", "load %s of %s: %w", object, k, err)
	}
	var e Entry
	if err := json.Unmarshal(kve.Value(), &e); err != nil {
		return Entry{}, fault.New(fault.Malformed, "ledger", "entry of %s of %s can't be read: %w", object, k, err).
			WithCode(CodeCorrupt).
			WithHint("look the object up at the vendor, then write the entry anew; every other object goes on")
	}
	e.revision = kve.Revision()
	return e, nil
}

// Save stores the entry if nobody has stored another one since it was
// loaded, and returns it with its new revision. ErrTaken means that somebody
// has.
func (l *Ledger) Save(ctx context.Context, object string, k events.Key, e Entry) (Entry, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return e, fault.New(fault.Internal, "ledger", "%w", err)
	}
	var rev uint64
	if e.revision == 0 {
		rev, err = l.kv.Create(ctx, key(object, k), b)
	} else {
		rev, err = l.kv.Update(ctx, key(object, k), b, e.revision)
	}
	switch {
	case errors.Is(err, jetstream.ErrKeyExists), errors.Is(err, jetstream.ErrKeyRevisionMismatch):
		return e, ErrTaken
	case err != nil:
		return e, fault.New(fault.Transient, "ledger", "save %s of %s: %w", object, k, err)
	}
	e.revision = rev
	return e, nil
}
