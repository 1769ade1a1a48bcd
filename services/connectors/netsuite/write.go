package netsuite

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// upsert creates the record under its external id, or patches the one that
// stands there. A record is looked up first, because the answer to NetSuite's
// own upsert does not tell which of both it was, because some fields must only
// be sent with the first write, and because a transformation must not be
// repeated.
func (t *target) upsert(ctx context.Context, rec record, doc connector.Document) (connector.Result, error) {
	if err := t.tax.allow(ctx, t.api, rec, doc); err != nil {
		return connector.Result{}, err
	}
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
	body, err := t.body(ctx, rec, doc, known == "")
	if err != nil {
		return connector.Result{}, err
	}
	effect, path := events.EffectCreated, "eid:"+doc.Key
	switch source, _ := doc.Fields["createdFrom"].(string); {
	case known != "":
		// By internal id: an object that Spoke did not make has another
		// external id or none, and an upsert would make a second one.
		effect, path = events.EffectUpdated, url.PathEscape(known)
		err = t.update(ctx, rec, doc, known, body)
	case source != "":
		err = t.transform(ctx, rec, source, doc.Key, body)
	default:
		err = t.write(ctx, rec, write{verb: "create", method: http.MethodPut, path: path, body: body, key: doc.IdempotencyKey})
	}
	if err != nil {
		return connector.Result{}, err
	}
	r, found, err := t.read(ctx, rec, "read back", path)
	if err == nil && !found {
		err = fault.New(fault.Transient, "netsuite: read back "+title(rec.Name), "it is not there after the write")
	}
	r.Effect = effect
	withheld(rec, doc, r.Seen)
	if rec.Name == typeCustomer && effect == events.EffectCreated {
		r.Sent = sentAddress(doc)
	}
	return r, err
}

// update patches a record. An order whose lines are billed or fulfilled in part
// keeps them: they are patched one by one.
func (t *target) update(ctx context.Context, rec record, doc connector.Document, id string, body map[string]any) error {
	w := write{verb: "update", method: http.MethodPatch, path: url.PathEscape(id), body: body, key: doc.IdempotencyKey}
	if _, lines := body["item"]; lines && rec.Name == typeOrder {
		err := t.keepLines(ctx, rec, id, &w)
		if err != nil {
			return err
		}
	}
	return t.write(ctx, rec, w)
}

// transform makes a record from another one. NetSuite would make a second one
// if the call were repeated, so its fate is looked up by the external id after
// a lost answer.
func (t *target) transform(ctx context.Context, rec record, source, key string, body map[string]any) error {
	op := "create " + title(rec.Name) + " from " + title(rec.from)
	if _, lines := body["item"]; lines {
		return fault.New(fault.Malformed, "netsuite: "+op, "the lines are taken from the %s", title(rec.from)).WithField("item").
			WithHint("map either createdFrom or item")
	}
	body["externalId"] = key
	c := call{
		op: op, method: http.MethodPost, once: true, body: body, hide: personal(body),
		path: "/record/v1/" + rec.from + "/" + url.PathEscape(source) + "/!transform/" + rec.Name,
	}
	if lists := sublists(body); len(lists) > 0 {
		c.query = url.Values{"replace": {strings.Join(lists, ",")}}
	}
	_, absent, err := t.api.do(ctx, c)
	if err == nil && absent {
		return fault.New(fault.Rejected, "netsuite: "+op, "the %s does not exist any more", title(rec.from)).WithField("createdFrom").
			WithCode(codeMissing).WithHint("restore it in NetSuite, or drop this document")
	}
	return err
}

// write is one write of a record.
type write struct {
	verb, method, path string
	body               map[string]any
	// key is the document's idempotency key, for asynchronous writes.
	key string
	// keep is a sublist whose lines have keys: they are matched with those that
	// stand there instead of replacing them.
	keep string
}

// write sends a body. Sublists in it become the record's sublists: without
// replace, NetSuite would append the lines once more with every repetition.
func (t *target) write(ctx context.Context, rec record, w write) error {
	c := call{
		op: w.verb + " " + title(rec.Name), method: w.method, path: "/record/v1/" + rec.Name + "/" + w.path,
		body: w.body, hide: personal(w.body),
	}
	lists := slices.DeleteFunc(sublists(w.body), func(name string) bool { return name == w.keep })
	if len(lists) > 0 {
		c.query = url.Values{"replace": {strings.Join(lists, ",")}}
	}
	var absent bool
	var err error
	if t.settings.async(lineCount(w.body)) {
		absent, err = t.deferred(ctx, c, w.key)
	} else {
		_, absent, err = t.api.do(ctx, c)
	}
	if err == nil && absent {
		return fault.New(fault.Rejected, "netsuite: "+c.op, "it does not exist any more").WithCode(codeMissing).
			WithHint(hint(problem{codes: []string{codeMissing}}, http.StatusNotFound))
	}
	return err
}

func lineCount(body map[string]any) int {
	list, _ := body["item"].(map[string]any)
	lines, _ := list["items"].([]any)
	return len(lines)
}
