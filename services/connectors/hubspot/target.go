package hubspot

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
)

// target makes and writes records. Those that people made are written to and
// never deleted; those that Spoke made carry its key.
type target struct {
	api        *api
	portal     portal
	account    int64
	kinds      catalog
	labels     map[string]map[string]Association
	properties *properties
	journal    *journal // checked where it is configured
}

func newTarget(s *Settings, a *api, p portal, j *journal) *target {
	return &target{
		api: a, portal: p, account: p.id, kinds: newCatalog(s), labels: s.Associations, properties: newProperties(a), journal: j,
	}
}

// BatchSize is HubSpot's limit of one batch.
func (*target) BatchSize() int { return objectBatch }

// write is one document on its way.
type write struct {
	doc        int    // its place in Apply's argument
	id         string // of the record; empty for one that is to be made
	key        string // Spoke's, for records that it makes
	properties map[string]string
	// status is written once lines and associations are there; nil for none.
	status *string
	ends   []association
	lines  []line // nil where the document says nothing of them
}

// Apply makes HubSpot hold each document: records that exist take one call
// alone and one per hundred together, and so do those that are to be made;
// what is associated and the lines take batches of their own. It never blames
// one document for another: a batch that HubSpot refuses as a whole is taken
// apart.
func (t *target) Apply(ctx context.Context, docs []connector.Document) []connector.Result {
	results := make([]connector.Result, len(docs))
	known, fresh := map[string][]write{}, map[string][]write{}
	for i, d := range docs {
		if d.Op == events.DesiredVoid || d.Op == events.DesiredDelete {
			results[i] = t.remove(ctx, d)
			continue
		}
		k, w, err := t.plan(d)
		if w.doc = i; err != nil {
			results[i].Err = err
			continue
		}
		if w.id == "" {
			fresh[k.name] = append(fresh[k.name], w)
			continue
		}
		known[k.name] = append(known[k.name], w)
	}
	for _, k := range t.kinds {
		for _, chunk := range chunks(known[k.name]) {
			t.applyKnown(ctx, k, chunk, results)
			t.attach(ctx, k, chunk, results)
		}
		for _, chunk := range chunks(fresh[k.name]) {
			t.create(ctx, k, chunk, results)
			t.attach(ctx, k, chunk, results)
		}
	}
	return results
}

// applyKnown updates the properties of records, as far as there are any to set.
func (t *target) applyKnown(ctx context.Context, k kind, writes []write, results []connector.Result) {
	var some []write
	for _, w := range writes {
		if len(w.properties) == 0 {
			results[w.doc] = connector.Result{ID: w.id, URL: t.portal.link(k, w.id), Effect: events.EffectUnchanged}
			continue
		}
		some = append(some, w)
	}
	if len(some) > 0 {
		t.update(ctx, k, some, results)
	}
}

// chunks cuts writes into batches in which no record occurs twice.
func chunks(writes []write) [][]write {
	var all [][]write
	seen := map[string]bool{}
	for _, w := range writes {
		name := w.id + "/" + w.key
		last := len(all) - 1
		if last < 0 || seen[name] || len(all[last]) == objectBatch {
			all, seen = append(all, nil), map[string]bool{}
			last++
		}
		seen[name] = true
		all[last] = append(all[last], w)
	}
	return all
}

// plan checks a document and makes HubSpot's form of it, without any call.
func (t *target) plan(d connector.Document) (kind, write, error) {
	k, id, err := t.locate(d, "update "+d.Object)
	op := "hubspot: update " + d.Object
	switch {
	case err != nil:
		return k, write{}, err
	case d.Op != events.DesiredUpsert:
		return k, write{}, fault.New(fault.Rejected, op, "unknown operation").WithCode("NOT_SUPPORTED")
	}
	w := write{id: id, properties: make(map[string]string, len(d.Fields))}
	for name, v := range d.Fields {
		switch {
		case strings.HasPrefix(name, associatedPrefix):
			end, err := t.association(k, name, v)
			if err != nil {
				return k, w, err
			}
			w.ends = append(w.ends, end)
			continue
		case name == linesField && holds(k, lineItem):
			if w.lines, err = t.planLines(op, d.Key, v); err != nil {
				return k, w, err
			}
			continue
		}
		text, ok := propertyText(v)
		if !ok || !propertyName(name) || name == keyProperty {
			return k, w, fault.New(fault.Rejected, op, "a property takes a text, a number, a date or true and false").
				WithCode("INVALID_FIELD").WithField(name).WithHint("mend the flow's expression for the property")
		}
		w.properties[name] = t.moment(name, text)
	}
	slices.SortFunc(w.ends, func(a, b association) int { return strings.Compare(a.field, b.field) })
	if text, ok := w.properties[k.status]; ok && k.status != "" {
		delete(w.properties, k.status)
		w.status = &text
	}
	if id == "" {
		w.key = d.Key
		for _, name := range k.needed {
			if w.properties[name] == "" {
				return k, w, fault.New(fault.Rejected, "hubspot: create "+d.Object, "HubSpot makes no %s without this property", d.Object).
					WithCode("MISSING_REQUIRED_PROPERTY").WithField(name).WithHint("map the property in the flow, or fill in the value that it takes")
			}
		}
	}
	return k, w, nil
}

// moment is the start of a day in the portal's zone, for the one property of
// ours that holds a time and is shown to people as a day.
func (t *target) moment(name, text string) string {
	if name != "closedate" {
		return text
	}
	day, err := time.ParseInLocation(time.DateOnly, text, t.api.zone)
	if err != nil {
		return text
	}
	return day.UTC().Format(time.RFC3339)
}

// locate finds the kind and the id of a document's record. An empty id means
// that there is none yet, or none that is known.
func (t *target) locate(d connector.Document, op string) (kind, string, error) {
	op = "hubspot: " + op
	k, ok := t.kinds.named(d.Object)
	if !ok || !k.writable() {
		return kind{}, "", fault.New(fault.Rejected, op, "Spoke writes no objects of this type in HubSpot").
			WithCode("UNKNOWN_OBJECT").WithHint("object: may be one of those that the connection lists as writable")
	}
	id := d.ExternalID
	if id == "" {
		id = d.KnownID
	}
	if id == "" && d.Key != "" {
		return k, "", nil
	}
	if !validID(id) {
		return k, "", fault.New(fault.Rejected, op, "%s has no record in HubSpot", d.Record).WithCode("NOT_IN_HUBSPOT").
			WithHint("its id there is none: read the record from HubSpot again")
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

// Find reads the document's record by its id, or by Spoke's key.
func (t *target) Find(ctx context.Context, doc connector.Document) (connector.Result, bool, error) {
	rec, k, found, err := t.find(ctx, doc, "find "+doc.Object)
	if err != nil || !found {
		return connector.Result{}, false, err
	}
	return connector.Result{ID: rec.ID, URL: t.portal.link(k, rec.ID)}, true, nil
}

func (t *target) find(ctx context.Context, doc connector.Document, op string) (record, kind, bool, error) {
	k, id, err := t.locate(doc, op)
	if err != nil {
		return record{}, k, false, err
	}
	q := url.Values{"properties": {"hs_object_id," + keyProperty}}
	if id == "" {
		// Where there is no such property, nothing can have its value.
		if !t.properties.hasKey(k) {
			there, err := t.properties.findKey(ctx, k)
			if err != nil || !there {
				return record{}, k, false, err
			}
		}
		id = doc.Key
		q.Set("idProperty", keyProperty)
	}
	var rec record
	err = t.api.do(ctx, call{op: op, method: http.MethodGet, path: t.api.objects(k, "/"+url.PathEscape(id)), query: q, out: &rec})
	switch {
	case isNotFound(err):
		return record{}, k, false, nil
	case err != nil:
		return record{}, k, false, err
	case !validID(rec.ID):
		return record{}, k, false, garbled("hubspot: "+op, http.StatusOK)
	}
	return rec, k, true, nil
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
	if t.journal != nil {
		return t.journal.check(ctx)
	}
	return nil
}

// stops reports whether an error of one call will meet the next ones too.
func stops(err error) bool {
	return slices.Contains([]fault.Kind{fault.Throttled, fault.Unavailable, fault.Unauthorized}, fault.KindOf(err))
}
