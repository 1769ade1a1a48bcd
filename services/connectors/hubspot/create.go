package hubspot

import (
	"context"
	"errors"
	"maps"
	"net/http"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// create makes up to a hundred records of one kind. They are written by
// Spoke's key, a property with unique values, so that one call makes what is
// not there and changes what is: repeating it after a lost answer makes no
// second record.
func (t *target) create(ctx context.Context, k kind, writes []write, results []connector.Result) {
	if err := t.properties.ensureKey(ctx, k); err != nil {
		for _, w := range writes {
			results[w.doc].Err = err
		}
		return
	}
	err := t.upsert(ctx, k, writes, results)
	switch {
	case err == nil:
	case len(writes) > 1 && (fault.Is(err, fault.Rejected) || fault.Is(err, fault.Conflict)):
		// One of them is at fault, and HubSpot does not say which: each alone.
		for i, w := range writes {
			if err := t.upsert(ctx, k, []write{w}, results); err != nil {
				t.notMade(ctx, k, w, err, results)
				if stops(err) || ctx.Err() != nil {
					for _, rest := range writes[i+1:] {
						results[rest.doc].Err = err
					}
					return
				}
			}
		}
	case len(writes) == 1:
		t.notMade(ctx, k, writes[0], err, results)
	default:
		for _, w := range writes {
			results[w.doc].Err = err
		}
	}
}

// upsert makes the call, and notes what came of each write.
func (t *target) upsert(ctx context.Context, k kind, writes []write, results []connector.Result) error {
	type input struct {
		ID         string            `json:"id"`
		IDProperty string            `json:"idProperty"`
		Properties map[string]string `json:"properties"`
		TraceID    string            `json:"objectWriteTraceId"`
	}
	inputs := make([]input, len(writes))
	for i, w := range writes {
		props := maps.Clone(w.properties)
		if props == nil {
			props = map[string]string{}
		}
		props[keyProperty] = w.key
		inputs[i] = input{w.key, keyProperty, props, traceID(i)}
	}
	op := "create a batch of " + k.plural
	var answer batch[record]
	err := t.withProperties(ctx, k, writes, func() error {
		answer = batch[record]{}
		return t.api.do(ctx, call{
			op: op, method: http.MethodPost, path: t.api.objects(k, "/batch/upsert"), body: map[string]any{"inputs": inputs}, out: &answer,
		})
	})
	if err != nil {
		return err
	}
	if answer.Results == nil {
		return garbled("hubspot: "+op, http.StatusOK)
	}
	made := map[string]record{}
	for _, rec := range answer.Results {
		made[rec.TraceID] = rec
		made[rec.text(keyProperty)] = rec
	}
	refused := answer.refused()
	for i, w := range writes {
		rec, ok := made[traceID(i)]
		if !ok {
			rec, ok = made[w.key]
		}
		p, bad := refused[traceID(i)]
		switch {
		case ok && validID(rec.ID):
			results[w.doc] = t.updated(k, rec.ID)
			if rec.New {
				results[w.doc].Effect = events.EffectCreated
			}
		case bad:
			status := p.likelyStatus()
			t.notMade(ctx, k, w, p.fault("hubspot: create "+k.name, status), results)
		default:
			results[w.doc].Err = garbled("hubspot: "+op, http.StatusOK)
		}
	}
	return nil
}

// refused are the problems of a partial answer, by the trace id of the input.
func (b batch[T]) refused() map[string]problem {
	all := map[string]problem{}
	for _, p := range b.Errors {
		for _, trace := range texts(p.Context["objectWriteTraceId"]) {
			all[trace] = p
		}
	}
	return all
}

// notMade notes why a record was not made. A contact whose e-mail address
// another one has is that contact: HubSpot names it, and it is written to
// instead, unless it stands for another record.
func (t *target) notMade(ctx context.Context, k kind, w write, err error, results []connector.Result) {
	var r *refusal
	if k.name != contact.name || !fault.Is(err, fault.Conflict) || !errors.As(err, &r) || r.existing == "" {
		results[w.doc].Err = err
		return
	}
	rec, _, found, err := t.find(ctx, connector.Document{Desired: events.Desired{Object: k.name}, ExternalID: r.existing}, "find "+k.name)
	switch {
	case err != nil:
		results[w.doc].Err = err
	case !found:
		results[w.doc].Err = fault.New(fault.Transient, "hubspot: create "+k.name, "the contact with this e-mail address is gone")
	case rec.text(keyProperty) != "" && rec.text(keyProperty) != w.key:
		results[w.doc].Err = fault.New(fault.Rejected, "hubspot: create "+k.name, "another record's contact has the same e-mail address").
			WithCode("CONTACT_EXISTS").WithField("email").WithHint("two contacts of another system share an address: merge them there, or change one")
	default:
		w.id = rec.ID
		w.properties = maps.Clone(w.properties)
		w.properties[keyProperty] = w.key
		t.update(ctx, k, []write{w}, results)
	}
}

// remove deletes a record that Spoke made, and voids an invoice that it made.
// One that people made is left to them.
func (t *target) remove(ctx context.Context, d connector.Document) connector.Result {
	op := "delete " + d.Object
	if d.Op == events.DesiredVoid && d.Object != invoice.name {
		return connector.Result{Err: notRemoved(op, d)}
	}
	rec, k, found, err := t.find(ctx, d, op)
	switch {
	case err != nil:
		return connector.Result{Err: err}
	case !found: // gone, or never made
		id := d.ExternalID
		return connector.Result{ID: id, Effect: events.EffectUnchanged}
	case rec.text(keyProperty) == "" || rec.text(keyProperty) != d.Key:
		return connector.Result{Err: notRemoved(op, d)}
	case d.Op == events.DesiredVoid:
		results := make([]connector.Result, 1)
		t.update(ctx, k, []write{{id: rec.ID, properties: map[string]string{invoice.status: "voided"}}}, results)
		if results[0].Err == nil {
			results[0].Effect = events.EffectVoided
		}
		return results[0]
	}
	err = t.api.do(ctx, call{op: op, method: http.MethodDelete, path: t.api.objects(k, "/"+rec.ID)})
	return connector.Result{ID: rec.ID, Effect: events.EffectDeleted, Err: err}
}

func notRemoved(op string, d connector.Document) *fault.Error {
	return fault.New(fault.Rejected, "hubspot: "+op, "Spoke does not %s this record in HubSpot", d.Op).WithCode("NOT_SUPPORTED").
		WithHint("only records that Spoke made are deleted, and only invoices voided: set on_leave: keep in the flow, " +
			"and delete the record in HubSpot where that is meant")
}
