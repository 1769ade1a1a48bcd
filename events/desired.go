package events

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
)

// DesiredOp says what the vendor should do with the object.
type DesiredOp string

// The operations of a desired document.
const (
	DesiredUpsert DesiredOp = "upsert"
	DesiredVoid   DesiredOp = "void"
	DesiredDelete DesiredOp = "delete"
	// DesiredNone withdraws what was wanted before: nothing is to be written any
	// more, and what the system holds stays as it is.
	DesiredNone DesiredOp = "none"
)

// Desired is what one connected system should hold for one record. It stands
// in HUB until a newer one replaces it.
type Desired struct {
	Tenant     string    `json:"tenant"`
	Connection string    `json:"connection"`
	Object     string    `json:"object"` // the vendor's type: salesOrder
	Entity     Entity    `json:"entity"` // canonical kind of that type
	Record     Key       `json:"record"`
	Flow       string    `json:"flow"`
	Op         DesiredOp `json:"op"`
	// KnownID is the vendor's id of the object where the record already knew
	// it; the sink's ledger outranks it. It is no part of Hash.
	KnownID string `json:"knownId,omitempty"`
	// Fields are in the vendor's names. Leaves are strings, bools, numbers
	// (json.Number, never float64), Money objects, nulls and {"$ref":…}.
	Fields map[string]any `json:"fields"`
	// Hash identifies Connection, Object, Record, Op and Fields. Two
	// documents with one hash ask for the same thing.
	Hash string `json:"hash"`
	// Reason tells why it was published: changed, drift or resync.
	Reason string `json:"reason,omitempty"`
}

// Ref points to another object at the same connection by the record it
// stands for. The sink puts the vendor's id in its place.
type Ref struct {
	Object string `json:"object"`
	Record Key    `json:"record"`
}

// refKey marks a Ref within Fields.
const refKey = "$ref"

// MarshalJSON writes {"$ref":{…}}.
func (r Ref) MarshalJSON() ([]byte, error) {
	type plain Ref
	return json.Marshal(map[string]plain{refKey: plain(r)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Ref) UnmarshalJSON(b []byte) error {
	type plain Ref
	var in map[string]plain
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	inner, ok := in[refKey]
	if !ok || len(in) != 1 {
		return fmt.Errorf("reference: want {%q: {…}}", refKey)
	}
	*r = Ref(inner)
	return nil
}

// AsRef reports whether a decoded leaf is a Ref and returns it.
func AsRef(v any) (Ref, bool) {
	switch x := v.(type) {
	case Ref:
		return x, true
	case map[string]any:
		inner, ok := x[refKey].(map[string]any)
		if !ok || len(x) != 1 {
			return Ref{}, false
		}
		object, _ := inner["object"].(string)
		record, _ := inner["record"].(string)
		key, err := ParseKey(record)
		return Ref{Object: object, Record: key}, err == nil
	}
	return Ref{}, false
}

// Refs returns every Ref in the document, without repeats, in order of first
// appearance by field name.
func (d Desired) Refs() []Ref {
	var refs []Ref
	var walk func(v any)
	walk = func(v any) {
		if r, ok := AsRef(v); ok {
			if !slices.Contains(refs, r) {
				refs = append(refs, r)
			}
			return
		}
		switch x := v.(type) {
		case map[string]any:
			for _, k := range sortedKeys(x) {
				walk(x[k])
			}
		case []any:
			for _, e := range x {
				walk(e)
			}
		}
	}
	walk(d.Fields)
	return refs
}

// Resolve returns the fields with every Ref replaced by what lookup answers.
// The document is not changed.
func (d Desired) Resolve(lookup func(Ref) string) map[string]any {
	var copyOf func(v any) any
	copyOf = func(v any) any {
		if r, ok := AsRef(v); ok {
			return lookup(r)
		}
		switch x := v.(type) {
		case map[string]any:
			m := make(map[string]any, len(x))
			for k, e := range x {
				m[k] = copyOf(e)
			}
			return m
		case []any:
			l := make([]any, len(x))
			for i, e := range x {
				l[i] = copyOf(e)
			}
			return l
		}
		return v
	}
	resolved, _ := copyOf(d.Fields).(map[string]any)
	return resolved
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Seal computes the hash. It is called once the document is complete.
func (d *Desired) Seal() error {
	// encoding/json writes map keys in sorted order, so equal documents have
	// equal bytes.
	b, err := json.Marshal([]any{d.Connection, d.Object, d.Record, d.Op, d.Fields})
	if err != nil {
		return fmt.Errorf("desired %s of %s: %w", DocKey(d.Connection, d.Object), d.Record, err)
	}
	sum := sha256.Sum256(b)
	d.Hash = base64.RawURLEncoding.EncodeToString(sum[:18])
	return nil
}

// UnmarshalJSON keeps numbers digit by digit.
func (d *Desired) UnmarshalJSON(b []byte) error {
	type plain Desired
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var p plain
	if err := dec.Decode(&p); err != nil {
		return fmt.Errorf("desired document: %w", err)
	}
	*d = Desired(p)
	return nil
}
