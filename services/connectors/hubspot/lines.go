package hubspot

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// line is a line item that a document wants.
type line struct {
	key        string
	properties map[string]string
}

// planLines reads the line_items field. Each line has a key of its own, by its
// place, so that writing it again changes it instead of adding one.
func (t *target) planLines(op, key string, v any) ([]line, error) {
	list, ok := v.([]any)
	if !ok && v != nil {
		return nil, fault.New(fault.Rejected, op, "want a list of line items").WithCode("INVALID_FIELD").WithField(linesField).
			WithHint("mend the flow: each, as and fields")
	}
	lines := make([]line, len(list))
	for i, e := range list {
		at := linesField + "[" + strconv.Itoa(i) + "]"
		fields, ok := e.(map[string]any)
		if !ok {
			return nil, fault.New(fault.Rejected, op, "want fields of a line item").WithCode("INVALID_FIELD").WithField(at).WithHint("mend the flow")
		}
		l := line{key: key + "-l" + strconv.Itoa(i+1), properties: make(map[string]string, len(fields))}
		for name, v := range fields {
			text, ok := propertyText(v)
			if !ok || !propertyName(name) || name == keyProperty {
				return nil, fault.New(fault.Rejected, op, "a property takes a text, a number, a date or true and false").
					WithCode("INVALID_FIELD").WithField(at + "." + name).WithHint("mend the flow's expression for the property")
			}
			l.properties[name] = text
		}
		if strings.HasPrefix(l.properties["price"], "-") {
			return nil, fault.New(fault.Rejected, op, "a line item has no negative price").WithCode("NEGATIVE_PRICE").WithField(at + ".price").
				WithHint("HubSpot takes a discount on a line, not a negative line")
		}
		lines[i] = l
	}
	return lines, nil
}

// applyLines makes the lines of records what the documents want. Lines that
// people added, which have no key of Spoke's, stay.
func (t *target) applyLines(ctx context.Context, k kind, writes []write, results []connector.Result) {
	if len(writes) == 0 {
		return
	}
	fail := func(w write, err error) {
		if results[w.doc].Err == nil && err != nil {
			results[w.doc].Err = err
		}
	}
	have, err := t.currentLines(ctx, k, writes, results)
	if err == nil {
		err = t.properties.ensureKey(ctx, lineItem)
	}
	if err != nil {
		for _, w := range writes {
			fail(w, err)
		}
		return
	}
	var wanted []write // one for each line; doc is the write's place
	made := []connector.Result{}
	for i, w := range writes {
		for _, l := range w.lines {
			wanted = append(wanted, write{doc: len(made), key: l.key, properties: l.properties, id: strconv.Itoa(i)})
			made = append(made, connector.Result{})
		}
	}
	for chunk := range slices.Chunk(wanted, objectBatch) {
		t.create(ctx, lineItem, chunk, made)
	}
	var pairs []pair
	for _, l := range wanted {
		i, _ := strconv.Atoi(l.id) // written two loops before
		w, r := writes[i], made[l.doc]
		if r.Err != nil {
			fail(w, ofLine(r.Err, w, l.key))
			continue
		}
		if have[w.doc][l.key] != r.ID {
			pairs = append(pairs, pair{i, results[w.doc].ID, r.ID})
		}
		delete(have[w.doc], l.key)
	}
	t.associate(ctx, k, lineItem, assocType{}, pairs, func(p pair, err error) { fail(writes[p.write], err) })
	t.dropLines(ctx, writes, have, results, fail)
}

// ofLine puts the line in front of the field at fault.
func ofLine(err error, w write, key string) error {
	e := fault.As(err)
	i := slices.IndexFunc(w.lines, func(l line) bool { return l.key == key })
	at := linesField + "[" + strconv.Itoa(i) + "]"
	if e.Field != "" {
		at += "." + e.Field
	}
	return e.WithField(at)
}

// currentLines are the lines with a key of Spoke's, by document and key. What
// was made a moment ago has none.
func (t *target) currentLines(ctx context.Context, k kind, writes []write, results []connector.Result) (map[int]map[string]string, error) {
	have := map[int]map[string]string{}
	var ids []string
	for _, w := range writes {
		have[w.doc] = map[string]string{}
		if results[w.doc].Effect != "created" {
			ids = append(ids, results[w.doc].ID)
		}
	}
	found, err := t.api.linked(ctx, k, lineItem, ids)
	if err != nil {
		return nil, err
	}
	var items []string
	for _, ends := range found {
		for _, e := range ends {
			items = append(items, e.id)
		}
	}
	slices.SortFunc(items, byID)
	records, err := t.api.read(ctx, lineItem, slices.Compact(items), []string{keyProperty}, false)
	if err != nil {
		return nil, err
	}
	for _, w := range writes {
		for _, e := range found[results[w.doc].ID] {
			if rec, ok := records[e.id]; ok && rec.text(keyProperty) != "" {
				have[w.doc][rec.text(keyProperty)] = e.id
			}
		}
	}
	return have, nil
}

// dropLines deletes the lines of Spoke's that are no longer wanted. A record
// whose lines were not all written keeps what it has.
func (t *target) dropLines(
	ctx context.Context, writes []write, have map[int]map[string]string, results []connector.Result, fail func(write, error),
) {
	type input struct {
		ID string `json:"id"`
	}
	var inputs []input
	var of []write
	for _, w := range writes {
		if results[w.doc].Err != nil {
			continue
		}
		for _, id := range have[w.doc] {
			inputs, of = append(inputs, input{id}), append(of, w)
		}
	}
	for from := 0; from < len(inputs); from += objectBatch {
		to := min(from+objectBatch, len(inputs))
		err := t.api.do(ctx, call{
			op: "delete line items", method: http.MethodPost, path: t.api.objects(lineItem, "/batch/archive"),
			body: map[string]any{"inputs": inputs[from:to]},
		})
		for _, w := range of[from:to] {
			fail(w, err)
		}
	}
}
