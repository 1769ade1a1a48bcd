package spec

import (
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const netSuiteRoot = "/services/rest"

// netSuiteExceptions are what the schema lacks.
var netSuiteExceptions = append([]exception{
	{"GET /system/v1/serverTime", "", "the system services are no part of the schema"},
	{"GET /record/v1/metadata-catalog/", "", "an account's own description is no part of the schema"},
	{"GET /async/v1/job/{job}/task", "", "the schema has jobs, but not their tasks"},
	{"POST /record/v1/invoice/{id}/!transform/creditMemo", "", "the schema, a subset, does not have credit memos"},
}, netSuiteTypes("contact", "creditMemo", "customerRefund", "task", "nonInventorySaleItem", "serviceSaleItem", "customrecord")...)

// netSuiteTypes are exceptions for record types that the schema does not have.
// Their error bodies, pages and empty answers are checked like those of others.
func netSuiteTypes(names ...string) []exception {
	var all []exception
	for _, name := range names {
		all = append(all, exception{"/record/v1/" + name, "", "the schema, a subset, does not have the type's fields"})
	}
	return all
}

// NetSuite is the description of NetSuite's REST record services and SuiteQL.
func NetSuite(testing.TB) (*Book, error) { return netSuite() }

var netSuite = sync.OnceValues(func() (*Book, error) {
	dir, err := folder("netsuite")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "rest-core.schema.json")
	n := &netSuiteBook{routes: http.NewServeMux()}
	if n.answer, err = loadDefinitions(file, nil); err != nil {
		return nil, err
	}
	if n.request, err = loadDefinitions(file, closeNetSuite); err != nil {
		return nil, err
	}
	const record = netSuiteRoot + "/record/v1/{type}"
	for _, pattern := range []string{
		"POST " + record, "GET " + record, "GET " + record + "/{id}", "PATCH " + record + "/{id}",
		"PUT " + record + "/{id}", "DELETE " + record + "/{id}", "POST " + record + "/{id}/!transform/{into}",
		"POST " + netSuiteRoot + "/query/v1/suiteql", "GET " + netSuiteRoot + "/async/v1/job/{job}",
		"GET " + netSuiteRoot + "/async/v1/job/{job}/task",
		"GET " + netSuiteRoot + "/async/v1/job/{job}/task/{task}", "GET " + netSuiteRoot + "/async/v1/job/{job}/task/{task}/result",
		"POST " + netSuiteRoot + "/auth/oauth2/v1/token",
	} {
		n.routes.Handle(pattern, http.NotFoundHandler())
	}
	return &Book{vendor: "netsuite", judge: n.judge, exceptions: netSuiteExceptions}, nil
})

type netSuiteBook struct {
	routes          *http.ServeMux
	request, answer *definitions
}

// closeNetSuite forbids fields that are not described and not custom, and
// those that only reads have. A null clears a field.
func closeNetSuite(defs map[string]any) {
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, inner := range v {
				walk(inner)
			}
			if properties, ok := v["properties"].(map[string]any); ok && v["additionalProperties"] == nil {
				for name, p := range properties {
					if described, ok := p.(map[string]any); ok && described["readOnly"] == true {
						delete(properties, name)
						continue
					}
					properties[name] = orNull(p)
				}
				v["patternProperties"] = map[string]any{"^cust": true}
				v["additionalProperties"] = false
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(defs)
}

// orNull allows null beside what a schema allows.
func orNull(schema any) any {
	if s, ok := schema.(map[string]any); ok {
		if one, ok := s["type"].(string); ok {
			s["type"] = []any{one, "null"}
			return s
		}
	}
	return map[string]any{"anyOf": []any{schema, map[string]any{"type": "null"}}}
}

func (n *netSuiteBook) judge(c Call) (string, []string, bool) {
	r := c.Request
	_, pattern := n.routes.Handler(&http.Request{Method: r.Method, URL: r.URL, Host: r.Host})
	operation := strings.Replace(pattern, netSuiteRoot, "", 1)
	record, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, netSuiteRoot+"/record/v1/"), "/")
	switch {
	case pattern == "":
		return r.Method + " " + strings.TrimPrefix(r.URL.Path, netSuiteRoot), nil, false
	case strings.Contains(pattern, "suiteql"):
		problems := n.request.check(inRequest, "suiteqlRequest", c.Body)
		if r.Header.Get("Prefer") != "transient" {
			problems = append(problems, inRequest("SuiteQL needs the header Prefer: transient"))
		}
		return operation, append(problems, n.answered(c, "collectionPage")...), true
	case strings.Contains(pattern, "/token"):
		return operation, n.token(c), true
	case strings.Contains(pattern, "/task"):
		return operation, n.answered(c, "any"), false
	case strings.Contains(pattern, "{job}"):
		return operation, n.answered(c, "asyncJob"), true
	}
	operation = strings.Replace(operation, "{type}", record, 1)
	shape := record
	if _, into, ok := strings.Cut(rest, "!transform/"); ok {
		operation, shape = strings.Replace(operation, "{into}", into, 1), into
	}
	known := n.answer.names[shape]
	if !known {
		shape = "any" // the schema's name for whatever there is
	}
	return operation, n.record(c, shape, rest), known
}

// record checks a call to a record or to the list of a type.
func (n *netSuiteBook) record(c Call, shape, rest string) []string {
	var problems []string
	switch c.Request.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		if len(c.Body) > 0 || !strings.Contains(rest, "!transform/") {
			problems = n.request.check(inRequest, shape, c.Body)
		}
	default:
		if len(c.Body) > 0 {
			problems = append(problems, inRequest("it has a body"))
		}
	}
	if rest == "" && c.Request.Method == http.MethodGet {
		shape = "collectionPage"
	}
	return append(problems, n.answered(c, shape)...)
}

// answered checks the answer: the shape, the error body, or nothing where
// NetSuite says nothing.
func (n *netSuiteBook) answered(c Call, shape string) []string {
	if c.Answer == nil {
		return nil
	}
	switch status := c.Answer.StatusCode; {
	case status >= http.StatusBadRequest:
		return n.answer.check(inAnswer, "error", c.AnswerBody)
	case status == http.StatusNoContent, status == http.StatusAccepted:
		var problems []string
		if len(c.AnswerBody) > 0 {
			problems = append(problems, inAnswer("%d: it has a body", status))
		}
		if c.Request.Method != http.MethodDelete && c.Answer.Header.Get("Location") == "" {
			problems = append(problems, inAnswer("%d: it has no Location", status))
		}
		return problems
	default:
		return n.answer.check(inAnswer, shape, c.AnswerBody)
	}
}

// token checks a call for an access token, whose errors are OAuth's.
func (n *netSuiteBook) token(c Call) []string {
	if c.Answer == nil {
		return nil
	}
	if c.Answer.StatusCode >= http.StatusBadRequest {
		return nil // RFC 6749 has them, the schema does not
	}
	return n.answer.check(inAnswer, "tokenResponse", c.AnswerBody)
}
