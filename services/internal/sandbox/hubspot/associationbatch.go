package hubspotbox

import (
	"net/http"
	"slices"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// createAssociations associates many pairs at once. Pairs of which an end is
// not there are named in errors, with the status of a success.
func (b *Box) createAssociations(w http.ResponseWriter, r *http.Request) {
	b.eachPair(w, r, http.StatusOK)
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

// eachPair makes the associations of a batch: the unlabelled ones, or of the
// types that a pair names.
func (b *Box) eachPair(w http.ResponseWriter, r *http.Request, status int) {
	var in struct{ Inputs []pairInput }
	if !b.read(w, r, &in) {
		return
	}
	from, to, _, _, ok := b.ends(r)
	if !ok {
		b.missing(w)
		return
	}
	var errs []problem
	b.mu.Lock()
	for _, i := range in.Inputs {
		_, okFrom := b.state.live(from, i.From.ID)
		_, okTo := b.state.live(to, i.To.ID)
		if !okFrom || !okTo {
			errs = append(errs, problem{
				Status: "error", Category: notFound, Message: "One or more of the objects to associate do not exist.",
				Context: map[string][]string{"fromObjectId": {i.From.ID}, "toObjectId": {i.To.ID}},
			})
			continue
		}
		b.connect(from, i.From.ID, to, i.To.ID, i.Types, true)
	}
	b.save()
	b.mu.Unlock()
	if status == http.StatusCreated || len(errs) == 0 {
		b.answer(w, status, []any{}, errs)
		return
	}
	now := stamp(b.opts.Now())
	sandbox.JSON(w, status, map[string]any{
		"status": "COMPLETE", "results": []any{}, "startedAt": now, "completedAt": now, "numErrors": len(errs), "errors": errs,
	})
}

// createLabelled associates pairs with the types that the call names.
func (b *Box) createLabelled(w http.ResponseWriter, r *http.Request) {
	b.eachPair(w, r, http.StatusCreated)
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
