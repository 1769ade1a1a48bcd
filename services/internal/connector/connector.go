// Package connector is the seam between Spoke and a vendor. A connector only
// translates: it reads the vendor's webhooks and objects into changes, and
// makes the vendor hold a document. Retry, breaker, rate budget, ledger,
// deadline and tracing are put around it by the sink runtime.
package connector

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// Delivery is one webhook call as the vendor made it.
type Delivery struct {
	Method string
	// URL is what the vendor called: the public scheme and host that are
	// configured, with the raw path and query of the request.
	URL      string
	Header   http.Header
	Body     []byte // raw bytes, before any decoding
	Received time.Time
}

// Webhooks is the vendor's push. Verify is always called first.
type Webhooks interface {
	// Verify checks authenticity over the raw bytes. Its errors have the kind
	// Unauthorized (forged, wrong or missing signature, stale) or Malformed.
	Verify(Delivery) error
	// Decode turns a verified delivery into events. What the vendor sends
	// but Spoke does not use is left out without an error. Errors are
	// Malformed and name the index and field at fault; events beside one are
	// what could be read all the same.
	Decode(Delivery) ([]events.Event, error)
}

// Reader reads objects, to fill in notifications that say only that
// something changed.
type Reader interface {
	// Read returns a snapshot Change for each id it finds, in any order; a
	// missing object comes back as OpDeleted. It may add changes for objects
	// that the asked ones point to (a deal's company, products). It uses the
	// vendor's batch calls.
	Read(ctx context.Context, object string, ids []string) ([]events.Change, error)
	// BatchSize is the largest useful number of ids in one Read.
	BatchSize() int
}

// Document is a desired document ready to be applied: references are the
// vendor's ids, and the ledger's knowledge is filled in.
type Document struct {
	events.Desired
	// Key is the stable external key of the object, safe in every vendor's
	// external id field: letters, digits, '-' and '_', at most 60 characters.
	// The connector stores it in the vendor's object where there is a place.
	Key string
	// ExternalID is the vendor's id when the object is known to exist.
	ExternalID string
	// IdempotencyKey is the same for every try of this document, and another
	// one for another content. At most 50 characters.
	IdempotencyKey string
	// First is when the first try with this IdempotencyKey began. Vendors
	// forget keys after a while.
	First time.Time
	// Open is when the earliest try began of which nobody knows whether it took
	// effect, under this key or another one and maybe with another content;
	// zero when there is none. Find looks among what was made since.
	Open time.Time
	// Reapply is set when the last try ended in a Conflict: read the vendor's
	// current version first, whatever was cached.
	Reapply bool
}

// Result is what came of one Document.
type Result struct {
	ID     string
	Number string
	URL    string
	Effect events.Effect
	// Seen are canonical fields (of the object's entity) in the answer: what the
	// vendor holds after the write, in the form in which Reader and Scanner show
	// it. A value that is read later and differs is taken for an edit.
	Seen events.Fields
	// Sent are canonical fields that were written and that no answer shows, in
	// the same form as far as the connector knows it. A value that is read later
	// may be written in another way ("California", "CA") and still be the same.
	Sent events.Fields
	// Err has a kind; nil means the vendor holds the document.
	Err error
}

// Target makes a vendor hold desired documents.
type Target interface {
	// Apply makes the vendor hold each document and answers in the same order
	// and number. It makes at most BatchSize documents' worth of calls.
	// Applying a document twice has no second effect.
	Apply(ctx context.Context, docs []Document) []Result
	// Find looks an object up by its external key (Document.Key), for the
	// case that the answer to a create was lost. The document tells which
	// object type and what else may identify it. found is false when the
	// vendor certainly does not have it.
	Find(ctx context.Context, doc Document) (r Result, found bool, err error)
	// Check reaches the vendor with the credentials and changes nothing.
	Check(ctx context.Context) error
	// BatchSize is how many documents of one object type fit in one Apply.
	BatchSize() int
}

// Connector is what a configured connection can do. A nil member means that
// the vendor, or this version of the connector, has no such thing.
type Connector struct {
	Webhooks Webhooks
	Reader   Reader
	Scanner  Scanner
	Target   Target
}

// Deps is what the program gives every connector.
type Deps struct {
	// Connection is the configured name; Tenant the tenant's.
	Connection string
	Tenant     string
	Log        *slog.Logger
	// HTTP is instrumented and has sane time-outs and no redirects to other
	// hosts. Connectors make all calls with it.
	HTTP *http.Client
	// Now is the clock for signatures.
	Now func() time.Time
	// Tokens keeps rotating credentials; nil means in memory only.
	Tokens TokenStore
	// Alert tells operators of what no error tells, such as credentials that
	// end soon. Connection and At are filled in. Nil tells nobody.
	Alert func(ctx context.Context, a events.Alert)
	// Count counts what is left out without an error, such as a webhook about
	// another company: "other company". The names are a few fixed ones. Nil
	// counts nothing.
	Count func(what string, n int)
}

// TokenStore keeps the newest credentials of one connection, for all
// replicas. What they look like is the connector's own business.
type TokenStore interface {
	// Load returns the credentials and their revision; an empty text and
	// revision 0 when none were saved yet.
	Load(ctx context.Context) (token string, revision uint64, err error)
	// Save replaces the credentials that have the revision and returns the new
	// one. It returns ErrTokenMoved when another replica saved some meanwhile.
	Save(ctx context.Context, token string, revision uint64) (uint64, error)
}

// ErrTokenMoved is returned by TokenStore.Save for a revision that is not the
// newest.
var ErrTokenMoved = errors.New("another replica saved a token meanwhile")

// Kind describes a vendor: what a connection of this kind is made of.
type Kind struct {
	// Name as in the configuration: "netsuite".
	Name string
	// Title as people write it: "NetSuite".
	Title string
	// Hub is true for the vendor whose ids are the record ids.
	Hub bool
	// Objects are the vendor's types that Spoke reads or writes.
	Objects []Object
	// Feeds are the ways to read objects without being told; see Scanner.
	Feeds []Feed
	// Limits are the vendor's documented ceilings for a plain account.
	Limits Limits
	// Settings returns a pointer to the default settings. The configuration
	// decodes the connection's `settings` into it and refuses unknown keys.
	Settings func() any
	// Open makes a connector of decoded settings. It reports every problem
	// of the settings at once and makes no call.
	Open func(settings any, deps Deps) (Connector, error)
	// For returns the kind as one connection has it: with the objects, feeds
	// and limits that depend on its settings, such as custom objects and the
	// tier of the account. Nil means that settings change nothing of them. It
	// must put up with settings that Open would refuse.
	For func(settings any) Kind
	// Consent makes the means by which a person admits Spoke to an account,
	// where the vendor asks for that. Nil where credentials are entered in the
	// settings only.
	Consent func(settings any, deps Deps) (Consent, error)
	// Flows holds the default mappings, *.yaml; may be nil.
	Flows fs.FS
}

// Consent is the dance in which a person lets Spoke into an account: OAuth
// 2.0's authorization code grant.
type Consent interface {
	// URL is the vendor's page on which the person agrees. From there the
	// browser is sent to redirect, with state among the answer.
	URL(redirect, state string) string
	// Complete checks what the browser brought to redirect, trades it for
	// credentials and saves them in Deps.Tokens. It returns what was
	// connected, for people. The caller has checked the state.
	Complete(ctx context.Context, redirect string, answer url.Values) (string, error)
}

// Limits bound the calls of one connection, whatever the number of replicas.
// Zero values are no limit.
type Limits struct {
	// PerSecond is the sustained rate of calls; Burst how many at once.
	PerSecond float64
	Burst     int
	// Concurrent is how many calls may be in flight.
	Concurrent int
	// PerDay is how many calls a day may have, from midnight to midnight in
	// Zone; nil is UTC.
	PerDay int
	Zone   *time.Location
	// Background is the share of rate, slots and calls a day that background
	// calls, such as a backfill's, may use; 0 is one half.
	Background float64
	// Pools are calls with limits of their own. A call belongs to the first
	// pool that matches it, and counts against the limits above only where
	// the pool says so.
	Pools []Pool
}

// Pool is a part of a vendor's calls with a limit of its own, such as
// searches.
type Pool struct {
	Name  string
	Match func(*http.Request) bool
	// PerSecond, Burst and Concurrent as in Limits.
	PerSecond  float64
	Burst      int
	Concurrent int
	// Shared is true for calls that count against the connection's limits too.
	Shared bool
}

// Object describes one of the vendor's types.
type Object struct {
	// Name as in desired documents, flows and External: "salesOrder".
	Name string
	// Entity is the canonical kind that its changes speak of.
	Entity events.Entity
	// Can is what this connector does with objects of the type, besides what
	// the kind's feeds say.
	Can Ability
	// Unmarked is true when the vendor's object has no place for Spoke's key.
	// One that nobody knows may then be one of ours whose outcome is still on
	// its way, so it is not taken for a new record.
	Unmarked bool
	// Fields are the known fields that a flow may set.
	Fields []Field
	// Open reports whether a field that is not in Fields may be set too, as
	// with custom fields ("custbody_…"). Nil means none may.
	Open func(name string) bool
}

// Ability is a set of things that a connector does with an object type.
type Ability uint8

// The abilities.
const (
	Create  Ability = 1 << iota // a flow may make one
	Update                      // a flow may change one
	Delete                      // a flow may void or delete one
	Read                        // Reader reads it by id
	Webhook                     // the vendor tells of its changes
)

// Has reports whether every one of the abilities is there.
func (a Ability) Has(all Ability) bool { return a&all == all }

// Writable reports whether flows may target the object.
func (o Object) Writable() bool { return o.Can&(Create|Update) != 0 }

// Field describes a field that a flow may set.
type Field struct {
	Name string
	Type FieldType
	// Required is checked for each document before any call.
	Required bool
	// Once is true for a field that is only written when the object is made:
	// writing the document again changes nothing of what the vendor holds.
	Once bool
	// Ref is the object type that a FieldRef points to.
	Ref string
	// Fields are the fields of a FieldList's or FieldObject's element.
	Fields []Field
	Doc    string
}

// FieldType is what a flow must deliver for a field.
type FieldType string

// The field types.
const (
	FieldString  FieldType = "string"
	FieldBool    FieldType = "bool"
	FieldInt     FieldType = "int"
	FieldDecimal FieldType = "decimal" // json.Number in the document
	FieldMoney   FieldType = "money"   // {"amount":"…","currency":"…"}
	FieldDate    FieldType = "date"    // "2026-11-23"
	FieldRef     FieldType = "ref"     // another object of this connection
	FieldList    FieldType = "list"    // of objects
	FieldObject  FieldType = "object"
)

// Object returns the vendor type by name.
func (k Kind) Object(name string) (Object, bool) {
	for _, o := range k.Objects {
		if o.Name == name {
			return o, true
		}
	}
	return Object{}, false
}
