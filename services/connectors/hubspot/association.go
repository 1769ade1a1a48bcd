package hubspot

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/fault"
)

// end is the far end of an association.
type end struct {
	id      string
	primary bool
}

// first is the end that a single link shows: the primary one, else the
// oldest record. HubSpot promises no order, and a link that flips with it
// would move orders from one customer to another.
func first(ends []end) string {
	for _, e := range ends {
		if e.primary {
			return e.id
		}
	}
	if len(ends) == 0 {
		return ""
	}
	return ends[0].id
}

// tidy sorts ends by id and folds repeats: HubSpot lists a primary company
// twice, as primary and as any other.
func tidy(ends []end) []end {
	slices.SortStableFunc(ends, func(a, b end) int { return byID(a.id, b.id) })
	out := ends[:0]
	for _, e := range ends {
		if n := len(out); n > 0 && out[n-1].id == e.id {
			out[n-1].primary = out[n-1].primary || e.primary
			continue
		}
		out = append(out, e)
	}
	return out
}

// inline returns the associations that came with a record. complete is false
// when there are more of them than fit in one answer.
func inline(from, to kind, rec record) (ends []end, complete bool) {
	as, ok := rec.Associations[to.plural]
	if !ok {
		// HubSpot writes "line items" in answers, "line_items" in questions.
		as = rec.Associations[strings.ReplaceAll(to.plural, "_", " ")]
	}
	primary := from.name + "_to_" + to.name // the others end in _unlabeled
	for _, e := range as.Results {
		ends = append(ends, end{e.ID, to.name == company.name && e.Type == primary})
	}
	return tidy(ends), as.Paging == nil || as.Paging.Next.After == ""
}

// linked reads the associations of records, following pages. A record
// without any is absent.
func (a *api) linked(ctx context.Context, from, to kind, ids []string) (map[string][]end, error) {
	found := make(map[string][]end, len(ids))
	for chunk := range slices.Chunk(ids, associationBatch) {
		inputs := make([]associationInput, len(chunk))
		for i, id := range chunk {
			inputs[i] = associationInput{ID: id}
		}
		for page := 0; len(inputs) > 0; page++ {
			if page == maxPages {
				return nil, fault.New(fault.Rejected, "hubspot: read associations",
					"a %s has more than %d pages of %s", from.name, maxPages, to.plural).
					WithHint("split the record: it has more " + to.plural + " than can be read")
			}
			var err error
			if inputs, err = a.associationPage(ctx, from, to, inputs, found); err != nil {
				return nil, err
			}
		}
	}
	for id, ends := range found {
		found[id] = tidy(ends)
	}
	return found, nil
}

type associationInput struct {
	ID    string `json:"id"`
	After string `json:"after,omitempty"`
}

type associationResult struct {
	From struct {
		ID string `json:"id"`
	} `json:"from"`
	To []struct {
		ID    json.RawMessage `json:"toObjectId"` // a text or a number, by version
		Types []struct {
			TypeID   int    `json:"typeId"`
			Category string `json:"category"`
		} `json:"associationTypes"`
	} `json:"to"`
	Paging *paging `json:"paging"`
}

// associationPage reads one page and returns the inputs of the next.
func (a *api) associationPage(
	ctx context.Context, from, to kind, inputs []associationInput, found map[string][]end,
) ([]associationInput, error) {
	op := "read the " + to.plural + " of " + from.plural
	var answer batch[associationResult]
	err := a.do(ctx, call{
		op: op, method: http.MethodPost, path: a.associations(from, to, "/batch/read"),
		body: map[string]any{"inputs": inputs}, out: &answer,
	})
	if err != nil {
		return nil, err
	}
	if answer.Results == nil {
		return nil, garbled("hubspot: "+op, http.StatusOK)
	}
	if err := answer.failed("hubspot: " + op); err != nil {
		return nil, err
	}
	var next []associationInput
	for _, res := range answer.Results {
		for _, t := range res.To {
			id := strings.Trim(string(t.ID), `"`)
			if !validID(id) {
				return nil, garbled("hubspot: "+op, http.StatusOK)
			}
			e := end{id: id}
			for _, typ := range t.Types {
				e.primary = e.primary || isPrimary(from, to, typ.Category, typ.TypeID)
			}
			found[res.From.ID] = append(found[res.From.ID], e)
		}
		if res.Paging != nil && res.Paging.Next.After != "" {
			next = append(next, associationInput{res.From.ID, res.Paging.Next.After})
		}
	}
	return next, nil
}

// isPrimary reports whether an association marks the primary company. Labels
// of a portal's own have numbers of their own, which may be the same.
func isPrimary(from, to kind, category string, typeID int) bool {
	if to.name != company.name || category != "HUBSPOT_DEFINED" {
		return false
	}
	switch from.name {
	case deal.name:
		return typeID == dealToPrimaryCompany
	case contact.name:
		return typeID == contactToPrimaryCompany
	}
	return false
}

// read reads records by id. What HubSpot does not have is absent.
func (a *api) read(ctx context.Context, k kind, ids, properties []string, archived bool) (map[string]record, error) {
	type input struct {
		ID string `json:"id"`
	}
	found := make(map[string]record, len(ids))
	op := "read a batch of " + k.plural
	for chunk := range slices.Chunk(ids, objectBatch) {
		inputs := make([]input, len(chunk))
		for i, id := range chunk {
			inputs[i] = input{id}
		}
		c := call{
			op: op, method: http.MethodPost, path: a.objects(k, "/batch/read"),
			body: map[string]any{"inputs": inputs, "properties": properties, "propertiesWithHistory": []string{}},
		}
		if archived {
			c.query = url.Values{"archived": {"true"}}
		}
		var answer batch[record]
		c.out = &answer
		if err := a.do(ctx, c); err != nil {
			return nil, err
		}
		if answer.Results == nil {
			return nil, garbled("hubspot: "+op, http.StatusOK)
		}
		if err := answer.failed("hubspot: " + op); err != nil {
			return nil, err
		}
		for _, rec := range answer.Results {
			if !validID(rec.ID) || rec.Properties == nil { // or it would pass for a deleted one
				return nil, garbled("hubspot: "+op, http.StatusOK)
			}
			found[rec.ID] = rec
		}
	}
	return found, nil
}
