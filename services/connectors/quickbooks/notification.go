package quickbooks

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

const opDecode = Name + ": decode webhook"

// notice is what both forms of notification say of one object.
type notice struct {
	at        string // where in the body, for errors
	dedup     string // equal when the same notice is delivered again
	realm     string
	entity    string // in lower case
	operation string // in lower case
	id        string
	mergedID  string // what was merged into id
	time      string
}

// Decode implements connector.Webhooks. Since 2026 Intuit sends an array of
// CloudEvents, before that an object with eventNotifications; both are read.
// Other companies, entities and e-mailing are counted and left out. A notice
// that can't be read does not keep the others of its body from being told:
// one body may speak of several companies.
func (w *webhooks) Decode(d connector.Delivery) ([]events.Event, error) {
	notices, err := parseNotices(bytes.TrimSpace(d.Body))
	var out []events.Event
	for _, n := range notices {
		k, left := w.kind(n)
		if k == nil {
			w.count(left, 1)
			continue
		}
		if problem := n.check(); problem != nil {
			err = cmp.Or(err, problem)
			continue
		}
		out = append(out, w.events(k, n, d.Received)...)
	}
	return out, err
}

// kind returns the object type of a notice that concerns this connection, or
// why it is left out.
func (w *webhooks) kind(n notice) (k *kind, left string) {
	switch {
	case n.realm != w.settings.RealmID:
		return nil, "webhook of another company"
	case strings.HasPrefix(n.operation, "email"):
		return nil, "webhook of an e-mail"
	}
	for name, k := range kinds() {
		if strings.EqualFold(name, n.entity) {
			return k, ""
		}
	}
	return nil, "webhook of another entity"
}

// events makes the changes of one notice. What is deleted or merged away is
// gone; everything else, and what we do not know, is a reason to read it.
func (w *webhooks) events(k *kind, n notice, received time.Time) []events.Event {
	at, ok := parseTime(n.time)
	if !ok {
		at = received
	}
	if at.IsZero() {
		at = w.now()
	}
	sum := sha256.Sum256([]byte(n.dedup))
	id := Name + "-" + base64.RawURLEncoding.EncodeToString(sum[:18])
	change := events.Change{Connection: w.connection, Entity: k.entity, Object: k.name, ID: n.id, Op: events.OpChanged, At: at.UTC(), Signal: true}
	switch {
	case strings.HasPrefix(n.operation, "delete"):
		change.Op, change.Signal = events.OpDeleted, false
	case strings.HasPrefix(n.operation, "merge") && n.mergedID != "" && n.mergedID != n.id:
		merged := change
		merged.ID, merged.Op, merged.Into, merged.Signal = n.mergedID, events.OpMerged, n.id, false
		return []events.Event{events.NewChange(Name, id+"-merged", merged), events.NewChange(Name, id, change)}
	}
	return []events.Event{events.NewChange(Name, id, change)}
}

// maxID bounds ids, as events.ParseKey does.
const maxID = 255

func (n notice) check() error {
	for name, id := range map[string]string{"id": n.id, "deletedId": n.mergedID} {
		if len(id) > maxID || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' }) {
			return malformed(n.at, "%s is no id", name)
		}
	}
	if n.id == "" {
		return malformed(n.at, "the id of the object is missing")
	}
	return nil
}

func malformed(at, format string, args ...any) error {
	return fault.New(fault.Malformed, opDecode, format, args...).WithField(at)
}

func parseNotices(b []byte) ([]notice, error) {
	switch {
	case len(b) == 0:
		return nil, malformed("", "the body is empty")
	case b[0] == '[':
		return parseCloudEvents(b)
	default:
		return parseNotifications(b)
	}
}

// label is text that some senders write as a number.
type label string

// UnmarshalJSON implements json.Unmarshaler.
func (l *label) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		return nil
	case len(b) > 0 && b[0] == '"':
		return json.Unmarshal(b, (*string)(l))
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return err
	}
	*l = label(n)
	return nil
}

// notification is the old form.
type notification struct {
	EventNotifications *[]struct {
		RealmID label `json:"realmId"`
		Change  struct {
			Entities []struct {
				Name        string `json:"name"`
				ID          label  `json:"id"`
				Operation   string `json:"operation"`
				LastUpdated string `json:"lastUpdated"`
				DeletedID   label  `json:"deletedId"`
			} `json:"entities"`
		} `json:"dataChangeEvent"`
	} `json:"eventNotifications"`
}

func parseNotifications(b []byte) ([]notice, error) {
	var body notification
	if err := json.Unmarshal(b, &body); err != nil {
		return nil, malformed("", "%w", jsonProblem(err))
	}
	if body.EventNotifications == nil {
		return nil, malformed("eventNotifications", "the body is neither an array of events nor has notifications")
	}
	var out []notice
	for i, group := range *body.EventNotifications {
		for j, e := range group.Change.Entities {
			out = append(out, notice{
				at:    fmt.Sprintf("eventNotifications[%d].dataChangeEvent.entities[%d]", i, j),
				dedup: strings.Join([]string{string(group.RealmID), e.Name, string(e.ID), e.Operation, e.LastUpdated}, "\x00"),
				realm: string(group.RealmID), entity: strings.ToLower(e.Name), operation: strings.ToLower(e.Operation),
				id: string(e.ID), mergedID: string(e.DeletedID), time: e.LastUpdated,
			})
		}
	}
	return out, nil
}

// cloudEvent is the new form. Its data is empty but for merges.
type cloudEvent struct {
	ID      string          `json:"id"`
	Source  string          `json:"source"`
	Type    string          `json:"type"` // qbo.<entity>.<operation>.v1
	Time    string          `json:"time"`
	Entity  label           `json:"intuitentityid"`
	Account label           `json:"intuitaccountid"`
	Data    json.RawMessage `json:"data"`
}

func parseCloudEvents(b []byte) ([]notice, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, malformed("", "%w", jsonProblem(err))
	}
	var out []notice
	var problem error
	for i, raw := range list {
		at := fmt.Sprintf("[%d]", i)
		var e cloudEvent
		if err := json.Unmarshal(raw, &e); err != nil {
			problem = cmp.Or(problem, malformed(at, "%w", jsonProblem(err)))
			continue
		}
		parts := strings.Split(strings.ToLower(e.Type), ".")
		if len(parts) != 4 || parts[0] != "qbo" {
			continue // another product of Intuit's
		}
		if e.ID == "" {
			problem = cmp.Or(problem, malformed(at+".id", "the id of the event is missing"))
			continue
		}
		out = append(out, notice{
			at: at, dedup: e.Source + "\x00" + e.ID, realm: string(e.Account), entity: parts[1], operation: parts[2],
			id: string(e.Entity), mergedID: mergedAway(e.Data), time: e.Time,
		})
	}
	return out, problem
}

// mergedAway returns the id of the object that a merge ended. Data of any
// other form says nothing.
func mergedAway(data json.RawMessage) string {
	var d struct {
		DeletedID label `json:"deletedid"`
	}
	if json.Unmarshal(data, &d) != nil {
		return ""
	}
	return string(d.DeletedID)
}

// jsonProblem keeps what a decoding error says of the place and drops what it
// repeats of the content.
func jsonProblem(err error) error {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return fmt.Errorf("field %s has the wrong type", typ.Field)
	}
	return errors.New("the body is no JSON")
}
