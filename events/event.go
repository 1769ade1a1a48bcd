package events

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// SpecVersion is the CloudEvents version of every event.
const SpecVersion = "1.0"

// ContentType is the media type of one structured CloudEvent.
const ContentType = "application/cloudevents+json"

// BatchContentType is the media type of a JSON array of CloudEvents.
const BatchContentType = "application/cloudevents-batch+json"

// SchemaBase is the prefix of every dataschema URI.
const SchemaBase = "https://spoke-sync.github.io/schemas/"

// Event is a CloudEvent as Spoke's streams hold it. Data is a Change, or an
// Outcome when the type ends in ".written.v1".
type Event struct {
	ID     string
	Source string // URI reference: /connections/stripe, /sinks/netsuite, /upstreams/shop
	Type   string // com.<system>.<entity>.<op>.v1
	// Subject is "<object>/<id>" at the source.
	Subject    string
	Time       time.Time
	DataSchema string
	// PartitionKey is the key of the object's lane: events with one key are
	// about one object.
	PartitionKey string
	// TraceParent and TraceState are the W3C context that the event began
	// in. They never change, whatever hops follow.
	TraceParent string
	TraceState  string
	Data        json.RawMessage
}

// wire is the structured JSON form, for reading; MarshalJSON writes it in this
// order.
type wire struct {
	SpecVersion  string          `json:"specversion"`
	ID           string          `json:"id"`
	Source       string          `json:"source"`
	Type         string          `json:"type"`
	Subject      string          `json:"subject,omitempty"`
	Time         *time.Time      `json:"time,omitempty"`
	DataSchema   string          `json:"dataschema,omitempty"`
	PartitionKey string          `json:"partitionkey,omitempty"`
	TraceParent  string          `json:"traceparent,omitempty"`
	TraceState   string          `json:"tracestate,omitempty"`
	Data         json.RawMessage `json:"data,omitempty"`
}

// UnmarshalJSON reads the structured form as Spoke writes it. Events from
// outside are read with the CloudEvents SDK first, which knows every
// attribute and form that the specification allows.
func (e *Event) UnmarshalJSON(b []byte) error {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("cloudevent: %w", err)
	}
	if w.SpecVersion != SpecVersion {
		return fmt.Errorf("cloudevent: specversion %q: want %q", w.SpecVersion, SpecVersion)
	}
	if w.ID == "" || w.Source == "" || w.Type == "" {
		return fmt.Errorf("cloudevent: id, source and type are required")
	}
	*e = Event{
		ID: w.ID, Source: w.Source, Type: w.Type, Subject: w.Subject, DataSchema: w.DataSchema,
		PartitionKey: w.PartitionKey, TraceParent: w.TraceParent, TraceState: w.TraceState, Data: w.Data,
	}
	if w.Time != nil {
		e.Time = w.Time.UTC()
	}
	return nil
}

// TypeName builds an event type: com.netsuite.order.written.v1. The system is
// the kind of the speaker (the vendor), not the connection's name.
func TypeName(system string, entity Entity, op Op) string {
	return "com." + system + "." + string(entity) + "." + string(op) + ".v1"
}

// ParseType takes a type apart. ok is false for a type of another form.
func ParseType(t string) (system string, entity Entity, op Op, ok bool) {
	p := strings.Split(t, ".")
	if len(p) < 5 || p[0] != "com" || p[len(p)-1] != "v1" {
		return "", "", "", false
	}
	n := len(p)
	return strings.Join(p[1:n-3], "."), Entity(p[n-3]), Op(p[n-2]), true
}

// IsOutcome reports whether the event's data is an Outcome.
func (e Event) IsOutcome() bool { return strings.HasSuffix(e.Type, "."+string(OpWritten)+".v1") }

// Change decodes the data of a change event.
func (e Event) Change() (Change, error) {
	var c Change
	if err := json.Unmarshal(e.Data, &c); err != nil {
		return Change{}, fmt.Errorf("event %s: data is no change: %w", e.ID, err)
	}
	return c, nil
}

// Outcome decodes the data of a `written` event.
func (e Event) Outcome() (Outcome, error) {
	var o Outcome
	if err := json.Unmarshal(e.Data, &o); err != nil {
		return Outcome{}, fmt.Errorf("event %s: data is no outcome: %w", e.ID, err)
	}
	return o, nil
}

// NewChange wraps a change said by the given system (vendor kind) into an
// event. The id must be the same whenever the same change is said again, so
// that a second delivery is recognised.
func NewChange(system, id string, c Change) Event {
	return Event{
		ID: id, Source: "/connections/" + c.Connection, Type: TypeName(system, c.Entity, c.Op),
		Subject: c.Object + "/" + c.ID, Time: c.At, DataSchema: SchemaBase + "change.v1.json",
		PartitionKey: c.Connection + "/" + c.Object + "/" + c.ID, Data: changeJSON(c),
	}
}

// changeJSON encodes a change without the second look that json.Marshal would
// take at it.
func changeJSON(c Change) json.RawMessage {
	b, err := c.MarshalJSON()
	if err != nil {
		panic("events: " + err.Error())
	}
	return b
}

// NewOutcome wraps the outcome of a write by the sink of the given system.
func NewOutcome(system, id string, o Outcome) Event {
	return Event{
		ID: id, Source: "/sinks/" + o.Connection, Type: TypeName(system, o.Entity, OpWritten),
		Subject: o.Object + "/" + o.Record.String(), Time: o.At, DataSchema: SchemaBase + "outcome.v1.json",
		PartitionKey: o.Record.String(), Data: mustJSON(o),
	}
}

// mustJSON encodes one of this package's own types. Those always encode, but
// for a Fields value that is no JSON, which Fields.Set rules out.
func mustJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("events: " + err.Error())
	}
	return b
}
