package events

import (
	"encoding/json"
	"time"
)

// Op says what happened to an object at its source.
type Op string

// The operations of a Change.
const (
	OpChanged  Op = "changed"  // created or updated
	OpDeleted  Op = "deleted"  // gone at the source
	OpRestored Op = "restored" // back at the source
	// OpMerged: the source made one object of two. The object of the change is
	// gone, and Into is the id of the one that lives on.
	OpMerged Op = "merged"
	// OpErased: the source was asked to forget a person. The object is gone, and
	// what the record holds of the person must go too.
	OpErased  Op = "erased"
	OpWritten Op = "written" // an Outcome: Spoke wrote it
)

// Fields are canonical field values by name, each as canonical JSON: money as
// {"amount","currency"}, decimals as strings, times in UTC. A custom field is
// named "custom.<name>". JSON null means "cleared".
type Fields map[string]json.RawMessage

// null is the JSON of a cleared field.
var null = json.RawMessage("null")

// Set stores v under name. The zero value of a type ("" or an empty Money)
// is stored as null, that is: the source says the field is empty. It panics
// on a value that has no JSON form, which is a bug in the caller.
func (f Fields) Set(name string, v any) {
	switch x := v.(type) {
	case string:
		if x == "" {
			f[name] = null
			return
		}
	case interface{ IsZero() bool }:
		// A zero Decimal is a quantity of nothing, not an absent one.
		if _, number := v.(Decimal); !number && x.IsZero() {
			f[name] = null
			return
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic("events: field " + name + ": " + err.Error())
	}
	f[name] = b
}

// SetCustom stores a custom field.
func (f Fields) SetCustom(name string, v any) { f.Set(customPrefix+name, v) }

// Text returns a string field, or "" when it is absent or not a string.
func (f Fields) Text(name string) string {
	var s string
	if json.Unmarshal(f[name], &s) != nil {
		return ""
	}
	return s
}

// Money returns a money field, or the zero Money.
func (f Fields) Money(name string) Money {
	var m Money
	if json.Unmarshal(f[name], &m) != nil {
		return Money{}
	}
	return m
}

// IsNull reports whether a value is absent or cleared.
func IsNull(v json.RawMessage) bool { return len(v) == 0 || string(v) == "null" }

const customPrefix = "custom."

// Change is what a system says about one of its objects: the data of a
// `changed`, `deleted`, `restored`, `merged` or `erased` event.
type Change struct {
	// Connection is the configured name of the speaker: a connection or an
	// upstream.
	Connection string `json:"connection"`
	// Entity is the canonical kind of the object, Object the speaker's own
	// type name ("salesOrder"), ID its id there.
	Entity Entity `json:"entity"`
	Object string `json:"object"`
	ID     string `json:"id"`
	// Record is set when the object itself carries Spoke's key (a NetSuite
	// external id, Stripe metadata), so that it is recognised even before the
	// outcome of the write that made it has been merged.
	Record Key `json:"record,omitzero"`
	// Marked is set when the object carries a key of Spoke's that does not
	// tell its record. It is one of ours, and never a new record.
	Marked bool `json:"marked,omitempty"`
	Op     Op   `json:"op"`
	// Into is set when Op is OpMerged: the id, of the same connection and
	// object type, that this object became a part of.
	Into string `json:"into,omitempty"`
	// At is when the source made the change, in UTC.
	At time.Time `json:"at"`
	// Read is when the values stood as they are told, where the change comes of a
	// read, by our own clock, whenever they were set; see ReadBetween. Systems tell
	// times in whole seconds, and two observations within one have an order.
	Read time.Time `json:"read,omitzero"`
	// Signal marks a notification without content: the object must be read.
	// Properties names what the notification said had changed, if it did.
	Signal     bool     `json:"signal,omitempty"`
	Properties []string `json:"properties,omitempty"`
	// Snapshot marks Fields as the whole object as it stood at At: a value
	// equal to the last one seen from this source is no change.
	Snapshot bool   `json:"snapshot,omitempty"`
	Fields   Fields `json:"fields,omitempty"`
	// Number and URL are how people find the object at its source.
	Number string `json:"number,omitempty"`
	URL    string `json:"url,omitempty"`
}

// ReadBetween notes when a read that brought the change began and ended. What it
// tells stood when the read began, or when the source says that the object was
// changed if that was meanwhile. A source whose clock is ahead says of a time that
// was not yet, and does not make what it showed look newer.
func (c *Change) ReadBetween(began, ended time.Time) {
	c.Read = began.UTC()
	if c.At.After(began) && !c.At.After(ended) {
		c.Read = c.At.UTC()
	}
}

// Observed is when the values stood as they are told.
func (c Change) Observed() time.Time {
	if c.Read.IsZero() {
		return c.At
	}
	return c.Read
}

// Observed is when Seen stood as it is told: the call began then, and nothing
// that began to be read later is older.
func (o Outcome) Observed() time.Time {
	if o.Read.IsZero() {
		return o.At
	}
	return o.Read
}

// External names the object the change is about.
func (c Change) External() External {
	return External{Connection: c.Connection, Object: c.Object, ID: c.ID}
}

// Effect says what a write did at the vendor.
type Effect string

// The effects of a write.
const (
	EffectCreated   Effect = "created"
	EffectUpdated   Effect = "updated"
	EffectUnchanged Effect = "unchanged" // the vendor already held it
	EffectVoided    Effect = "voided"
	EffectDeleted   Effect = "deleted"
)

// State is where a desired document stands at its connection.
type State string

// The states of a document.
const (
	StateSeen        State = "seen"        // the vendor's own, or not yet written
	StateDone        State = "done"        // the vendor holds what we want
	StateHeld        State = "held"        // waits for a dependency
	StateQuarantined State = "quarantined" // refused; a person must look
	// StateNeeded is no state of a document: a document of the same connection
	// waits for the object, which is only written on demand.
	StateNeeded State = "needed"
)

// Outcome is what came of one desired document: the data of a `written`
// event. It is published by a sink and merged like any other event.
type Outcome struct {
	Connection string `json:"connection"`
	Entity     Entity `json:"entity"` // canonical kind of the object
	Object     string `json:"object"`
	Record     Key    `json:"record"`
	State      State  `json:"state"`
	Effect     Effect `json:"effect,omitempty"`
	ID         string `json:"id,omitempty"`
	Number     string `json:"number,omitempty"`
	URL        string `json:"url,omitempty"`
	// Hash is the content hash of the document that was applied, Sequence
	// its position in HUB: a later document outranks an earlier one.
	Hash     string    `json:"hash"`
	Sequence uint64    `json:"sequence"`
	At       time.Time `json:"at"`
	// Read is when the call began whose answer brought Seen.
	Read time.Time `json:"read,omitzero"`
	// Attempts counts the tries this document took, at least 1.
	Attempts int `json:"attempts,omitempty"`
	// Seen are canonical fields read from the vendor's answer.
	Seen Fields `json:"seen,omitempty"`
	// Sent are canonical fields that were written and that no answer showed, as
	// the connector expects the vendor to show them.
	Sent Fields `json:"sent,omitempty"`
	// Error explains the states held and quarantined.
	Error *Problem `json:"error,omitempty"`
}

// External names the object the outcome is about.
func (o Outcome) External() External {
	return External{Connection: o.Connection, Object: o.Object, ID: o.ID}
}

// Problem is an error as people and machines read it. It never holds secrets
// or the values of fields.
type Problem struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
	Hint    string `json:"hint,omitempty"`
	Code    string `json:"code,omitempty"`
}
