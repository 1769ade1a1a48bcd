package hubspotbox

import (
	"maps"
	"slices"

	"github.com/spoke-sync/spoke/events"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// assign writes properties that were validated and returns the names of
// those that really changed. The caller holds the lock.
func (b *Box) assign(t *objectType, o *object, props map[string]string) []string {
	var changed []string
	b.state.indexUnique(b, t, o, false)
	defer b.state.indexUnique(b, t, o, true)
	for _, name := range sortedKeys(props) {
		p, _ := b.property(t, name)
		value := normal(p, props[name])
		if o.Properties[name] == value {
			continue
		}
		if value == "" {
			delete(o.Properties, name)
		} else {
			o.Properties[name] = value
		}
		changed = append(changed, name)
	}
	if len(changed) > 0 {
		b.touch(o)
	}
	return changed
}

// newObject makes a record. An empty id gets the next one. The caller holds
// the lock.
func (b *Box) newObject(t *objectType, id string, props map[string]string) *object {
	if id == "" {
		id = b.state.newID()
	}
	o := &object{ID: id, Properties: map[string]string{}}
	b.touch(o)
	o.Created = o.Modified
	b.assign(t, o, props)
	if t.name == "deal" && o.Properties["pipeline"] == "" {
		o.Properties["pipeline"] = "default"
	}
	b.state.put(t, o)
	b.state.indexUnique(b, t, o, true)
	return o
}

// twin returns the live record that has the same value of a unique property.
func (b *Box) twin(t *objectType, o *object, props map[string]string) (string, bool) {
	for _, name := range sortedKeys(props) {
		p, _ := b.property(t, name)
		if !p.Unique || props[name] == "" {
			continue
		}
		if id := b.state.unique[uniqueKey(t, name, props[name])]; id != "" && (o == nil || o.ID != id) {
			return id, true
		}
	}
	return "", false
}

// shown is a record as the API answers it.
type shown struct {
	ID           string             `json:"id"`
	Properties   map[string]*string `json:"properties"`
	CreatedAt    string             `json:"createdAt"`
	UpdatedAt    string             `json:"updatedAt"`
	Archived     bool               `json:"archived"`
	ArchivedAt   string             `json:"archivedAt,omitempty"`
	Associations map[string]any     `json:"associations,omitempty"`
	TraceID      string             `json:"objectWriteTraceId,omitempty"`
	New          *bool              `json:"new,omitempty"`
}

// show answers the named properties, all of them when none are named. A
// property that does not exist is left out without a word, as HubSpot does.
// The caller holds the lock.
func (b *Box) show(t *objectType, o *object, names []string) shown {
	all := b.values(t, o)
	s := shown{
		ID: o.ID, Properties: map[string]*string{}, CreatedAt: stamp(o.Created), UpdatedAt: stamp(o.Modified),
		Archived: !o.Archived.IsZero(),
	}
	if s.Archived {
		s.ArchivedAt = stamp(o.Archived)
	}
	if len(names) == 0 {
		names = sortedKeys(all)
	}
	for _, name := range append(slices.Clone(names), "hs_object_id", "createdate", t.modified) {
		if _, ok := b.property(t, name); !ok {
			continue
		}
		if v, ok := all[name]; ok {
			s.Properties[name] = &v
		} else {
			s.Properties[name] = nil
		}
	}
	return s
}

// values are the properties with those that HubSpot works out.
func (b *Box) values(t *objectType, o *object) map[string]string {
	v := maps.Clone(o.Properties)
	v["hs_object_id"], v["createdate"], v[t.modified] = o.ID, stamp(o.Created), stamp(o.Modified)
	switch t.name {
	case "deal":
		s, ok := findStage(v["pipeline"], v["dealstage"])
		v["hs_is_closed_won"] = boolText(ok && s.closed && s.probability == "1.0")
		v["hs_is_closed_lost"] = boolText(ok && s.closed && s.probability == "0.0")
		v["hs_is_closed"] = boolText(ok && s.closed)
	case "line_item":
		if amount, ok := net(v); ok && v["amount"] == "" {
			v["amount"] = amount
		}
	}
	return v
}

// net is a line's price times its quantity, less its discount per unit.
func net(v map[string]string) (string, bool) {
	price, err := events.ParseDecimal(v["price"])
	if err != nil {
		return "", false
	}
	if d, err := events.ParseDecimal(v["discount"]); err == nil {
		if price, err = price.Sub(d); err != nil {
			return "", false
		}
	}
	quantity, err := events.ParseDecimal(v["quantity"])
	if err != nil {
		return "", false
	}
	amount, err := price.Mul(quantity)
	return amount.String(), err == nil
}

func boolText(v bool) string {
	if v {
		return "true"
	}
	return "false"
}
