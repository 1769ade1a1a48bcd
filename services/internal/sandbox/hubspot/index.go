package hubspotbox

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// index finds records without looking at all of them. It is made of the state
// and not kept with it.
type index struct {
	// order holds the ids of the records that are stored, by type, but for
	// those within a bulk.
	order map[string][]int64
	bulks map[string][]bulk
	// gone are ids within a bulk that were merged away or purged.
	gone map[string]map[int64]bool
	// unique finds a record by the value of a unique property.
	unique map[string]string
	// revision counts the changes; searches are remembered for one.
	revision uint64
	searches map[string]found
}

// found is what a search found, by id or in the order it asked for.
type found struct {
	revision uint64
	ids      []int64
}

func newIndex() index {
	return index{
		order: map[string][]int64{}, bulks: map[string][]bulk{}, gone: map[string]map[int64]bool{}, unique: map[string]string{},
		searches: map[string]found{},
	}
}

// rebuild indexes a state that was read from its file.
func (s *state) rebuild(b *Box) {
	for _, t := range b.types {
		for _, o := range s.Objects[t.plural] {
			s.order[t.plural] = append(s.order[t.plural], number(o.ID))
			if o.Archived.IsZero() {
				s.indexUnique(b, t, o, true)
			}
		}
		slices.Sort(s.order[t.plural])
	}
}

// bulk is a run of records that take no room until they are written to.
type bulk struct {
	first, count int64
	modified     time.Time
	step         time.Duration
	properties   func(i int) map[string]string
}

func (k bulk) has(id int64) bool { return id >= k.first && id < k.first+k.count }

func (k bulk) object(id int64) *object {
	i := id - k.first
	at := k.modified.Add(time.Duration(i) * k.step)
	return &object{ID: strconv.FormatInt(id, 10), Properties: k.properties(int(i)), Created: at, Modified: at}
}

// Bulk describes many records to seed at once.
type Bulk struct {
	Object string
	// Count is how many; First the first id, 1,000,000,000 when 0.
	Count int
	First int64
	// Modified is the time of the first record's last change, and Step how much
	// later each further one was changed; 0 gives all of them one time.
	Modified time.Time
	Step     time.Duration
	// Properties makes those of record i; a name only when nil.
	Properties func(i int) map[string]string
}

// firstBulk is where bulks begin by default.
const firstBulk = 1_000_000_000

// AddBulk seeds records that need no memory of their own: any number of them
// costs the same, and so does every page that lists them. They have no
// associations, and are found by their unique properties only once they were
// written to.
func (b *Box) AddBulk(k Bulk) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.typeNamed(k.Object)
	if !ok || k.Count < 1 {
		return errNoBulk
	}
	if k.First == 0 {
		k.First = firstBulk
		for _, other := range b.state.bulks[t.plural] {
			k.First = max(k.First, other.first+other.count)
		}
	}
	if k.Modified.IsZero() {
		k.Modified = b.opts.Now().UTC().Truncate(time.Millisecond)
	}
	if k.Properties == nil {
		k.Properties = func(i int) map[string]string { return map[string]string{t.title(): t.name + " " + strconv.Itoa(i)} }
	}
	all := append(b.state.bulks[t.plural], bulk{k.First, int64(k.Count), k.Modified, k.Step, k.Properties})
	slices.SortFunc(all, func(a, z bulk) int { return int(min(max(a.first-z.first, -1), 1)) })
	b.state.bulks[t.plural] = all
	b.state.revision++
	return nil
}

// title is the property that names a record of the type.
func (t *objectType) title() string {
	for _, name := range []string{"name", "dealname", "lastname", "hs_title", "hs_order_name", "hs_name", "hs_number"} {
		if slices.ContainsFunc(t.properties, func(p property) bool { return p.Name == name }) {
			return name
		}
	}
	return t.properties[0].Name
}

// controlBulk is AddBulk for those outside of the process.
func (b *Box) controlBulk(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Object   string    `json:"object"`
		Count    int       `json:"count"`
		First    int64     `json:"first"`
		Modified time.Time `json:"modified"`
		StepMS   int       `json:"stepMs"`
	}
	err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&in)
	if err == nil {
		err = b.AddBulk(Bulk{
			Object: in.Object, Count: in.Count, First: in.First, Modified: in.Modified, Step: time.Duration(in.StepMS) * time.Millisecond,
		})
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	sandbox.JSON(w, http.StatusOK, map[string]any{"count": in.Count})
}

func (s *state) bulkOf(t *objectType, id int64) (bulk, bool) {
	for _, k := range s.bulks[t.plural] {
		if k.has(id) {
			return k, !s.gone[t.plural][id]
		}
	}
	return bulk{}, false
}

// put stores an object.
func (s *state) put(t *objectType, o *object) {
	if s.Objects[t.plural] == nil {
		s.Objects[t.plural] = map[string]*object{}
	}
	id := number(o.ID)
	if _, stored := s.Objects[t.plural][o.ID]; !stored {
		if _, within := s.bulkOf(t, id); !within {
			order := s.order[t.plural]
			i, _ := slices.BinarySearch(order, id)
			s.order[t.plural] = slices.Insert(order, i, id)
		}
	}
	s.Objects[t.plural][o.ID] = o
	s.revision++
}

// remove takes a record away for good.
func (b *Box) remove(t *objectType, o *object) {
	s := &b.state
	s.indexUnique(b, t, o, false)
	delete(s.Objects[t.plural], o.ID)
	id := number(o.ID)
	if _, within := s.bulkOf(t, id); within {
		if s.gone[t.plural] == nil {
			s.gone[t.plural] = map[int64]bool{}
		}
		s.gone[t.plural][id] = true
	}
	if i, ok := slices.BinarySearch(s.order[t.plural], id); ok {
		s.order[t.plural] = slices.Delete(s.order[t.plural], i, i+1)
	}
	s.revision++
}

// peek returns a record to look at, archived or not.
func (s *state) peek(t *objectType, id string) (*object, bool) {
	if o, ok := s.Objects[t.plural][id]; ok {
		return o, true
	}
	n := number(id)
	k, ok := s.bulkOf(t, n)
	if !ok || strconv.FormatInt(n, 10) != id {
		return nil, false
	}
	return k.object(n), true
}

// live returns a record that is not archived, to write to.
func (s *state) live(t *objectType, id string) (*object, bool) {
	o, ok := s.peek(t, id)
	if !ok || !o.Archived.IsZero() {
		return nil, false
	}
	if _, stored := s.Objects[t.plural][id]; !stored {
		s.put(t, o)
	}
	return o, true
}

// survivor is what became of an id.
func (s *state) survivor(t *objectType, id string) string {
	for range len(s.Merged[t.plural]) + 1 {
		next, ok := s.Merged[t.plural][id]
		if !ok {
			break
		}
		id = next
	}
	return id
}

// follow is live for calls that accept the id of a record merged away.
func (s *state) follow(t *objectType, id string) (*object, bool) { return s.live(t, s.survivor(t, id)) }

// each walks through the records behind an id, in the order of ids, archived
// ones included, until yield answers false.
func (s *state) each(t *objectType, after int64, yield func(*object) bool) {
	order := s.order[t.plural]
	i, exact := slices.BinarySearch(order, after)
	if exact {
		i++
	}
	show := func(id int64) bool {
		o, ok := s.peek(t, strconv.FormatInt(id, 10))
		return !ok || yield(o)
	}
	for _, k := range s.bulks[t.plural] {
		for ; i < len(order) && order[i] < k.first; i++ {
			if !show(order[i]) {
				return
			}
		}
		for id := max(k.first, after+1); id < k.first+k.count; id++ {
			if !show(id) {
				return
			}
		}
	}
	for ; i < len(order); i++ {
		if !show(order[i]) {
			return
		}
	}
}

func uniqueKey(t *objectType, name, value string) string {
	return t.plural + "\x00" + name + "\x00" + strings.ToLower(value)
}

// indexUnique notes or forgets a record's unique values.
func (s *state) indexUnique(b *Box, t *objectType, o *object, there bool) {
	for name, value := range o.Properties {
		p, _ := b.property(t, name)
		key := uniqueKey(t, name, value)
		switch {
		case !p.Unique || value == "":
		case there:
			s.unique[key] = o.ID
		case s.unique[key] == o.ID:
			delete(s.unique, key)
		}
	}
}
