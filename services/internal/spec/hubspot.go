package spec

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// hubSpotFiles hold one document each. Those of one type come before the
// general ones, so that operations are counted by type.
var hubSpotFiles = []string{
	"contacts", "companies", "deals", "line-items", "products", "quotes", "invoices", "tickets", "objects",
	"associations-v4", "associations-schema-v4", "properties", "owners", "pipelines", "schemas",
	"oauth-dated", "oauth", "webhooks",
}

// hubSpotExceptions are what the documents lack.
var hubSpotExceptions = []exception{
	{"GET /account-info/", "", "the account's details are in no document"},
	{"GET /webhooks-journal/", "", "the webhooks journal is in no document"},
	{"GET /_journal/", "", "the journal's files are HubSpot's storage, and no operation of the API"},
}

// HubSpot is the description of HubSpot's CRM API.
func HubSpot(testing.TB) (*Book, error) { return hubSpot() }

var hubSpot = sync.OnceValues(func() (*Book, error) {
	dir, err := folder("hubspot")
	if err != nil {
		return nil, err
	}
	var docs []*openAPI
	for _, name := range hubSpotFiles {
		doc, err := loadOpenAPI(filepath.Join(dir, name+".json"), amendHubSpot)
		if err != nil {
			return nil, fmt.Errorf("hubspot's description: %w", err)
		}
		docs = append(docs, doc)
	}
	judge := func(c Call) (string, []string, bool) {
		path := legacyPath(c.Request.URL.Path)
		for _, d := range docs {
			if operation, problems, known := d.check(c, path); known {
				return operation, problems, true
			}
		}
		return c.Request.Method + " " + path, nil, false
	}
	return &Book{vendor: "hubspot", judge: judge, exceptions: hubSpotExceptions}, nil
})

// datedPaths map the dated paths to the ones of the documents, which have
// nearly the same bodies.
var datedPaths = []struct {
	dated *regexp.Regexp
	old   string
}{
	{regexp.MustCompile(`^/crm/objects/\d{4}-\d{2}/([^/]+/[^/]+/associations/)`), "/crm/v4/objects/$1"},
	{regexp.MustCompile(`^/crm/objects/\d{4}-\d{2}/`), "/crm/v3/objects/"},
	{regexp.MustCompile(`^/crm/associations/\d{4}-\d{2}/`), "/crm/v4/associations/"},
	{regexp.MustCompile(`^/crm/(properties|owners|pipelines)/\d{4}-\d{2}`), "/crm/v3/$1"},
	{regexp.MustCompile(`^/crm-object-schemas/\d{4}-\d{2}/`), "/crm-object-schemas/v3/"},
	{regexp.MustCompile(`^/(?:app-)?webhooks/\d{4}-\d{2}/`), "/webhooks/v3/"},
}

func legacyPath(path string) string {
	for _, p := range datedPaths {
		if p.dated.MatchString(path) {
			return p.dated.ReplaceAllString(path, p.old)
		}
	}
	return path
}

// amendHubSpot corrects what the documents say otherwise than the API does.
func amendHubSpot(doc *openapi3.T) {
	for path, item := range doc.Paths.Map() {
		if !strings.HasPrefix(path, "/oauth/") {
			continue
		}
		for _, op := range item.Operations() {
			if op.Responses.Default() == nil { // any call may be throttled or fail
				op.Responses.Set("default", &openapi3.ResponseRef{Value: openapi3.NewResponse().WithDescription("an error")})
			}
		}
	}
	if doc.Components == nil {
		return
	}
	schemas := doc.Components.Schemas
	if search := schemas["PublicObjectSearchRequest"]; search != nil {
		// The client library types sorts as strings; the API takes objects.
		sort := openapi3.NewObjectSchema().
			WithProperty("propertyName", openapi3.NewStringSchema()).
			WithProperty("direction", openapi3.NewStringSchema().WithEnum("ASCENDING", "DESCENDING"))
		sort.Required = []string{"propertyName"}
		search.Value.Properties["sorts"] = openapi3.NewSchemaRef("", openapi3.NewArraySchema().WithItems(sort))
	}
	// What the API itself leaves out: only the client library insists on both
	// lists of a batch read; a 429, and a 404 of one record, name no category;
	// an entry of a 207 has no links, and errors only where there are some.
	for name, required := range map[string][]string{
		"BatchReadInputSimplePublicObjectId": {"inputs"},
		"ModelError":                         {"correlationId", "message"},
		"StandardError":                      {"category", "context", "message", "status"},
	} {
		if s := schemas[name]; s != nil {
			s.Value.Required = required
		}
	}
	if s := schemas["AssociationSpecWithLabel"]; s != nil {
		s.Value.Properties["label"].Value.Nullable = true // that of an association without one
	}
}
