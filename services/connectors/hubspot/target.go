package hubspot

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// target writes properties of records that exist. HubSpot is the hub: records
// begin and end there by people's hands, never by Spoke's.
type target struct {
	api        *api
	portal     portal
	account    int64
	properties *properties
}

func newTarget(a *api, p portal) *target {
	return &target{api: a, portal: p, account: p.id, properties: newProperties(a)}
}

// BatchSize is HubSpot's limit of one batch update.
func (*target) BatchSize() int { return objectBatch }

// write is one document on its way.
type write struct {
	doc        int // its place in Apply's argument
	id         string
	properties map[string]string
}

// Apply sets the properties of each document's record: alone with one call,
// together with one per hundred. It never blames one document for another: a
// batch that HubSpot refuses as a whole is taken apart.
func (t *target) Apply(ctx context.Context, docs []connector.Document) []connector.Result {
	results := make([]connector.Result, len(docs))
	groups := map[string][]write{}
	for i, d := range docs {
		k, w, err := plan(d)
		switch {
		case err != nil:
			results[i].Err = err
		case len(w.properties) == 0:
			results[i] = connector.Result{ID: w.id, URL: t.portal.link(k, w.id), Effect: events.EffectUnchanged}
		default:
			w.doc = i
			groups[k.name] = append(groups[k.name], w)
		}
	}
	for _, k := range kinds {
		for _, chunk := range chunks(groups[k.name]) {
			t.update(ctx, k, chunk, results)
		}
	}
	return results
}

// chunks cuts writes into batches in which no record occurs twice.
func chunks(writes []write) [][]write {
	var all [][]write
	seen := map[string]bool{}
	for _, w := range writes {
		last := len(all) - 1
		if last < 0 || seen[w.id] || len(all[last]) == objectBatch {
			all, seen = append(all, nil), map[string]bool{}
			last++
		}
		seen[w.id] = true
		all[last] = append(all[last], w)
	}
	return all
}

// plan checks a document and makes HubSpot's form of it, without any call.
func plan(d connector.Document) (kind, write, error) {
	k, id, err := locate(d, "update "+d.Object)
	op := "hubspot: update " + d.Object
	switch {
	case err != nil:
		return k, write{}, err
	case d.Op == events.DesiredVoid, d.Op == events.DesiredDelete:
		return k, write{}, fault.New(fault.Rejected, op, "Spoke does not %s records in HubSpot", d.Op).
			WithCode("NOT_SUPPORTED").WithHint("set on_leave: keep in the flow, and delete the record in HubSpot where that is meant")
	case d.Op != events.DesiredUpsert:
		return k, write{}, fault.New(fault.Rejected, op, "unknown operation").WithCode("NOT_SUPPORTED")
	}
	w := write{id: id, properties: make(map[string]string, len(d.Fields))}
	for name, v := range d.Fields {
		text, ok := propertyText(v)
		if !ok || !propertyName(name) {
			return k, write{}, fault.New(fault.Rejected, op, "a property takes a text, a number, a date or true and false").
				WithCode("INVALID_FIELD").WithField(name).WithHint("mend the flow's expression for the property")
		}
		w.properties[name] = text
	}
	return k, w, nil
}

// locate finds the kind and the id of a document's record.
func locate(d connector.Document, op string) (kind, string, error) {
	op = "hubspot: " + op
	k, ok := kindNamed(d.Object)
	if !ok || k.name == product.name || k.name == lineItem.name {
		return kind{}, "", fault.New(fault.Rejected, op, "Spoke writes no objects of this type in HubSpot").
			WithCode("UNKNOWN_OBJECT").WithHint("object: may be deal, company or contact")
	}
	id := d.ExternalID
	if id == "" {
		id = d.KnownID
	}
	if !validID(id) {
		return k, "", fault.New(fault.Rejected, op, "%s has no record in HubSpot", d.Record).WithCode("NOT_IN_HUBSPOT").
			WithHint("Spoke only writes to records that it has read from HubSpot: create it there first")
	}
	return k, id, nil
}

// propertyText is a field as a property's text. HubSpot clears a property
// that is set to an empty one. Money loses its currency: a property holds a
// number in the currency of its record.
func propertyText(v any) (text string, ok bool) {
	switch x := v.(type) {
	case nil:
		return "", true
	case string:
		return x, true
	case json.Number:
		return x.String(), true
	case bool:
		return strconv.FormatBool(x), true
	case map[string]any:
		amount, ok := x["amount"].(string)
		_, money := x["currency"].(string)
		return amount, ok && money && len(x) == 2
	}
	return "", false
}

// Find reads the document's record by its id.
func (t *target) Find(ctx context.Context, doc connector.Document) (connector.Result, bool, error) {
	op := "find " + doc.Object
	k, id, err := locate(doc, op)
	if err != nil {
		return connector.Result{}, false, err
	}
	var rec record
	err = t.api.do(ctx, call{
		op: op, method: http.MethodGet, path: t.api.objects(k, "/"+id),
		query: url.Values{"properties": {"hs_object_id"}}, out: &rec,
	})
	switch {
	case isNotFound(err):
		return connector.Result{}, false, nil
	case err != nil:
		return connector.Result{}, false, err
	case !validID(rec.ID):
		return connector.Result{}, false, garbled("hubspot: "+op, http.StatusOK)
	}
	return connector.Result{ID: rec.ID, URL: t.portal.link(k, rec.ID)}, true, nil
}

// Check reads the account's details and compares the portal.
func (t *target) Check(ctx context.Context) error {
	v, err := t.api.account(ctx)
	if err != nil {
		return err
	}
	if want := strconv.FormatInt(t.account, 10); t.account != 0 && v.PortalID.String() != want {
		return fault.New(fault.Unauthorized, "hubspot: check", "the token belongs to another portal than portal_id").
			WithCode("WRONG_PORTAL").WithHint("correct portal_id or enter the token of portal " + want)
	}
	return nil
}

// stops reports whether an error of one call will meet the next ones too.
func stops(err error) bool {
	return slices.Contains([]fault.Kind{fault.Throttled, fault.Unavailable, fault.Unauthorized}, fault.KindOf(err))
}
