package netsuitebox

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// input is one write as the caller sent it.
type input struct {
	body map[string]any
	// strict is set when a misspelt property is an error. Without the header
	// it is dropped and nobody hears of it.
	strict  bool
	replace []string
}

// merge puts a checked body over the fields of a row. Lines with the key of a
// line that stands there change it; all others are appended, unless the whole
// list is to be replaced.
func merge(s schema, fields, body map[string]any, replace []string) (map[string]any, error) {
	out := maps.Clone(fields)
	for name, v := range body {
		p := s[name]
		lines, isList := v.([]any)
		switch {
		case v == nil:
			delete(out, name)
		case !isList || slices.Contains(replace, name):
			out[name] = v
		default:
			old, _ := out[name].([]any)
			merged, err := mergeLines(p, old, lines, name)
			if err != nil {
				return nil, err
			}
			out[name] = merged
		}
	}
	return out, nil
}

func mergeLines(p property, old, lines []any, name string) ([]any, error) {
	out := slices.Clone(old)
	for i, e := range lines {
		line := e.(map[string]any)
		key := lineKey(p, line)
		if key == "" {
			out = append(out, line)
			continue
		}
		at := slices.IndexFunc(out, func(o any) bool { return lineKey(p, o.(map[string]any)) == key })
		if at < 0 && !slices.Contains(p.keys, "line") {
			out = append(out, line)
			continue
		}
		if at < 0 {
			return nil, problem{Code: "INVALID_KEY_OR_REF", Path: fmt.Sprintf("%s.items[%d].%s", name, i, p.keys[0]), Detail: "There is no line " + key + "."}
		}
		changed := maps.Clone(out[at].(map[string]any))
		_, ownAmount := line["amount"]
		if _, ok := line["quantity"]; ok && !ownAmount {
			delete(changed, "amount")
		}
		maps.Copy(changed, line)
		out[at] = changed
	}
	return out, nil
}

// lineKey is what identifies a line, or "" for one without a key.
func lineKey(p property, line map[string]any) string {
	var parts []string
	for _, k := range p.keys {
		part := identity(line[k])
		if part == "" {
			return ""
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "/")
}

var externalForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// write checks an input, puts it over r (a new row when r.ID is empty) and
// stores it. Nothing has changed when it returns an error.
func (b *Box) write(r *row, in input) error {
	s := b.schemas[r.Type]
	body, err := b.values(s, in.body, in.strict, "")
	if err != nil {
		return err
	}
	for _, name := range in.replace {
		if s[name].kind != aList {
			return problem{Code: "INVALID_PARAMETER", Query: "replace", Detail: "There is no sublist " + name + "."}
		}
	}
	next := *r
	if external, ok := body["externalId"].(string); ok {
		next.ExternalID = external
		delete(body, "externalId")
	}
	if err := b.unique(r, next.ExternalID, body); err != nil {
		return err
	}
	if slices.Contains(in.replace, "item") && r.Type == "salesOrder" && b.billedAt(r) {
		return problem{Code: "USER_ERROR", Path: "item", Detail: "You cannot delete a line that has been billed."}
	}
	if next.Fields, err = merge(s, r.Fields, body, in.replace); err != nil {
		return err
	}
	if err := b.complete(&next); err != nil {
		return err
	}
	return b.commit(r, next)
}

// unique checks external ids and entity ids.
func (b *Box) unique(r *row, external string, body map[string]any) error {
	if external != "" && !externalForm.MatchString(external) {
		return problem{Code: "USER_ERROR", Path: "externalId", Detail: "Invalid external ID."}
	}
	if o := b.state.external(r.Type, external); external != "" && o != nil && o != r {
		return problem{Code: "DUP_RCRD", Path: "externalId", Detail: "This record already exists."}
	}
	if id, ok := body["itemId"].(string); ok && b.state.named("item", id, r) != nil {
		return problem{Code: "DUP_ITEM", Path: "itemId", Detail: "Uniqueness error: an item of this name exists."}
	}
	if id, ok := body["entityId"].(string); ok && b.state.named(r.Type, id, r) != nil {
		return problem{Code: "UNIQUE_CUST_ID_REQD", Path: "entityId", Detail: "A customer record with this ID already exists. You must enter a unique customer ID for each record you create."}
	}
	return nil
}

// commit stores next in place of r and counts the effect.
func (b *Box) commit(r *row, next row) error {
	now := b.opts.Now().UTC()
	created := r.ID == ""
	changed := created || r.ExternalID != next.ExternalID || !same(r.Fields, next.Fields)
	closed := r.Type == "salesOrder" && b.closedOrder(next) && !b.closedOrder(*r)
	if created {
		next.ID, next.Created = b.state.nextID(), now
	}
	if changed {
		next.Modified = now
	}
	if !created {
		b.state.drop(r)
	}
	*r = next
	b.state.put(r)
	if created {
		b.state.Rows = append(b.state.Rows, r)
	}
	if err := b.file.save(b.state); err != nil {
		return err
	}
	switch {
	case created:
		b.Effect(r.Type+" created", r.key())
	case changed:
		b.Effect(r.Type+" updated", r.key())
	}
	if closed {
		b.Effect(r.Type+" closed", r.key())
	}
	return nil
}

func same(a, b map[string]any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// readInput reads body, header and query of a write.
func readInput(r *http.Request) (input, error) {
	in := input{strict: strings.EqualFold(r.Header.Get("X-NetSuite-PropertyNameValidation"), "Error")}
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	if err := d.Decode(&in.body); err != nil || in.body == nil {
		return in, problem{Code: "INVALID_CONTENT", Detail: "The request body is no JSON object."}
	}
	if list := r.URL.Query().Get("replace"); list != "" {
		in.replace = strings.Split(list, ",")
	}
	return in, nil
}
