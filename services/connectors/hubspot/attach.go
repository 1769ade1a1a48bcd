package hubspot

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// association is an association that a document wants.
type association struct {
	field string
	to    kind
	id    string
	label assocType // the zero one is HubSpot's own, unlabelled one
}

// assocType is a labelled type of association.
type assocType struct {
	Category string `json:"associationCategory"`
	TypeID   int    `json:"associationTypeId"`
}

// pair is one association to be made.
type pair struct {
	write int // which write wants it
	from  string
	to    string
}

// defaultBatch is how many associations one call makes at most. HubSpot takes
// 2,000 labelled ones, and does not say how many others.
const defaultBatch = 1000

// association reads an associated_… field.
func (t *target) association(k kind, field string, v any) (association, error) {
	name := strings.TrimPrefix(field, associatedPrefix)
	a := association{field: field}
	custom, labelled := t.labels[k.name][name]
	var known, ok bool
	if labelled {
		a.to, known = t.kinds.named(custom.To)
		a.label = assocType{cmp.Or(custom.Category, userDefined), custom.TypeID}
	} else {
		a.to, known = t.kinds.named(name)
		known = known && holds(k, a.to) && a.to.name != lineItem.name
		a.label = primary(k, a.to)
	}
	if a.id, ok = v.(string); !known || !ok || !validID(a.id) {
		return a, fault.New(fault.Rejected, "hubspot: update "+k.name, "the field sets no association of a %s", k.name).
			WithCode("INVALID_FIELD").WithField(field).WithHint("write ref(…) of a record that HubSpot has, and name labels under associations in the settings")
	}
	return a, nil
}

// primary is the label that makes a company the one that counts; see first.
func primary(from, to kind) assocType {
	switch {
	case to.name != company.name:
	case from.name == deal.name:
		return assocType{hubspotDefined, dealToPrimaryCompany}
	case from.name == contact.name:
		return assocType{hubspotDefined, contactToPrimaryCompany}
	}
	return assocType{}
}

// attach makes the associations and lines of records that were written, and
// then sets what HubSpot accepts only after them. Associations that are there
// already are left as they are; those that people made are not taken away.
func (t *target) attach(ctx context.Context, k kind, writes []write, results []connector.Result) {
	live := func(w write) bool { return results[w.doc].Err == nil }
	type group struct {
		to    string
		label assocType
	}
	groups := map[group][]pair{}
	var order []group
	for i, w := range writes {
		if !live(w) {
			continue
		}
		for _, a := range w.ends {
			g := group{a.to.name, a.label}
			if groups[g] == nil {
				order = append(order, g)
			}
			groups[g] = append(groups[g], pair{i, results[w.doc].ID, a.id})
		}
	}
	for _, g := range order {
		to, _ := t.kinds.named(g.to)
		t.associate(ctx, k, to, g.label, groups[g], func(p pair, err error) { results[writes[p.write].doc].Err = err })
	}
	if holds(k, lineItem) {
		t.applyLines(ctx, k, slices.DeleteFunc(slices.Clone(writes), func(w write) bool { return !live(w) || w.lines == nil }), results)
	}
	for _, w := range writes {
		if w.status == nil || !live(w) {
			continue
		}
		effect := results[w.doc].Effect
		t.update(ctx, k, []write{{doc: w.doc, id: results[w.doc].ID, properties: map[string]string{k.status: *w.status}}}, results)
		if live(w) && effect != "" && effect != "unchanged" {
			results[w.doc].Effect = effect
		}
	}
}

// associate makes associations of one kind with another. Making one that is
// there has no effect.
func (t *target) associate(ctx context.Context, from, to kind, l assocType, pairs []pair, failed func(pair, error)) {
	type end struct {
		ID string `json:"id"`
	}
	type input struct {
		From  end         `json:"from"`
		To    end         `json:"to"`
		Types []assocType `json:"types,omitempty"`
	}
	op, path := "associate "+from.plural+" with "+to.plural, t.api.associations(from, to, "/batch/associate/default")
	if l != (assocType{}) {
		path = t.api.associations(from, to, "/batch/create")
	}
	for chunk := range slices.Chunk(pairs, defaultBatch) {
		inputs := make([]input, len(chunk))
		for i, p := range chunk {
			inputs[i] = input{From: end{p.from}, To: end{p.to}}
			if l != (assocType{}) {
				inputs[i].Types = []assocType{l}
			}
		}
		var answer batch[struct{}]
		err := t.api.do(ctx, call{op: op, method: http.MethodPost, path: path, body: map[string]any{"inputs": inputs}, out: &answer})
		if err == nil {
			err = answer.failedWrite("hubspot: " + op)
		}
		if err == nil {
			continue
		}
		if len(chunk) > 1 && fault.Is(err, fault.Rejected) {
			// It may be about one of them only.
			for _, p := range chunk {
				t.associate(ctx, from, to, l, []pair{p}, failed)
			}
			continue
		}
		for _, p := range chunk {
			failed(p, err)
		}
	}
}

// failedWrite is the first error of a partial answer to a write.
func (b batch[T]) failedWrite(op string) error {
	if len(b.Errors) == 0 {
		return nil
	}
	p := b.Errors[0]
	return p.fault(op, p.likelyStatus())
}
