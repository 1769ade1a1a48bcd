package hubspot

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// notification is one element of a delivery.
type notification struct {
	EventID          number   `json:"eventId"`
	SubscriptionID   number   `json:"subscriptionId"`
	PortalID         number   `json:"portalId"`
	AppID            number   `json:"appId"`
	OccurredAt       number   `json:"occurredAt"`
	SubscriptionType string   `json:"subscriptionType"`
	EventType        string   `json:"eventType"` // as the documentation calls it
	ObjectID         number   `json:"objectId"`
	ObjectTypeID     string   `json:"objectTypeId"`
	PropertyName     string   `json:"propertyName"`
	PrimaryObjectID  number   `json:"primaryObjectId"`
	MergedObjectIDs  []number `json:"mergedObjectIds"`
	NewObjectID      number   `json:"newObjectId"`
	AssociationType  string   `json:"associationType"`
	FromObjectID     number   `json:"fromObjectId"`
	ToObjectID       number   `json:"toObjectId"`
	FromObjectTypeID string   `json:"fromObjectTypeId"`
	ToObjectTypeID   string   `json:"toObjectTypeId"`
	ChangeSource     string   `json:"changeSource"`
	SourceID         loose    `json:"sourceId"`
}

// subscription splits the type into what it is about and what happened.
func (n notification) subscription() (about, happened string) {
	t := n.SubscriptionType
	if t == "" {
		t = n.EventType
	}
	i := strings.LastIndexByte(t, '.')
	if i < 0 {
		return "", ""
	}
	return t[:i], t[i+1:]
}

// kind is the type of the record a notification is about.
func (n notification) kind(c catalog) (kind, bool) {
	about, _ := n.subscription()
	if about == "object" {
		return c.ofType(n.ObjectTypeID)
	}
	return c.named(about)
}

// key is the same whenever HubSpot delivers the same notification again, and
// differs between any two others. eventId alone is not promised to be
// unique; attemptNumber changes with every try and is left out.
func (n notification) key() []any {
	about, happened := n.subscription()
	return []any{
		n.AppID, n.PortalID, n.SubscriptionID, n.EventID, about + "." + happened, n.ObjectTypeID, n.ObjectID,
		n.AssociationType, n.FromObjectTypeID, n.FromObjectID, n.ToObjectTypeID, n.ToObjectID,
		n.PrimaryObjectID, n.MergedObjectIDs, n.NewObjectID, n.PropertyName, n.OccurredAt,
	}
}

// eventID hashes the key of a notification together with the change that was
// made of it, since a merge makes several.
func (n notification) eventID(change ...any) string {
	// Numbers and texts always have a JSON form, and JSON keeps the elements
	// apart.
	b, _ := json.Marshal(append(n.key(), change...))
	sum := sha256.Sum256(b)
	return "hs_" + base64.RawURLEncoding.EncodeToString(sum[:18])
}

// number is a whole number that may be written as a text. HubSpot documents
// numbers; a proxy or a later version must not cost a delivery.
type number int64

// UnmarshalJSON reads a number, a text with a number, or null.
func (n *number) UnmarshalJSON(b []byte) error {
	text := string(bytes.Trim(b, `"`))
	if text == "null" || text == "" {
		*n = 0
		return nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		// The decoder adds the field to an error of this type. The text is not
		// repeated: it may be anything.
		return &json.UnmarshalTypeError{Value: "value", Type: reflect.TypeFor[number]()}
	}
	*n = number(v)
	return nil
}

// id is the number as a record id, or "".
func (n number) id() string {
	if n <= 0 {
		return ""
	}
	return strconv.FormatInt(int64(n), 10)
}

// loose is a text that may be written as a number.
type loose string

// UnmarshalJSON takes a text or a number, and anything else for nothing.
func (l *loose) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) != nil {
		text = strings.Trim(string(b), "[]{}\" \n\t")
	}
	*l = loose(text)
	return nil
}
