package spec

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// stripeModule pins stripe-mock, which brings Stripe's OpenAPI document.
const (
	stripeModule = "github.com/stripe/stripe-mock"
	stripePins   = "tools/stripe-mock"
)

// Stripe is the description of Stripe's API: the OpenAPI document inside
// stripe-mock for answers, and a running stripe-mock, to which every request
// goes as well, for requests.
func Stripe(t testing.TB) (*Book, error) {
	doc, err := stripe()
	if err != nil {
		return nil, err
	}
	mock, err := startStripeMock(t)
	if err != nil {
		return nil, err
	}
	judge := func(c Call) (string, []string, bool) {
		operation, problems, known := doc.check(c, c.Request.URL.Path)
		if !known {
			return c.Request.Method + " " + c.Request.URL.Path, nil, false
		}
		return operation, append(mock.repeat(c), problems...), true
	}
	return &Book{vendor: "stripe", judge: judge, exceptions: stripeExceptions}, nil
}

// stripeExceptions are what the document and stripe-mock lack.
var stripeExceptions []exception

var stripe = sync.OnceValues(func() (*openAPI, error) {
	root, err := checkout()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", stripeModule)
	cmd.Dir = filepath.Join(root, stripePins)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	dir, err := cmd.Output()
	if err != nil || strings.TrimSpace(string(dir)) == "" {
		return nil, fmt.Errorf("the description of Stripe's API is %w: the module %s can't be had: %w", ErrAbsent, stripeModule, err)
	}
	router, err := loadRouter(filepath.Join(strings.TrimSpace(string(dir)), "embedded", "openapi", "spec3.json"), amendStripe)
	return &openAPI{answer: router}, err
})

// amendStripe lets answers leave fields out: a sandbox has what Spoke reads of
// Stripe's objects. What it has must be right.
func amendStripe(doc *openapi3.T) {
	for _, s := range doc.Components.Schemas {
		loosen(s, map[*openapi3.Schema]bool{})
	}
}

func loosen(ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool) {
	if ref == nil || ref.Value == nil || seen[ref.Value] {
		return
	}
	s := ref.Value
	seen[s] = true
	s.Required = slices.DeleteFunc(s.Required, func(name string) bool {
		return name != "id" && name != "object" && name != "deleted" // these tell types apart
	})
	for _, p := range s.Properties {
		loosen(p, seen)
	}
	loosen(s.Items, seen)
	for _, r := range s.AnyOf {
		loosen(r, seen)
	}
}
