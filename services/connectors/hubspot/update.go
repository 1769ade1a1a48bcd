package hubspot

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// update writes up to a hundred records of one kind.
func (t *target) update(ctx context.Context, k kind, writes []write, results []connector.Result) {
	if len(writes) == 1 {
		t.singles(ctx, k, writes, results)
		return
	}
	answer, err := t.batch(ctx, k, writes)
	switch {
	case err == nil:
		t.singles(ctx, k, t.settle(k, writes, answer, results), results)
	case fault.Is(err, fault.Rejected), fault.Is(err, fault.Conflict):
		// HubSpot refuses the whole batch for the sake of one of them, and
		// names it only in part: each is tried alone.
		t.singles(ctx, k, writes, results)
	default:
		for _, w := range writes {
			results[w.doc].Err = err
		}
	}
}

// singles writes each record by itself. A fault of the connection, rather
// than of a document, ends it: the rest share it without a call.
func (t *target) singles(ctx context.Context, k kind, writes []write, results []connector.Result) {
	var stopped error
	for _, w := range writes {
		if stopped != nil {
			results[w.doc].Err = stopped
			continue
		}
		id, err := t.single(ctx, k, w)
		if err != nil {
			results[w.doc].Err = err
			if stops(err) || ctx.Err() != nil {
				stopped = err
			}
			continue
		}
		results[w.doc] = t.updated(k, id)
	}
}

func (t *target) updated(k kind, id string) connector.Result {
	return connector.Result{ID: id, URL: t.portal.link(k, id), Effect: events.EffectUpdated}
}

// single updates one record. Other than the batch, this call follows a
// record that was merged into another one.
func (t *target) single(ctx context.Context, k kind, w write) (string, error) {
	op := "update " + k.name
	var rec record
	err := t.withProperties(ctx, k, []write{w}, func() error {
		return t.api.do(ctx, call{
			op: op, method: http.MethodPatch, path: t.api.objects(k, "/"+w.id),
			body: map[string]any{"properties": w.properties}, out: &rec,
		})
	})
	if err == nil && !validID(rec.ID) {
		err = garbled("hubspot: "+op, http.StatusOK)
	}
	return rec.ID, err
}

// batch updates several records in one call.
func (t *target) batch(ctx context.Context, k kind, writes []write) (batch[record], error) {
	type input struct {
		ID         string            `json:"id"`
		Properties map[string]string `json:"properties"`
		// TraceID comes back with the input's result or error.
		TraceID string `json:"objectWriteTraceId"`
	}
	inputs := make([]input, len(writes))
	for i, w := range writes {
		inputs[i] = input{w.id, w.properties, traceID(i)}
	}
	op := "update a batch of " + k.plural
	var answer batch[record]
	err := t.withProperties(ctx, k, writes, func() error {
		return t.api.do(ctx, call{
			op: op, method: http.MethodPost, path: t.api.objects(k, "/batch/update"),
			body: map[string]any{"inputs": inputs}, out: &answer,
		})
	})
	if err == nil && answer.Results == nil {
		err = garbled("hubspot: "+op, http.StatusOK)
	}
	return answer, err
}

func traceID(i int) string { return "spoke-" + strconv.Itoa(i) }

// settle notes what a batch says of each write, and returns those it says
// nothing final about. HubSpot drops the ids of merged records, in silence or
// as not found, and does not create properties.
func (t *target) settle(k kind, writes []write, answer batch[record], results []connector.Result) []write {
	done := map[string]bool{}
	for _, rec := range answer.Results {
		done[rec.ID] = true
	}
	refused := answer.refused()
	var again []write
	for i, w := range writes {
		p, bad := refused[traceID(i)]
		switch {
		case done[w.id]:
			results[w.doc] = t.updated(k, w.id)
		case bad && p.Category == "VALIDATION_ERROR" && p.code() != codeNoSuch:
			results[w.doc].Err = p.fault("hubspot: update "+k.name, http.StatusBadRequest)
		default:
			again = append(again, w)
		}
	}
	return again
}

// withProperties makes a call, and makes it again once HubSpot has the
// properties of Spoke's own that it said it lacks. Each property is created
// at most once.
func (t *target) withProperties(ctx context.Context, k kind, writes []write, call func() error) error {
	created := map[string]bool{}
	for {
		err := call()
		names := slices.DeleteFunc(lacking(err, writes), func(name string) bool { return created[name] })
		if len(names) == 0 {
			if len(created) > 0 && len(lacking(err, writes)) > 0 {
				// HubSpot's caches are slower than the next call.
				return fault.New(fault.Transient, "hubspot: update "+k.name, "a property that was just created is not known yet").
					WithCode(codeNoSuch)
			}
			return err
		}
		if err := t.properties.create(ctx, k, names); err != nil {
			return err
		}
		for _, name := range names {
			created[name] = true
		}
	}
}

// lacking are the properties of Spoke's own that a refusal says do not exist.
func lacking(err error, writes []write) []string {
	var r *refusal
	if !errors.As(err, &r) {
		return nil
	}
	written := map[string]bool{}
	for _, w := range writes {
		for name := range w.properties {
			written[name] = true
		}
	}
	names := map[string]bool{}
	for _, v := range r.invalid {
		if v.Code == codeNoSuch && strings.HasPrefix(v.Name, ownPrefix) && written[v.Name] {
			names[v.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
