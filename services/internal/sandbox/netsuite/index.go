package netsuitebox

import "slices"

// index finds rows without looking at all of them, in an account of many. It is
// made of the rows and not kept with them.
type index struct {
	ids       map[string]*row
	externals map[[2]string]*row   // by type and external id
	names     map[[2]string][]*row // by type and what must be unique of it: entity id or item id
	billing   map[string][]*row    // invoices, by the order that they bill
	settling  map[string][]*row    // what applies money, by what it is applied to
}

func newIndex() index {
	return index{
		ids: map[string]*row{}, externals: map[[2]string]*row{}, names: map[[2]string][]*row{},
		billing: map[string][]*row{}, settling: map[string][]*row{},
	}
}

// put adds a row.
func (x *index) put(r *row) {
	x.ids[r.ID] = r
	if r.ExternalID != "" {
		x.externals[[2]string{r.Type, r.ExternalID}] = r
	}
	if key, ok := nameKey(r); ok {
		x.names[key] = append(x.names[key], r)
	}
	if order := identity(r.Fields["createdFrom"]); order != "" && r.Type == "invoice" {
		x.billing[order] = append(x.billing[order], r)
	}
	for _, doc := range appliedTo(r) {
		x.settling[doc] = append(x.settling[doc], r)
	}
}

// drop takes a row out, as it was put.
func (x *index) drop(r *row) {
	delete(x.ids, r.ID)
	if key := [2]string{r.Type, r.ExternalID}; x.externals[key] == r {
		delete(x.externals, key)
	}
	without := func(rows []*row) []*row { return slices.DeleteFunc(rows, func(o *row) bool { return o == r }) }
	if key, ok := nameKey(r); ok {
		x.names[key] = without(x.names[key])
	}
	if order := identity(r.Fields["createdFrom"]); order != "" {
		x.billing[order] = without(x.billing[order])
	}
	for _, doc := range appliedTo(r) {
		x.settling[doc] = without(x.settling[doc])
	}
}

// nameKey is under which unique name a row is found. Items share one space of
// names, whatever their type.
func nameKey(r *row) (key [2]string, ok bool) {
	if id, ok := r.Fields["itemId"].(string); ok {
		return [2]string{"item", id}, true
	}
	id, ok := r.Fields["entityId"].(string)
	return [2]string{r.Type, id}, ok
}

// appliedTo are the ids of what a row applies money to, each once.
func appliedTo(r *row) []string {
	lines, _ := r.Fields["apply"].([]any)
	var ids []string
	for _, l := range lines {
		line, _ := l.(map[string]any)
		if id := identity(line["doc"]); id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// rebuild indexes rows that were read from a file.
func (s *state) rebuild() {
	s.index = newIndex()
	for _, r := range s.Rows {
		s.put(r)
	}
}

// external returns the row of a type with an external id, or nil.
func (s *state) external(kind, id string) *row { return s.externals[[2]string{kind, id}] }

// named returns another row than r of the same unique name, or nil.
func (s *state) named(kind, name string, r *row) *row {
	rows := s.names[[2]string{kind, name}]
	if i := slices.IndexFunc(rows, func(o *row) bool { return o != r }); i >= 0 {
		return rows[i]
	}
	return nil
}
