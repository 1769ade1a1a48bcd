package hubspotbox

import (
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

var errNoBulk = errors.New("hubspotbox: a bulk needs a known object and a count")

// Schema is a type of the portal's own: a custom object.
type Schema struct {
	// Name as in "machine"; TypeID as in "2-1001", the next free one when empty.
	Name   string `json:"name"`
	TypeID string `json:"objectTypeId"`
	// Texts and Numbers are its properties. The first text is the primary
	// display property.
	Texts   []string `json:"texts,omitempty"`
	Numbers []string `json:"numbers,omitempty"`
}

// firstCustomType and firstCustomPair are where the numbers of a portal's own
// types and associations begin.
const (
	firstCustomType = 1001
	firstCustomPair = 1001
)

// AddSchema makes a custom object type that may be associated with companies,
// contacts, deals and line items, and returns its type id.
func (b *Box) AddSchema(s Schema) (string, error) {
	b.mu.Lock()
	if t, exists := b.typeNamed(s.Name); exists {
		b.mu.Unlock()
		return t.typeID, nil
	}
	if s.TypeID == "" {
		s.TypeID = "2-" + strconv.Itoa(firstCustomType+len(b.state.Schemas))
	}
	b.state.Schemas = append(b.state.Schemas, s)
	t := b.addType(s)
	b.save()
	b.mu.Unlock()
	if t == nil {
		return "", errors.New("hubspotbox: a schema needs a name and a property")
	}
	b.typeRoutes(t)
	return t.typeID, nil
}

// addType makes the type of a schema. Its routes are the caller's matter.
func (b *Box) addType(s Schema) *objectType {
	if s.Name == "" || len(s.Texts) == 0 {
		return nil
	}
	t := define(s.Name, s.TypeID, s.TypeID, "hs_lastmodifieddate", texts(s.Texts...), of(typeNumber, s.Numbers...))
	b.types = append(b.types, t)
	for _, other := range []string{"companies", "contacts", "deals", "line_items"} {
		n := firstCustomPair + len(b.pairs)
		b.pairs = append(b.pairs, pair{t.plural, other, n, 0}, pair{other, t.plural, n + 1, 0})
	}
	return t
}

// shownSchema is a schema as the API answers it.
func (b *Box) shownSchema(s Schema) map[string]any {
	t, _ := b.typeNamed(s.TypeID)
	all := []property{}
	if t != nil {
		all = append(all, t.properties...)
	}
	return map[string]any{
		"id": s.TypeID[2:], "objectTypeId": s.TypeID, "name": s.Name, "fullyQualifiedName": "p" + strconv.FormatInt(b.opts.PortalID, 10) + "_" + s.Name,
		"labels": map[string]string{"singular": s.Name, "plural": s.Name + "s"}, "primaryDisplayProperty": s.Texts[0],
		"requiredProperties": []string{}, "searchableProperties": []string{}, "secondaryDisplayProperties": []string{},
		"properties": all, "associations": []any{}, "archived": false, "allowsSensitiveProperties": false,
		"createdAt": stamp(b.opts.Now()), "updatedAt": stamp(b.opts.Now()),
	}
}

func (b *Box) listSchemas(w http.ResponseWriter, _ *http.Request) {
	results := []any{}
	b.mu.Lock()
	for _, s := range b.state.Schemas {
		results = append(results, b.shownSchema(s))
	}
	b.mu.Unlock()
	sandbox.JSON(w, http.StatusOK, map[string]any{"results": results})
}

func (b *Box) getSchema(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	b.mu.Lock()
	i := slices.IndexFunc(b.state.Schemas, func(s Schema) bool { return s.Name == name || s.TypeID == name })
	var v map[string]any
	if i >= 0 {
		v = b.shownSchema(b.state.Schemas[i])
	}
	b.mu.Unlock()
	if v == nil {
		b.missing(w)
		return
	}
	sandbox.JSON(w, http.StatusOK, v)
}

func (b *Box) createSchema(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name       string `json:"name"`
		Properties []struct {
			Name string `json:"name"`
			Type string `json:"type"`
		} `json:"properties"`
	}
	if !b.read(w, r, &in) {
		return
	}
	s := Schema{Name: in.Name}
	for _, p := range in.Properties {
		if p.Type == typeNumber {
			s.Numbers = append(s.Numbers, p.Name)
			continue
		}
		s.Texts = append(s.Texts, p.Name)
	}
	if !nameForm.MatchString(in.Name) || len(s.Texts) == 0 {
		b.fail(w, http.StatusBadRequest, problem{Category: validation, Message: "Invalid input JSON: name and properties are required"})
		return
	}
	id, err := b.AddSchema(s)
	if err != nil {
		b.fail(w, http.StatusBadRequest, problem{Category: validation, Message: err.Error()})
		return
	}
	s.TypeID = id
	b.mu.Lock()
	v := b.shownSchema(s)
	b.mu.Unlock()
	sandbox.JSON(w, http.StatusCreated, v)
}
