package hubspotbox

import (
	"net/http"
	"regexp"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,99}$`)

func (b *Box) listProperties(t *objectType, w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	all := append([]property{}, t.properties...)
	for _, name := range sortedKeys(b.state.Properties[t.plural]) {
		all = append(all, b.state.Properties[t.plural][name])
	}
	b.mu.Unlock()
	sandbox.JSON(w, http.StatusOK, map[string]any{"results": all})
}

func (b *Box) getProperty(t *objectType, w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	p, ok := b.property(t, r.PathValue("name"))
	b.mu.Unlock()
	if !ok {
		b.fail(w, http.StatusNotFound, problem{
			Category: notFound, SubCategory: "Properties.PROPERTY_NOT_FOUND", Message: "Property does not exist",
		})
		return
	}
	sandbox.JSON(w, http.StatusOK, p)
}

// fits lists which ways to enter a value go with its type.
func fits(typ, field string) bool {
	switch typ {
	case typeString:
		return field == "text" || field == "textarea"
	case typeNumber:
		return field == "number"
	case typeDate, typeDateTime:
		return field == "date"
	case typeBool:
		return field == "booleancheckbox"
	case typeEnum:
		return field == "select" || field == "radio" || field == "checkbox"
	}
	return false
}

func (b *Box) createProperty(t *objectType, w http.ResponseWriter, r *http.Request) {
	var p property
	if !b.allowed(w, "crm.schemas."+t.plural+".write") || !b.read(w, r, &p) {
		return
	}
	if !nameForm.MatchString(p.Name) || p.Label == "" || p.GroupName == "" || !fits(p.Type, p.FieldType) {
		b.fail(w, http.StatusBadRequest, problem{
			Category: validation,
			Message:  "Invalid input JSON: name, label, groupName, type and a fieldType that goes with it are required",
		})
		return
	}
	p.Defined = false
	if p.Options == nil {
		p.Options = []option{}
	}
	b.mu.Lock()
	_, exists := b.property(t, p.Name)
	_, group := b.state.Groups[t.plural][p.GroupName]
	group = group || p.GroupName == t.name+"information"
	if !exists && group {
		if b.state.Properties[t.plural] == nil {
			b.state.Properties[t.plural] = map[string]property{}
		}
		b.state.Properties[t.plural][p.Name] = p
		b.Effect("property created", t.plural+"/"+p.Name)
		b.save()
	}
	b.mu.Unlock()
	switch {
	case exists:
		b.fail(w, http.StatusConflict, problem{
			Category: "CONFLICT", SubCategory: "Properties.PROPERTY_WITH_NAME_EXISTS",
			Message: "A property named '" + p.Name + "' already exists.",
		})
	case !group:
		b.fail(w, http.StatusBadRequest, problem{
			Category: validation, SubCategory: "Properties.PROPERTY_GROUP_DOES_NOT_EXIST", Message: "The property group does not exist.",
		})
	default:
		sandbox.JSON(w, http.StatusCreated, p)
	}
}

func (b *Box) listGroups(t *objectType, w http.ResponseWriter, _ *http.Request) {
	results := []map[string]any{{"name": t.name + "information", "label": t.name, "archived": false, "displayOrder": 0}}
	b.mu.Lock()
	for _, name := range sortedKeys(b.state.Groups[t.plural]) {
		results = append(results, map[string]any{
			"name": name, "label": b.state.Groups[t.plural][name], "archived": false, "displayOrder": -1,
		})
	}
	b.mu.Unlock()
	sandbox.JSON(w, http.StatusOK, map[string]any{"results": results})
}

func (b *Box) createGroup(t *objectType, w http.ResponseWriter, r *http.Request) {
	var in struct{ Name, Label string }
	if !b.allowed(w, "crm.schemas."+t.plural+".write") || !b.read(w, r, &in) {
		return
	}
	if !nameForm.MatchString(in.Name) || in.Label == "" {
		b.fail(w, http.StatusBadRequest, problem{Category: validation, Message: "Invalid input JSON: name and label are required"})
		return
	}
	b.mu.Lock()
	_, exists := b.state.Groups[t.plural][in.Name]
	if !exists {
		if b.state.Groups[t.plural] == nil {
			b.state.Groups[t.plural] = map[string]string{}
		}
		b.state.Groups[t.plural][in.Name] = in.Label
		b.Effect("property group created", t.plural+"/"+in.Name)
		b.save()
	}
	b.mu.Unlock()
	if exists {
		b.fail(w, http.StatusConflict, problem{Category: "CONFLICT", Message: "The property group already exists."})
		return
	}
	sandbox.JSON(w, http.StatusCreated, map[string]any{
		"name": in.Name, "label": in.Label, "archived": false, "displayOrder": -1,
	})
}
