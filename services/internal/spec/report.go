package spec

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// mark begins each line of a report. The test runner gathers them over all
// packages; the go command repeats them for results that it has cached.
const mark = "spec: "

// line is one line of a report, as JSON.
type line struct {
	Connector string `json:"connector"`
	// Operation was exercised; Invalid tells of problems. Without either, the
	// exception stands for it.
	Operation string `json:"operation,omitempty"`
	Invalid   bool   `json:"invalid,omitempty"`
	// Exception is a reason from the book, Used when something needed it.
	Exception string `json:"exception,omitempty"`
	Used      bool   `json:"used,omitempty"`
	// Mock is the real server that requests went to as well, with how many it
	// got and refused.
	Mock     string `json:"mock,omitempty"`
	Requests int    `json:"requests,omitempty"`
	Rejected int    `json:"rejected,omitempty"`
}

// printed holds the lines that this process has printed.
var printed sync.Map

func (l line) write(out io.Writer) {
	text, err := json.Marshal(l)
	if err != nil {
		panic(err) // strings and numbers
	}
	if _, again := printed.LoadOrStore(string(text), true); !again || l.Mock != "" {
		fmt.Fprintf(out, "%s%s\n", mark, text)
	}
}

// report prints what the verdicts add to what this process has printed. An
// operation counts when it was answered.
func (b *Book) report(out io.Writer, all []Verdict) {
	for _, e := range b.exceptions {
		line{Connector: b.vendor, Exception: e.String()}.write(out)
	}
	for _, v := range all {
		for _, e := range v.Exceptions {
			line{Connector: b.vendor, Exception: e, Used: true}.write(out)
		}
		if len(v.Problems) > 0 || v.answered && b.describes(v) {
			line{Connector: b.vendor, Operation: v.Operation, Invalid: len(v.Problems) > 0}.write(out)
		}
	}
}

// describes reports whether the description has the verdict's operation.
func (b *Book) describes(v Verdict) bool {
	_, excused := b.excuse(v.Operation, "")
	return !excused
}
