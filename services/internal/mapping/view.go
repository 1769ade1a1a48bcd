package mapping

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"github.com/spoke-sync/spoke/events"
)

// view shows a golden record to CEL. Values are decoded when an expression
// asks for them.
type view struct {
	rec  *events.Record
	self string // DocKey of the flow's own target, which sync leaves out
	// kinds are the names of vendors that docs may go by.
	kinds kindNames
	loop  string // name of the loop variable, if any
	item  ref.Val
}

var _ interpreter.Activation = view{}

// ResolveName implements interpreter.Activation.
func (v view) ResolveName(name string) (any, bool) {
	switch name {
	case string(v.rec.Key.Entity):
		return object{types.NewObjectType(name), entityView{v.rec}}, true
	case varRecord:
		return object{recordType, recordView{v.rec.Key}}, true
	case varDocs:
		return object{docsType, docsView{v.rec, v.kinds}}, true
	case varSync:
		return object{syncType, syncView{v.rec, v.self}}, true
	case v.loop:
		return v.item, v.item != nil
	}
	return nil, false
}

// Parent implements interpreter.Activation.
func (v view) Parent() interpreter.Activation { return nil }

type recordView struct{ key events.Key }

func (r recordView) field(name string) (ref.Val, bool) {
	switch name {
	case "id":
		return types.String(r.key.ID), true
	case "entity":
		return types.String(r.key.Entity), true
	}
	return nil, false
}

// entityView is the record as its canonical entity.
type entityView struct{ rec *events.Record }

const customField = "custom"

func (e entityView) field(name string) (ref.Val, bool) {
	f, ok := e.rec.Key.Entity.Fields()[name]
	if !ok {
		return nil, false
	}
	if f.Kind == events.KindCustom {
		return e.custom(), true
	}
	return fromJSON(f.Kind, e.rec.Fields[name].Value)
}

func (e entityView) custom() ref.Val {
	m := map[string]any{}
	for name, f := range e.rec.Fields {
		key, ok := strings.CutPrefix(name, customField+".")
		if !ok || events.IsNull(f.Value) {
			continue
		}
		if v, ok := customValue(f.Value); ok {
			m[key] = v
		}
	}
	return types.DefaultTypeAdapter.NativeToValue(m)
}

// customValue decodes any JSON; its numbers become decimals, digit by digit.
func customValue(raw json.RawMessage) (any, bool) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil, false
	}
	return exactNumbers(v), true
}

func exactNumbers(v any) any {
	switch x := v.(type) {
	case json.Number:
		if d, err := events.ParseDecimal(x.String()); err == nil {
			return decimal{d}
		}
		return x.String()
	case []any:
		for i := range x {
			x[i] = exactNumbers(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = exactNumbers(x[k])
		}
	}
	return v
}

// kindNames are the connections of each kind of vendor that has none of its own
// name: what docs.<kind> stands for.
type kindNames map[string][]string

// docsView is what other systems hold for the record: docs.stripe.invoice.
type docsView struct {
	rec   *events.Record
	kinds kindNames
}

func (d docsView) field(name string) (ref.Val, bool) {
	connections, kind := d.kinds[name]
	if !kind {
		connections = []string{name}
	}
	for key := range d.rec.Docs {
		if c, _, _ := strings.Cut(key, "/"); slices.Contains(connections, c) {
			return object{types.NewObjectType(docType(name, "")), connectionView{d.rec, name, connections}}, true
		}
	}
	return nil, false
}

// connectionView is what one connection holds, or one of several of a kind.
type connectionView struct {
	rec         *events.Record
	name        string
	connections []string
}

// field returns the document at the connection that has one. Where several
// connections hold an object, none of them is the one that is meant.
func (c connectionView) field(name string) (ref.Val, bool) {
	var found []events.Doc
	for _, connection := range c.connections {
		if doc, ok := c.rec.Docs[events.DocKey(connection, name)]; ok && (doc.ID != "" || len(c.connections) == 1) {
			found = append(found, doc)
		}
	}
	if len(found) != 1 {
		return nil, false
	}
	return object{types.NewObjectType(docType(c.name, name)), docView{found[0]}}, true
}

type docView struct{ doc events.Doc }

func (d docView) field(name string) (ref.Val, bool) {
	switch name {
	case "id":
		return nonEmpty(d.doc.ID)
	case "number":
		return nonEmpty(d.doc.Number)
	case "state":
		return nonEmpty(string(d.doc.State))
	case "url":
		if d.doc.URL != "" {
			return nonEmpty(d.doc.URL)
		}
	}
	f, ok := d.doc.Entity.Fields()[name]
	if !ok || f.Kind == events.KindCustom {
		return nil, false
	}
	return fromJSON(f.Kind, d.doc.Seen[name].Value)
}

func nonEmpty(s string) (ref.Val, bool) { return types.String(s), s != "" }

// syncView sums up the record's documents at the other connections.
type syncView struct {
	rec  *events.Record
	self string
}

// The states of sync.state, worst first.
const (
	syncFailed  = "failed"
	syncHeld    = "waiting"
	syncPending = "pending"
	syncDone    = "synced"
)

func (s syncView) field(name string) (ref.Val, bool) {
	state, detail := s.summary()
	switch name {
	case "state":
		return nonEmpty(state)
	case "detail":
		return nonEmpty(detail)
	}
	return nil, false
}

// summary looks at every document that was wanted. detail names the documents
// in the state that counts, in order.
func (s syncView) summary() (state, detail string) {
	found := map[string][]string{}
	for key, want := range s.rec.Wanted {
		if key == s.self {
			continue
		}
		st := syncPending
		doc, ok := s.rec.Docs[key]
		switch {
		case ok && doc.State == events.StateQuarantined:
			st = syncFailed
		case ok && doc.State == events.StateHeld:
			st = syncHeld
		case ok && doc.Told == want.Hash:
			st = syncDone
		}
		found[st] = append(found[st], key)
	}
	for _, st := range []string{syncFailed, syncHeld, syncPending, syncDone} {
		if keys := found[st]; len(keys) > 0 {
			slices.Sort(keys)
			return st, strings.Join(keys, ", ")
		}
	}
	return "", ""
}
