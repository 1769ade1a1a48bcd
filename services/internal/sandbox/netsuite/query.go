package netsuitebox

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// maxPage is how many rows one answer has at most.
const maxPage = 1000

func (b *Box) serveQuery(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Prefer") != "transient" {
		answer(w, problem{Code: "INVALID_HEADER", Header: "Prefer", Detail: "The header Prefer: transient is required."})
		return
	}
	limit, offset, err := page(r)
	if err != nil {
		answer(w, err)
		return
	}
	var in struct {
		Q string `json:"q"`
	}
	if json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in) != nil {
		answer(w, problem{Code: "INVALID_CONTENT", Detail: "The request body is no JSON object."})
		return
	}
	s, err := parse(strings.TrimSpace(in.Q))
	if err != nil {
		answer(w, err)
		return
	}
	b.mu.Lock()
	rows, err := b.run(s)
	b.mu.Unlock()
	if err != nil {
		answer(w, err)
		return
	}
	items := []any{}
	for _, row := range rows[min(offset, len(rows)):min(offset+limit, len(rows))] {
		out := map[string]any{"links": []any{}}
		for name, v := range row {
			out[name] = v
		}
		items = append(items, out)
	}
	sandbox.JSON(w, http.StatusOK, map[string]any{
		"items": items, "count": len(items), "totalResults": len(rows), "offset": offset,
		"hasMore": offset+len(items) < len(rows), "links": []any{},
	})
}

func page(r *http.Request) (limit, offset int, err error) {
	limit = maxPage
	for name, n := range map[string]*int{"limit": &limit, "offset": &offset} {
		text := r.URL.Query().Get(name)
		if text == "" {
			continue
		}
		if *n, err = strconv.Atoi(text); err != nil || *n < 0 {
			return 0, 0, problem{Code: "INVALID_PARAMETER", Query: name, Detail: "The value is no number."}
		}
	}
	if limit < 1 || limit > maxPage || offset%limit != 0 {
		return 0, 0, problem{Code: "INVALID_PARAMETER", Query: "limit", Detail: "The limit is from 1 to 1000, the offset a multiple of it."}
	}
	return limit, offset, nil
}
