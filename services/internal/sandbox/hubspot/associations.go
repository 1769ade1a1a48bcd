package hubspotbox

import (
	"net/http"
	"slices"
	"strings"
)

// associationType is one type as calls name it.
type associationType struct {
	Category string `json:"associationCategory"`
	ID       int    `json:"associationTypeId"`
}

// pair is what HubSpot defines between two types, in one direction.
type pair struct {
	from, to           string
	unlabeled, primary int // 0 when there is none
}

func pairs() []pair {
	return []pair{
		{"deals", "companies", 341, 5},
		{"companies", "deals", 342, 6},
		{"contacts", "companies", 279, 1},
		{"companies", "contacts", 280, 2},
		{"deals", "contacts", 3, 0},
		{"contacts", "deals", 4, 0},
		{"deals", "line_items", 19, 0},
		{"line_items", "deals", 20, 0},
		{"quotes", "deals", 64, 0},
		{"deals", "quotes", 63, 0},
		{"quotes", "contacts", 69, 0},
		{"contacts", "quotes", 70, 0},
		{"quotes", "companies", 71, 0},
		{"companies", "quotes", 72, 0},
		{"quotes", "line_items", 67, 0},
		{"line_items", "quotes", 68, 0},
		{"invoices", "deals", 175, 0},
		{"deals", "invoices", 176, 0},
		{"invoices", "contacts", 177, 0},
		{"contacts", "invoices", 178, 0},
		{"invoices", "companies", 179, 0},
		{"companies", "invoices", 180, 0},
		{"invoices", "line_items", 409, 0},
		{"line_items", "invoices", 410, 0},
		{"invoices", "commerce_payments", 541, 0},
		{"commerce_payments", "invoices", 542, 0},
		{"orders", "contacts", 507, 0},
		{"contacts", "orders", 508, 0},
		{"orders", "companies", 509, 0},
		{"companies", "orders", 510, 0},
		{"orders", "deals", 512, 0},
		{"deals", "orders", 511, 0},
		{"orders", "line_items", 513, 0},
		{"line_items", "orders", 514, 0},
		{"orders", "invoices", 518, 0},
		{"invoices", "orders", 517, 0},
		{"orders", "commerce_payments", 523, 0},
		{"commerce_payments", "orders", 524, 0},
		{"commerce_payments", "contacts", 387, 0},
		{"contacts", "commerce_payments", 388, 0},
		{"commerce_payments", "companies", 389, 0},
		{"companies", "commerce_payments", 390, 0},
		{"subscriptions", "contacts", 295, 0},
		{"contacts", "subscriptions", 296, 0},
		{"subscriptions", "companies", 297, 0},
		{"companies", "subscriptions", 298, 0},
		{"subscriptions", "line_items", 301, 0},
		{"line_items", "subscriptions", 302, 0},
	}
}

func (b *Box) pairOf(from, to *objectType) (pair, bool) {
	i := slices.IndexFunc(b.pairs, func(p pair) bool { return p.from == from.plural && p.to == to.plural })
	if i < 0 {
		return pair{}, false
	}
	return b.pairs[i], true
}

// targetOf finds the type that association types of a record lead to.
func (b *Box) targetOf(from *objectType, types []associationType) (*objectType, bool) {
	if len(types) == 0 {
		return nil, false
	}
	for _, p := range b.pairs {
		if p.from == from.plural && (p.unlabeled == types[0].ID || p.primary == types[0].ID) {
			return b.typeNamed(p.to)
		}
	}
	return nil, false
}

func ref(t *objectType, id string) string { return t.plural + "/" + id }

// linked returns the ids at the other end, in order. The caller holds the
// lock.
func (b *Box) linked(from *objectType, id string, to *objectType) []string {
	var ids []string
	for other := range b.state.Links[ref(from, id)] {
		if toID, ok := strings.CutPrefix(other, to.plural+"/"); ok {
			ids = append(ids, toID)
		}
	}
	slices.SortFunc(ids, compareIDs)
	return ids
}

// linkedTo is linked for a type's name.
func (b *Box) linkedTo(from *objectType, id, name string) []string {
	to, ok := b.typeNamed(name)
	if !ok {
		return nil
	}
	return b.linked(from, id, to)
}

// connect associates two records in both directions. The first company of a
// record becomes its primary one. The caller holds the lock.
func (b *Box) connect(from *objectType, id string, to *objectType, toID string, types []associationType, notify bool) {
	p, ok := b.pairOf(from, to)
	back, _ := b.pairOf(to, from)
	if !ok {
		return
	}
	primary := slices.ContainsFunc(types, func(t associationType) bool { return p.primary != 0 && t.ID == p.primary })
	if p.primary != 0 && to.name == "company" && len(b.linked(from, id, to)) == 0 {
		primary = true
	}
	a, z := ref(from, id), ref(to, toID)
	before := b.state.Links[a][z]
	if primary {
		for other := range b.state.Links[a] {
			if strings.HasPrefix(other, to.plural+"/") {
				b.unmark(a, other, p.primary)
				b.unmark(other, a, back.primary)
			}
		}
		b.mark(a, z, p.primary)
		b.mark(z, a, back.primary)
	}
	b.mark(a, z, p.unlabeled)
	b.mark(z, a, back.unlabeled)
	for _, t := range types {
		if t.Category == "USER_DEFINED" {
			b.mark(a, z, t.ID)
		}
	}
	if slices.Equal(before, b.state.Links[a][z]) {
		return
	}
	b.touchBoth(from, id, to, toID)
	if notify {
		b.Effect("association created", a+" "+z)
		b.notifyLinked(from, id, to, toID, primary, false)
	}
}

func (b *Box) mark(a, z string, typeID int) {
	if b.state.Links[a] == nil {
		b.state.Links[a] = map[string][]int{}
	}
	if !slices.Contains(b.state.Links[a][z], typeID) {
		types := append(slices.Clone(b.state.Links[a][z]), typeID)
		slices.Sort(types)
		b.state.Links[a][z] = types
	}
}

func (b *Box) unmark(a, z string, typeID int) {
	b.state.Links[a][z] = slices.DeleteFunc(slices.Clone(b.state.Links[a][z]), func(t int) bool { return t == typeID })
}

// disconnect ends an association in both directions.
func (b *Box) disconnect(from *objectType, id string, to *objectType, toID string) {
	a, z := ref(from, id), ref(to, toID)
	if _, ok := b.state.Links[a][z]; !ok {
		return
	}
	delete(b.state.Links[a], z)
	delete(b.state.Links[z], a)
	b.touchBoth(from, id, to, toID)
	b.notifyLinked(from, id, to, toID, false, true)
}

func (b *Box) disconnectAll(t *objectType, id string) {
	for _, to := range b.types {
		for _, other := range b.linked(t, id, to) {
			b.disconnect(t, id, to, other)
		}
	}
}

// touchBoth notes a change at both ends: records count their associations in
// properties, which changes them.
func (b *Box) touchBoth(from *objectType, id string, to *objectType, toID string) {
	if o, ok := b.state.live(from, id); ok {
		b.touch(o)
	}
	if o, ok := b.state.live(to, toID); ok {
		b.touch(o)
	}
}

// inline lists associations within a record, in HubSpot's older words: one
// entry for each type, and "line items" with a space.
func (b *Box) inline(t *objectType, o *object, wanted []string) map[string]any {
	all := map[string]any{}
	for _, name := range wanted {
		to, ok := b.typeNamed(name)
		if !ok {
			continue
		}
		p, ok := b.pairOf(t, to)
		if !ok {
			continue
		}
		var results []map[string]string
		for _, id := range b.linked(t, o.ID, to) {
			for _, typ := range b.state.Links[ref(t, o.ID)][ref(to, id)] {
				text := t.name + "_to_" + to.name
				if p.primary != 0 && typ == p.unlabeled {
					text += "_unlabeled"
				}
				results = append(results, map[string]string{"id": id, "type": text})
			}
		}
		if len(results) > 0 {
			all[strings.ReplaceAll(to.plural, "_", " ")] = map[string]any{"results": results}
		}
	}
	return all
}

// ends resolves the types and ids of a call about one association.
func (b *Box) ends(r *http.Request) (from, to *objectType, id, toID string, ok bool) {
	from, okFrom := b.typeNamed(r.PathValue("from"))
	to, okTo := b.typeNamed(r.PathValue("to"))
	if !okFrom || !okTo {
		return nil, nil, "", "", false
	}
	_, ok = b.pairOf(from, to)
	return from, to, r.PathValue("id"), r.PathValue("toID"), ok
}

func (b *Box) associateDefault(w http.ResponseWriter, r *http.Request) { b.associate(w, r, nil) }

func (b *Box) associateLabeled(w http.ResponseWriter, r *http.Request) {
	var types []associationType
	if b.read(w, r, &types) {
		b.associate(w, r, types)
	}
}

func (b *Box) associate(w http.ResponseWriter, r *http.Request, types []associationType) {
	from, to, id, toID, ok := b.ends(r)
	if ok {
		b.mu.Lock()
		_, okFrom := b.state.live(from, id)
		_, okTo := b.state.live(to, toID)
		if ok = okFrom && okTo; ok {
			b.connect(from, id, to, toID, types, true)
			b.save()
		}
		b.mu.Unlock()
	}
	if !ok {
		b.missing(w)
		return
	}
	b.answer(w, http.StatusOK, []map[string]any{{"from": map[string]string{"id": id}, "to": map[string]string{"id": toID}}}, nil)
}

func (b *Box) dissociate(w http.ResponseWriter, r *http.Request) {
	if from, to, id, toID, ok := b.ends(r); ok {
		b.mu.Lock()
		b.disconnect(from, id, to, toID)
		b.save()
		b.mu.Unlock()
	}
	w.WriteHeader(http.StatusNoContent)
}
