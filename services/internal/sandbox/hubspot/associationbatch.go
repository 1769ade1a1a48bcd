package hubspotbox

import (
	"net/http"
	"slices"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// createAssociations associates many pairs at once.
func (b *Box) createAssociations(w http.ResponseWriter, r *http.Request) {
	b.eachPair(w, r, http.StatusOK, func(from, to *objectType, in pairInput) {
		_, okFrom := b.state.live(from, in.From.ID)
		_, okTo := b.state.live(to, in.To.ID)
		if okFrom && okTo {
			b.connect(from, in.From.ID, to, in.To.ID, nil, true)
		}
	})
}

// The limits of a batch read of associations.
const (
	maxAssociationBatch = 1000
	associationPage     = 500
)

func (b *Box) readAssociations(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Inputs []struct{ ID, After string }
	}
	if !b.read(w, r, &in) {
		return
	}
	from, to, _, _, ok := b.ends(r)
	if !ok || len(in.Inputs) == 0 || len(in.Inputs) > maxAssociationBatch {
		b.fail(w, http.StatusBadRequest, problem{Category: validation, Message: "Unable to infer object types, or too many inputs"})
		return
	}
	results := []any{}
	var errs []problem
	b.mu.Lock()
	for _, i := range in.Inputs {
		ids := slices.DeleteFunc(b.linked(from, i.ID, to), func(id string) bool { return i.After != "" && compareIDs(id, i.After) <= 0 })
		if len(ids) == 0 {
			errs = append(errs, noAssociations(from, to, i.ID))
			continue
		}
		results = append(results, b.associationPage(from, i.ID, to, ids))
	}
	b.mu.Unlock()
	b.answer(w, http.StatusOK, results, errs)
}

func noAssociations(from, to *objectType, id string) problem {
	return problem{
		Status: "error", Category: notFound, SubCategory: "crm.associations.NO_ASSOCIATIONS_FOUND",
		Message: "No " + to.name + " is associated with " + from.name + " " + id + ".",
		Context: map[string][]string{"fromObjectId": {id}, "fromObjectType": {from.name}, "toObjectType": {to.name}},
	}
}

func (b *Box) associationPage(from *objectType, id string, to *objectType, ids []string) map[string]any {
	var ends []map[string]any
	result := map[string]any{"from": map[string]string{"id": id}}
	if len(ids) > associationPage {
		ids = ids[:associationPage]
		result["paging"] = map[string]any{"next": map[string]string{"after": ids[len(ids)-1]}}
	}
	for _, toID := range ids {
		types := []map[string]any{}
		for _, typ := range b.state.Links[ref(from, id)][ref(to, toID)] {
			p, _ := b.pairOf(from, to)
			category := "USER_DEFINED"
			if typ == p.unlabeled || typ == p.primary {
				category = "HUBSPOT_DEFINED"
			}
			types = append(types, map[string]any{"category": category, "typeId": typ, "label": nil})
		}
		ends = append(ends, map[string]any{"toObjectId": toID, "associationTypes": types})
	}
	result["to"] = ends
	return result
}

// pairInput is one pair of a batch.
type pairInput struct {
	From, To struct{ ID string }
	Types    []associationType
}

// eachPair runs through the pairs of a batch.
func (b *Box) eachPair(w http.ResponseWriter, r *http.Request, status int, do func(from, to *objectType, in pairInput)) {
	var in struct{ Inputs []pairInput }
	if !b.read(w, r, &in) {
		return
	}
	from, to, _, _, ok := b.ends(r)
	if !ok {
		b.missing(w)
		return
	}
	b.mu.Lock()
	for _, i := range in.Inputs {
		do(from, to, i)
	}
	b.save()
	b.mu.Unlock()
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	b.answer(w, status, []any{}, nil)
}

// createLabelled associates pairs with the types that the call names.
func (b *Box) createLabelled(w http.ResponseWriter, r *http.Request) {
	b.eachPair(w, r, http.StatusCreated, func(from, to *objectType, in pairInput) {
		_, okFrom := b.state.live(from, in.From.ID)
		_, okTo := b.state.live(to, in.To.ID)
		if okFrom && okTo {
			b.connect(from, in.From.ID, to, in.To.ID, in.Types, true)
		}
	})
}

func (b *Box) archiveAssociations(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Inputs []struct {
			From struct{ ID string }
			To   []struct{ ID string }
		}
	}
	if !b.read(w, r, &in) {
		return
	}
	from, to, _, _, ok := b.ends(r)
	if !ok {
		b.missing(w)
		return
	}
	b.mu.Lock()
	for _, i := range in.Inputs {
		for _, end := range i.To {
			b.disconnect(from, i.From.ID, to, end.ID)
		}
	}
	b.save()
	b.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

func (b *Box) listLabels(w http.ResponseWriter, r *http.Request) {
	from, to, _, _, ok := b.ends(r)
	if !ok {
		b.missing(w)
		return
	}
	p, _ := b.pairOf(from, to)
	results := []map[string]any{{"category": "HUBSPOT_DEFINED", "typeId": p.unlabeled, "label": nil}}
	if p.primary != 0 {
		results = append(results, map[string]any{"category": "HUBSPOT_DEFINED", "typeId": p.primary, "label": "Primary"})
	}
	sandbox.JSON(w, http.StatusOK, map[string]any{"results": results})
}
