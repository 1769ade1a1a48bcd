package quickbooks

import (
	"context"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// reader reads snapshots. Reads are metered by Intuit, over all companies of
// an app together, so that several ids are asked for in one query.
type reader struct{ *target }

// BatchSize implements connector.Reader.
func (r *reader) BatchSize() int { return readBatch }

// Read implements connector.Reader.
func (r *reader) Read(ctx context.Context, object string, ids []string) ([]events.Change, error) {
	k, ok := r.kinds[object]
	if !ok {
		return nil, fault.New(fault.Rejected, Name+": read objects", "unknown object type %q", object)
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	changes := make([]events.Change, 0, len(ids))
	for part := range slices.Chunk(ids, readBatch) {
		found, err := r.fetch(ctx, k, part)
		if err != nil {
			return nil, err
		}
		for _, id := range part {
			changes = append(changes, r.snapshot(k, id, found[id]))
		}
	}
	return changes, nil
}

// fetch returns the objects by id; what QuickBooks does not have is absent.
func (r *reader) fetch(ctx context.Context, k *kind, ids []string) (map[string]body, error) {
	found := make(map[string]body, len(ids))
	if len(ids) == 1 {
		b, err := r.client.get(ctx, k, ids[0])
		if b != nil {
			found[ids[0]] = b
		}
		return found, err
	}
	quoted := make([]string, len(ids))
	for i, id := range ids {
		quoted[i] = quote(id)
	}
	objects, err := r.client.query(ctx, k, k.where("Id IN ("+strings.Join(quoted, ", ")+")"), 1)
	for _, b := range objects {
		found[b.text("Id")] = b
	}
	return found, err
}

// snapshot is the change that an object, or its absence, amounts to.
func (r *reader) snapshot(k *kind, id string, b body) events.Change {
	c := events.Change{
		Connection: r.deps.Connection, Entity: k.entity, Object: k.name, ID: id,
		Op: events.OpDeleted, At: r.deps.Now().UTC(),
	}
	if b == nil {
		return c
	}
	c.Op, c.Snapshot, c.Fields = events.OpChanged, true, events.Fields{}
	if at := b.updated(); !at.IsZero() {
		c.At = at
	}
	c.Number = b.text("DocNumber")
	c.URL = k.url(r.settings.appURL(), id)
	if k.note != "" {
		c.Record, c.Marked = recordIn(b.text(k.note))
	}
	k.read(r.settings, b, c.Fields)
	if k.links != nil {
		k.links(r.settings, b, func(object, id string) events.Link {
			return events.Link{Connection: r.deps.Connection, Object: object, ID: id}
		}, c.Fields)
	}
	return c
}
