package quickbooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"

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
	profiles *profiles
	recent   *recent
}

func newTarget(s *Settings, deps connector.Deps, c *client) *target {
	return &target{
		settings: s, deps: deps, client: c, kinds: kinds(), recent: newRecent(),
		accounts: &accounts{client: c, known: map[string]string{}},
		profiles: &profiles{client: c, now: deps.Now},
	}
}

// BatchSize implements connector.Target.
func (t *target) BatchSize() int { return maxBatch }

// Apply implements connector.Target.
func (t *target) Apply(ctx context.Context, docs []connector.Document) []connector.Result {
	results := make([]connector.Result, len(docs))
	steps := make([]*step, len(docs))
	fresh := t.prefetch(ctx, docs)
	parallel(len(docs), func(i int) {
		s, r, err := t.begin(ctx, docs[i], fresh)
		if err != nil {
			s, r = nil, connector.Result{Err: err}
		}
		steps[i], results[i] = s, r
	})
	t.run(ctx, steps, results)
	return results
}

// begin returns the first write of a document, or its result when it needs
// none.
func (t *target) begin(ctx context.Context, doc connector.Document, fresh map[string]body) (*step, connector.Result, error) {
	k, err := t.kind(doc)
	if err != nil {
		return nil, connector.Result{}, err
	}
	switch doc.Op {
	case events.DesiredUpsert:
		return t.upsert(ctx, k, doc, fresh)
	case events.DesiredVoid:
		return t.void(ctx, k, doc)
	case events.DesiredDelete:
		return t.remove(ctx, k, doc)
	default:
		return nil, connector.Result{}, fault.New(fault.Rejected, Name+": apply "+k.title, "unknown operation %q", doc.Op).
			WithHint("upsert, void and delete are possible")
	}
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
	b, err := t.find(ctx, k, doc, want)
	if err != nil || b == nil {
		return connector.Result{}, false, err
	}
	return t.result(k, b, events.EffectUnchanged), true, nil
}

// find returns the object that stands for a document. One that a lost try made
// of another content may have another name, customer or number: it is looked for
// by its note among all that was made since.
func (t *target) find(ctx context.Context, k *kind, doc connector.Document, want body) (body, error) {
	b, err := k.find(ctx, t, doc, want)
	if b != nil || err != nil || k.note == "" || doc.Open.IsZero() {
		return b, err
	}
	since := doc.Open.Add(-overlap).UTC().Format(queryTime)
	return findNoted(ctx, t, k, doc, k.where("MetaData.CreateTime >= "+quote(since)))
}

func (t *target) kind(doc connector.Document) (*kind, error) {
	if k, ok := t.kinds[doc.Object]; ok {
		return k, nil
	}
	return nil, fault.New(fault.Rejected, Name+": apply document", "unknown object type %q", doc.Object).
		WithHint("possible are " + kindNames())
}

func (t *target) upsert(ctx context.Context, k *kind, doc connector.Document, fresh map[string]body) (*step, connector.Result, error) {
	want, err := k.build(t, doc)
	if err != nil {
		return nil, connector.Result{}, err
	}
	if doc.ExternalID != "" {
		return t.change(ctx, k, doc, want, fresh)
	}
	look := k.precheck
	if doc.Reapply || t.deps.Now().Sub(doc.First) > requestMemory {
		look = func(ctx context.Context, t *target, doc connector.Document, want body) (body, error) {
			return t.find(ctx, k, doc, want)
		}
	}
	if look != nil {
		found, err := look(ctx, t, doc, want)
		if err != nil {
			return nil, connector.Result{}, err
		}
		if found != nil {
			return t.update(ctx, k, doc, want, found, rereads)
		}
	}
	return t.make(ctx, k, doc, want)
}

// make creates the object. The request id is the document's idempotency key,
// so that a repeated create answers with the object of the first.
func (t *target) make(ctx context.Context, k *kind, doc connector.Document, want body) (*step, connector.Result, error) {
	return t.create(ctx, k, doc, want, "", func(ctx context.Context, cause error) (*step, connector.Result, error) {
		switch fault.As(cause).Code {
		case codeName:
			return t.nameTaken(ctx, k, doc, want, cause)
		case codeDocNumber:
			return t.numberTaken(ctx, k, doc, want, cause)
		}
		return nil, connector.Result{}, cause
	})
}

// create makes the step that creates an object. part tells the create of
// another content from the first; failed says what follows from a refusal.
func (t *target) create(ctx context.Context, k *kind, doc connector.Document, want body, part string,
	failed func(context.Context, error) (*step, connector.Result, error),
) (*step, connector.Result, error) {
	op := "create " + k.title
	full := maps.Clone(want)
	if k.create != nil {
		if err := k.create(ctx, t, full); err != nil {
			return nil, connector.Result{}, err
		}
	}
	if k.note != "" {
		full.put(k.note, stamped(full.text(k.note), doc.Key, k.noteLimit))
	}
	if err := t.admit(ctx, k, op, full, full.text("TxnDate")); err != nil {
		return nil, connector.Result{}, err
	}
	s := &step{kind: k, write: write{op: op, requestID: requestID(doc, part), body: full, alone: k.transaction()}}
	if part == partDuplicate {
		s.write.include = "allowduplicatedocnum"
	}
	s.then = func(ctx context.Context, b body, err error) (*step, connector.Result, error) {
		if err != nil {
			return failed(ctx, t.explain(ctx, err, full))
		}
		return t.settled(ctx, k, doc, want, b, events.EffectCreated)
	}
	return s, connector.Result{}, nil
}

// admit refuses what QuickBooks is known to refuse.
func (t *target) admit(ctx context.Context, k *kind, op string, b body, days ...string) error {
	if err := t.written(op, b); err != nil {
		return err
	}
	if err := t.payable(ctx, op, b); err != nil {
		return err
	}
	return t.open(ctx, k, op, days...)
}

// settled follows a write, or the lack of one: the object is as it should be,
// and what belongs to it comes next.
func (t *target) settled(ctx context.Context, k *kind, doc connector.Document, want, b body, effect events.Effect) (*step, connector.Result, error) {
	r := t.done(k, b, effect)
	if k.after == nil {
		return nil, r, nil
	}
	s, err := k.after(ctx, t, doc, want, b)
	if err != nil || s == nil {
		return nil, r, err
	}
	s.then = func(ctx context.Context, _ body, err error) (*step, connector.Result, error) {
		if err != nil {
			return nil, connector.Result{}, fault.As(err).WithField(s.write.field)
		}
		t.recent.drop(k, r.ID)
		now, err := t.client.get(ctx, k, r.ID) // its balance is read, not worked out
		if err != nil || now == nil {
			return nil, connector.Result{}, err
		}
		if effect == events.EffectUnchanged {
			effect = events.EffectUpdated
		}
		return nil, t.done(k, now, effect), nil
	}
	return s, r, nil
}

// nameTaken follows a create that met an existing name: the object is ours
// from a lost call, or stands for the same thing, or the record gets a name
// with its id.
func (t *target) nameTaken(ctx context.Context, k *kind, doc connector.Document, want body, cause error) (*step, connector.Result, error) {
	found, err := t.namesake(ctx, k, doc, want)
	if err != nil {
		return nil, connector.Result{}, err
	}
	if found != nil {
		return t.update(ctx, k, doc, want, found, rereads)
	}
	field, limit := "DisplayName", maxName
	if k.name == objectItem {
		field, limit = "Name", maxItemName
	}
	other := maps.Clone(want)
	other[field] = renamed(want.text(field), doc, limit)
	return t.create(ctx, k, doc, other, partRenamed, func(_ context.Context, err error) (*step, connector.Result, error) {
		if fault.As(err).Code == codeName {
			err = fault.As(cause).WithField(field)
		}
		return nil, connector.Result{}, err
	})
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
// say that numbers may come twice.
func (t *target) numberTaken(ctx context.Context, k *kind, doc connector.Document, want body, cause error) (*step, connector.Result, error) {
	found, err := findNoted(ctx, t, k, doc, "DocNumber = "+quote(want.text("DocNumber")))
	switch {
	case err != nil:
		return nil, connector.Result{}, err
	case found != nil:
		return t.update(ctx, k, doc, want, found, rereads)
	case t.settings.TakenNumbers != numbersAllowed:
		return nil, connector.Result{}, fault.As(cause).WithField("DocNumber")
	}
	return t.create(ctx, k, doc, want, partDuplicate, func(_ context.Context, err error) (*step, connector.Result, error) {
		return nil, connector.Result{}, err
	})
}

// The parts of request ids for another content than the document's own.
const (
	partRenamed   = "renamed"
	partDuplicate = "duplicate number"
	partApply     = "apply"
)

// requestID is the idempotency key for a create, and a key made of it for
// each other call of the document.
func requestID(doc connector.Document, part string) string {
	if doc.IdempotencyKey == "" {
		return ""
	}
	if part == "" && len(doc.IdempotencyKey) <= maxRequestID {
		return doc.IdempotencyKey
	}
	sum := sha256.Sum256([]byte(doc.IdempotencyKey + "\x00" + part))
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
