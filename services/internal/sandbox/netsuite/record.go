package netsuitebox

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

const maxBody = 8 << 20

// record serves one call of a record type with the account locked.
func (b *Box) record(name string, h func(w http.ResponseWriter, r *http.Request, name string) error) http.HandlerFunc {
	known := []string{"replace", "replaceSelectedFields", "fields", "expandSubResources", "simpleEnumFormat", "limit", "offset", "q"}
	serve := func(w http.ResponseWriter, r *http.Request) {
		for p := range r.URL.Query() {
			if !slices.Contains(known, p) {
				answer(w, problem{Code: "INVALID_PARAMETER", Query: p, Detail: "The query parameter '" + p + "' is unknown."})
				return
			}
		}
		// A slow caller must not hold the account.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			answer(w, problem{Code: "INVALID_CONTENT", Detail: "The request body can't be read."})
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		b.mu.Lock()
		defer b.mu.Unlock()
		if err := h(w, r, name); err != nil {
			answer(w, err)
		}
	}
	return func(w http.ResponseWriter, r *http.Request) { b.deferred(w, r, serve) }
}

// lookup finds the row that a path names by id or "eid:…".
func (b *Box) lookup(name, id string) (*row, error) {
	external, byExternal := strings.CutPrefix(id, "eid:")
	r := b.state.ids[id]
	if byExternal {
		r = b.state.external(name, external)
	}
	if r == nil || r.Type != name {
		return nil, problem{
			Code: "NONEXISTENT_ID", URL: "/" + name + "/" + id, status: http.StatusNotFound,
			Detail: "The record instance does not exist. Provide a valid record instance ID.",
		}
	}
	return r, nil
}

func (b *Box) create(w http.ResponseWriter, r *http.Request, name string) error {
	in, err := readInput(r)
	if err != nil {
		return err
	}
	made := &row{Type: name, Fields: map[string]any{}}
	if err := b.write(made, in); err != nil {
		return err
	}
	b.located(w, r, made)
	return nil
}

func (b *Box) patch(w http.ResponseWriter, r *http.Request, name string) error {
	in, err := readInput(r)
	if err != nil {
		return err
	}
	old, err := b.lookup(name, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := b.write(old, in); err != nil {
		return err
	}
	b.located(w, r, old)
	return nil
}

func (b *Box) upsert(w http.ResponseWriter, r *http.Request, name string) error {
	external, ok := strings.CutPrefix(r.PathValue("id"), "eid:")
	if !ok {
		return problem{Code: "INVALID_REQUEST", URL: r.URL.Path, Detail: "An upsert needs an external ID."}
	}
	in, err := readInput(r)
	if err != nil {
		return err
	}
	in.body["externalId"] = external
	at, err := b.lookup(name, r.PathValue("id"))
	if err != nil {
		at = &row{Type: name, Fields: map[string]any{}}
	}
	if err := b.write(at, in); err != nil {
		return err
	}
	b.located(w, r, at)
	return nil
}

func (b *Box) located(w http.ResponseWriter, r *http.Request, at *row) {
	w.Header().Set("Location", "http://"+r.Host+restRoot+"/record/v1/"+at.Type+"/"+at.ID)
	w.WriteHeader(http.StatusNoContent)
}

func (b *Box) remove(w http.ResponseWriter, r *http.Request, name string) error {
	old, err := b.lookup(name, r.PathValue("id"))
	if err != nil {
		return err
	}
	kind := name
	if slices.Contains(itemTypes(), name) {
		kind = "item"
	}
	for _, other := range b.state.Rows {
		if b.pointsTo(b.schemas[other.Type], other.Fields, kind, old.ID) {
			return problem{Code: "USER_ERROR", Detail: "This record cannot be deleted because it has dependent records."}
		}
	}
	if err := b.forget(old); err != nil {
		return err
	}
	b.Effect(name+" deleted", old.key())
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// forget removes a record and remembers that it did.
func (b *Box) forget(old *row) error {
	b.state.drop(old)
	b.state.Rows = slices.DeleteFunc(b.state.Rows, func(o *row) bool { return o == old })
	b.state.Deleted = append(b.state.Deleted, deletion{Type: deletedName(old.Type), ID: old.ID, At: b.opts.Now().UTC()})
	return b.file.save(b.state)
}

// deletedName is how the table of deletions writes a type.
func deletedName(kind string) string {
	names := map[string]string{
		"salesOrder": "Sales Order", "customerPayment": "Payment", "creditMemo": "Credit Memo", "customerRefund": "Customer Refund",
		"inventoryItem": "Inventory Item", "nonInventorySaleItem": "Non-inventory Item", "serviceSaleItem": "Service",
	}
	if name, ok := names[kind]; ok {
		return name
	}
	return kind
}

func (b *Box) pointsTo(s schema, fields map[string]any, kind, id string) bool {
	for name, v := range fields {
		p := s[name]
		if p.kind == aRef && p.to == kind && identity(v) == id {
			return true
		}
		lines, _ := v.([]any)
		for _, l := range lines {
			if m, ok := l.(map[string]any); ok && b.pointsTo(p.lines, m, kind, id) {
				return true
			}
		}
	}
	return false
}

func (b *Box) get(w http.ResponseWriter, r *http.Request, name string) error {
	at, err := b.lookup(name, r.PathValue("id"))
	if err != nil {
		return err
	}
	s, q := b.schemas[name], r.URL.Query()
	out := b.shown(name, s, b.derived(at), q.Get("expandSubResources") == "true", q.Get("simpleEnumFormat") == "true")
	out["createdDate"], out["lastModifiedDate"] = at.Created.Format(time.RFC3339), at.Modified.Format(time.RFC3339)
	if at.ExternalID != "" {
		out["externalId"] = at.ExternalID
	}
	if fields := q.Get("fields"); fields != "" {
		asked := map[string]any{}
		for _, f := range strings.Split(fields, ",") {
			if _, ok := s[f]; !ok {
				return problem{Code: "INVALID_PARAMETER", Query: "fields", Detail: "There is no field " + f + "."}
			}
			if v, ok := out[f]; ok {
				asked[f] = v
			}
		}
		out = asked
	}
	out["id"], out["links"] = at.ID, []any{map[string]string{"rel": "self", "href": "http://" + r.Host + r.URL.Path}}
	sandbox.JSON(w, http.StatusOK, out)
	return nil
}

// shown is a stored record as it is read.
func (b *Box) shown(kind string, s schema, fields map[string]any, expand, simple bool) map[string]any {
	out := map[string]any{}
	for name, v := range fields {
		p := s[name]
		switch {
		case p.kind == aRef:
			out[name] = map[string]any{"id": identity(v), "refName": b.nameOf(p.to, identity(v)), "links": []any{}}
		case p.kind == anEnum && !simple:
			out[name] = map[string]any{"id": v, "refName": statusNames(kind, identity(v))}
		case p.kind == aList && !expand:
			out[name] = map[string]any{"links": []any{}}
		case p.kind == aList:
			items, _ := v.([]any)
			lines := make([]any, len(items))
			for i, l := range items {
				lines[i] = b.shown(kind, p.lines, l.(map[string]any), expand, simple)
			}
			out[name] = map[string]any{"items": lines, "count": len(lines), "totalResults": len(lines), "hasMore": false, "offset": 0}
		default:
			out[name] = v
		}
	}
	return out
}

// nameOf is what people read for a reference. A currency's name is not its
// ISO code.
func (b *Box) nameOf(kind, id string) string {
	if r := b.target(kind, id); r != nil {
		for _, name := range []string{"companyName", "itemId", "tranId"} {
			if s, ok := r.Fields[name].(string); ok {
				return s
			}
		}
	}
	return kind + " " + id
}

func (b *Box) list(w http.ResponseWriter, r *http.Request, name string) error {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 1 || limit > 1000 {
		limit = 1000
	}
	items, total := []any{}, 0
	for _, at := range b.state.Rows {
		if at.Type != name {
			continue
		}
		if total++; len(items) < limit {
			items = append(items, map[string]any{"id": at.ID, "links": []any{}})
		}
	}
	sandbox.JSON(w, http.StatusOK, map[string]any{
		"items": items, "count": len(items), "totalResults": total, "offset": 0, "hasMore": total > len(items), "links": []any{},
	})
	return nil
}

// dump shows the records by type and external or internal id.
func (b *Box) dump() map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]any{}
	for _, r := range b.state.Rows {
		of, ok := all[r.Type].(map[string]any)
		if !ok {
			of = map[string]any{}
			all[r.Type] = of
		}
		shown := b.derived(r)
		shown["id"], shown["externalId"] = r.ID, r.ExternalID
		of[r.key()] = shown
	}
	return all
}

// servePage stands in for the pages that results link to.
func (b *Box) servePage(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.state.ids[r.URL.Query().Get("id")]
	if at == nil {
		http.NotFound(w, r)
		return
	}
	sandbox.JSON(w, http.StatusOK, at)
}
