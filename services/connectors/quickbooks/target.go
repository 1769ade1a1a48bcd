package quickbooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// target makes a company hold documents.
type target struct {
	settings *Settings
	deps     connector.Deps
	client   *client
	kinds    map[string]*kind
	accounts *accounts
	recent   *recent
}

func newTarget(s *Settings, deps connector.Deps, c *client) *target {
	return &target{
		settings: s, deps: deps, client: c, kinds: kinds(), recent: newRecent(),
		accounts: &accounts{client: c, known: map[string]string{}},
	}
}

// BatchSize implements connector.Target: one document is one call.
func (t *target) BatchSize() int { return 1 }

// Check implements connector.Target.
func (t *target) Check(ctx context.Context) error {
	info, err := t.client.company(ctx)
	if err != nil {
		return err
	}
	return t.checkCountry(info)
}

// Apply implements connector.Target.
func (t *target) Apply(ctx context.Context, docs []connector.Document) []connector.Result {
	results := make([]connector.Result, len(docs))
	for i, doc := range docs {
		r, err := t.apply(ctx, doc)
		if err != nil {
			r = connector.Result{Err: err}
		}
		results[i] = r
	}
	return results
}

func (t *target) apply(ctx context.Context, doc connector.Document) (connector.Result, error) {
	k, err := t.kind(doc)
	if err != nil {
		return connector.Result{}, err
	}
	switch doc.Op {
	case events.DesiredUpsert:
		return t.whole(ctx, k, doc)
	case events.DesiredVoid:
		return t.void(ctx, k, doc)
	case events.DesiredDelete:
		return t.remove(ctx, k, doc)
	default:
		return connector.Result{}, fault.New(fault.Rejected, Name+": apply "+k.title, "unknown operation %q", doc.Op).
			WithHint("upsert, void and delete are possible")
	}
}

// whole makes the object and what belongs to it. Both are tried anew until
// both are there.
func (t *target) whole(ctx context.Context, k *kind, doc connector.Document) (connector.Result, error) {
	r, err := t.upsert(ctx, k, doc)
	if err != nil || k.after == nil {
		return r, err
	}
	b := t.recent.get(k, r.ID)
	if b == nil { // forgotten meanwhile
		if b, err = t.client.get(ctx, k, r.ID); err != nil || b == nil {
			return r, err
		}
	}
	b, changed, err := k.after(ctx, t, doc, b)
	if err != nil {
		return connector.Result{}, err
	}
	if changed && r.Effect == events.EffectUnchanged {
		r.Effect = events.EffectUpdated
	}
	return t.result(k, b, r.Effect), nil
}

// Find implements connector.Target. Items are told by SKU or name, the
// others by the key in their note.
func (t *target) Find(ctx context.Context, doc connector.Document) (connector.Result, bool, error) {
	k, err := t.kind(doc)
	if err != nil {
		return connector.Result{}, false, err
	}
	want, err := k.build(t, doc)
	if err != nil {
		return connector.Result{}, false, err
	}
	b, err := k.find(ctx, t, doc, want)
	if err != nil || b == nil {
		return connector.Result{}, false, err
	}
	return t.result(k, b, events.EffectUnchanged), true, nil
}

func (t *target) kind(doc connector.Document) (*kind, error) {
	if k, ok := t.kinds[doc.Object]; ok {
		return k, nil
	}
	return nil, fault.New(fault.Rejected, Name+": apply document", "unknown object type %q", doc.Object).
		WithHint("possible are " + strings.Join(slices.Sorted(maps.Keys(t.kinds)), ", "))
}

func (t *target) upsert(ctx context.Context, k *kind, doc connector.Document) (connector.Result, error) {
	want, err := k.build(t, doc)
	if err != nil {
		return connector.Result{}, err
	}
	if doc.ExternalID != "" {
		return t.change(ctx, k, doc, want)
	}
	look := k.precheck
	if doc.Reapply || t.deps.Now().Sub(doc.First) > requestMemory {
		look = k.find
	}
	if look != nil {
		found, err := look(ctx, t, doc, want)
		if err != nil {
			return connector.Result{}, err
		}
		if found != nil {
			return t.update(ctx, k, doc, want, found)
		}
	}
	return t.make(ctx, k, doc, want)
}

// make creates the object. The request id is the document's idempotency key,
// so that a repeated create answers with the object of the first.
func (t *target) make(ctx context.Context, k *kind, doc connector.Document, want body) (connector.Result, error) {
	b, err := t.post(ctx, k, doc, want, "")
	if err != nil {
		switch fault.As(err).Code {
		case codeName:
			return t.nameTaken(ctx, k, doc, want, err)
		case codeDocNumber:
			return t.numberTaken(ctx, k, doc, want, err)
		}
		return connector.Result{}, err
	}
	return t.done(k, b, events.EffectCreated), nil
}

// post sends a create. step makes a request id of its own for another content.
func (t *target) post(ctx context.Context, k *kind, doc connector.Document, want body, step string) (body, error) {
	full := maps.Clone(want)
	if k.create != nil {
		if err := k.create(ctx, t, full); err != nil {
			return nil, err
		}
	}
	if k.note != "" {
		full.put(k.note, stamped(full.text(k.note), doc.Key, k.noteLimit))
	}
	op := "create " + k.title
	if err := t.written(op, full); err != nil {
		return nil, err
	}
	w := write{op: op, requestID: requestID(doc, step), body: full}
	if step == stepSameNumber {
		w.include = "allowduplicatedocnum"
	}
	b, err := t.client.post(ctx, k, w)
	return b, t.explain(ctx, k, full, err)
}

// nameTaken follows a create that met an existing name: the object is ours
// from a lost call, or stands for the same thing, or the record gets a name
// with its id.
func (t *target) nameTaken(ctx context.Context, k *kind, doc connector.Document, want body, cause error) (connector.Result, error) {
	found, err := t.namesake(ctx, k, doc, want)
	if err != nil {
		return connector.Result{}, err
	}
	if found != nil {
		return t.update(ctx, k, doc, want, found)
	}
	field, limit := "DisplayName", maxName
	if k.name == objectItem {
		field, limit = "Name", maxItemName
	}
	other := maps.Clone(want)
	other[field] = renamed(want.text(field), doc, limit)
	b, err := t.post(ctx, k, doc, other, "renamed")
	if err != nil {
		if fault.As(err).Code == codeName {
			return connector.Result{}, fault.As(cause).WithField(field)
		}
		return connector.Result{}, err
	}
	return t.done(k, b, events.EffectCreated), nil
}

// namesake returns the object with one of the record's names that may be
// taken for the record's.
func (t *target) namesake(ctx context.Context, k *kind, doc connector.Document, want body) (body, error) {
	if k.name == objectItem {
		return itemByName(ctx, t, doc, want)
	}
	ours, err := k.find(ctx, t, doc, want)
	if ours != nil || err != nil {
		return ours, err
	}
	found, err := t.client.query(ctx, k, k.where("DisplayName = "+quote(want.text("DisplayName"))), 1)
	if err != nil || len(found) != 1 || !adoptable(doc, want, found[0]) {
		return nil, err
	}
	return found[0], nil
}

// numberTaken follows a create that met an existing number: ours from a lost
// call, or somebody else's, which a person has to solve unless the settings
// allow it.
func (t *target) numberTaken(ctx context.Context, k *kind, doc connector.Document, want body, cause error) (connector.Result, error) {
	found, err := findNoted(ctx, t, k, doc, "DocNumber = "+quote(want.text("DocNumber")))
	if err != nil {
		return connector.Result{}, err
	}
	switch {
	case found != nil:
		return t.update(ctx, k, doc, want, found)
	case t.settings.TakenNumbers != numbersAllowed:
		return connector.Result{}, fault.As(cause).WithField("DocNumber")
	}
	b, err := t.post(ctx, k, doc, want, stepSameNumber)
	if err != nil {
		return connector.Result{}, err
	}
	return t.done(k, b, events.EffectCreated), nil
}

// stepSameNumber is the create of a transaction whose number another one has.
const stepSameNumber = "same number"

// requestID is the idempotency key for a create, and a key made of it for
// each other call of the document.
func requestID(doc connector.Document, step string) string {
	if doc.IdempotencyKey == "" {
		return ""
	}
	if step == "" && len(doc.IdempotencyKey) <= maxRequestID {
		return doc.IdempotencyKey
	}
	sum := sha256.Sum256([]byte(doc.IdempotencyKey + "\x00" + step))
	return hex.EncodeToString(sum[:maxRequestID/2])
}

// done remembers what QuickBooks holds now.
func (t *target) done(k *kind, b body, effect events.Effect) connector.Result {
	t.recent.put(k, b)
	return t.result(k, b, effect)
}

func (t *target) result(k *kind, b body, effect events.Effect) connector.Result {
	id := b.text("Id")
	seen := events.Fields{}
	k.read(t.settings, b, seen)
	return connector.Result{
		ID: id, URL: k.url(t.settings.appURL(), id),
		Number: b.text("DocNumber"), Effect: effect, Seen: seen,
	}
}
