package hubspotbox

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// input is a record as a call describes it.
type input struct {
	ID           string                     `json:"id"`
	IDProperty   string                     `json:"idProperty"`
	RawProps     map[string]json.RawMessage `json:"properties"`
	TraceID      string                     `json:"objectWriteTraceId"`
	Associations []struct {
		To struct {
			ID string `json:"id"`
		} `json:"to"`
		Types []associationType `json:"types"`
	} `json:"associations"`

	props map[string]string
}

// maxBody bounds a call; HubSpot's own limit is not documented.
const maxBody = 8 << 20

// read decodes a body and answers 400 when it can't.
func (b *Box) read(w http.ResponseWriter, r *http.Request, v any) bool {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		b.fail(w, http.StatusBadRequest, problem{Category: validation, Message: "Invalid input JSON"})
	}
	return err == nil
}

// plain reads property values. HubSpot takes texts, numbers and booleans, and
// null as the empty text.
func (in *input) plain() bool {
	in.props = make(map[string]string, len(in.RawProps))
	for name, raw := range in.RawProps {
		text := string(raw)
		switch {
		case text == "null":
			text = ""
		case raw[0] == '"':
			if json.Unmarshal(raw, &text) != nil {
				return false
			}
		case raw[0] == '{', raw[0] == '[':
			return false
		}
		in.props[name] = text
	}
	return true
}

func (b *Box) body(w http.ResponseWriter, r *http.Request) (input, bool) {
	var in input
	if !b.read(w, r, &in) {
		return in, false
	}
	if !in.plain() {
		b.fail(w, http.StatusBadRequest, problem{Category: validation, Message: "Invalid input JSON: a property takes a plain value"})
		return in, false
	}
	return in, true
}

func names(r *http.Request, parameter string) []string {
	var all []string
	for _, v := range r.URL.Query()[parameter] {
		all = append(all, strings.Split(v, ",")...)
	}
	return all
}

func (b *Box) get(t *objectType, w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	id := b.state.survivor(t, r.PathValue("id"))
	if by := r.URL.Query().Get("idProperty"); by != "" {
		id = b.state.unique[uniqueKey(t, by, id)]
	}
	o, ok := b.state.peek(t, id)
	ok = ok && o.Archived.IsZero()
	if r.URL.Query().Get("archived") == "true" {
		o, ok = b.state.peek(t, r.PathValue("id"))
		ok = ok && !o.Archived.IsZero()
	}
	var s shown
	if ok {
		s = b.show(t, o, names(r, "properties"))
		s.Associations = b.inline(t, o, names(r, "associations"))
	}
	b.mu.Unlock()
	if !ok {
		b.missing(w)
		return
	}
	sandbox.JSON(w, http.StatusOK, s)
}

// maxPage and defaultPage are the sizes of a list's pages.
const (
	maxPage     = 100
	defaultPage = 10
)

func (b *Box) list(t *objectType, w http.ResponseWriter, r *http.Request) {
	limit := defaultPage
	if v := r.URL.Query().Get("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxPage {
			b.fail(w, http.StatusBadRequest, problem{Category: validation, Message: "limit must be between 1 and 100"})
			return
		}
		limit = n
	}
	after, err := strconv.ParseInt("0"+r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		b.fail(w, http.StatusBadRequest, problem{Category: validation, Message: "after is no valid cursor"})
		return
	}
	archived := r.URL.Query().Get("archived") == "true"
	b.mu.Lock()
	results, next := []shown{}, ""
	b.state.each(t, after, func(o *object) bool {
		if o.Archived.IsZero() == archived {
			return true
		}
		if len(results) == limit {
			next = results[limit-1].ID
			return false
		}
		s := b.show(t, o, names(r, "properties"))
		s.Associations = b.inline(t, o, names(r, "associations"))
		results = append(results, s)
		return true
	})
	b.mu.Unlock()
	answer := map[string]any{"results": results}
	if next != "" {
		answer["paging"] = map[string]any{"next": map[string]string{"after": next}}
	}
	sandbox.JSON(w, http.StatusOK, answer)
}

func (b *Box) create(t *objectType, w http.ResponseWriter, r *http.Request) {
	in, ok := b.body(w, r)
	if !ok {
		return
	}
	b.mu.Lock()
	s, p, status := b.createOne(t, in, r.PathValue("version"))
	b.save()
	b.mu.Unlock()
	if status != http.StatusCreated {
		b.fail(w, status, p)
		return
	}
	sandbox.JSON(w, status, s)
}

// createOne makes a record with its associations. The caller holds the lock.
func (b *Box) createOne(t *objectType, in input, version string) (shown, problem, int) {
	if p, status := b.check(t, nil, in.props, version); status != 0 {
		return shown{}, p, status
	}
	for _, a := range in.Associations {
		if to, ok := b.targetOf(t, a.Types); !ok {
			return shown{}, problem{Category: validation, Message: "unknown association type"}, http.StatusBadRequest
		} else if _, ok := b.state.live(to, a.To.ID); !ok {
			return shown{}, problem{Category: validation, Message: "associated record does not exist"}, http.StatusBadRequest
		}
	}
	o := b.newObject(t, "", in.props)
	b.Effect(t.name+" created", o.ID)
	b.notifyCreated(t, o)
	for _, a := range in.Associations {
		if to, ok := b.targetOf(t, a.Types); ok {
			b.connect(t, o.ID, to, a.To.ID, a.Types, true)
		}
	}
	s := b.show(t, o, nil)
	s.TraceID = in.TraceID
	return s, problem{}, http.StatusCreated
}

// check validates properties and looks for a record that has a unique one
// already. A status of 0 means that all is well.
func (b *Box) check(t *objectType, o *object, props map[string]string, version string) (problem, int) {
	if bad := b.validate(t, o, props, version); len(bad) > 0 {
		return invalidProblem(bad), http.StatusBadRequest
	}
	if id, ok := b.twin(t, o, props); ok {
		name := strings.ToUpper(t.name[:1]) + t.name[1:]
		return problem{Category: "CONFLICT", Message: name + " already exists. Existing ID: " + id}, http.StatusConflict
	}
	return problem{}, 0
}

func (b *Box) update(t *objectType, w http.ResponseWriter, r *http.Request) {
	in, ok := b.body(w, r)
	if !ok {
		return
	}
	b.mu.Lock()
	o, found := b.state.follow(t, r.PathValue("id"))
	var s shown
	var p problem
	status := 0
	if found {
		if p, status = b.check(t, o, in.props, r.PathValue("version")); status == 0 {
			b.write(t, o, in.props)
			s = b.show(t, o, nil)
		}
		b.save()
	}
	b.mu.Unlock()
	switch {
	case !found:
		b.missing(w)
	case status != 0:
		b.fail(w, status, p)
	default:
		sandbox.JSON(w, http.StatusOK, s)
	}
}

// write sets properties, counts the effect and tells the webhooks. The
// caller holds the lock.
func (b *Box) write(t *objectType, o *object, props map[string]string) {
	if changed := b.assign(t, o, props); len(changed) > 0 {
		b.Effect(t.name+" updated", o.ID)
		b.notifyChanged(t, o, changed)
	}
}

func (b *Box) archive(t *objectType, w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	if o, ok := b.state.live(t, r.PathValue("id")); ok {
		b.bury(t, o)
		b.Effect(t.name+" archived", o.ID)
		b.save()
	}
	b.mu.Unlock()
	w.WriteHeader(http.StatusNoContent) // also for what is not there
}

// bury archives a record and ends its associations. The caller holds the
// lock.
func (b *Box) bury(t *objectType, o *object) {
	b.state.indexUnique(b, t, o, false)
	b.touch(o)
	o.Archived = o.Modified
	b.disconnectAll(t, o.ID)
	b.notifyDeleted(t, o)
}

func (b *Box) merge(t *objectType, w http.ResponseWriter, r *http.Request) {
	var in struct {
		Primary string `json:"primaryObjectId"`
		Other   string `json:"objectIdToMerge"`
	}
	if !b.read(w, r, &in) {
		return
	}
	b.mu.Lock()
	stays, ok := b.state.live(t, in.Primary)
	goes, both := b.state.live(t, in.Other)
	both = both && ok && in.Primary != in.Other
	var s shown
	if both {
		s = b.show(t, b.mergeInto(t, stays, goes), nil)
		b.save()
	}
	b.mu.Unlock()
	if !both {
		b.missing(w)
		return
	}
	sandbox.JSON(w, http.StatusOK, s)
}

// mergeInto fills the empty properties of the record that stays. The caller
// holds the lock.
func (b *Box) mergeInto(t *objectType, stays, goes *object) *object {
	for name, v := range goes.Properties {
		if stays.Properties[name] == "" {
			stays.Properties[name] = v
		}
	}
	gone := []*object{goes}
	survivor := stays
	if b.opts.MergeMakesNew {
		survivor = b.newObject(t, "", stays.Properties)
		gone = append(gone, stays)
	}
	b.touch(survivor)
	for _, o := range gone {
		b.moveLinks(t, o.ID, survivor.ID)
		b.remove(t, o)
		if b.state.Merged[t.plural] == nil {
			b.state.Merged[t.plural] = map[string]string{}
		}
		b.state.Merged[t.plural][o.ID] = survivor.ID
		b.Effect(t.name+" merged", o.ID)
	}
	b.state.indexUnique(b, t, survivor, true)
	b.notifyMerged(t, stays, goes, survivor)
	return survivor
}

// moveLinks lets the associations of a record that is merged away follow.
func (b *Box) moveLinks(t *objectType, from, to string) {
	for _, other := range b.types {
		for _, id := range b.linked(t, from, other) {
			b.connect(t, to, other, id, nil, false)
			a, z := ref(t, from), ref(other, id)
			delete(b.state.Links[a], z)
			delete(b.state.Links[z], a)
		}
	}
}
