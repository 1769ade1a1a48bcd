package netsuite

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

const (
	// pageRows is the most that one answer has.
	pageRows = 1000
	// maxRows is the most that one query has over all its pages.
	maxRows = 100_000
	// dateMask and dayMask are how dates are written in queries. A bare date
	// column comes in the user's format and without its time.
	dateMask = "'YYYY-MM-DD HH24:MI:SS'"
	dayMask  = "'YYYY-MM-DD'"
)

// row is one row of an answer: names in lower case, values as texts, nulls
// left out.
type row map[string]any

func (r row) text(name string) string { return scalar(r[name]) }

func (r row) yes(name string) bool { return r.text(name) == "T" }

// rowPage is one page of an answer.
type rowPage struct {
	rows  []row
	total int
	more  bool
}

// parseRows reads an answer of SuiteQL. ok is false when it is none.
func parseRows(body []byte) (p rowPage, ok bool) {
	var in struct {
		Items *[]row          `json:"items"`
		More  bool            `json:"hasMore"`
		Total json.RawMessage `json:"totalResults"`
	}
	if decode(body, &in) != nil || in.Items == nil {
		return rowPage{}, false
	}
	total, err := strconv.Atoi(string(in.Total))
	if err != nil || total < 0 {
		total = 0 // only for showing progress
	}
	return rowPage{rows: *in.Items, total: total, more: in.More}, true
}

// page asks for one page of a query.
func (a *api) page(ctx context.Context, op, q string, limit, offset int) (rowPage, error) {
	resp, absent, err := a.do(ctx, call{
		op: op, method: http.MethodPost, path: "/query/v1/suiteql",
		query:  url.Values{"limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(offset)}},
		header: http.Header{"Prefer": {"transient"}}, body: map[string]string{"q": q},
	})
	if err != nil {
		return rowPage{}, err
	}
	p, ok := parseRows(resp.Body)
	if absent || !ok {
		return rowPage{}, unreadable(op)
	}
	return p, nil
}

// query asks for all rows of a query, which must have an order that leaves
// nothing open.
func (a *api) query(ctx context.Context, op, q string) ([]row, error) {
	var all []row
	for {
		p, err := a.page(ctx, op, q, pageRows, len(all))
		if err != nil {
			return nil, err
		}
		all = append(all, p.rows...)
		if !p.more {
			return all, nil
		}
		if len(p.rows) != pageRows || len(all) >= maxRows {
			return nil, fault.New(fault.Rejected, "netsuite: "+op, "more than %d rows answer, or a page is short", maxRows)
		}
	}
}

// quote makes a SuiteQL literal.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// dateOf makes a date of a text in dateMask's form.
func dateOf(text string) string { return "TO_DATE(" + quote(text) + ", " + dateMask + ")" }

// in makes a condition that a column is one of some ids, which are numbers.
func in(column string, ids []string) string { return column + " IN (" + strings.Join(ids, ", ") + ")" }
