package hubspot

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

// journalEvent is one event of the journal.
type journalEvent struct {
	PortalID         number                     `json:"portalId"`
	OccurredAt       loose                      `json:"occurredAt"` // a time, or milliseconds
	Action           string                     `json:"action"`
	ObjectTypeID     string                     `json:"objectTypeId"`
	ObjectID         number                     `json:"objectId"`
	PropertyChanges  map[string]json.RawMessage `json:"propertyChanges"`
	FromObjectID     number                     `json:"fromObjectId"`
	ToObjectID       number                     `json:"toObjectId"`
	FromObjectTypeID string                     `json:"fromObjectTypeId"`
	ToObjectTypeID   string                     `json:"toObjectTypeId"`
	PrimaryObjectID  number                     `json:"primaryObjectId"`
	MergedObjectIDs  []number                   `json:"mergedObjectIds"`
	NewObjectID      number                     `json:"newObjectId"`
}

// journalActions are the actions that are used, in this package's words.
var journalActions = map[string]string{
	"CREATE": "change", "UPDATE": "change", "SNAPSHOT": "change", "DELETE": "deletion", "MERGE": "merge", "RESTORE": "restore",
	"GDPR_DELETE": "erase", "ASSOCIATION_ADDED": "associationChange", "ASSOCIATION_REMOVED": "associationChange",
}

// notification is the event in a webhook's words, as far as both have them.
func (n journalEvent) notification() notification {
	return notification{
		ObjectID: n.ObjectID, ObjectTypeID: n.ObjectTypeID, FromObjectID: n.FromObjectID, ToObjectID: n.ToObjectID,
		FromObjectTypeID: n.FromObjectTypeID, ToObjectTypeID: n.ToObjectTypeID, PrimaryObjectID: n.PrimaryObjectID,
		MergedObjectIDs: n.MergedObjectIDs, NewObjectID: n.NewObjectID,
	}
}

// own reports whether nothing but properties of Spoke's own changed.
func (n journalEvent) own() bool {
	for name := range n.PropertyChanges {
		if !strings.HasPrefix(name, ownPrefix) {
			return false
		}
	}
	return len(n.PropertyChanges) > 0
}

// at is when it happened; when that is not said, now.
func (n journalEvent) at(now time.Time) (time.Time, error) {
	if n.OccurredAt == "" || n.OccurredAt == "null" {
		return now.UTC(), nil
	}
	at, err := parseTime(string(n.OccurredAt))
	if err != nil || at.Before(earliest) || at.After(now.Add(ahead)) {
		return at, &fieldError{"occurredAt", "is no time at which this can have happened"}
	}
	return at, nil
}

// piece is a part of an entry's events.
type piece struct {
	events    []journalEvent
	published time.Time
	// last is true when no event is behind these.
	last bool
}

// parseJournal reads an entry's file from one event on. It decodes no more
// than the events that are asked for, and passes over the others.
func parseJournal(file []byte, from, count int) (piece, error) {
	dec := json.NewDecoder(bytes.NewReader(file))
	p := piece{last: true}
	seen := false
	if !delimiter(dec, '{') {
		return p, noJournal()
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return p, noJournal()
		}
		switch name {
		case "journalEvents":
			seen = true
			if err := p.read(dec, from, count); err != nil {
				return p, err
			}
		case "publishedAt":
			var text loose
			if dec.Decode(&text) != nil {
				return p, noJournal()
			}
			p.published, _ = parseTime(string(text)) // only to skip what is old
		default:
			var skip json.RawMessage
			if dec.Decode(&skip) != nil {
				return p, noJournal()
			}
		}
	}
	if !delimiter(dec, '}') || !seen {
		return p, noJournal()
	}
	return p, nil
}

// read reads the list of events.
func (p *piece) read(dec *json.Decoder, from, count int) error {
	if !delimiter(dec, '[') {
		return noJournal()
	}
	for i := 0; dec.More(); i++ {
		if i < from || i >= from+count {
			var skip json.RawMessage
			if dec.Decode(&skip) != nil {
				return noJournal()
			}
			p.last = p.last && i < from+count
			continue
		}
		var e journalEvent
		if dec.Decode(&e) != nil {
			return noJournal()
		}
		p.events = append(p.events, e)
	}
	if !delimiter(dec, ']') {
		return noJournal()
	}
	return nil
}

func delimiter(dec *json.Decoder, want json.Delim) bool {
	t, err := dec.Token()
	return err == nil && t == want
}

// noJournal is a file of another form, or one that broke off. It is asked for
// again: what it holds is not known, so it must not be passed over.
func noJournal() *fault.Error {
	return fault.New(fault.Transient, opJournal, "the entry's file is not HubSpot's journal, or broke off").WithCode("JOURNAL_FILE").
		WithHint("something between Spoke and HubSpot may answer in its place; check journal.version too")
}
