package quickbooksbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// The sizes of a query's answer.
const (
	defaultResults = 100
	maxResults     = 1000
)

// serveQuery answers a query. Inactive names are hidden unless it asks for
// Active.
func (b *Box) serveQuery(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r.URL.Query().Get("query"))
	if err == nil {
		err = q.check()
	}
	if err != nil {
		writeProblem(w, invalid("4001", "Invalid query", "QueryValidationError: "+err.Error(), ""))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	sandbox.JSON(w, http.StatusOK, map[string]any{"QueryResponse": b.answer(q), "time": b.opts.Now().Format(timeLayout)})
}

// answer is what a query finds. The caller holds the lock.
func (b *Box) answer(q query) map[string]any {
	var found []object
	if q.entity == "Preferences" {
		found = append(found, b.preferences())
	}
	matching := map[string]object{}
	for id, o := range b.state.Objects[q.entity] {
		if q.matches(o) {
			matching[id] = o
		}
	}
	for _, id := range sortedIDs(matching) { // only what matches: a company may have many
		found = append(found, matching[id])
	}
	q.sort(found)
	response := map[string]any{}
	switch start := q.start - 1; {
	case q.count:
		response["totalCount"] = len(found)
	case start < len(found):
		page := found[start:min(start+q.max, len(found))]
		response[q.entity], response["startPosition"], response["maxResults"] = page, q.start, len(page)
	}
	return response
}

// check refuses entities and properties that can't be asked for.
func (q query) check() error {
	all := queryable()
	i := slices.IndexFunc(all, func(e entity) bool { return e.name == q.entity })
	if i < 0 {
		return badQuery("invalid context declaration: " + q.entity)
	}
	for _, c := range q.where {
		if !slices.Contains(all[i].filterable, c.property) {
			return badQuery("property '" + c.property + "' is not queryable")
		}
	}
	if q.order != "" && !slices.Contains(all[i].filterable, q.order) {
		return badQuery("property '" + q.order + "' is not sortable")
	}
	return nil
}

func (q query) matches(o object) bool {
	asksActive := false
	for _, c := range q.where {
		asksActive = asksActive || c.property == "Active"
		if !c.matches(o) {
			return false
		}
	}
	return asksActive || o.active()
}

// sort puts objects, which are in the order of their ids, into the order that
// the query asks for.
func (q query) sort(found []object) {
	if q.order != "" && q.order != "Id" {
		slices.SortStableFunc(found, func(x, y object) int { return compare(valueOf(x, q.order), valueOf(y, q.order)) })
	}
	if q.desc {
		slices.Reverse(found)
	}
}

// condition is one comparison.
type condition struct {
	property string
	operator string
	values   []string
}

func (c condition) matches(o object) bool {
	have := valueOf(o, c.property)
	switch c.operator {
	case "IN", "=":
		return slices.Contains(c.values, have)
	case "LIKE":
		return like(have, c.values[0])
	}
	cmp := compare(have, c.values[0])
	switch c.operator {
	case "<":
		return cmp < 0
	case ">":
		return cmp > 0
	case "<=":
		return cmp <= 0
	default:
		return cmp >= 0
	}
}

// compare orders times and numbers by value and everything else as text.
func compare(a, b string) int {
	if len(a) == len(timeLayout) && len(a) == len(b) && a[10] == 'T' && a[19:] == b[19:] {
		return strings.Compare(a, b) // of one zone: the text is in the order of time
	}
	if x, err := time.Parse(time.RFC3339, a); err == nil {
		if y, err := time.Parse(time.RFC3339, b); err == nil {
			return x.Compare(y)
		}
	}
	x, okX := amountOf(json.Number(a))
	y, okY := amountOf(json.Number(b))
	if !okX || !okY {
		return strings.Compare(a, b)
	}
	return x.Cmp(y)
}

// like matches with % for any text.
func like(s, pattern string) bool {
	parts := strings.Split(pattern, "%")
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// valueOf returns a property as text; a reference is its id.
func valueOf(o object, property string) string {
	outer, inner, nested := strings.Cut(property, ".")
	if nested {
		return o.inside(outer).text(inner)
	}
	switch v := o[property].(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case interface{ String() string }:
		return v.String()
	}
	return o.ref(property)
}
