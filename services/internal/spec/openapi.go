package spec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// openAPI is one OpenAPI document. It is held twice: requests may have no
// field that is not described, while vendors add fields to answers freely.
type openAPI struct {
	request routers.Router // nil when something else checks requests
	answer  routers.Router
}

// loadOpenAPI reads a document for requests and answers. amend corrects both
// forms of it.
func loadOpenAPI(file string, amend func(*openapi3.T)) (*openAPI, error) {
	request, err := loadRouter(file, func(doc *openapi3.T) { amend(doc); closeRequests(doc) })
	if err != nil {
		return nil, err
	}
	answer, err := loadRouter(file, amend)
	return &openAPI{request: request, answer: answer}, err
}

func loadRouter(file string, amend func(*openapi3.T)) (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromFile(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	doc.Servers = nil // the path is the same on a sandbox
	amend(doc)
	r, err := legacy.NewRouter(doc, openapi3.DisableExamplesValidation())
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return r, nil
}

// closeRequests forbids fields that a described request body does not name.
func closeRequests(doc *openapi3.T) {
	seen := map[*openapi3.Schema]bool{}
	for _, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			if operation.RequestBody == nil || operation.RequestBody.Value == nil {
				continue
			}
			for _, media := range operation.RequestBody.Value.Content {
				closeSchema(media.Schema, seen)
			}
		}
	}
}

func closeSchema(ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool) {
	if ref == nil || ref.Value == nil || seen[ref.Value] {
		return
	}
	s := ref.Value
	seen[s] = true
	more := s.AdditionalProperties
	if len(s.Properties) > 0 && more.Has == nil && more.Schema == nil && len(s.AllOf) == 0 {
		no := false
		s.AdditionalProperties.Has = &no
	}
	for _, p := range s.Properties {
		closeSchema(p, seen)
	}
	closeSchema(s.Items, seen)
	closeSchema(more.Schema, seen)
	for _, list := range []openapi3.SchemaRefs{s.AnyOf, s.OneOf} {
		for _, r := range list {
			closeSchema(r, seen)
		}
	}
}

// check compares a call with the document, as if it had gone to path. known
// is false when the document has no such operation.
func (o *openAPI) check(c Call, path string) (operation string, problems []string, known bool) {
	input, err := route(o.answer, c, path)
	if err != nil {
		return "", nil, false
	}
	operation = input.Request.Method + " " + input.Route.Path
	if o.request != nil {
		problems = o.checkRequest(c, path)
	}
	return operation, append(problems, checkAnswer(input, c)...), true
}

// route finds the operation of a call, as if it had gone to path.
func route(router routers.Router, c Call, path string) (*openapi3filter.RequestValidationInput, error) {
	r := c.Request.Clone(context.Background())
	r.URL = &url.URL{Scheme: "https", Host: "vendor.example", Path: path, RawQuery: c.Request.URL.RawQuery}
	r.Body = io.NopCloser(bytes.NewReader(c.Body))
	found, params, err := router.FindRoute(r)
	return &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: found,
		Options: &openapi3filter.Options{
			MultiError: true, SkipSettingDefaults: true, RejectWhenRequestBodyNotSpecified: true,
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
		},
	}, err
}

func (o *openAPI) checkRequest(c Call, path string) []string {
	input, err := route(o.request, c, path)
	if err != nil {
		return []string{inRequest("%v", err)}
	}
	var problems []string
	if err := openapi3filter.ValidateRequest(input.Request.Context(), input); err != nil {
		problems = explain(inRequest, err)
	}
	for name := range input.Request.URL.Query() {
		if input.Route.Operation.Parameters.GetByInAndName("query", name) == nil &&
			input.Route.PathItem.Parameters.GetByInAndName("query", name) == nil {
			problems = append(problems, inRequest("query parameter %q is not described", name))
		}
	}
	return problems
}

func checkAnswer(input *openapi3filter.RequestValidationInput, c Call) []string {
	if c.Answer == nil {
		return nil
	}
	err := openapi3filter.ValidateResponse(input.Request.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: c.Answer.StatusCode, Header: c.Answer.Header,
		Body:    io.NopCloser(bytes.NewReader(c.AnswerBody)),
		Options: &openapi3filter.Options{MultiError: true, IncludeResponseStatus: true},
	})
	if err == nil {
		return nil
	}
	return explain(func(format string, args ...any) string {
		return inAnswer("%d: %s", c.Answer.StatusCode, fmt.Sprintf(format, args...))
	}, err)
}

// explain makes a line of each error, with the place but without the values.
func explain(in func(string, ...any) string, err error) []string {
	var all []string
	var many openapi3.MultiError
	var schema *openapi3.SchemaError
	var request *openapi3filter.RequestError
	switch {
	case errors.As(err, &request) && request.Err != nil:
		where := "body"
		if request.Parameter != nil {
			where = request.Parameter.In + " parameter " + request.Parameter.Name
		}
		for _, e := range unwrapMany(request.Err) {
			all = append(all, explain(func(format string, args ...any) string {
				return in("%s", where+": "+fmt.Sprintf(format, args...))
			}, e)...)
		}
	case errors.As(err, &many):
		for _, e := range many {
			all = append(all, explain(in, e)...)
		}
	case errors.As(err, &schema):
		all = append(all, in("/%s: %s", strings.Join(schema.JSONPointer(), "/"), schema.Reason))
	default:
		text, _, _ := strings.Cut(err.Error(), "\n")
		all = append(all, in("%s", text))
	}
	return all
}

func unwrapMany(err error) []error {
	var many openapi3.MultiError
	if errors.As(err, &many) {
		return many
	}
	return []error{err}
}
