// Package fault gives every error a kind, and decides in one pure function
// what follows from it. Connectors say what happened; the sink runtime does
// what Judge answers; nobody parses error texts.
package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
)

// Kind says what went wrong, in terms of what to do next.
type Kind uint8

// The kinds of errors. See Judge for what follows from each.
const (
	Internal     Kind = iota // a bug or a panic; also any error without a kind
	Transient                // the vendor failed and did nothing; try again
	Throttled                // too many calls; wait
	Unavailable              // the vendor can't be reached or is down
	Unauthorized             // credentials are refused
	Ambiguous                // the call may or may not have taken effect
	Conflict                 // exists already, or a newer version stands there
	Missing                  // something this depends on is not there yet
	Rejected                 // the vendor refuses the content
	Malformed                // the input breaks its schema
)

var names = [...]string{
	"internal", "transient", "throttled", "unavailable", "unauthorized",
	"ambiguous", "conflict", "missing", "rejected", "malformed",
}

// Kinds returns all kinds.
func Kinds() []Kind {
	all := make([]Kind, len(names))
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// String returns the kind in lower case, as it stands in subjects and logs.
func (k Kind) String() string {
	if int(k) < len(names) {
		return names[k]
	}
	return names[Internal]
}

// Error is an error with its kind and what a person needs to mend it.
type Error struct {
	Kind Kind
	// Op is what was being done, as in "netsuite: create sales order".
	Op string
	// Field is the path of the field at fault, in the vendor's names.
	Field string
	// Hint says what a person can do about it.
	Hint string
	// Code is the vendor's or Spoke's code for this fault.
	Code string
	// RetryAfter is what the vendor asked for; 0 means it did not say.
	RetryAfter time.Duration
	// Needs names the object that is missing, for Missing.
	Needs *events.Ref
	// Err is the cause. Its text must hold no secrets and no personal data.
	Err error
}

// New makes an Error of a kind with a formatted cause (%w works).
func New(k Kind, op, format string, args ...any) *Error {
	return &Error{Kind: k, Op: op, Err: fmt.Errorf(format, args...)}
}

// Error returns "op: cause (field …)".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Err != nil {
		if e.Op != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	if e.Field != "" {
		b.WriteString(" (field " + e.Field + ")")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// WithField returns e with the field at fault.
func (e *Error) WithField(path string) *Error { c := *e; c.Field = path; return &c }

// WithHint returns e with a remedy.
func (e *Error) WithHint(hint string) *Error { c := *e; c.Hint = hint; return &c }

// WithCode returns e with a code.
func (e *Error) WithCode(code string) *Error { c := *e; c.Code = code; return &c }

// After returns e with the wait that the vendor asked for.
func (e *Error) After(d time.Duration) *Error { c := *e; c.RetryAfter = d; return &c }

// As returns the outermost *Error in err's chain. An error without one comes
// back as Internal, but for a cancelled context, which is Transient: the
// service is stopping and the work will be done again.
func As(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled):
		return &Error{Kind: Transient, Err: err}
	default:
		return &Error{Kind: Internal, Err: err}
	}
}

// KindOf returns the kind of err; see As.
func KindOf(err error) Kind { return As(err).Kind }

// Is reports whether err is of the kind.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }

// Problem is the error as events and records carry it.
func Problem(err error) *events.Problem {
	e := As(err)
	return &events.Problem{Kind: e.Kind.String(), Message: err.Error(), Field: e.Field, Hint: e.Hint, Code: e.Code}
}
