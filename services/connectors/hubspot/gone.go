package hubspot

import (
	"context"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// gone tells which of the missing records were deleted, and when: archived
// records can be read for 90 days. One that is not there either may have
// been purged or merged, or it may be so new that HubSpot's reads do not
// find it yet, since a webhook can be ahead of them. Its deletion is dated
// back by that lag, so that the record's own times outrank it when it
// appears.
func (r *reader) gone(ctx context.Context, k kind, ids []string) ([]events.Change, error) {
	archived, err := r.archived(ctx, k, ids)
	if err != nil {
		return nil, err
	}
	var changes []events.Change
	for _, id := range ids {
		at, ok := archived[id]
		if !ok {
			at = r.api.now().Add(-readLag)
		}
		changes = append(changes, r.deleted(k, id, at))
	}
	return changes, nil
}

// archived are the times at which records were deleted.
func (r *reader) archived(ctx context.Context, k kind, ids []string) (map[string]time.Time, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := r.api.read(ctx, k, ids, []string{k.modified}, true)
	if err != nil {
		return nil, err
	}
	times := make(map[string]time.Time, len(found))
	for id, rec := range found {
		if rec.Archived && !rec.ArchivedAt.IsZero() {
			times[id] = rec.ArchivedAt
		}
	}
	return times, nil
}

func (r *reader) deleted(k kind, id string, at time.Time) events.Change {
	return said{r.connection, at.UTC()}.change(k, id, events.OpDeleted)
}
