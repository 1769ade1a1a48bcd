package events

import (
	"strings"
	"time"
)

// OpRoute is the op of an event that carries a Route. It is said by people, not
// by a system, and changes no record.
const OpRoute Op = "route"

// Operators is the speaker of what people ask for. No connection or upstream
// may have the name.
const Operators = "operators"

// Route asks transform to derive a record's documents again: after a flow that
// failed was mended, for a connection that is new, or to assert anew what a
// system should hold.
type Route struct {
	Record Key `json:"record"`
	// Connection, when set, publishes the record's documents for that
	// connection again although nothing in them changed.
	Connection string `json:"connection,omitempty"`
	// Reason is told in Desired.Reason: retry, resync or drift.
	Reason string `json:"reason"`
}

// NewRoute wraps a request into an event.
func NewRoute(id string, at time.Time, r Route) Event {
	return Event{
		ID: id, Source: "/" + Operators, Type: TypeName("spoke", r.Record.Entity, OpRoute),
		Subject: r.Record.String(), Time: at, PartitionKey: r.Record.String(), Data: mustJSON(r),
	}
}

// IsRoute reports whether the event's data is a Route.
func (e Event) IsRoute() bool { return strings.HasSuffix(e.Type, "."+string(OpRoute)+".v1") }

// DecodeRoute reads heading and request of a stored event in one pass.
func DecodeRoute(b []byte) (Heading, Route, error) {
	var w struct {
		Heading
		Data Route `json:"data"`
	}
	err := decodeStored(b, &w, &w.Heading)
	return w.Heading, w.Data, err
}
