package netsuitebox

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// The two questions of SuiteQL that are understood: items by name, and all
// currencies.
var (
	itemQuery     = regexp.MustCompile(`(?i)^SELECT ([a-z, ]+) FROM item WHERE itemid IN \((.+)\) ORDER BY id$`)
	currencyQuery = regexp.MustCompile(`(?i)^SELECT ([a-z, ]+) FROM currency ORDER BY id$`)
	literal       = regexp.MustCompile(`^'((?:[^']|'')*)'\s*(?:,\s*|$)`)
)

func (b *Box) serveQuery(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Prefer") != "transient" {
		answer(w, problem{Code: "INVALID_HEADER", Header: "Prefer", Detail: "The header Prefer: transient is required."})
		return
	}
	var in struct {
		Q string `json:"q"`
	}
	if json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in) != nil {
		answer(w, problem{Code: "INVALID_CONTENT", Detail: "The request body is no JSON object."})
		return
	}
	b.mu.Lock()
	rows, columns, ok := b.query(strings.TrimSpace(in.Q))
	b.mu.Unlock()
	items := []any{}
	for _, row := range rows {
		out := map[string]any{"links": []any{}}
		for _, c := range columns {
			v, known := row[c]
			ok = ok && known
			if v != "" { // nulls are left out
				out[c] = v
			}
		}
		items = append(items, out)
	}
	if !ok {
		answer(w, problem{Code: "INVALID_PARAMETER", Detail: "Invalid search query. Detailed unprocessed description follows. Search error occurred: Invalid or unsupported search."})
		return
	}
	sandbox.JSON(w, http.StatusOK, map[string]any{
		"items": items, "count": len(items), "totalResults": len(items), "offset": 0, "hasMore": false, "links": []any{},
	})
}

// query returns the rows with all columns as text, and the columns asked for.
func (b *Box) query(q string) (rows []map[string]string, columns []string, ok bool) {
	if m := currencyQuery.FindStringSubmatch(q); m != nil {
		for i, iso := range b.opts.Currencies {
			rows = append(rows, map[string]string{"id": strconv.Itoa(i + 1), "symbol": iso, "name": "currency " + strconv.Itoa(i+1)})
		}
		return rows, splitColumns(m[1]), true
	}
	m := itemQuery.FindStringSubmatch(q)
	if m == nil {
		return nil, nil, false
	}
	names, ok := literals(m[2])
	if !ok {
		return nil, nil, false
	}
	for _, r := range b.state.Rows {
		name, _ := r.Fields["itemId"].(string)
		if !slices.Contains(itemTypes(), r.Type) || !slices.Contains(names, name) {
			continue
		}
		inactive := "F"
		if r.Fields["isInactive"] == true {
			inactive = "T"
		}
		rows = append(rows, map[string]string{"id": r.ID, "itemid": name, "isinactive": inactive, "externalid": r.ExternalID})
	}
	return rows, splitColumns(m[1]), true
}

func splitColumns(list string) []string {
	var all []string
	for _, c := range strings.Split(list, ",") {
		all = append(all, strings.ToLower(strings.TrimSpace(c)))
	}
	return all
}

// literals reads 'a', 'b”c', ….
func literals(list string) ([]string, bool) {
	var all []string
	for rest := strings.TrimSpace(list); rest != ""; {
		m := literal.FindStringSubmatch(rest)
		if m == nil {
			return nil, false
		}
		all = append(all, strings.ReplaceAll(m[1], "''", "'"))
		rest = rest[len(m[0]):]
	}
	return all, true
}
