package hubspotbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// The limits of a search.
const (
	maxSearchPage    = 200
	maxSearchResults = 10_000
	maxGroups        = 5
	maxFilters       = 6
)

type filter struct {
	Property string   `json:"propertyName"`
	Operator string   `json:"operator"`
	Value    string   `json:"value"`
	Values   []string `json:"values"`
}

type filterGroup struct {
	Filters []filter `json:"filters"`
}

type searchInput struct {
	Groups []filterGroup `json:"filterGroups"`
	Sorts  []struct {
		Property  string `json:"propertyName"`
		Direction string `json:"direction"`
	} `json:"sorts"`
	Properties []string `json:"properties"`
	Limit      int      `json:"limit"`
	After      string   `json:"after"`
}

// search answers records that match all filters of any group.
func (b *Box) search(t *objectType, w http.ResponseWriter, r *http.Request) {
	var in searchInput
	if !b.read(w, r, &in) {
		return
	}
	if in.Limit == 0 {
		in.Limit = defaultPage
	}
	offset, err := strconv.Atoi("0" + in.After)
	if err != nil || in.Limit > maxSearchPage || offset+in.Limit > maxSearchResults || len(in.Groups) > maxGroups ||
		len(in.Sorts) > 1 || slices.ContainsFunc(in.Groups, func(g filterGroup) bool { return len(g.Filters) > maxFilters }) {
		b.fail(w, http.StatusBadRequest, problem{Category: validation, Message: "the search is over one of its limits"})
		return
	}
	b.mu.Lock()
	ids := b.matches(t, in)
	total := len(ids)
	ids = ids[min(offset, total):min(offset+in.Limit, total)]
	results := make([]shown, len(ids))
	for i, id := range ids {
		o, _ := b.state.peek(t, strconv.FormatInt(id, 10))
		results[i] = b.show(t, o, in.Properties)
	}
	b.mu.Unlock()
	answer := map[string]any{"total": total, "results": results}
	if offset+in.Limit < total {
		answer["paging"] = map[string]any{"next": map[string]string{"after": strconv.Itoa(offset + in.Limit)}}
	}
	sandbox.JSON(w, http.StatusOK, answer)
}

// matches returns the ids that a search finds. What it finds is remembered
// until something changes; where a search by id goes on behind an id, the rest
// of what is remembered is the answer, so that each page costs the same.
func (b *Box) matches(t *objectType, in searchInput) []int64 {
	behind, filters := int64(0), in.Groups
	if len(in.Groups) == 1 && byID(in) {
		g := in.Groups[0]
		g.Filters = slices.Clone(g.Filters)
		g.Filters = slices.DeleteFunc(g.Filters, func(f filter) bool {
			if f.Property != objectID || f.Operator != "GT" {
				return false
			}
			behind = max(behind, number(f.Value))
			return true
		})
		filters = []filterGroup{g}
	}
	key, _ := json.Marshal([]any{t.plural, filters, in.Sorts}) // plain texts always have a form
	hit, ok := b.state.searches[string(key)]
	if !ok || hit.revision != b.state.revision || b.opts.IndexLag > 0 {
		hit = found{b.state.revision, b.lookThrough(t, filters, in)}
		if len(b.state.searches) > maxRemembered {
			clear(b.state.searches)
		}
		b.state.searches[string(key)] = hit
	}
	i := 0
	if behind > 0 {
		var exact bool
		if i, exact = slices.BinarySearch(hit.ids, behind); exact {
			i++
		}
	}
	return hit.ids[i:]
}

// maxRemembered bounds how many searches are remembered.
const maxRemembered = 20

// objectID is the property that holds the id.
const objectID = "hs_object_id"

func byID(in searchInput) bool {
	return len(in.Sorts) == 0 || (in.Sorts[0].Property == objectID && in.Sorts[0].Direction != "DESCENDING")
}

// lookThrough evaluates a search over all records.
func (b *Box) lookThrough(t *objectType, groups []filterGroup, in searchInput) []int64 {
	var all []*object
	ids := []int64{}
	b.state.each(t, 0, func(o *object) bool {
		if !o.Archived.IsZero() || (b.opts.IndexLag > 0 && o.Modified.After(b.opts.Now().Add(-b.opts.IndexLag))) {
			return true
		}
		values := b.values(t, o)
		ok := len(groups) == 0
		for _, g := range groups {
			ok = ok || !slices.ContainsFunc(g.Filters, func(f filter) bool { return !f.holds(values) })
		}
		switch {
		case ok && byID(in):
			ids = append(ids, number(o.ID))
		case ok:
			all = append(all, o)
		}
		return true
	})
	if byID(in) {
		return ids
	}
	s := in.Sorts[0]
	slices.SortStableFunc(all, func(x, y *object) int {
		c := compare(b.values(t, x)[s.Property], b.values(t, y)[s.Property])
		if s.Direction == "DESCENDING" {
			return -c
		}
		return c
	})
	for _, o := range all {
		ids = append(ids, number(o.ID))
	}
	return ids
}

func (f filter) holds(values map[string]string) bool {
	v, ok := values[f.Property]
	switch f.Operator {
	case "HAS_PROPERTY":
		return ok
	case "NOT_HAS_PROPERTY":
		return !ok
	case "EQ":
		return ok && compare(v, f.Value) == 0
	case "NEQ":
		return ok && compare(v, f.Value) != 0
	case "LT":
		return ok && compare(v, f.Value) < 0
	case "LTE":
		return ok && compare(v, f.Value) <= 0
	case "GT":
		return ok && compare(v, f.Value) > 0
	case "GTE":
		return ok && compare(v, f.Value) >= 0
	case "IN":
		return ok && slices.Contains(f.Values, strings.ToLower(v))
	}
	return false
}

// compare orders numbers and times as such, and other values as texts.
func compare(a, z string) int {
	x, errX := events.ParseDecimal(a)
	y, errY := events.ParseDecimal(z)
	if errX == nil && errY == nil {
		return x.Cmp(y)
	}
	t, errT := parseTime(a)
	u, errU := parseTime(z)
	if errT == nil && errU == nil {
		return t.Compare(u)
	}
	return strings.Compare(a, z)
}
