package netsuitebox

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/spoke-sync/spoke/events"
)

var customForm = regexp.MustCompile(`^cust(entity|body|col|item)_[a-z0-9_]+$`)

// values checks a body against a schema and returns it in stored form.
func (b *Box) values(s schema, body map[string]any, strict bool, at string) (map[string]any, error) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		path, v := at+name, body[name]
		p, ok := s[name]
		if !ok && customForm.MatchString(name) && slices.Contains(b.opts.CustomFields, name) {
			out[name] = v
			continue
		}
		switch {
		case !ok && strict:
			return nil, problem{Code: "USER_ERROR", Path: path, Detail: fmt.Sprintf("Error while accessing a resource. Unknown property: '%s'.", name)}
		case !ok:
			continue
		case p.readOnly:
			return nil, problem{Code: "INVALID_CONTENT", Path: path, Detail: fmt.Sprintf("Property '%s' is read-only.", name)}
		case v == nil:
			out[name] = nil
			continue
		}
		stored, err := b.value(p, v, strict, path)
		if err != nil {
			return nil, err
		}
		out[name] = stored
	}
	return out, nil
}

func (b *Box) value(p property, v any, strict bool, path string) (any, error) {
	bad := problem{Code: "INVALID_CONTENT", Path: path, Detail: fmt.Sprintf("Invalid content in the request body: the value of '%s' has the wrong type.", path)}
	switch p.kind {
	case anything:
		return v, nil
	case aBool:
		if _, ok := v.(bool); !ok {
			return nil, bad
		}
		return v, nil
	case aNumber:
		n, ok := v.(json.Number)
		if !ok {
			return nil, bad
		}
		if _, err := events.ParseDecimal(n.String()); err != nil {
			return nil, bad
		}
		return n, nil
	case aDate:
		s, _ := v.(string)
		if _, err := time.Parse(time.DateOnly, s); err != nil {
			return nil, bad
		}
		return s, nil
	case aRef:
		return b.reference(p, v, path)
	case anEnum:
		id := identity(v)
		if !slices.Contains(p.values, id) {
			return nil, bad
		}
		return id, nil
	case aList:
		return b.lines(p, v, strict, path)
	case anObject:
		m, ok := v.(map[string]any)
		if !ok {
			return nil, bad
		}
		return b.values(p.lines, m, strict, path+".")
	default:
		s, ok := v.(string)
		if !ok {
			return nil, bad
		}
		return s, nil
	}
}

// identity is the id of a reference or an enumeration.
func identity(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	case map[string]any:
		return identity(x["id"])
	default:
		return ""
	}
}

func (b *Box) reference(p property, v any, path string) (any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, problem{Code: "INVALID_CONTENT", Path: path, Detail: "A reference is an object with an id or an externalId."}
	}
	id := identity(m)
	if external := identity(m["externalId"]); id == "" && external != "" {
		if r := b.state.external(p.to, external); r != nil {
			id = r.ID
		}
	}
	if !b.exists(p.to, id) {
		return nil, problem{Code: "INVALID_KEY_OR_REF", Path: path, Detail: fmt.Sprintf("Invalid %s reference key %s.", p.to, id)}
	}
	if r := b.target(p.to, id); r != nil && r.Fields["isInactive"] == true {
		return nil, problem{Code: "INVALID_KEY_OR_REF", Path: path, Detail: fmt.Sprintf("The %s %s is inactive.", p.to, id)}
	}
	return map[string]any{"id": id}, nil
}

func (b *Box) lines(p property, v any, strict bool, path string) (any, error) {
	m, _ := v.(map[string]any)
	items, ok := m["items"].([]any)
	if !ok {
		return nil, problem{Code: "INVALID_CONTENT", Path: path, Detail: "A sublist is an object with items."}
	}
	out := make([]any, 0, len(items))
	for i, e := range items {
		at := fmt.Sprintf("%s.items[%d]", path, i)
		line, ok := e.(map[string]any)
		if !ok {
			return nil, problem{Code: "INVALID_CONTENT", Path: at, Detail: "A line is an object."}
		}
		stored, err := b.values(p.lines, line, strict, at+".")
		if err != nil {
			return nil, err
		}
		out = append(out, stored)
	}
	return out, nil
}
