package mapping

import (
	"fmt"
	"strings"
)

// Diagnostic is one problem of a flow file, at the place where it is.
type Diagnostic struct {
	File    string
	Line    int // from 1
	Column  int // from 1
	Message string
	// Source is the line of the file, for the caret.
	Source string
}

// Error returns "file:line:column: message" with the source line and a caret.
func (d Diagnostic) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: %s", d.File, d.Line, d.Column, d.Message)
	if d.Source != "" {
		caret := max(d.Column-1, 0)
		fmt.Fprintf(&b, "\n  %s\n  %s^", strings.ReplaceAll(d.Source, "\t", " "), strings.Repeat(" ", caret))
	}
	return b.String()
}

// Diagnostics are all problems that were found.
type Diagnostics []Diagnostic

// Error joins the problems, one after the other.
func (ds Diagnostics) Error() string {
	parts := make([]string, len(ds))
	for i, d := range ds {
		parts[i] = d.Error()
	}
	return strings.Join(parts, "\n")
}

// orNil returns nil for no problems, so that an empty list is no error.
func (ds Diagnostics) orNil() error {
	if len(ds) == 0 {
		return nil
	}
	return ds
}
