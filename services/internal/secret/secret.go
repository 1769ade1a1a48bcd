// Package secret keeps credentials out of logs, errors and dumps. A secret is
// written in the configuration as a reference to an environment variable or a
// file, and resolved when it is used first.
package secret

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Value is a credential. It prints as "[secret]" however it is printed, and as
// an address where it stands in an unexported field: fmt calls no methods
// there, but does not follow pointers either.
type Value struct{ text *string }

// New wraps a literal.
func New(text string) Value { return Value{&text} }

// Reveal returns the credential. Callers pass it on to the vendor and nowhere
// else.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// IsZero reports whether there is none.
func (v Value) IsZero() bool { return v.Reveal() == "" }

// String hides the credential.
func (v Value) String() string {
	if v.IsZero() {
		return ""
	}
	return "[secret]"
}

// GoString hides the credential from %#v.
func (v Value) GoString() string { return v.String() }

// LogValue hides the credential from slog.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalText hides the credential from encoders.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalYAML is UnmarshalText with the place of the problem.
func (v *Value) UnmarshalYAML(n ast.Node) error {
	var text string
	err := yaml.NodeToValue(n, &text)
	if err != nil {
		err = errors.New("secret: want a text") // the library's error may hold it
	} else {
		err = v.UnmarshalText([]byte(text))
	}
	if err != nil {
		return &yaml.SyntaxError{Message: err.Error(), Token: n.GetToken()}
	}
	return nil
}

// UnmarshalText reads "env:NAME", "file:/path" or "literal:text". A bare text
// is refused, so that no credential is committed by habit.
func (v *Value) UnmarshalText(b []byte) error {
	scheme, rest, ok := strings.Cut(string(b), ":")
	if !ok {
		return fmt.Errorf("secret: write env:NAME, file:/path or literal:text")
	}
	switch scheme {
	case "env":
		text, ok := os.LookupEnv(rest)
		if !ok || text == "" {
			return fmt.Errorf("secret: environment variable %s is not set", rest)
		}
		*v = New(text)
	case "file":
		text, err := os.ReadFile(rest) //nolint:gosec // the operator names the file
		if err != nil {
			return fmt.Errorf("secret: %w", err)
		}
		value := strings.TrimRight(string(text), "\r\n")
		if value == "" {
			return fmt.Errorf("secret: file %s is empty", rest)
		}
		*v = New(value)
	case "literal":
		*v = New(rest)
	default:
		// What stands before the colon may be part of a bare secret.
		return fmt.Errorf("secret: write env:NAME, file:/path or literal:text")
	}
	return nil
}
