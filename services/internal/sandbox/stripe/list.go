package stripebox

import (
	"fmt"
	"math"
)

// page is a list as Stripe answers it.
type page struct {
	Object  string `json:"object"`
	Data    []any  `json:"data"`
	HasMore bool   `json:"has_more"`
	URL     string `json:"url"`
}

// paging adds the parameters of lists to a call's own.
func paging(own params) params {
	all := params{
		"limit": {kind: integer}, "starting_after": {kind: text}, "ending_before": {kind: text}, "created": {kind: span},
	}
	for name, p := range own {
		all[name] = p
	}
	return all
}

// listed is what a list needs to know of an object.
type listed interface{ when() int64 }

// pageOf answers one page of a table: the newest first, those that match and
// lie in the asked span of time.
func pageOf[T any, P interface {
	*T
	listed
}](c *call, t *table[T], match func(P) bool, render func(P) any) (any, *problem) {
	limit := int64(10)
	if c.form.has("limit") {
		limit = c.form.number("limit")
	}
	if limit < 1 || limit > 100 {
		return nil, invalid("limit", "parameter_invalid_integer", fmt.Sprintf("Invalid limit: %d", limit))
	}
	inSpan := spanOf(c.form)
	var ids []string
	t.newest(func(id string, v *T) {
		if (match == nil || match(v)) && inSpan(P(v).when()) {
			ids = append(ids, id)
		}
	})
	out := page{Object: "list", Data: []any{}, URL: c.r.URL.Path}
	after, before := c.form.get("starting_after"), c.form.get("ending_before")
	for _, cursor := range []string{after, before} {
		if cursor != "" && t.Rows[cursor] == nil {
			return nil, noSuchParam("object", "starting_after", cursor)
		}
	}
	start, end := 0, len(ids)
	for i, id := range ids {
		if id == after {
			start = i + 1
		}
		if id == before {
			end = i
		}
	}
	if before != "" {
		start = max(start, end-int(limit))
		out.HasMore = start > 0
	} else if end > start+int(limit) {
		end, out.HasMore = start+int(limit), true
	}
	for _, id := range ids[start:max(start, end)] {
		out.Data = append(out.Data, render(t.Rows[id]))
	}
	return out, nil
}

// spanOf reads the asked span of time.
func spanOf(f form) func(at int64) bool {
	least, most := int64(math.MinInt64), int64(math.MaxInt64)
	for _, name := range []string{"created", "created[gt]", "created[gte]", "created[lt]", "created[lte]"} {
		if !f.has(name) {
			continue
		}
		n := f.number(name)
		switch name {
		case "created":
			least, most = max(least, n), min(most, n)
		case "created[gt]":
			least = max(least, n+1)
		case "created[gte]":
			least = max(least, n)
		case "created[lt]":
			most = min(most, n-1)
		case "created[lte]":
			most = min(most, n)
		}
	}
	return func(at int64) bool { return at >= least && at <= most }
}
