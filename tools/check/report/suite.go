package report

import (
	"regexp"
	"strings"
)

// suite is what is known of one package while its tests run.
type suite struct {
	name   string
	tests  map[string]*test
	order  []string
	output []string // what belongs to no test
	died   bool     // the package ended without saying so
}

type test struct {
	name   string
	action string // run, pass, fail, skip; run to the end means it never finished
	output []string
}

func (t *test) failed() bool { return t.action == "fail" || t.action == "run" }

// spoke says whether the test printed anything of its own.
func (t *test) spoke() bool {
	for line := range strings.Lines(strings.Join(t.output, "")) {
		if !chatter(line) && !strings.HasPrefix(strings.TrimSpace(line), "--- FAIL:") {
			return true
		}
	}
	return false
}

func newSuite(name string) *suite {
	return &suite{name: name, tests: map[string]*test{}}
}

func (s *suite) test(event Event) {
	t, ok := s.tests[event.Test]
	if !ok {
		t = &test{name: event.Test, action: "run"}
		s.tests[event.Test] = t
		s.order = append(s.order, event.Test)
	}
	switch event.Action {
	case "output":
		t.output = append(t.output, event.Output)
	case "pass":
		t.action = "pass"
		t.output = nil // nobody will ask
	case "fail", "skip":
		t.action = event.Action
	}
}

// failed lists the tests to explain, in the order they started: those that failed and those that
// never ended because the process died under them.
func (s *suite) failed() []*test {
	var failed []*test
	for _, name := range s.order {
		if t := s.tests[name]; t.failed() {
			failed = append(failed, t)
		}
	}
	return failed
}

// cached says whether the go command repeated an earlier result instead of running the package.
func (s *suite) cached() bool {
	for _, line := range s.output {
		if strings.HasPrefix(line, "ok ") && strings.Contains(line, "(cached)") {
			return true
		}
	}
	return false
}

// tally counts tests so that nothing counts twice: a test with subtests stands for them and counts
// by itself only where it failed and none of them did.
func (s *suite) tally(packageFailed bool) tally {
	var result tally
	parents, failedBelow := s.parents()
	for _, name := range s.order {
		t := s.tests[name]
		switch {
		case t.failed():
			if !failedBelow[name] {
				result.failed++
			}
		case parents[name]:
		case t.action == "skip":
			result.skipped = append(result.skipped, Skipped{Test: name, Reason: reason(t.output)})
		default:
			result.passed++
		}
	}
	if packageFailed && result.failed == 0 {
		result.failed = 1 // it does not build, or died outside any test
	}
	return result
}

// parents marks the tests that have subtests, and those with a failure among them.
func (s *suite) parents() (all, failed map[string]bool) {
	all, failed = map[string]bool{}, map[string]bool{}
	for name, t := range s.tests {
		for i, c := range name {
			if c == '/' {
				all[name[:i]] = true
				failed[name[:i]] = failed[name[:i]] || t.failed()
			}
		}
	}
	return all, failed
}

var place = regexp.MustCompile(`^[\w.-]+\.go:\d+: `)

// reason takes the words given to t.Skip out of a skipped test's output.
func reason(output []string) string {
	var said []string
	for line := range strings.Lines(strings.Join(output, "")) {
		line = strings.TrimSpace(line)
		if line == "" || chatter(line) || strings.HasPrefix(line, "--- SKIP:") {
			continue
		}
		said = append(said, place.ReplaceAllString(line, ""))
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

// chatter is what the testing package prints about its own progress.
func chatter(line string) bool {
	line = strings.TrimSpace(line)
	for _, prefix := range []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME "} {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}
