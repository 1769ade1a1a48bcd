package connectortest

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

func addWebhooks(add adder) {
	add("webhooks/genuine", checkGenuine)
	add("webhooks/forged", checkForged)
	add("webhooks/stale", checkStale)
	add("webhooks/broken", checkBroken)
}

func checkGenuine(t testing.TB, e *env) {
	for i, d := range e.Deliveries {
		if err := e.con.Webhooks.Verify(d); err != nil {
			t.Fatalf("delivery %d: Verify: %v", i, err)
		}
		first, err := e.con.Webhooks.Decode(d)
		if err != nil || len(first) == 0 {
			t.Fatalf("delivery %d: %d events, error %v", i, len(first), err)
		}
		d.Received = d.Received.Add(time.Second) // the vendor delivers it again
		second, err := e.con.Webhooks.Decode(d)
		if err != nil || len(second) != len(first) {
			t.Fatalf("delivery %d again: %d events, error %v: want %d", i, len(second), err, len(first))
		}
		seen := map[string]bool{}
		for n, event := range first {
			e.mustBeEvent(t, event)
			if seen[event.ID] {
				t.Errorf("delivery %d: two events have the id %s", i, event.ID)
			}
			seen[event.ID] = true
			if event.ID != second[n].ID {
				t.Errorf("delivery %d: event %s is %s when delivered again: it would count twice", i, event.ID, second[n].ID)
			}
		}
	}
}

// mustBeEvent fails unless the event is complete and of this connection.
func (e *env) mustBeEvent(t testing.TB, event events.Event) {
	t.Helper()
	if event.ID == "" || event.Source != "/connections/"+Connection || event.Time.IsZero() || event.PartitionKey == "" {
		t.Errorf("event %q of %q lacks id, source, time or partition key", event.ID, event.Source)
	}
	system, entity, op, ok := events.ParseType(event.Type)
	if !ok || system != e.kind.Name || !entity.Known() {
		t.Errorf("event type %q: want com.%s.<entity>.<op>.v1", event.Type, e.kind.Name)
	}
	change, err := event.Change()
	if err != nil {
		t.Errorf("event %s: %v", event.ID, err)
		return
	}
	if change.Op != op || change.Entity != entity {
		t.Errorf("event %s says %s, its data %s of %s", event.ID, event.Type, change.Op, change.Entity)
	}
	e.mustBeChange(t, change)
}

// mustBeChange fails unless the change is complete and of this connection.
func (e *env) mustBeChange(t testing.TB, c events.Change) {
	t.Helper()
	o, ok := e.kind.Object(c.Object)
	if !ok {
		t.Errorf("change of %s: the kind has no such object", c.Object)
		return
	}
	if c.Entity != o.Entity {
		t.Errorf("change of %s %s: entity %q, want %q", c.Object, c.ID, c.Entity, o.Entity)
	}
	if c.Connection != Connection || c.ID == "" || c.At.IsZero() {
		t.Errorf("change of %s %q lacks connection, id or time", c.Object, c.ID)
	}
	if c.At.Location() != time.UTC {
		t.Errorf("change of %s %s: its time is not in UTC", c.Object, c.ID)
	}
	if c.Signal && len(c.Fields) > 0 {
		t.Errorf("change of %s %s is a signal with fields", c.Object, c.ID)
	}
	e.mustBeCanonical(t, c.Object, c.Fields)
}

func checkForged(t testing.TB, e *env) {
	if e.Signature == "" {
		t.Fatalf("the fixture does not name the signature header")
	}
	for i, d := range e.Deliveries {
		signature := d.Header.Get(e.Signature)
		if signature == "" {
			t.Fatalf("delivery %d has no header %s", i, e.Signature)
		}
		forged := map[string]connector.Delivery{
			"longer body":        withBody(d, append(slices.Clone(d.Body), ' ')),
			"empty body":         withBody(d, nil),
			"changed body":       withBody(d, flip(d.Body)),
			"no signature":       withHeader(d, e.Signature, ""),
			"changed signature":  withHeader(d, e.Signature, string(flip([]byte(signature)))),
			"shorter signature":  withHeader(d, e.Signature, signature[:len(signature)-1]),
			"signature is noise": withHeader(d, e.Signature, "=,;\x00 v1="),
		}
		for name, f := range forged {
			if err := e.con.Webhooks.Verify(f); err == nil {
				t.Errorf("delivery %d, %s: verified", i, name)
			} else {
				e.mustFault(t, err, fault.Unauthorized, fault.Malformed)
			}
		}
		for _, name := range []string{"changed body", "no signature", "changed signature"} {
			e.mustFault(t, e.con.Webhooks.Verify(forged[name]), fault.Unauthorized)
		}
	}
}

func checkStale(t testing.TB, e *env) {
	if e.MaxAge == 0 {
		return // the vendor signs no time, so that there is nothing to check
	}
	late := e.Deliveries[0]
	late.Received = late.Received.Add(e.MaxAge + time.Minute)
	deps := e.deps
	deps.Now = func() time.Time { return late.Received }
	con, err := e.kind.Open(e.Settings, deps)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	e.mustFault(t, con.Webhooks.Verify(late), fault.Unauthorized)
}

func checkBroken(t testing.TB, e *env) {
	for _, d := range e.Deliveries {
		for _, body := range [][]byte{nil, d.Body[:len(d.Body)/2], []byte("null,"), []byte(page)} {
			_, err := e.con.Webhooks.Decode(withBody(d, body))
			e.mustFault(t, err, fault.Malformed)
		}
	}
}

func withBody(d connector.Delivery, body []byte) connector.Delivery {
	d.Body = body
	return d
}

func withHeader(d connector.Delivery, name, value string) connector.Delivery {
	d.Header = d.Header.Clone()
	d.Header.Del(name)
	if value != "" {
		d.Header.Set(name, value)
	}
	return d
}

// flip changes one letter or digit near the end into another one, which keeps
// hex and base64 well-formed. The very last of base64 may hold unused bits.
func flip(b []byte) []byte {
	b = bytes.Clone(b)
	const from, to = "0123456789abcdef", "123456789abcdef0"
	for i := len(b) - 4; i >= 0; i-- {
		if n := strings.IndexByte(from, b[i]); n >= 0 {
			b[i] = to[n]
			return b
		}
	}
	return append(b, '0')
}
