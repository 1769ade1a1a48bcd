package quickbooksbox

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

const (
	// changesMost is how many objects an answer of change data capture holds.
	changesMost = 1000
	// changesKept is how far back it reaches.
	changesKept = 30 * 24 * time.Hour
)

// gone remembers a deletion. The caller holds the lock.
func (b *Box) gone(entity, id string) {
	if b.state.Gone == nil {
		b.state.Gone = map[string]map[string]time.Time{}
	}
	if b.state.Gone[entity] == nil {
		b.state.Gone[entity] = map[string]time.Time{}
	}
	b.state.Gone[entity][id] = b.opts.Now()
}

// serveChanges answers change data capture: whole objects, the deleted ones as
// tombstones, all in one answer that is cut off where it is full.
func (b *Box) serveChanges(w http.ResponseWriter, r *http.Request) {
	since, err := time.Parse(timeLayout, r.URL.Query().Get("changedSince"))
	if err != nil {
		writeProblem(w, invalid("2030", "Invalid ID", "changedSince: want a time with its zone", "changedSince"))
		return
	}
	now := b.opts.Now()
	if now.Sub(since) > changesKept+time.Hour {
		writeProblem(w, invalid("4001", "Invalid query", "changedSince is more than 30 days ago", "changedSince"))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var responses []any
	left := changesMost
	for _, name := range strings.Split(r.URL.Query().Get("entities"), ",") {
		if _, ok := entityOf(name); !ok {
			writeProblem(w, invalid("4001", "Invalid query", "entity "+name+" has no change data capture", "entities"))
			return
		}
		found := b.changed(name, since)
		found = found[:min(len(found), left)]
		left -= len(found)
		response := map[string]any{}
		if len(found) > 0 {
			response[name], response["startPosition"], response["maxResults"] = found, 1, len(found)
		}
		responses = append(responses, response)
	}
	sandbox.JSON(w, http.StatusOK, map[string]any{
		"CDCResponse": []any{map[string]any{"QueryResponse": responses}}, "time": now.Format(timeLayout),
	})
}

// changed returns the objects of an entity that were changed or deleted since a
// time, in the order of change.
func (b *Box) changed(entity string, since time.Time) []object {
	since = since.Truncate(time.Second)
	var found []object
	for _, id := range sortedIDs(b.state.Objects[entity]) {
		o := b.state.Objects[entity][id]
		if at, err := time.Parse(timeLayout, o.inside("MetaData").text("LastUpdatedTime")); err == nil && !at.Before(since) {
			found = append(found, o)
		}
	}
	for id, at := range b.state.Gone[entity] {
		if !at.Before(since) {
			found = append(found, object{
				"domain": "QBO", "status": "Deleted", "Id": id, "MetaData": object{"LastUpdatedTime": at.Format(timeLayout)},
			})
		}
	}
	const updated = "MetaData.LastUpdatedTime"
	slices.SortStableFunc(found, func(x, y object) int { return compare(valueOf(x, updated), valueOf(y, updated)) })
	return found
}
