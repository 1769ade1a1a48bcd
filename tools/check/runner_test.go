package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoke-sync/spoke/tools/check/report"
)

func TestAgain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		summary report.Summary
		want    bool
	}{
		"nothing failed":   {},
		"one test":         {report.Summary{Broken: map[string][]string{"p": {"TestA"}}}, true},
		"a few":            {report.Summary{Broken: map[string][]string{"p": {"TestA", "TestB"}, "q": {"TestC"}}}, true},
		"many":             {report.Summary{Broken: map[string][]string{"p": {"TestA", "TestB"}, "q": {"TestC", "TestD"}}}, false},
		"and no build too": {report.Summary{Broken: map[string][]string{"p": {"TestA"}}, Unclear: true}, false},
	} {
		if got := again(test.summary); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}

// flaky writes a module whose test fails so many times.
func flaky(t *testing.T, failures string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module example.org/flaky\n\ngo 1.26\n",
		"left":    failures,
		"go.work": "go 1.26\n\nuse .\n",
		"x_test.go": "package flaky\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestOK(t *testing.T) {}\n\n" +
			"func TestX(t *testing.T) {\n\tb, _ := os.ReadFile(\"left\")\n\tif len(b) > 0 {\n" +
			"\t\t_ = os.WriteFile(\"left\", b[1:], 0o600)\n\t\tt.Fatal(\"not yet\")\n\t}\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestATestThatFailsOnceIsUnsteady in CI, and one that fails twice a failure; at home the first
// failure counts.
func TestATestThatFailsOnceIsUnsteady(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		failures string
		ci, want bool
	}{
		"passes":              {"", true, true},
		"fails once":          {"x", true, true},
		"fails twice":         {"xx", true, false},
		"fails once, at home": {"x", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			ok, err := test(t.Context(), options{ci: c.ci}, flaky(t, c.failures), "", &out)
			if ok != c.want || err != nil {
				t.Fatalf("%t, %v; want %t\n%s", ok, err, c.want, out.String())
			}
			if unsteady := strings.Contains(out.String(), "TestX\n") && strings.Contains(out.String(), "unsteady"); unsteady != (c.want && c.failures != "") {
				t.Errorf("said:\n%s", out.String())
			}
		})
	}
}
