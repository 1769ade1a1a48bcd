package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Member is one name of a JSON object with its value.
type Member struct {
	Name  string
	Value json.RawMessage // shares memory with the object
}

// errNoObject and errNoList are for input that is no such thing at all.
var (
	errNoObject = errors.New("is no JSON object")
	errNoList   = errors.New("is no JSON list")
)

// Members takes a JSON object apart without decoding its values, in their
// order. It refuses an object that gives a name twice, which encoding/json
// passes over in silence: of two amounts none may be chosen. It trusts that
// raw was found valid (json.Valid) as a whole; what it makes of invalid input
// is undefined, but for not panicking.
func Members(raw []byte) ([]Member, error) {
	i := skipSpace(raw, 0)
	if at(raw, i) != '{' {
		return nil, errNoObject
	}
	members := make([]Member, 0, 8)
	for i = skipSpace(raw, i+1); at(raw, i) != '}'; {
		if at(raw, i) == ',' {
			i = skipSpace(raw, i+1)
		}
		if at(raw, i) != '"' {
			return nil, errNoObject
		}
		end := skipString(raw, i)
		name := unquote(raw[i:end])
		i = skipSpace(raw, skipSpace(raw, end)+1) // behind the colon
		end = skipValue(raw, i)
		if end > len(raw) || end <= i {
			return nil, errNoObject
		}
		members = append(members, Member{name, raw[i:end:end]})
		i = skipSpace(raw, end)
	}
	if name, ok := repeated(members); ok {
		return nil, fmt.Errorf("gives %s twice", quotePath(name))
	}
	return members, nil
}

// repeated returns a name that stands there twice.
func repeated(members []Member) (string, bool) {
	const few = 32
	if len(members) <= few {
		for i, m := range members {
			for _, o := range members[:i] {
				if o.Name == m.Name {
					return m.Name, true
				}
			}
		}
		return "", false
	}
	seen := make(map[string]struct{}, len(members))
	for _, m := range members {
		if _, ok := seen[m.Name]; ok {
			return m.Name, true
		}
		seen[m.Name] = struct{}{}
	}
	return "", false
}

// Elements takes a JSON list apart without decoding its elements. It trusts
// its input like Members.
func Elements(raw []byte) ([]json.RawMessage, error) {
	i := skipSpace(raw, 0)
	if at(raw, i) != '[' {
		return nil, errNoList
	}
	var items []json.RawMessage
	for i = skipSpace(raw, i+1); at(raw, i) != ']'; {
		if at(raw, i) == ',' {
			i = skipSpace(raw, i+1)
		}
		end := skipValue(raw, i)
		if end > len(raw) || end <= i {
			return nil, errNoList
		}
		items = append(items, raw[i:end:end])
		i = skipSpace(raw, end)
	}
	return items, nil
}

// at returns the byte at i, and 0 behind the end.
func at(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

func skipSpace(b []byte, i int) int {
	for {
		switch at(b, i) {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
}

// skipString returns the index behind the string that begins at i.
func skipString(b []byte, i int) int {
	for i++; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			break
		}
		s := bytes.IndexByte(b[i:i+n], '\\')
		if s < 0 {
			return i + n + 1
		}
		i += s + 2 // the escaped byte is passed over too
	}
	return len(b)
}

// skipValue returns the index behind the value that begins at i.
func skipValue(b []byte, i int) int {
	switch at(b, i) {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
		i++
	}
	return i
}

func skipNested(b []byte, i int) int {
	for depth := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = skipString(b, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return i
}

// unquote decodes a JSON string.
func unquote(raw []byte) string {
	if plainString(raw) {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	_ = json.Unmarshal(raw, &s) // valid, as Members demands
	return s
}
