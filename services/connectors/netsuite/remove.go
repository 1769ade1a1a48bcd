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
// open lines are closed, a customer becomes inactive. A payment can't be
// voided over REST.
func (t *target) void(ctx context.Context, rec record, doc connector.Document) (connector.Result, error) {
	if rec.Name == typePayment {
		return connector.Result{}, fault.New(fault.Rejected, "netsuite: void customer payment", "NetSuite does not void payments over REST").
			WithHint("void the payment in NetSuite, then drop this document")
	}
	r, found, err := t.standing(ctx, rec, doc)
	if err != nil || !found {
		return connector.Result{Effect: events.EffectUnchanged}, err
	}
	body := map[string]any{"isInactive": true}
	if rec.Name == typeOrder {
		if body, err = t.closing(ctx, rec, r.ID); err != nil {
			return connector.Result{}, err
		}
		if body == nil { // every line is closed already
			return r, nil
		}
	}
	if err := t.patchLines(ctx, rec, r.ID, body); err != nil {
		return connector.Result{}, err
	}
	after, found, err := t.read(ctx, rec, "read back", url.PathEscape(r.ID))
	if err != nil || !found {
		return r, err
	}
	after.Effect = events.EffectVoided
	return after, nil
}

// patchLines patches keyed lines: they are matched, so replace is not set.
func (t *target) patchLines(ctx context.Context, rec record, id string, body map[string]any) error {
	_, absent, err := t.api.do(ctx, call{
		op: "void " + title(rec.Name), method: http.MethodPatch,
		path: "/record/v1/" + rec.Name + "/" + url.PathEscape(id), body: body,
	})
	if err == nil && absent {
		return fault.New(fault.Transient, "netsuite: void "+title(rec.Name), "it was deleted meanwhile")
	}
	return err
}

// closing returns the body that closes the open lines of an order, or nil
// when none is open.
func (t *target) closing(ctx context.Context, rec record, id string) (map[string]any, error) {
	const op = "read lines of sales order"
	resp, absent, err := t.api.do(ctx, call{
		op: op, method: http.MethodGet, path: "/record/v1/" + rec.Name + "/" + url.PathEscape(id),
		query: url.Values{"expandSubResources": {"true"}},
	})
	if err != nil || absent {
		return nil, err
	}
	var order struct {
		Item *struct {
			Items []struct {
				Line   label `json:"line"`
				Closed bool  `json:"isClosed"`
			} `json:"items"`
		} `json:"item"`
	}
	if decode(resp.Body, &order) != nil || order.Item == nil {
		return nil, unreadable(op)
	}
	var lines []any
	for _, l := range order.Item.Items {
		if l.Closed {
			continue
		}
		n, err := events.ParseDecimal(l.Line.id)
		if err != nil {
			return nil, unreadable(op)
		}
		lines = append(lines, map[string]any{"line": number(n), "isClosed": true})
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
