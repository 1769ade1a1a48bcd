package quickbooks

import (
	"context"
	"maps"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// rereads is how often a document is applied on a newer version before the
// sink is told that somebody else keeps changing the object.
const rereads = 1

// change makes an object that is known to exist hold the document. A version
// from an earlier answer saves a metered read. Only where it leads to a write
// is it trusted, since a write tells when it is stale; it is read then.
func (t *target) change(ctx context.Context, k *kind, doc connector.Document, want body, fresh map[string]body) (*step, connector.Result, error) {
	known := t.recent.get(k, doc.ExternalID)
	if !doc.Reapply && known != nil && !isVoid(known) && len(t.patch(k, doc, want, known)) > 0 {
		return t.update(ctx, k, doc, want, known, rereads)
	}
	if current := fresh[k.key(doc.ExternalID)]; current != nil {
		return t.update(ctx, k, doc, want, current, rereads)
	}
	return t.reread(ctx, k, doc, want, rereads)
}

// reread applies the document on the version that QuickBooks has.
func (t *target) reread(ctx context.Context, k *kind, doc connector.Document, want body, left int) (*step, connector.Result, error) {
	current, err := t.client.get(ctx, k, doc.ExternalID)
	if err != nil {
		return nil, connector.Result{}, err
	}
	if current == nil {
		return nil, connector.Result{}, fault.New(fault.Rejected, Name+": update "+k.title, "QuickBooks no longer has %s", doc.ExternalID).
			WithCode(codeNotFound).WithHint("it was deleted or merged there: restore it, or unlink the record so that it is made anew")
	}
	return t.update(ctx, k, doc, want, current, left)
}

// prefetch reads the current versions of documents whose objects are not
// remembered, in one metered call for all of a type. What it can't read is
// read one by one, which tells why.
func (t *target) prefetch(ctx context.Context, docs []connector.Document) map[string]body {
	ids := map[*kind][]string{}
	for _, doc := range docs {
		k := t.kinds[doc.Object]
		if k == nil || doc.Op != events.DesiredUpsert || doc.ExternalID == "" {
			continue
		}
		if doc.Reapply || t.recent.get(k, doc.ExternalID) == nil {
			ids[k] = append(ids[k], quote(doc.ExternalID))
		}
	}
	fresh := map[string]body{}
	for k, list := range ids {
		if len(list) < 2 {
			continue
		}
		found, err := t.client.query(ctx, k, k.where("Id IN ("+strings.Join(list, ", ")+")"), 1)
		if err != nil {
			continue
		}
		for _, b := range found {
			fresh[k.key(b.text("Id"))] = b
		}
	}
	return fresh
}

// update sends what the current object lacks, and nothing when it lacks
// nothing. left is how often a newer version may be read.
func (t *target) update(ctx context.Context, k *kind, doc connector.Document, want, current body, left int) (*step, connector.Result, error) {
	op := "update " + k.title
	if k.transaction() && isVoid(current) {
		return nil, connector.Result{}, fault.New(fault.Rejected, Name+": "+op, "%s is void in QuickBooks", current.text("Id")).
			WithHint("a void transaction can't be brought back: enter a new one by hand, or unlink the record so that it is made anew")
	}
	patch := t.patch(k, doc, want, current)
	if len(patch) == 0 {
		return t.settled(ctx, k, doc, want, current, events.EffectUnchanged)
	}
	if err := t.guessed(op, patch, current); err != nil {
		return nil, connector.Result{}, err
	}
	if err := t.admit(ctx, k, op, patch, current.text("TxnDate"), patch.text("TxnDate")); err != nil {
		return nil, connector.Result{}, err
	}
	s := t.sparse(k, doc, patch, current)
	s.then = func(ctx context.Context, b body, err error) (*step, connector.Result, error) {
		switch {
		case err == nil:
			return t.settled(ctx, k, doc, want, b, events.EffectUpdated)
		case fault.As(err).Code == codeName:
			// The record's new name is taken: give it the one with its id.
			return t.renamed(ctx, k, doc, want, patch, current)
		}
		t.recent.drop(k, current.text("Id"))
		if fault.Is(err, fault.Conflict) && left > 0 {
			doc.ExternalID = current.text("Id")
			return t.reread(ctx, k, doc, want, left-1)
		}
		return nil, connector.Result{}, t.explain(ctx, err, patch)
	}
	return s, connector.Result{}, nil
}

// renamed repeats an update with the record's second name.
func (t *target) renamed(_ context.Context, k *kind, doc connector.Document, want, patch, current body) (*step, connector.Result, error) {
	s := t.sparse(k, doc, rename(k, doc, patch), current)
	s.then = func(ctx context.Context, b body, err error) (*step, connector.Result, error) {
		if err != nil {
			t.recent.drop(k, current.text("Id"))
			return nil, connector.Result{}, err
		}
		return t.settled(ctx, k, doc, want, b, events.EffectUpdated)
	}
	return s, connector.Result{}, nil
}

// patch is what the object lacks, the key in its note included.
func (t *target) patch(k *kind, doc connector.Document, want, current body) body {
	patch := k.patch(t, doc, want, current)
	if k.note == "" {
		return patch
	}
	delete(patch, k.note)
	if wanted, ok := want[k.note].(string); len(patch) == 0 && doc.ExternalID != "" && (!ok || holds(current.text(k.note), wanted)) {
		return patch // a key alone is worth no write to an object that is known
	}
	note := current.text(k.note)
	if w, ok := want[k.note].(string); ok {
		note = w
	}
	note = stamped(note, doc.Key, k.noteLimit)
	if !holds(current.text(k.note), note) {
		patch[k.note] = note
		if k.repeats != nil {
			k.repeats(patch, want, current)
		}
	}
	return patch
}

func rename(k *kind, doc connector.Document, patch body) body {
	other := maps.Clone(patch)
	if name := patch.text("DisplayName"); name != "" {
		other["DisplayName"] = renamed(name, doc, maxName)
	}
	if name := patch.text("Name"); k.name == objectItem && name != "" {
		other["Name"] = renamed(name, doc, maxItemName)
	}
	return other
}

// sparse is the step of an update: QuickBooks keeps the fields that it leaves
// out.
func (t *target) sparse(k *kind, doc connector.Document, patch, current body) *step {
	full := maps.Clone(patch)
	maps.Copy(full, identity(current))
	full["sparse"] = true
	// A request id stands for one content: that of this version and name.
	part := "update " + current.text("SyncToken") + " " + patch.text("DisplayName") + patch.text("Name")
	return &step{kind: k, write: write{op: "update " + k.title, requestID: requestID(doc, part), body: full}}
}

// identity names an object and its version.
func identity(b body) body {
	return body{"Id": b.text("Id"), "SyncToken": b.text("SyncToken")}
}
