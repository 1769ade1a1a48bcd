package events

import "time"

// Action is something that a person did to a running Spoke: the data of an
// audit event. It holds ids, filters and hashes, never content.
type Action struct {
	// Verb is what was done: "quarantine.retry", "replay", "resync".
	Verb string `json:"verb"`
	// Actor is user@host.
	Actor string    `json:"actor"`
	At    time.Time `json:"at"`
	// Connection, Record and Target narrow what it was done to; Target is a
	// subject, or the filter of a bulk action as it was given.
	Connection string `json:"connection,omitempty"`
	Record     Key    `json:"record,omitzero"`
	Target     string `json:"target,omitempty"`
	// Before and After are content hashes around an edit.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	Note   string `json:"note,omitempty"`
}

// StreamAudit holds audit events.
const StreamAudit = "AUDIT"

// AuditSubject is where an action is noted: audit.<tenant>.<verb>.
func AuditSubject(tenant, verb string) string { return subject("audit", tenant, verb) }

// NewAction wraps an action into an event.
func NewAction(id, tenant string, a Action) Event {
	return Event{
		ID: id, Source: "/operators/" + tenant, Type: "com.spoke.operator." + a.Verb + ".v1",
		Subject: a.Target, Time: a.At, Data: mustJSON(a),
	}
}
