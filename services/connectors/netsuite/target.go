package netsuite

import (
	"context"
	"net/http"
	"net/url"
	"sync"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// target implements connector.Target.
type target struct {
	api      *api
	settings *Settings
	app      string
	money    *currencies
	records  map[string]record
	tax      taxes
	reader   *reader // which knows the form of what is read

	// bare holds the record types of which not every field can be read back.
	bare sync.Map
}

// BatchSize implements connector.Target. NetSuite's batches are asynchronous
// only, and a batch of one type is not what orders and payments come in.
func (t *target) BatchSize() int { return 1 }

// Check implements connector.Target: it asks for one customer's id, which
// every flow needs the permission for.
func (t *target) Check(ctx context.Context) error {
	const op = "check the connection"
	resp, absent, err := t.api.do(ctx, call{
		op: op, method: http.MethodGet, path: "/record/v1/" + typeCustomer, query: url.Values{"limit": {"1"}},
	})
	if err != nil {
		return err
	}
	var page struct {
		Items *[]struct{} `json:"items"`
	}
	if absent || decode(resp.Body, &page) != nil || page.Items == nil {
		return unreadable(op)
	}
	return nil
}

// Apply implements connector.Target.
func (t *target) Apply(ctx context.Context, docs []connector.Document) []connector.Result {
	results := make([]connector.Result, len(docs))
	for i, doc := range docs {
		r, err := t.apply(ctx, doc)
		r.Err = err
		results[i] = r
	}
	return results
}

func (t *target) apply(ctx context.Context, doc connector.Document) (connector.Result, error) {
	if doc.Object == typeItem && (t.settings.Items == nil || doc.Op != events.DesiredUpsert) {
		return t.applyItem(ctx, doc)
	}
	if doc.Object == typeItem {
		return t.syncItem(ctx, doc)
	}
	rec, err := t.record(doc.Object)
	if err != nil {
		return connector.Result{}, err
	}
	switch doc.Op {
	case events.DesiredUpsert:
		return t.upsert(ctx, rec, doc)
	case events.DesiredVoid:
		return t.void(ctx, rec, doc)
	case events.DesiredDelete:
		return t.remove(ctx, rec, doc)
	default:
		return connector.Result{}, fault.New(fault.Rejected, "netsuite: apply "+title(rec.Name), "operation %q is unknown", doc.Op)
	}
}

func (t *target) record(object string) (record, error) {
	rec, ok := t.records[object]
	if !ok {
		return record{}, fault.New(fault.Rejected, "netsuite: apply document", "objects of type %q can't be written", object)
	}
	return rec, nil
}

// Find implements connector.Target.
func (t *target) Find(ctx context.Context, doc connector.Document) (connector.Result, bool, error) {
	if doc.Object == typeItem {
		r, _, found, err := t.findItem(ctx, doc)
		return r.Result, found, err
	}
	rec, err := t.record(doc.Object)
	if err != nil {
		return connector.Result{}, false, err
	}
	return t.read(ctx, rec, "find", "eid:"+doc.Key)
}
