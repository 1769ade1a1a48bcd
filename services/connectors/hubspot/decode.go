package hubspot

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

const opDecode = "hubspot: decode webhook"

// Decode turns a delivery into events. A notification carries one property at
// most and may be old when it comes, so it is a signal to read the record;
// only deletions and restorations speak for themselves. Left out are other
// portals' and apps' notifications, types that Spoke does not use, and what
// Spoke wrote itself.
func (w *webhooks) Decode(d connector.Delivery) ([]events.Event, error) {
	var items []json.RawMessage
	if json.Unmarshal(d.Body, &items) != nil || items == nil {
		return nil, fault.New(fault.Malformed, opDecode, "want a JSON array of notifications")
	}
	if len(items) > MaxNotifications {
		return nil, fault.New(fault.Malformed, opDecode, "%d notifications are more than %d", len(items), MaxNotifications)
	}
	received := d.Received
	if received.IsZero() {
		received = w.now()
	}
	var all []events.Event
	foreign := 0
	for i, item := range items {
		n, err := parseNotification(item)
		if err != nil {
			return nil, malformed(i, err)
		}
		if w.foreign(n) {
			foreign++
			continue
		}
		changes, err := w.changes(n, received)
		if err != nil {
			return nil, malformed(i, err)
		}
		for _, c := range changes {
			all = append(all, events.NewChange(KindName, n.eventID(c.Op, c.Object, c.ID), c))
		}
	}
	if foreign > 0 {
		w.log.Debug("notifications of other portals or apps left out", "connection", w.connection, "count", foreign)
	}
	return all, nil
}

// fieldError is a field that is wrong.
type fieldError struct{ field, problem string }

func (e *fieldError) Error() string { return e.field + ": " + e.problem }

func malformed(index int, err error) *fault.Error {
	path := "[" + strconv.Itoa(index) + "]"
	e := fault.New(fault.Malformed, opDecode, "notification %d: %w", index, err)
	var f *fieldError
	if errors.As(err, &f) {
		path += "." + f.field
	}
	return e.WithField(path)
}

func parseNotification(item json.RawMessage) (notification, error) {
	var n notification
	err := json.Unmarshal(item, &n)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return n, nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return n, &fieldError{wrong.Field, "has the wrong type"}
	}
	return n, errors.New("is no notification")
}

func (w *webhooks) foreign(n notification) bool {
	return (w.portal != 0 && int64(n.PortalID) != w.portal) || (w.app != 0 && int64(n.AppID) != w.app)
}

// changes lists what a notification says.
func (w *webhooks) changes(n notification, received time.Time) ([]events.Change, error) {
	_, happened := n.subscription()
	k, known := n.kind(w.kinds)
	if !known {
		return nil, nil
	}
	at, err := n.at(received)
	if err != nil {
		return nil, err
	}
	s := said{connection: w.connection, at: at}
	switch happened {
	case "associationChange":
		return s.association(w.kinds, k, n)
	case "merge":
		return s.merge(k, n)
	case "creation", "propertyChange", "restore", "deletion", "privacyDeletion":
	default:
		return nil, nil
	}
	id := n.ObjectID.id()
	switch {
	case id == "":
		return nil, &fieldError{"objectId", "is missing"}
	case strings.HasPrefix(n.PropertyName, ownPrefix):
		return nil, nil
	case w.ownWrite(n, happened):
		return nil, nil
	case k.name == lineItem.name || happened == "creation" || happened == "propertyChange":
		// A line item that is gone is a change of what it belonged to like any
		// other.
		return []events.Change{s.signal(k, id, n.PropertyName)}, nil
	case happened == "restore":
		// The record keeps the times it had before it was deleted, so what is
		// read of it may be older than its deletion: that it is back must be
		// said too.
		return []events.Change{s.change(k, id, events.OpRestored), s.signal(k, id, "")}, nil
	case happened == "privacyDeletion":
		return []events.Change{s.change(k, id, events.OpErased)}, nil
	default:
		return []events.Change{s.change(k, id, events.OpDeleted)}, nil
	}
}

// ownWrite reports whether a change is certainly one that Spoke's own app
// wrote, by what the settings say of it. Only plain changes are dropped for
// it: whatever else happens to a record counts, whoever did it.
func (w *webhooks) ownWrite(n notification, happened string) bool {
	return (happened == "creation" || happened == "propertyChange") && n.ChangeSource != "" && n.SourceID != "" &&
		slices.Contains(w.ownWrites, n.ChangeSource+":"+string(n.SourceID))
}

// The time before which HubSpot sent no webhooks, and how far in our future
// one may have happened. Without bounds a wrong time would outrank every
// other for ever.
var (
	earliest = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	ahead    = 24 * time.Hour
)

// at is when it happened; when that is not said, when it was received.
func (n notification) at(received time.Time) (time.Time, error) {
	if n.OccurredAt == 0 {
		return received.UTC(), nil
	}
	at := time.UnixMilli(int64(n.OccurredAt)).UTC()
	if at.Before(earliest) || at.After(received.Add(ahead)) {
		return at, &fieldError{"occurredAt", "is no time at which this can have happened"}
	}
	return at, nil
}

// said makes the changes of one notification.
type said struct {
	connection string
	at         time.Time
}

func (s said) change(k kind, id string, op events.Op) events.Change {
	return events.Change{Connection: s.connection, Entity: k.entity, Object: k.name, ID: id, Op: op, At: s.at}
}

func (s said) signal(k kind, id, property string) events.Change {
	c := s.change(k, id, events.OpChanged)
	c.Signal = true
	if property != "" {
		c.Properties = []string{property}
	}
	return c
}

// merge signals the record that lives on, and says of the others what they
// became a part of. HubSpot may also give the merged record a new id; then
// that one lives on, and the primary became a part of it as well.
func (s said) merge(k kind, n notification) ([]events.Change, error) {
	stays, gone := n.PrimaryObjectID.id(), n.MergedObjectIDs
	if id := n.NewObjectID.id(); id != "" && id != stays {
		gone = append(gone, n.PrimaryObjectID)
		stays = id
	}
	if stays == "" {
		stays = n.ObjectID.id()
	}
	if stays == "" {
		return nil, &fieldError{"primaryObjectId", "is missing"}
	}
	changes := []events.Change{s.signal(k, stays, "")}
	if k.name == lineItem.name {
		return changes, nil
	}
	seen := map[string]bool{"": true, stays: true}
	for _, g := range gone {
		if id := g.id(); !seen[id] {
			seen[id] = true
			c := s.change(k, id, events.OpMerged)
			c.Into = stays
			changes = append(changes, c)
		}
	}
	return changes, nil
}

// association signals the records that hold the link: a deal its company, an
// invoice its contact, a payment its invoice. Links between others are not
// used. HubSpot reports each link twice, once from either side.
func (s said) association(c catalog, k kind, n notification) ([]events.Change, error) {
	from, to, ok := n.ends(c, k)
	if !ok {
		return nil, nil
	}
	var changes []events.Change
	for _, side := range []struct {
		holder, other kind
		id            string
	}{{from, to, n.FromObjectID.id()}, {to, from, n.ToObjectID.id()}} {
		switch {
		case !holds(side.holder, side.other):
		case side.id == "":
			return nil, &fieldError{"fromObjectId, toObjectId", "are missing"}
		default:
			changes = append(changes, s.signal(side.holder, side.id, ""))
		}
	}
	return changes, nil
}

// ends are the kinds at both ends of an association: by type ids in the
// generic form, else by the name, such as DEAL_TO_LINE_ITEM.
func (n notification) ends(c catalog, subscribed kind) (from, to kind, ok bool) {
	if n.FromObjectTypeID != "" && n.ToObjectTypeID != "" {
		from, okFrom := c.ofType(n.FromObjectTypeID)
		to, okTo := c.ofType(n.ToObjectTypeID)
		return from, to, okFrom && okTo
	}
	a, b, found := strings.Cut(strings.ToLower(n.AssociationType), "_to_")
	if !found {
		return kind{}, kind{}, false
	}
	to, okTo := c.named(b)
	from, okFrom := c.named(a)
	if !okFrom {
		// A label in front of the name: the subscription tells the side.
		from, okFrom = subscribed, strings.HasSuffix(a, subscribed.name)
	}
	return from, to, okFrom && okTo
}
