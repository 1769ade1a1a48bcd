package hubspotbox

import (
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

type searchInput struct {
	Groups []struct {
		Filters []filter `json:"filters"`
	} `json:"filterGroups"`
	Sorts []struct {
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
		len(in.Sorts) > 1 || slices.ContainsFunc(in.Groups, func(g struct {
		Filters []filter `json:"filters"`
	},
	) bool {
		return len(g.Filters) > maxFilters
	}) {
		b.fail(w, http.StatusBadRequest, problem{Category: validation, Message: "the search is over one of its limits"})
		return
	}
	b.mu.Lock()
	found := b.matches(t, in)
	total := len(found)
	found = found[min(offset, total):min(offset+in.Limit, total)]
	results := make([]shown, len(found))
	for i, o := range found {
		results[i] = b.show(t, o, in.Properties)
	}
	b.mu.Unlock()
	answer := map[string]any{"total": total, "results": results}
	if offset+in.Limit < total {
		answer["paging"] = map[string]any{"next": map[string]string{"after": strconv.Itoa(offset + in.Limit)}}
	}
	sandbox.JSON(w, http.StatusOK, answer)
}

func (b *Box) matches(t *objectType, in searchInput) []*object {
	var found []*object
	for _, id := range b.state.ids(t) {
		o := b.state.Objects[t.plural][id]
		values := b.values(t, o)
		ok := len(in.Groups) == 0
		for _, g := range in.Groups {
			ok = ok || !slices.ContainsFunc(g.Filters, func(f filter) bool { return !f.holds(values) })
		}
		if ok {
			found = append(found, o)
		}
	}
	if len(in.Sorts) == 1 {
		s := in.Sorts[0]
		slices.SortStableFunc(found, func(x, y *object) int {
			c := compare(b.values(t, x)[s.Property], b.values(t, y)[s.Property])
			if s.Direction == "DESCENDING" {
				return -c
			}
			return c
		})
	}
	return found
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
