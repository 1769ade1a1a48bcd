// Package spec checks HTTP calls against the vendors' machine-readable
// descriptions: each request that a connector makes, and each answer that a
// sandbox gives. It is for tests only.
//
// The descriptions are not part of this repository. They are looked for in
// SPOKE_SPECS, else in ../shared/specs beside the checkout.
package spec

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// ErrAbsent is wrapped by the error for a description that is not on this
// machine.
var ErrAbsent = errors.New("absent")

// Source opens a vendor's description for a test, and ends with t.Cleanup
// whatever it started.
type Source func(t testing.TB) (*Book, error)

// Call is one request, with the vendor's answer where one came.
type Call struct {
	Request *http.Request // its Body is not read
	Body    []byte
	// Answer is nil when none came, or when it was not the sandbox that gave
	// it. Its Body is not read.
	Answer     *http.Response
	AnswerBody []byte
}

// Verdict is what a description says of a call.
type Verdict struct {
	// Operation is the method with the path template.
	Operation string
	// Problems say what is wrong, and begin with "request: " or "answer: ".
	Problems []string
	// Exceptions are the reasons for which something was passed over.
	Exceptions []string

	answered bool
}

// Book is one vendor's description.
type Book struct {
	vendor string
	// judge tells the operation, what is wrong with the call, and whether the
	// description has the operation. Of one that it does not have, the problems
	// are those that show without it.
	judge      func(Call) (operation string, problems []string, known bool)
	exceptions []exception
}

// exception is something that the description does not say, or says
// otherwise than the vendor's own documentation.
type exception struct {
	// operation is the beginning of the operations that it concerns; without a
	// method, of the paths.
	operation string
	// problem is a part of the problem that it explains; empty for operations
	// that the description does not have.
	problem string
	why     string
}

func (e exception) String() string {
	return strings.TrimSpace(e.operation+" "+e.problem) + ": " + e.why
}

// Vendor is the name of the kind that the book is about.
func (b *Book) Vendor() string { return b.vendor }

// Check compares one call with the description.
func (b *Book) Check(c Call) Verdict {
	operation, problems, known := b.judge(c)
	v := Verdict{Operation: operation, answered: c.Answer != nil}
	if !known {
		if e, ok := b.excuse(operation, ""); ok {
			v.Exceptions, v.Problems = append(v.Exceptions, e.String()), problems
			return v
		}
		v.Problems = []string{"request: no description has this operation, and no exception in package spec explains it"}
		return v
	}
	for _, p := range problems {
		if e, ok := b.excuse(operation, p); ok {
			v.Exceptions = append(v.Exceptions, e.String())
			continue
		}
		v.Problems = append(v.Problems, p)
	}
	return v
}

func (b *Book) excuse(operation, problem string) (exception, bool) {
	for _, e := range b.exceptions {
		_, path, _ := strings.Cut(operation, " ")
		if !strings.HasPrefix(operation, e.operation) && !strings.HasPrefix(path, e.operation) {
			continue
		}
		if (e.problem == "") == (problem == "") && strings.Contains(problem, e.problem) {
			return e, true
		}
	}
	return exception{}, false
}

// inRequest and inAnswer prefix problems.

func inRequest(format string, args ...any) string { return "request: " + fmt.Sprintf(format, args...) }

func inAnswer(format string, args ...any) string { return "answer: " + fmt.Sprintf(format, args...) }
