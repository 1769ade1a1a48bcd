package quickbooks

import (
	"context"
	"maps"
	"sync"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// change makes an object that is known to exist hold the document. A version
// from an earlier answer saves a metered read. Only where it leads to a write
// is it trusted, since a write tells when it is stale; it is read then.
func (t *target) change(ctx context.Context, k *kind, doc connector.Document, want body) (connector.Result, error) {
	known := t.recent.get(k, doc.ExternalID)
	if !doc.Reapply && known != nil && !isVoid(known) && len(t.patch(k, doc, want, known)) > 0 {
		r, err := t.update(ctx, k, doc, want, known)
		if !fault.Is(err, fault.Conflict) {
			return r, err
		}
	}
	current, err := t.client.get(ctx, k, doc.ExternalID)
	if err != nil {
		return connector.Result{}, err
	}
	if current == nil {
		return connector.Result{}, fault.New(fault.Rejected, Name+": update "+k.title, "QuickBooks no longer has %s", doc.ExternalID).
			WithCode(codeNotFound).WithHint("it was deleted or merged there: restore it, or unlink the record so that it is made anew")
	}
	return t.update(ctx, k, doc, want, current)
}

// update sends what the current object lacks, and nothing when it lacks
// nothing.
func (t *target) update(ctx context.Context, k *kind, doc connector.Document, want, current body) (connector.Result, error) {
	op := "update " + k.title
	if k.transaction() && isVoid(current) {
		return connector.Result{}, fault.New(fault.Rejected, Name+": "+op, "%s is void in QuickBooks", current.text("Id")).
			WithHint("a void transaction can't be brought back: enter a new one by hand, or unlink the record so that it is made anew")
	}
	patch := t.patch(k, doc, want, current)
	if len(patch) == 0 {
		return t.done(k, current, events.EffectUnchanged), nil
	}
	b, err := t.send(ctx, k, doc, patch, current)
	if err != nil && fault.As(err).Code == codeName {
		// The record's new name is taken: give it the one with its id.
		b, err = t.send(ctx, k, doc, rename(k, doc, patch), current)
	}
	if err != nil {
		t.recent.drop(k, current.text("Id"))
		return connector.Result{}, err
	}
	return t.done(k, b, events.EffectUpdated), nil
}

// patch is what the object lacks, the key in its note included.
func (t *target) patch(k *kind, doc connector.Document, want, current body) body {
	patch := k.patch(t, doc, want, current)
	if k.note == "" {
		return patch
	}
	note := current.text(k.note)
	if w, ok := want[k.note].(string); ok {
		note = w
	}
	note = stamped(note, doc.Key, k.noteLimit)
	delete(patch, k.note)
	if !holds(current.text(k.note), note) {
		patch[k.note] = note
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

// send makes a sparse update: QuickBooks keeps the fields that it leaves out.
func (t *target) send(ctx context.Context, k *kind, doc connector.Document, patch, current body) (body, error) {
	full := maps.Clone(patch)
	maps.Copy(full, identity(current))
	full["sparse"] = true
	// A request id stands for one content: that of this version and name.
	step := "update " + current.text("SyncToken") + " " + patch.text("DisplayName") + patch.text("Name")
	op := "update " + k.title
	if err := t.written(op, patch); err != nil {
		return nil, err
	}
	b, err := t.client.post(ctx, k, write{op: op, requestID: requestID(doc, step), body: full})
	return b, t.explain(ctx, k, current, err)
}

// identity names an object and its version.
func identity(b body) body {
	return body{"Id": b.text("Id"), "SyncToken": b.text("SyncToken")}
}

// maxRecent bounds how many objects are remembered.
const maxRecent = 512

// recent remembers objects as QuickBooks answered them last.
type recent struct {
	mu      sync.Mutex
	objects map[string]body
}

func newRecent() *recent { return &recent{objects: map[string]body{}} }

func (r *recent) get(k *kind, id string) body {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.objects[k.path+"/"+id]
}

func (r *recent) put(k *kind, b body) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.objects) >= maxRecent {
		for key := range r.objects {
			delete(r.objects, key) // any one: it only costs a read
			break
		}
	}
	r.objects[k.path+"/"+b.text("Id")] = b
}

func (r *recent) drop(k *kind, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.objects, k.path+"/"+id)
}
