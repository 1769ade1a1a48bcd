package report

import (
	"fmt"
	"io"
	"strings"
)

// Skipped is one test that did not run, and why.
type Skipped struct {
	Package string
	Test    string
	Reason  string
}

// noFUSE is in the reason of a test that needs a file system of its own where none can be mounted.
const noFUSE = "mounted through FUSE"

// Excused says whether a test may be skipped in CI too. Many machines let nobody mount a file
// system, whatever is installed, so what that takes can't be asked of them. Nothing else is excused.
func (s Skipped) Excused() bool { return strings.Contains(s.Reason, noFUSE) }

// Summary is the outcome of a whole run.
type Summary struct {
	Packages int // packages that reported, with or without tests
	Untested int // of these, how many have no test files
	Passed   int
	Failed   int
	Failures []string // packages with a failure
	Skipped  []Skipped
	// Broken are the tests that failed, by the import path of their package: those at the top, whose
	// names `go test -run` takes. Unclear is set when something else failed too: a package that does
	// not build, died, or failed although all of its tests passed.
	Broken  map[string][]string
	Unclear bool
	// Unsteady are tests that failed, and passed when they were run once more by themselves.
	Unsteady []string
	// Operations are the calls that tests compared with descriptions.
	Operations Operations
}

// Unexcused is how many tests were skipped that may not be in CI.
func (s Summary) Unexcused() int {
	n := 0
	for _, skipped := range s.Skipped {
		if !skipped.Excused() {
			n++
		}
	}
	return n
}

// tally is the outcome of one package.
type tally struct {
	passed, failed int
	skipped        []Skipped
}

func (t tally) line(cached bool) string {
	parts := []string{fmt.Sprintf("%d passed", t.passed)}
	if t.failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", t.failed))
	}
	if len(t.skipped) > 0 {
		parts = append(parts, fmt.Sprintf("%d skipped", len(t.skipped)))
	}
	line := strings.Join(parts, ", ")
	if cached {
		line += " (cached)"
	}
	return line
}

func (s *Summary) add(t tally, packagePath string) {
	s.Passed += t.passed
	s.Failed += t.failed
	if t.failed > 0 {
		s.Failures = append(s.Failures, packagePath)
	}
	for _, skipped := range t.skipped {
		skipped.Package = packagePath
		s.Skipped = append(s.Skipped, skipped)
	}
}

// broken notes what failed in a package.
func (s *Summary) broken(one *suite, importPath string, built bool) {
	var names []string
	for _, t := range one.failed() {
		if t.action != "fail" { // it never ended
			names = nil
			break
		}
		if !strings.Contains(t.name, "/") {
			names = append(names, t.name)
		}
	}
	if len(names) == 0 || one.died || !built {
		s.Unclear = true
		return
	}
	if s.Broken == nil {
		s.Broken = map[string][]string{}
	}
	s.Broken[importPath] = names
}

// Print writes the totals, the packages that failed and every skipped test with its reason.
func (s Summary) Print(out io.Writer) {
	fmt.Fprintf(out, "\n%d passed, %d failed, %d skipped; packages with tests: %d, without: %d\n",
		s.Passed, s.Failed, len(s.Skipped), s.Packages-s.Untested, s.Untested)
	if len(s.Failures) > 0 {
		fmt.Fprintf(out, "failed:\n")
		for _, name := range s.Failures {
			fmt.Fprintf(out, "  %s\n", name)
		}
	}
	if len(s.Unsteady) > 0 {
		fmt.Fprintf(out, "unsteady, failed above and passed by themselves (mend them):\n")
		for _, name := range s.Unsteady {
			fmt.Fprintf(out, "  %s\n", name)
		}
	}
	if len(s.Skipped) > 0 {
		fmt.Fprintf(out, "skipped:\n")
		for _, skipped := range s.Skipped {
			allowed := ""
			if skipped.Excused() {
				allowed = " (allowed in CI)"
			}
			fmt.Fprintf(out, "  %s %s: %s%s\n", skipped.Package, skipped.Test, skipped.Reason, allowed)
		}
	}
}
