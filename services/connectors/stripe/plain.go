package stripe

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// plan is what a document asks of one object.
type plan struct {
	create url.Values // of a new object
	update url.Values // of one that is there; what it holds already is not sent
	// updateOf is what an object in its present state takes, where that is not
	// always update.
	updateOf func(raw json.RawMessage) url.Values
	// filter narrows the list in which an object is looked for that a lost
	// answer may have made. Stripe's lists show every write at once, its search
	// does not.
	filter url.Values
	// differs returns the first field in which an object differs that can't be
	// changed any more, and what to do about it.
	differs func(raw json.RawMessage) (field, remedy string)
}

// plain writes objects that one call makes.
type plain struct {
	api          *api
	object, path string
	// money marks what charges or pays somebody. It is looked for before every
	// create, as idempotency keys guard it for a day only.
	money bool
	plan  func(ctx context.Context, doc connector.Document) (plan, error)
	// stands reports whether the object still serves; another is made in the
	// place of one that was canceled by Spoke.
	stands func(raw json.RawMessage) bool
	result func(raw json.RawMessage, effect events.Effect) (connector.Result, error)
	// change makes an object that is there hold the plan, where that takes more
	// than an update. It may be nil.
	change func(ctx context.Context, doc connector.Document, raw json.RawMessage, p plan) (json.RawMessage, bool, error)
	// finish takes the steps that follow a create or an update. It may be nil.
	finish func(ctx context.Context, doc connector.Document, raw json.RawMessage) (json.RawMessage, bool, error)
	// end ends the object. It may be nil when Stripe has no way to.
	end func(ctx context.Context, id string, raw json.RawMessage) (json.RawMessage, error)
	// noEnd says what to do instead.
	noEnd string
}

func (w plain) at(id string) string { return w.path + "/" + url.PathEscape(id) }

// upsert implements writer.
func (w plain) upsert(ctx context.Context, doc connector.Document) (connector.Result, error) {
	p, err := w.plan(ctx, doc)
	if err != nil {
		return connector.Result{}, err
	}
	raw, found, err := w.locate(ctx, doc, p)
	if err != nil {
		return connector.Result{}, err
	}
	effect := events.EffectUnchanged
	if !found || !w.stands(raw) {
		var from origin
		if raw, from, err = w.create(ctx, doc, p, raw); err != nil {
			return connector.Result{}, err
		}
		if from == madeNow {
			effect = events.EffectCreated
		}
		found = from == foundThere
	}
	if found {
		var changed bool
		if raw, changed, err = w.update(ctx, doc, raw, p); err != nil {
			return connector.Result{}, err
		}
		if changed {
			effect = events.EffectUpdated
		}
	}
	if w.finish != nil {
		var changed bool
		if raw, changed, err = w.finish(ctx, doc, raw); err != nil {
			return connector.Result{}, err
		}
		if changed && effect == events.EffectUnchanged {
			effect = events.EffectUpdated
		}
	}
	return w.result(raw, effect)
}

// create makes the object. before is one that does not serve any more.
func (w plain) create(ctx context.Context, doc connector.Document, p plan, before json.RawMessage) (json.RawMessage, origin, error) {
	seed := []string{doc.Key, w.object}
	if len(before) > 0 {
		id, err := decode[identity]("read "+w.object, before)
		if err != nil {
			return nil, 0, err
		}
		seed = append(seed, id.ID)
	}
	return w.api.create(ctx, creation{
		op: "create " + w.object, path: w.path, form: withoutEmpty(p.create), seed: seed,
		current: func(ctx context.Context, id string) (json.RawMessage, bool, error) {
			raw, found, err := w.api.get(ctx, "read "+w.object, w.at(id), nil)
			return raw, found && w.stands(raw), err
		},
		find: func(ctx context.Context) (json.RawMessage, bool, error) {
			raw, found, err := w.lookUp(ctx, doc, p.filter)
			return raw, found && w.stands(raw), err
		},
	})
}

// update makes an object that is there hold the document.
func (w plain) update(ctx context.Context, doc connector.Document, raw json.RawMessage, p plan) (json.RawMessage, bool, error) {
	if p.differs != nil {
		if field, remedy := p.differs(raw); field != "" {
			id, _ := decode[identity]("read "+w.object, raw)
			return nil, false, fault.New(fault.Rejected, "stripe: write "+w.object, "%s stands and can't be changed in this", id.ID).
				WithField(field).WithHint(remedy)
		}
	}
	changed := false
	if w.change != nil {
		var err error
		if raw, changed, err = w.change(ctx, doc, raw, p); err != nil {
			return nil, false, err
		}
	}
	if p.updateOf != nil {
		p.update = p.updateOf(raw)
	}
	if holds(raw, p.update) {
		return raw, changed, nil
	}
	id, err := decode[identity]("read "+w.object, raw)
	if err != nil {
		return nil, false, err
	}
	raw, err = w.api.post(ctx, "update "+w.object, w.at(id.ID), p.update)
	return raw, true, err
}

// locate returns the object that stands for the document, as far as that must
// be known before a create.
func (w plain) locate(ctx context.Context, doc connector.Document, p plan) (json.RawMessage, bool, error) {
	if doc.ExternalID != "" {
		raw, found, err := w.api.get(ctx, "read "+w.object, w.at(doc.ExternalID), nil)
		if found || err != nil {
			return raw, found, err
		}
	}
	if w.money || w.api.lookFirst(doc) {
		return w.lookUp(ctx, doc, p.filter)
	}
	return nil, false, nil
}

// lookUp goes through a list for the document's key. One that serves outranks
// one that was ended.
func (w plain) lookUp(ctx context.Context, doc connector.Document, filter url.Values) (best json.RawMessage, found bool, err error) {
	op := "find " + w.object
	err = w.api.list(ctx, op, w.path, filter, func(raw json.RawMessage) (bool, error) {
		id, err := decode[identity](op, raw)
		if err != nil || id.Metadata[metaKey] != doc.Key {
			return true, err
		}
		if best == nil || w.stands(raw) {
			best, found = raw, true
		}
		return true, nil
	})
	return best, found, err
}

// void implements writer.
func (w plain) void(ctx context.Context, doc connector.Document) (connector.Result, error) {
	if w.end == nil {
		return connector.Result{}, fault.New(fault.Rejected, "stripe: void "+w.object, "a %s can't be voided", w.object).WithHint(w.noEnd)
	}
	raw, found, err := w.there(ctx, doc)
	if err != nil {
		return connector.Result{}, err
	}
	if !found {
		return connector.Result{ID: doc.ExternalID, Effect: events.EffectUnchanged}, nil
	}
	if !w.stands(raw) {
		return w.result(raw, events.EffectUnchanged)
	}
	id, err := decode[identity]("read "+w.object, raw)
	if err != nil {
		return connector.Result{}, err
	}
	if raw, err = w.end(ctx, id.ID, raw); err != nil {
		return connector.Result{}, err
	}
	return w.result(raw, events.EffectVoided)
}

// remove implements writer. Stripe keeps what it once had: to delete is to end.
func (w plain) remove(ctx context.Context, doc connector.Document) (connector.Result, error) {
	return w.void(ctx, doc)
}

// find implements writer.
func (w plain) find(ctx context.Context, doc connector.Document) (connector.Result, bool, error) {
	raw, found, err := w.there(ctx, doc)
	if err != nil || !found || !w.stands(raw) {
		return connector.Result{}, false, err
	}
	r, err := w.result(raw, events.EffectUnchanged)
	return r, err == nil, err
}

// there returns the object by its id, or by the document's key. A document that
// only asks to end the object may lack what would narrow the list.
func (w plain) there(ctx context.Context, doc connector.Document) (json.RawMessage, bool, error) {
	if doc.ExternalID != "" {
		raw, found, err := w.api.get(ctx, "read "+w.object, w.at(doc.ExternalID), nil)
		if found || err != nil {
			return raw, found, err
		}
	}
	filter := url.Values{}
	if p, err := w.plan(ctx, doc); err == nil {
		filter = p.filter
	}
	return w.lookUp(ctx, doc, filter)
}

// answerOf makes a result of fields that the answer tells.
func answerOf(id string, effect events.Effect, f events.Fields, err error) (connector.Result, error) {
	r := connector.Result{ID: id, Effect: effect}
	if err == nil { // an amount in a currency without a known rule is not told at all
		r.Seen = f
	}
	return r, nil
}
