package netsuite

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// standingLine is a line of a sales order as it stands in NetSuite.
type standingLine struct {
	Line      label `json:"line"`
	Item      label `json:"item"`
	Closed    bool  `json:"isClosed"`
	Billed    label `json:"quantityBilled"`
	Fulfilled label `json:"quantityFulfilled"`
}

// used reports whether goods or an invoice went out for the line. Such a line
// can't be taken away.
func (l standingLine) used() bool { return positive(l.Billed.id) || positive(l.Fulfilled.id) }

func positive(s string) bool {
	d, err := events.ParseDecimal(s)
	return err == nil && d.Sign() > 0
}

// orderLines reads the lines of an order; ok is false when the order is gone.
func (t *target) orderLines(ctx context.Context, rec record, id string) (lines []standingLine, ok bool, err error) {
	const op = "read lines of sales order"
	resp, absent, err := t.api.do(ctx, call{
		op: op, method: http.MethodGet, path: "/record/v1/" + rec.Name + "/" + url.PathEscape(id),
		query: url.Values{"expandSubResources": {"true"}},
	})
	if err != nil || absent {
		return nil, false, err
	}
	var order struct {
		Item *struct {
			Items []standingLine `json:"items"`
		} `json:"item"`
	}
	if decode(resp.Body, &order) != nil || order.Item == nil {
		return nil, false, unreadable(op)
	}
	for _, l := range order.Item.Items {
		if _, err := events.ParseDecimal(l.Line.id); err != nil {
			return nil, false, unreadable(op)
		}
	}
	return order.Item.Items, true, nil
}

// keepLines makes a write of an order's lines one that keeps those which stand
// there, where some of them are billed or fulfilled: NetSuite refuses to
// replace these. Lines are matched by item, in order. A line that is not wanted
// any more is closed; one of which goods or an invoice went out is not.
func (t *target) keepLines(ctx context.Context, rec record, id string, w *write) error {
	standing, ok, err := t.orderLines(ctx, rec, id)
	if err != nil || !ok {
		return err // an order that is gone is told by the write
	}
	used := false
	for _, l := range standing {
		used = used || l.used()
	}
	if !used {
		return nil
	}
	w.keep = "item"
	list, _ := w.body["item"].(map[string]any)
	wanted, _ := list["items"].([]any)
	taken := make([]bool, len(standing))
	var lines []any
	for _, e := range wanted {
		line, _ := e.(map[string]any)
		if i := match(standing, taken, line); i >= 0 {
			taken[i] = true
			line["line"] = lineNumber(standing[i])
			if standing[i].Closed {
				line["isClosed"] = false
			}
		}
		lines = append(lines, line)
	}
	for i, l := range standing {
		switch {
		case taken[i] || l.Closed:
		case l.used():
			return fault.New(fault.Rejected, "netsuite: update sales order", "line %s is billed or fulfilled and can't be taken away", l.Line.id).
				WithField(fmt.Sprintf("item[%d]", i)).
				WithHint("credit or return the line in NetSuite, or put it back into the order's source")
		default:
			lines = append(lines, map[string]any{"line": lineNumber(l), "isClosed": true})
		}
	}
	w.body["item"] = map[string]any{"items": lines}
	return nil
}

func lineNumber(l standingLine) any {
	d, err := events.ParseDecimal(l.Line.id)
	if err != nil {
		return l.Line.id // orderLines checked it
	}
	return number(d)
}

// match finds the first line of the same item that is not taken yet.
func match(standing []standingLine, taken []bool, line map[string]any) int {
	item, _ := line["item"].(map[string]any)
	for i, l := range standing {
		if !taken[i] && l.Item.id != "" && l.Item.id == scalar(item["id"]) {
			return i
		}
	}
	return -1
}
