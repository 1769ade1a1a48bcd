package hubspotbox

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// journalFile is one entry of the webhooks journal.
type journalFile struct {
	Offset    string         `json:"offset"`
	Events    []notification `json:"journalEvents"`
	Published time.Time      `json:"publishedAt"`
}

// journalSubscription is what a portal's journal is filled with.
type journalSubscription struct {
	ID         int64    `json:"id"`
	AppID      int64    `json:"appId"`
	Type       string   `json:"subscriptionType"`
	ObjectType string   `json:"objectTypeId,omitempty"`
	PortalID   int64    `json:"portalId"`
	Actions    []string `json:"actions"`
	Created    string   `json:"createdAt"`
	Updated    string   `json:"updatedAt"`
}

// journalLife is how long the journal keeps an entry.
const journalLife = 3 * 24 * time.Hour

// actions are the journal's words for what webhooks call otherwise.
func actions(happened string, extra notification) (kind, action string) {
	switch happened {
	case "creation":
		return "OBJECT", "CREATE"
	case "propertyChange":
		return "OBJECT", "UPDATE"
	case "deletion":
		return "OBJECT", "DELETE"
	case "merge":
		return "OBJECT", "MERGE"
	case "restore":
		return "OBJECT", "RESTORE"
	case "privacyDeletion":
		return "GDPR_PRIVACY_DELETION", "GDPR_DELETE"
	case "associationChange":
		if removed, _ := extra["associationRemoved"].(bool); removed {
			return "ASSOCIATION", "ASSOCIATION_REMOVED"
		}
		return "ASSOCIATION", "ASSOCIATION_ADDED"
	}
	return "", ""
}

// journal writes down what happened, where a subscription asks for it. The
// caller holds the lock.
func (b *Box) journal(t *objectType, happened string, at time.Time, extra notification) {
	kind, action := actions(happened, extra)
	if !slices.ContainsFunc(b.state.Subscriptions, func(s journalSubscription) bool {
		return s.Type == kind && (s.ObjectType == "" || s.ObjectType == t.typeID) && slices.Contains(s.Actions, action)
	}) {
		return
	}
	e := notification{"type": kind, "portalId": b.opts.PortalID, "occurredAt": stamp(at), "action": action, "objectTypeId": t.typeID}
	for _, name := range []string{
		"objectId", "primaryObjectId", "mergedObjectIds", "newObjectId", "fromObjectId", "toObjectId", "fromObjectTypeId",
		"toObjectTypeId",
	} {
		if v, ok := extra[name]; ok {
			e[name] = v
		}
	}
	if name, ok := extra["propertyName"].(string); ok {
		e["propertyChanges"] = map[string]any{name: extra["propertyValue"]}
	}
	last := len(b.state.Journal) - 1
	if last < 0 || b.sealed || len(b.state.Journal[last].Events) == maxJournalFile {
		b.state.Journal = append(b.state.Journal, journalFile{Offset: journalOffset(last + 1), Published: b.opts.Now()})
		last, b.sealed = last+1, false
	}
	b.state.Journal[last].Events = append(b.state.Journal[last].Events, e)
}

// maxJournalFile is how many events an entry holds at most.
const maxJournalFile = 10_000

// journalOffset has the form of a UUID.
func journalOffset(n int) string {
	text := strconv.Itoa(n)
	return "550e8400-e29b-41d4-a716-" + "000000000000"[len(text):] + text
}

func (b *Box) journalRoutes() {
	b.api("journal earliest", "GET /webhooks-journal/journal/{version}/earliest", b.serveEarliest)
	b.api("journal latest", "GET /webhooks-journal/journal/{version}/latest", b.serveLatest)
	b.api("journal next", "GET /webhooks-journal/journal/{version}/offset/{offset}/next", b.serveNext)
	b.api("journal subscriptions", "GET /webhooks-journal/subscriptions/{version}", b.listSubscriptions)
	b.api("journal subscribe", "POST /webhooks-journal/subscriptions/{version}", b.subscribe)
	b.Handle("journal file", "GET /_journal/{offset}", b.serveFile)
}

func (b *Box) serveEarliest(w http.ResponseWriter, r *http.Request) { b.serveEntry(w, r, b.oldest()) }

func (b *Box) serveLatest(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	n := len(b.state.Journal) - 1
	b.mu.Unlock()
	b.serveEntry(w, r, n)
}

// oldest is the first entry that is still kept.
func (b *Box) oldest() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(0, slices.IndexFunc(b.state.Journal, func(f journalFile) bool { return b.opts.Now().Sub(f.Published) < journalLife }))
}

func (b *Box) serveNext(w http.ResponseWriter, r *http.Request) {
	offset, first := r.PathValue("offset"), b.oldest()
	b.mu.Lock()
	i := slices.IndexFunc(b.state.Journal, func(f journalFile) bool { return f.Offset == offset })
	b.mu.Unlock()
	if i < 0 || i+1 < first {
		b.missing(w)
		return
	}
	b.serveEntry(w, r, i+1)
}

// serveEntry answers where the entry's file is. What was handed out is not
// added to.
func (b *Box) serveEntry(w http.ResponseWriter, r *http.Request, n int) {
	b.mu.Lock()
	var f journalFile
	there := n >= 0 && n < len(b.state.Journal)
	if there {
		f = b.state.Journal[n]
		b.sealed = b.sealed || n == len(b.state.Journal)-1
	}
	b.mu.Unlock()
	if !there {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	sandbox.JSON(w, http.StatusOK, map[string]any{
		"currentOffset": f.Offset, "expiresAt": stamp(b.opts.Now().Add(time.Hour)), "url": "http://" + r.Host + "/_journal/" + f.Offset,
	})
}

func (b *Box) serveFile(w http.ResponseWriter, r *http.Request) {
	offset := r.PathValue("offset")
	b.mu.Lock()
	i := slices.IndexFunc(b.state.Journal, func(f journalFile) bool { return f.Offset == offset })
	var f journalFile
	if i >= 0 {
		f = b.state.Journal[i]
		f.Events = slices.Clone(f.Events)
	}
	b.mu.Unlock()
	if i < 0 {
		notFoundPage(w, r)
		return
	}
	sandbox.JSON(w, http.StatusOK, f)
}

func (b *Box) listSubscriptions(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	all := append([]journalSubscription{}, b.state.Subscriptions...)
	b.mu.Unlock()
	sandbox.JSON(w, http.StatusOK, map[string]any{"results": all})
}

func (b *Box) subscribe(w http.ResponseWriter, r *http.Request) {
	var s journalSubscription
	if !b.read(w, r, &s) {
		return
	}
	if s.Type == "" || len(s.Actions) == 0 || s.PortalID != b.opts.PortalID {
		b.fail(w, http.StatusBadRequest, problem{Category: validation, Message: "subscriptionType, portalId and actions are required"})
		return
	}
	b.Subscribe(s.Type, s.ObjectType, s.Actions...)
	sandbox.JSON(w, http.StatusOK, s)
}

// Subscribe has events written to the journal: of a type of subscription, for
// one object type or all ("").
func (b *Box) Subscribe(kind, typeID string, actions ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := stamp(b.opts.Now())
	b.state.Subscriptions = append(b.state.Subscriptions, journalSubscription{
		ID: int64(len(b.state.Subscriptions) + 1), AppID: b.opts.AppID, Type: kind, ObjectType: typeID, PortalID: b.opts.PortalID,
		Actions: actions, Created: now, Updated: now,
	})
}
