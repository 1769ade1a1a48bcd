package netsuite

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// target implements connector.Target.
type target struct {
	api      *api
	settings Settings
	app      string
	money    *currencies
	records  map[string]record
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
	if doc.Object == typeItem {
		return t.applyItem(ctx, doc)
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
		return t.findItem(ctx, doc)
	}
	rec, err := t.record(doc.Object)
	if err != nil {
		return connector.Result{}, false, err
	}
	return t.read(ctx, rec, "find", "eid:"+doc.Key)
}

// upsert creates the record under its external id, or patches the one that
// stands there. A record is looked up first, because the answer to NetSuite's
// own upsert does not tell which of both it was, and because some fields must
// only be sent with the first write.
func (t *target) upsert(ctx context.Context, rec record, doc connector.Document) (connector.Result, error) {
	known := doc.ExternalID
	if known == "" {
		r, found, err := t.read(ctx, rec, "find", "eid:"+doc.Key)
		if err != nil {
			return connector.Result{}, err
		}
		if found {
			known = r.ID
		}
	}
	effect, method, verb, path := events.EffectCreated, http.MethodPut, "create", "eid:"+doc.Key
	if known != "" {
		// By internal id: an object that Spoke did not make has another
		// external id or none, and an upsert would make a second one.
		effect, method, verb, path = events.EffectUpdated, http.MethodPatch, "update", url.PathEscape(known)
	}
	body, err := t.body(ctx, rec, doc, known == "")
	if err != nil {
		return connector.Result{}, err
	}
	if err := t.write(ctx, rec, verb, method, path, body); err != nil {
		return connector.Result{}, err
	}
	r, found, err := t.read(ctx, rec, "read back", path)
	if err == nil && !found {
		err = fault.New(fault.Transient, "netsuite: read back "+title(rec.Name), "it is not there after the write")
	}
	r.Effect = effect
	return r, err
}

// write sends a body. Sublists in it become the record's sublists: without
// replace, NetSuite would append the lines once more with every repetition.
func (t *target) write(ctx context.Context, rec record, verb, method, path string, body map[string]any) error {
	c := call{
		op: verb + " " + title(rec.Name), method: method, path: "/record/v1/" + rec.Name + "/" + path,
		body: body, hide: personal(body),
	}
	if lists := sublists(body); len(lists) > 0 {
		c.query = url.Values{"replace": {strings.Join(lists, ",")}}
	}
	_, absent, err := t.api.do(ctx, c)
	if err == nil && absent {
		return fault.New(fault.Rejected, "netsuite: "+c.op, "it does not exist any more").WithCode(codeMissing).
			WithHint(hint(problem{codes: []string{codeMissing}}, http.StatusNotFound))
	}
	return err
}

// answer is what is read of a record.
type answer struct {
	ID       label  `json:"id"`
	EntityID string `json:"entityId"`
	TranID   string `json:"tranId"`
	Status   label  `json:"status"`
	Total    label  `json:"total"`
	Currency label  `json:"currency"`
}

// read gets a record by internal id or "eid:…".
func (t *target) read(ctx context.Context, rec record, verb, path string) (connector.Result, bool, error) {
	op := verb + " " + title(rec.Name)
	resp, absent, err := t.api.do(ctx, call{
		op: op, method: http.MethodGet, path: "/record/v1/" + rec.Name + "/" + path,
		query: url.Values{"fields": {rec.read}},
	})
	if err != nil || absent {
		return connector.Result{}, false, err
	}
	var a answer
	if decode(resp.Body, &a) != nil || a.ID.id == "" {
		return connector.Result{}, false, unreadable(op)
	}
	r := connector.Result{
		ID: a.ID.id, Number: first(a.TranID, a.EntityID), Effect: events.EffectUnchanged,
		URL: t.app + rec.page + "?id=" + url.QueryEscape(a.ID.id),
	}
	if rec.Name != typeOrder {
		return r, true, nil
	}
	// Only what NetSuite itself decides is passed on: the rest is an echo of
	// the document, and might be older than what its source says by now.
	r.Seen = events.Fields{}
	r.Seen.Set("number", a.TranID)
	r.Seen.Set("status", first(a.Status.name, a.Status.id))
	iso, err := t.money.iso(ctx, a.Currency.id)
	if err != nil {
		return connector.Result{}, false, err
	}
	if total, err := events.NewMoney(a.Total.id, iso); err == nil {
		r.Seen.Set("total", total)
	}
	return r, true, nil
}

// title is a record type in words, for errors.
func title(name string) string {
	switch name {
	case typeOrder:
		return "sales order"
	case typePayment:
		return "customer payment"
	default:
		return name
	}
}
