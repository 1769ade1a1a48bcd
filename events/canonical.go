package events

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// FieldError says what is wrong with one value from outside. It never holds
// the value itself, so it may be logged.
type FieldError struct {
	// Path as in "lines[2].price.currency"; empty for the object as a whole.
	Path string
	// Problem and Hint are "is a bare number" and "write {…}".
	Problem string
	Hint    string
}

// Error returns "path: problem; hint".
func (e *FieldError) Error() string {
	s := cmp.Or(e.Path, "the object") + ": " + e.Problem
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// maxProblems bounds how many problems of one object are reported; whoever
// sends more has another problem.
const maxProblems = 20

// Canonical checks what an outside system says about the fields of an entity
// and returns it in canonical form, the same bytes that Fields.Set makes. It
// reports every problem at once, each as a *FieldError.
//
// A decimal may be a string or a JSON number, money is {"amount","currency"},
// a link is {"record":"company/9"} or {"object","id"}, and whatever is no
// canonical field stands in the object "custom". JSON null clears a field.
func Canonical(e Entity, in map[string]json.RawMessage) (Fields, error) {
	members := make([]Member, 0, len(in))
	for name, value := range in {
		members = append(members, Member{name, value})
	}
	// Problems are told in the same order every time.
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return canonicalMembers(e, members, false)
}

// CanonicalObject is Canonical for a JSON object as it came. A name must not
// stand there twice.
func CanonicalObject(e Entity, object []byte) (Fields, error) {
	if !utf8.Valid(object) || !json.Valid(object) {
		return nil, &FieldError{Problem: errNoObject.Error()}
	}
	members, err := Members(object)
	if err != nil {
		return nil, &FieldError{Problem: err.Error()}
	}
	return canonicalMembers(e, members, true)
}

// canonicalMembers does the work; valid says that the values are known to be
// JSON in UTF-8.
func canonicalMembers(e Entity, members []Member, valid bool) (Fields, error) {
	known := e.Fields()
	if known == nil {
		return nil, fmt.Errorf("%q is no entity (one of %s)", string(e), joinEntities())
	}
	c := checker{out: make(Fields, len(members))}
	for _, m := range members {
		f, ok := known[m.Name]
		if !ok {
			c.unknown(m.Name, string(e), known)
			continue
		}
		v := bytes.TrimSpace(m.Value)
		if !valid && (!utf8.Valid(v) || !json.Valid(v)) {
			c.refuse(f.Name, "is no JSON value in UTF-8", "")
			continue
		}
		c.field(f, v)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	return c.out, nil
}

// checker gathers the fields and problems of one object.
type checker struct {
	out      Fields
	problems []error
	more     int
}

// full reports that another problem would only be counted.
func (c *checker) full() bool { return len(c.problems) == maxProblems }

func (c *checker) refuse(path, problem, hint string) {
	if c.full() {
		c.more++
		return
	}
	c.problems = append(c.problems, &FieldError{path, problem, hint})
}

func (c *checker) err() error {
	if c.more > 0 {
		return errors.Join(append(c.problems, fmt.Errorf("and %d more problems", c.more))...)
	}
	return errors.Join(c.problems...)
}

func (c *checker) unknown(name, what string, known map[string]FieldType) {
	hint := `put what Spoke has no field for under "custom"`
	if near := c.closest(name, known); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "? Anything else belongs under \"custom\""
	}
	c.refuse(quotePath(name), "is no field of "+what, hint)
}

// field stores one field of the entity.
func (c *checker) field(f FieldType, raw json.RawMessage) {
	if string(raw) == "null" && f.Kind != KindCustom {
		c.out[f.Name] = null
		return
	}
	if f.Kind == KindString && f.Format == "" && plainString(raw) {
		c.out[f.Name] = raw // its own canonical form already
		return
	}
	switch f.Kind {
	case KindCustom:
		c.custom(f.Name, raw)
	case KindBool:
		keep(c, f.Name, raw, c.boolean, strconv.AppendBool)
	case KindDecimal:
		keep(c, f.Name, raw, c.decimal, appendDecimal)
	case KindMoney:
		keep(c, f.Name, raw, c.money, appendMoney)
	case KindTime:
		if t, ok := c.time(f.Name, raw); ok {
			c.out.Set(f.Name, t)
		}
	case KindLink:
		keep(c, f.Name, raw, c.link, appendLink)
	case KindLines:
		keep(c, f.Name, raw, list(c, KindLines, `write [{"name": …, "quantity": …, "price": …}]`, c.line), appendList(appendLine))
	case KindApplied:
		keep(c, f.Name, raw, list(c, KindApplied, `write [{"invoice": …, "amount": …}]`, c.applied), appendList(appendApplied))
	case KindString:
		c.string(f, raw)
	}
}

// keep stores what read makes of raw, unless read refused it.
func keep[T any](c *checker, name string, raw json.RawMessage, read func(string, json.RawMessage) (T, bool), write func([]byte, T) []byte) {
	if v, ok := read(name, raw); ok {
		c.out[name] = write(nil, v)
	}
}

func (c *checker) string(f FieldType, raw json.RawMessage) {
	read := c.text
	if f.Format == FormatDate {
		read = c.date
	}
	if s, ok := read(f.Name, raw); ok {
		c.out.Set(f.Name, s) // which takes "" for cleared
	}
}

// plainString reports whether raw is a non-empty JSON string that encoding
// would write in the very same bytes.
func plainString(raw json.RawMessage) bool {
	n := len(raw)
	return n > 2 && raw[0] == '"' && raw[n-1] == '"' && plainText(raw[1:n-1])
}

func (c *checker) text(path string, raw json.RawMessage) (string, bool) {
	if raw[0] != '"' {
		c.refuse(path, "is no string", `write it in quotes, or null to clear it`)
		return "", false
	}
	return unquote(raw), true
}

func (c *checker) date(path string, raw json.RawMessage) (Date, bool) {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		if _, err := time.Parse(time.DateOnly, s); err == nil {
			return s, true
		}
	}
	c.refuse(path, "is no date", `write "2006-01-02" without a time, or null to clear it`)
	return "", false
}

func (c *checker) time(path string, raw json.RawMessage) (time.Time, bool) {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		// A year outside of 0 to 9999 has no JSON form, and UTC may lead there.
		t, err := time.Parse(time.RFC3339Nano, s)
		if t = t.UTC(); err == nil && t.Year() > 0 && t.Year() < 10_000 {
			return t, true
		}
	}
	c.refuse(path, "is no time", `write RFC 3339, such as "2006-01-02T15:04:05Z"`)
	return time.Time{}, false
}

func (c *checker) boolean(path string, raw json.RawMessage) (value, ok bool) {
	switch string(raw) {
	case "true", "false":
		return string(raw) == "true", true
	}
	c.refuse(path, "is no bool", "write true or false without quotes")
	return false, false
}

func (c *checker) decimal(path string, raw json.RawMessage) (d Decimal, ok bool) {
	if d.UnmarshalJSON(raw) != nil {
		c.refuse(path, "is no decimal number",
			`write "12.30" or 12.30, with at most 38 digits and an exponent within ±30, or null to clear it`)
		return Decimal{}, false
	}
	return d, true
}

// object takes a JSON object apart and refuses names that are not listed;
// without a list, names are checked by the caller.
func (c *checker) object(path string, raw json.RawMessage, problem, hint string, names ...string) (members []Member, ok bool) {
	if at(raw, 0) != '{' {
		c.refuse(path, problem, hint)
		return nil, false
	}
	members, err := Members(raw)
	if err != nil {
		c.refuse(path, err.Error(), hint)
		return nil, false
	}
	ok = true
	for _, m := range members {
		if len(names) > 0 && !slices.Contains(names, m.Name) {
			c.refuse(path+"."+quotePath(m.Name), "is not known here", "use "+strings.Join(names, ", "))
			ok = false
		}
	}
	return members, ok
}

// get returns the value of a member, or nil when it is absent or null.
func get(members []Member, name string) json.RawMessage {
	for _, m := range members {
		if m.Name == name && !IsNull(m.Value) {
			return m.Value
		}
	}
	return nil
}
