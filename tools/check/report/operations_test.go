package report_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/spoke-sync/spoke/tools/check/report"
)

// stream is the output of one test as `go test -json` gives it.
func stream(t *testing.T, lines ...string) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	encode := json.NewEncoder(&out)
	for _, line := range lines {
		if err := encode.Encode(report.Event{Action: "output", Package: "p", Test: "T", Output: "    " + line + "\n"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range []report.Event{{Action: "pass", Package: "p", Test: "T"}, {Action: "pass", Package: "p"}} {
		if err := encode.Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	return &out
}

func TestOperations(t *testing.T) {
	t.Parallel()
	summary, err := report.NewReader(&bytes.Buffer{}, "example.org").Read(stream(t,
		`spec: {"connector":"erp","operation":"PUT /order/{id}"}`,
		`spec: {"connector":"erp","operation":"PUT /order/{id}"}`,
		`spec: {"connector":"erp","operation":"GET /order/{id}"}`,
		`spec: {"connector":"erp","exception":"GET /time: not described"}`,
		`spec: {"connector":"erp","exception":"GET /tide: not described"}`,
		`spec: {"connector":"erp","exception":"GET /time: not described","used":true}`,
		`spec: {"connector":"pay","operation":"POST /charge","invalid":true}`,
		`spec: {"connector":"pay","operation":"POST /charge"}`,
		`spec: {"connector":"pay","mock":"pay-mock","requests":3}`,
		`spec: {"connector":"pay","mock":"pay-mock","requests":4,"rejected":1}`,
		`spec: {broken`,
	))
	if err != nil {
		t.Fatal(err)
	}
	o := summary.Operations
	var all, each bytes.Buffer
	o.Print(&all, false)
	o.Print(&each, true)
	golden(t, "operations.golden", all.String()+each.String())
	if got, want := o.Invalid(), []string{"pay POST /charge"}; !slices.Equal(got, want) {
		t.Errorf("invalid: %q, want %q", got, want)
	}
	if got, want := o.Unused(), []string{"erp GET /tide: not described"}; !slices.Equal(got, want) {
		t.Errorf("unused: %q, want %q", got, want)
	}
	if o.Rejected() != 1 || o.Count() != 2 {
		t.Errorf("%d rejected by %d connectors, want 1 and 2", o.Rejected(), o.Count())
	}
}

// TestOperationsAreNotNoise: the lines do not show where a failure is
// explained.
func TestOperationsAreNotNoise(t *testing.T) {
	t.Parallel()
	in := stream(t, `spec: {"connector":"erp","operation":"PUT /order/{id}"}`, "the reason")
	text := strings.ReplaceAll(in.String(), `"pass"`, `"fail"`)
	var out bytes.Buffer
	if _, err := report.NewReader(&out, "example.org").Read(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "the reason") || strings.Contains(out.String(), "spec:") {
		t.Errorf("got\n%s", out.String())
	}
}
