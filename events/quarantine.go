package events

import (
	"encoding/json"
	"time"
)

// Quarantined is a document or event that could not be done, with all that a
// person needs to mend and retry it. It stands on QUARANTINE until then.
type Quarantined struct {
	Service    string  `json:"service"` // who gave up
	Connection string  `json:"connection"`
	Entity     Entity  `json:"entity"`
	Record     Key     `json:"record,omitzero"`
	Problem    Problem `json:"problem"`
	Attempts   int     `json:"attempts"`
	// Subject and Sequence say where the original stands.
	Stream   string    `json:"stream"`
	Subject  string    `json:"subject"`
	Sequence uint64    `json:"sequence"`
	Event    string    `json:"event,omitempty"` // id of the event, if it is one
	Trace    string    `json:"trace,omitempty"` // trace id
	At       time.Time `json:"at"`
	// Choices are the records that an object may stand for, of which a person
	// chooses one. Own is the record that it becomes if it is none of them.
	Choices []Choice `json:"choices,omitempty"`
	Own     Key      `json:"own,omitzero"`
	// Original is the message's data as it was.
	Original json.RawMessage `json:"original"`
}

// Choice is a record that an object may stand for, because the two have the
// same value in a field.
type Choice struct {
	Record Key    `json:"record"`
	Field  string `json:"field"`
}

// Alert tells operators of something they should know.
type Alert struct {
	Severity   string `json:"severity"` // warning or critical
	Kind       string `json:"kind"`     // a fault kind, or held, lag, breaker
	Connection string `json:"connection"`
	Record     Key    `json:"record,omitzero"`
	// About is what it is about where that is no record, such as a feed.
	About   string    `json:"about,omitempty"`
	Message string    `json:"message"`
	Hint    string    `json:"hint,omitempty"`
	At      time.Time `json:"at"`
}

// Held is a desired document that waits for another object of the same
// connection.
type Held struct {
	Needs  Ref    `json:"needs"`
	Object string `json:"object"`
	Record Key    `json:"record"`
	// Subject and Sequence are of the desired document in HUB.
	Subject  string    `json:"subject"`
	Sequence uint64    `json:"sequence"`
	Since    time.Time `json:"since"`
	// Told is set once operators were told that it waits too long.
	Told bool `json:"told,omitempty"`
}

// Condition is what a connection's sink is doing, as it stands in the
// connections bucket.
type Condition struct {
	State  string    `json:"state"` // running, open (breaker), unauthorized, recovering, paused
	Reason string    `json:"reason,omitempty"`
	Hint   string    `json:"hint,omitempty"`
	Since  time.Time `json:"since"`
}

// Original returns data for Quarantined.Original: as it is, or as a JSON string
// when it is no JSON.
func Original(data []byte) json.RawMessage {
	if json.Valid(data) {
		return data
	}
	return mustJSON(string(data))
}
