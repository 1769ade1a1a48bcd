package netsuite

import (
	"context"
	"net/http"
	"net/url"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// standing returns the record that a document speaks of, if there is one.
func (t *target) standing(ctx context.Context, rec record, doc connector.Document) (connector.Result, bool, error) {
	path := "eid:" + doc.Key
	if doc.ExternalID != "" {
		path = url.PathEscape(doc.ExternalID)
	}
	return t.read(ctx, rec, "find", path)
}

// void takes the effect of a record back and leaves the record: an order's
// open lines are closed, a customer becomes inactive, a task is done. What is
// posted, such as an invoice or a payment, can't be voided over REST.
func (t *target) void(ctx context.Context, rec record, doc connector.Document) (connector.Result, error) {
	if rec.voids == voidsNever {
		return connector.Result{}, fault.New(fault.Rejected, "netsuite: void "+title(rec.Name), "NetSuite does not void a %s over REST", title(rec.Name)).
			WithHint("void it in NetSuite, or credit it, then drop this document")
	}
	r, found, err := t.standing(ctx, rec, doc)
	if err != nil || !found {
		return connector.Result{Effect: events.EffectUnchanged}, err
	}
	body := map[string]any{"isInactive": true}
	switch rec.voids { //nolint:exhaustive // the others are inactive
	case voidsComplete:
		body = map[string]any{"status": "COMPLETE"}
	case voidsLines:
		if body, err = t.closing(ctx, rec, r.ID); err != nil {
			return connector.Result{}, err
		}
		if body == nil { // every line is closed already
			return r, nil
		}
	}
	w := write{verb: "void", method: http.MethodPatch, path: url.PathEscape(r.ID), body: body, keep: "item"}
	if err := t.write(ctx, rec, w); err != nil {
		return connector.Result{}, err
	}
	after, found, err := t.read(ctx, rec, "read back", url.PathEscape(r.ID))
	if err != nil || !found {
		return r, err
	}
	after.Effect = events.EffectVoided
	return after, nil
}

// closing returns the body that closes the open lines of an order, or nil
// when none is open.
func (t *target) closing(ctx context.Context, rec record, id string) (map[string]any, error) {
	standing, _, err := t.orderLines(ctx, rec, id)
	if err != nil {
		return nil, err
	}
	var lines []any
	for _, l := range standing {
		if !l.Closed {
			lines = append(lines, map[string]any{"line": lineNumber(l), "isClosed": true})
		}
	}
	if len(lines) == 0 {
		return nil, nil
	}
	return map[string]any{"item": map[string]any{"items": lines}}, nil
}

// remove deletes a record. NetSuite refuses while others depend on it.
func (t *target) remove(ctx context.Context, rec record, doc connector.Document) (connector.Result, error) {
	r, found, err := t.standing(ctx, rec, doc)
	if err != nil || !found {
		return connector.Result{Effect: events.EffectUnchanged}, err
	}
	_, absent, err := t.api.do(ctx, call{
		op: "delete " + title(rec.Name), method: http.MethodDelete,
		path: "/record/v1/" + rec.Name + "/" + url.PathEscape(r.ID),
	})
	if err != nil {
		return connector.Result{}, err
	}
	r.Seen, r.Effect = nil, events.EffectDeleted
	if absent {
		r.Effect = events.EffectUnchanged
	}
	return r, nil
}
