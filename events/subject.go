package events

import (
	"fmt"
	"strings"
)

// Stream names.
const (
	StreamEvents     = "EVENTS"
	StreamHub        = "HUB"
	StreamWarehouse  = "WAREHOUSE"
	StreamQuarantine = "QUARANTINE"
	StreamAlerts     = "ALERTS"
	StreamSchedules  = "SCHEDULES"
)

func subject(tokens ...string) string {
	for i, t := range tokens {
		if i > 0 {
			tokens[i] = Token(t)
		}
	}
	return strings.Join(tokens, ".")
}

// EventSubject is where an event is published:
// events.<tenant>.<connection>.<entity>.<op>.<id>.
func EventSubject(tenant, connection string, entity Entity, op Op, id string) string {
	return subject("events", tenant, connection, string(entity), string(op), id)
}

// RecordSubject is where a golden record stands in HUB.
func RecordSubject(tenant string, k Key) string {
	return subject("record", tenant, string(k.Entity), k.ID)
}

// DesiredSubject is where a desired document stands in HUB:
// desired.<tenant>.<connection>.<object>.<entity>.<id>.
func DesiredSubject(tenant, connection, object string, k Key) string {
	return subject("desired", tenant, connection, object, string(k.Entity), k.ID)
}

// DesiredFilter matches every desired document of a connection.
func DesiredFilter(tenant, connection string) string {
	return subject("desired", tenant, connection) + ".>"
}

// AliasSubject is where the record behind a vendor's object stands in HUB.
func AliasSubject(tenant string, x External) string {
	return subject("alias", tenant, x.Connection, x.Object, x.ID)
}

// WaitingSubject is where a record waits in HUB for the record behind a
// vendor's object to become known.
func WaitingSubject(tenant string, x External, k Key) string {
	return subject("waiting", tenant, x.Connection, x.Object, x.ID, string(k.Entity), k.ID)
}

// WaitingFilter matches every record that waits for a vendor's object.
func WaitingFilter(tenant string, x External) string {
	return subject("waiting", tenant, x.Connection, x.Object, x.ID) + ".>"
}

// MovedSubject is where the survivor of a merged record stands in HUB.
func MovedSubject(tenant string, k Key) string {
	return subject("moved", tenant, string(k.Entity), k.ID)
}

// BequestSubject is where it stands in HUB that a merged record has yet to be
// handed over to its survivor.
func BequestSubject(tenant string, k Key) string {
	return subject("bequest", tenant, string(k.Entity), k.ID)
}

// LinkSubject is where it stands in HUB that a record links to another one.
func LinkSubject(tenant string, to, from Key) string {
	return subject("link", tenant, string(to.Entity), to.ID, string(from.Entity), from.ID)
}

// LinkFilter matches every record that links to another one.
func LinkFilter(tenant string, to Key) string {
	return subject("link", tenant, string(to.Entity), to.ID) + ".>"
}

// MatchSubject is where it stands in HUB that a record has a value by which it
// may be matched; hash stands for the value.
func MatchSubject(tenant, rule, hash string, k Key) string {
	return subject("match", tenant, string(k.Entity), rule, hash, k.ID)
}

// MatchFilter matches every record with a value.
func MatchFilter(tenant string, e Entity, rule, hash string) string {
	return subject("match", tenant, string(e), rule, hash) + ".*"
}

// HeldSubject is where a desired document that needs another object at the
// same connection is held in HUB.
func HeldSubject(tenant, connection string, need Ref, object string, k Key) string {
	return subject("held", tenant, connection, need.Object, string(need.Record.Entity), need.Record.ID,
		object, string(k.Entity), k.ID)
}

// HeldFilter matches everything that is held for one object of a connection.
func HeldFilter(tenant, connection string, need Ref) string {
	return subject("held", tenant, connection, need.Object, string(need.Record.Entity), need.Record.ID) + ".>"
}

// WaiterFilter matches what one document of a connection waits for.
func WaiterFilter(tenant, connection, object string, k Key) string {
	return subject("held", tenant, connection) + ".*.*.*." + Token(object) + "." + Token(string(k.Entity)) + "." + Token(k.ID)
}

// QuarantineSubject is where what can't be done is put.
func QuarantineSubject(service, connection, kind string, entity Entity, id string) string {
	return subject("quarantine", service, connection, kind, string(entity), id)
}

// AlertSubject is where operators are told.
func AlertSubject(severity, kind, connection string) string {
	return subject("alert", severity, kind, connection)
}

// DueSubject is where work is announced that is due, such as a poll of a
// connection's feed.
func DueSubject(tenant, work, connection, feed string) string {
	return subject("due", tenant, work, connection, feed)
}

// DueFilter matches all work of a tenant that is due.
func DueFilter(tenant string) string { return subject("due", tenant) + ".>" }

// ScheduleSubject is where it stands when work is due; name tells several
// times of one work apart.
func ScheduleSubject(tenant, work, connection, feed, name string) string {
	return subject("schedule", tenant, work, connection, feed, name)
}

// ScheduleFilter matches every schedule of a tenant.
func ScheduleFilter(tenant string) string { return subject("schedule", tenant) + ".>" }

// WarehouseSubject is where the rows of a table are published.
func WarehouseSubject(tenant, table string) string { return subject("warehouse", tenant, table) }

// SubjectTokens takes a subject apart into its decoded tokens.
func SubjectTokens(s string) ([]string, error) {
	parts := strings.Split(s, ".")
	for i, p := range parts {
		if i == 0 {
			continue
		}
		t, err := Untoken(p)
		if err != nil {
			return nil, fmt.Errorf("subject %q: %w", s, err)
		}
		parts[i] = t
	}
	return parts, nil
}

// RecordKeyOf returns the record that a record subject names.
func RecordKeyOf(s string) (Key, error) {
	t, err := SubjectTokens(s)
	if err != nil {
		return Key{}, err
	}
	if len(t) != 4 || t[0] != "record" {
		return Key{}, fmt.Errorf("subject %q: no record subject", s)
	}
	return Key{Entity(t[2]), t[3]}, nil
}
