package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Reader collects the events of one run and prints each package as it ends.
type Reader struct {
	out      io.Writer
	module   string // import path prefix that is left out of what is printed
	packages map[string]*suite
	builds   map[string][]string // build output not yet printed, by import path
	blamed   map[string]bool     // build output that has been printed
	summary  Summary
}

// NewReader returns a Reader that prints to out and shortens import paths below module.
func NewReader(out io.Writer, module string) *Reader {
	return &Reader{
		out:      out,
		module:   module,
		packages: map[string]*suite{},
		builds:   map[string][]string{},
		blamed:   map[string]bool{},
	}
}

// Read consumes the stream to its end. A line that is not JSON is printed as it is: the go command
// writes some complaints that way, and none may get lost. A package without an end (the go command
// was killed) counts as failed.
func (r *Reader) Read(stream io.Reader) (Summary, error) {
	lines := bufio.NewReader(stream)
	for {
		line, err := lines.ReadBytes('\n')
		r.line(bytes.TrimSpace(line))
		if err == io.EOF {
			break
		}
		if err != nil {
			return r.summary, fmt.Errorf("read test events: %w", err)
		}
	}
	r.closeUnfinished()
	r.explainOtherBuilds()
	return r.summary, nil
}

func (r *Reader) line(line []byte) {
	if len(line) == 0 {
		return
	}
	var event Event
	if line[0] != '{' || json.Unmarshal(line, &event) != nil {
		fmt.Fprintf(r.out, "%s\n", line)
		return
	}
	r.add(event)
}

func (r *Reader) add(event Event) {
	if event.Action == "output" && r.summary.Operations.take(event.Output) {
		return
	}
	switch {
	case event.Action == "build-output":
		r.builds[event.ImportPath] = append(r.builds[event.ImportPath], event.Output)
	case event.Package == "":
		// build-fail: the package's own fail event follows and points here.
	case event.Test != "":
		r.suite(event.Package).test(event)
	case event.Action == "output":
		s := r.suite(event.Package)
		s.output = append(s.output, event.Output)
	case event.Action == "pass", event.Action == "fail", event.Action == "skip":
		r.end(event)
	}
}

func (r *Reader) suite(name string) *suite {
	s, ok := r.packages[name]
	if !ok {
		s = newSuite(name)
		r.packages[name] = s
	}
	return s
}

// end closes a package: count, print, forget.
func (r *Reader) end(event Event) {
	s := r.suite(event.Package)
	delete(r.packages, event.Package)
	r.summary.Packages++
	if event.Action == "skip" { // the package has no test files
		r.summary.Untested++
		return
	}
	tally := s.tally(event.Action == "fail")
	r.summary.add(tally, r.short(event.Package))
	verdict := "ok  "
	if event.Action == "fail" {
		verdict = "FAIL"
	}
	fmt.Fprintf(r.out, "%s  %-52s %7.1fs  %s\n", verdict, r.short(event.Package), event.Elapsed, tally.line(s.cached()))
	if event.Action == "fail" {
		r.summary.broken(s, event.Package, event.FailedBuild == "")
		r.explain(s, event.FailedBuild)
	}
}

// explain prints everything that was said by what failed.
func (r *Reader) explain(s *suite, failedBuild string) {
	if failedBuild != "" {
		r.blame(failedBuild)
	}
	printed := false
	_, failedBelow := s.parents()
	for _, t := range s.failed() {
		printed = true
		if failedBelow[t.name] && !t.spoke() {
			continue // its subtests say it
		}
		fmt.Fprintf(r.out, "--- %s\n", t.name)
		r.indent(t.output)
	}
	if !printed || s.died {
		r.indent(s.output)
	}
}

// blame prints why an import path does not build, once: many packages can fail for one of them, and
// the same package is often built twice, for itself and for its test.
func (r *Reader) blame(importPath string) {
	path, _, _ := strings.Cut(importPath, " ")
	var said []string
	for _, line := range r.builds[importPath] {
		if !strings.HasPrefix(line, "# ") {
			said = append(said, line)
		}
	}
	delete(r.builds, importPath)
	if what := strings.Join(said, ""); !r.blamed[what] {
		r.blamed[what] = true
		fmt.Fprintf(r.out, "--- does not build: %s\n", r.short(path))
		r.indent(said)
		return
	}
	fmt.Fprintf(r.out, "--- does not build: %s (explained above)\n", r.short(path))
}

// explainOtherBuilds prints build output that no package's failure pointed to.
func (r *Reader) explainOtherBuilds() {
	for _, importPath := range slices.Sorted(maps.Keys(r.builds)) {
		r.blame(importPath)
	}
}

func (r *Reader) indent(output []string) {
	for line := range strings.Lines(strings.Join(output, "")) {
		if chatter(line) {
			continue
		}
		fmt.Fprintf(r.out, "    %s\n", strings.TrimRight(line, "\n"))
	}
}

func (r *Reader) closeUnfinished() {
	for _, name := range slices.Sorted(maps.Keys(r.packages)) {
		r.packages[name].died = true
		r.end(Event{Action: "fail", Package: name})
	}
}

func (r *Reader) short(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, r.module), "/")
}
