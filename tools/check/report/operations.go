package report

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Operations is what tests said of the calls that they compared with the
// vendors' descriptions, in lines that begin with "spec: ". It adds up over
// packages, also those whose results the go command has cached.
type Operations struct {
	connectors map[string]*operations
}

type operations struct {
	invalid    map[string]bool // by operation
	exceptions map[string]bool // whether anything needed them
	mocks      map[string]*mock
}

type mock struct{ requests, rejected int }

const specMark = "spec: {"

// take reads one line of output and reports whether it was one of these.
func (o *Operations) take(output string) bool {
	text := strings.TrimSpace(output)
	if !strings.HasPrefix(text, specMark) {
		return false
	}
	var line struct {
		Connector string
		Operation string
		Invalid   bool
		Exception string
		Used      bool
		Mock      string
		Requests  int
		Rejected  int
	}
	if json.Unmarshal([]byte(text[len(specMark)-1:]), &line) != nil || line.Connector == "" {
		return false
	}
	c := o.connector(line.Connector)
	switch {
	case line.Operation != "":
		c.invalid[line.Operation] = c.invalid[line.Operation] || line.Invalid
	case line.Exception != "":
		c.exceptions[line.Exception] = c.exceptions[line.Exception] || line.Used
	case line.Mock != "":
		m := c.mocks[line.Mock]
		if m == nil {
			m = &mock{}
			c.mocks[line.Mock] = m
		}
		m.requests += line.Requests
		m.rejected += line.Rejected
	}
	return true
}

func (o *Operations) connector(name string) *operations {
	if o.connectors == nil {
		o.connectors = map[string]*operations{}
	}
	if o.connectors[name] == nil {
		o.connectors[name] = &operations{invalid: map[string]bool{}, exceptions: map[string]bool{}, mocks: map[string]*mock{}}
	}
	return o.connectors[name]
}

// Count is how many connectors said something.
func (o *Operations) Count() int { return len(o.connectors) }

// Invalid lists the operations that the descriptions do not allow, with the
// names of their connectors.
func (o *Operations) Invalid() []string {
	return o.list(func(c *operations) []string { return where(c.invalid, true) })
}

// Unused lists the exceptions that nothing needed.
func (o *Operations) Unused() []string {
	return o.list(func(c *operations) []string { return where(c.exceptions, false) })
}

// Rejected is how many requests real servers refused.
func (o *Operations) Rejected() int {
	n := 0
	for _, c := range o.connectors {
		for _, m := range c.mocks {
			n += m.rejected
		}
	}
	return n
}

func (o *Operations) list(of func(*operations) []string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(o.connectors)) {
		for _, text := range of(o.connectors[name]) {
			all = append(all, name+" "+text)
		}
	}
	return all
}

func where(set map[string]bool, value bool) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if set[name] == value {
			all = append(all, name)
		}
	}
	return all
}

// Print writes a line for each connector; with each, also every operation and
// every exception.
func (o *Operations) Print(out io.Writer, each bool) {
	if len(o.connectors) == 0 {
		return
	}
	fmt.Fprintln(out, "\ncalls compared with the vendors' descriptions:")
	for _, name := range slices.Sorted(maps.Keys(o.connectors)) {
		c := o.connectors[name]
		verdict := "all valid"
		if bad := where(c.invalid, true); len(bad) > 0 {
			verdict = fmt.Sprintf("%d INVALID", len(bad))
		}
		fmt.Fprintf(out, "  %-11s %d distinct operations, %s\n", name+":", len(c.invalid), verdict)
		for _, mock := range slices.Sorted(maps.Keys(c.mocks)) {
			fmt.Fprintf(out, "  %-11s %d requests, %d rejected\n", mock+":", c.mocks[mock].requests, c.mocks[mock].rejected)
		}
		if !each {
			continue
		}
		for _, operation := range slices.Sorted(maps.Keys(c.invalid)) {
			mark := ""
			if c.invalid[operation] {
				mark = "  INVALID"
			}
			fmt.Fprintf(out, "    %s%s\n", operation, mark)
		}
		for _, exception := range where(c.exceptions, true) {
			fmt.Fprintf(out, "    exception %s\n", exception)
		}
	}
}
