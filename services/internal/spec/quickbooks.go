package spec

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// quickBooksExceptions are what the schema lacks.
var quickBooksExceptions = []exception{
	{"POST /oauth2/v1/tokens/bearer", "", "Intuit's OAuth 2.0 server is no part of the accounting schema"},
	{"", "answer: 401: IntuitResponse", "the gateway in front of QuickBooks writes its faults with other names"},
}

// QuickBooks is the description of the QuickBooks Online Accounting API.
func QuickBooks(testing.TB) (*Book, error) { return quickBooks() }

var quickBooks = sync.OnceValues(func() (*Book, error) {
	dir, err := folder("quickbooks")
	if err != nil {
		return nil, err
	}
	q := &quickBooksBook{routes: http.NewServeMux(), entities: map[string]string{}}
	types, err := xsdTypes(dir)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "accounting.schema.json")
	if q.answer, err = loadDefinitions(file, nil); err != nil {
		return nil, err
	}
	q.request, err = loadDefinitions(file, func(defs map[string]any) { addLengths(defs, types) })
	if err != nil {
		return nil, err
	}
	for name := range q.answer.names {
		q.entities[strings.ToLower(name)] = name
	}
	const company = "/v3/company/{realm}"
	for _, pattern := range []string{
		"GET " + company + "/query", "POST " + company + "/query", "GET " + company + "/cdc", "POST " + company + "/batch",
		"POST " + company + "/{entity}", "GET " + company + "/{entity}/{id}", "POST " + company + "/{entity}/{id}/send",
	} {
		q.routes.Handle(pattern, http.NotFoundHandler())
	}
	return &Book{vendor: "quickbooks", judge: q.judge, exceptions: quickBooksExceptions}, nil
})

type quickBooksBook struct {
	routes *http.ServeMux
	// request has the XSDs' lengths, which the JSON schema lacks.
	request, answer *definitions
	entities        map[string]string // by the name in paths
}

func (q *quickBooksBook) judge(c Call) (string, []string, bool) {
	r := c.Request
	_, pattern := q.routes.Handler(&http.Request{Method: r.Method, URL: r.URL, Host: r.Host})
	if pattern == "" {
		return r.Method + " " + r.URL.Path, nil, false
	}
	operation := strings.Replace(pattern, "/v3/company/{realm}", "", 1)
	var problems []string
	switch {
	case strings.Contains(pattern, "{entity}"):
		segments := strings.Split(r.URL.Path, "/")
		shape, known := q.entities[segments[4]] // "", v3, company, {realm}, {entity}
		operation = strings.Replace(operation, "{entity}", segments[4], 1)
		if op := r.URL.Query().Get("operation"); op != "" {
			operation += "?operation=" + op
		}
		if !known {
			return operation, nil, false
		}
		if r.Method == http.MethodPost && !strings.HasSuffix(pattern, "/send") {
			problems = q.request.check(inRequest, shape, c.Body)
		}
	case strings.HasSuffix(pattern, "/batch"):
		problems = q.request.check(inRequest, "IntuitBatchRequest", c.Body)
	}
	return operation, append(problems, q.answered(c)...), true
}

func (q *quickBooksBook) answered(c Call) []string {
	if c.Answer == nil {
		return nil
	}
	in := inAnswer
	if c.Answer.StatusCode != http.StatusOK {
		in = func(format string, args ...any) string {
			return inAnswer("%d: %s", c.Answer.StatusCode, fmt.Sprintf(format, args...))
		}
	}
	return q.answer.check(in, "IntuitResponse", c.AnswerBody)
}
