package stripebox

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// table holds the objects of one type, and their order of creation: Stripe
// lists the newest first, and many have the same second.
type table[T any] struct {
	Rows  map[string]*T `json:"rows"`
	Order []string      `json:"order"`
}

func (t *table[T]) add(id string, v *T) {
	if t.Rows == nil {
		t.Rows = map[string]*T{}
	}
	t.Rows[id] = v
	t.Order = append(t.Order, id)
}

func (t *table[T]) remove(id string) {
	delete(t.Rows, id)
	t.Order = slices.DeleteFunc(t.Order, func(x string) bool { return x == id })
}

// newest calls f with each object, the newest first.
func (t *table[T]) newest(f func(id string, v *T)) {
	for _, id := range slices.Backward(t.Order) {
		f(id, t.Rows[id])
	}
}

// state is everything that outlives a restart.
type state struct {
	Customers table[customer]       `json:"customers"`
	Products  table[product]        `json:"products"`
	Prices    table[price]          `json:"prices"`
	Items     table[item]           `json:"items"`
	Invoices  table[invoice]        `json:"invoices"`
	Intents   table[paymentIntent]  `json:"intents"`
	Charges   table[charge]         `json:"charges"`
	Payments  table[invoicePayment] `json:"payments"`
	Events    table[event]          `json:"events"`
	Refunds   table[refund]         `json:"refunds"`
	Disputes  table[dispute]        `json:"disputes"`
	Credits   table[creditNote]     `json:"credits"`
	Subs      table[subscription]   `json:"subscriptions"`
	Quotes    table[quote]          `json:"quotes"`
	Links     table[paymentLink]    `json:"links"`
	Records   table[paymentRecord]  `json:"records"`
	Sessions  table[session]        `json:"sessions"`
	Keys      map[string]stored     `json:"keys"`
}

// maxEvents bounds the events that are kept to be listed; Stripe itself keeps
// those of 30 days.
const maxEvents = 5000

func loadState(file string) (state, error) {
	var s state
	if file == "" {
		return s, nil
	}
	b, err := os.ReadFile(file) //nolint:gosec // the file that whoever starts the sandbox names
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// save writes the state beside the file and renames it, so that a crash
// leaves the old or the new one whole.
func (b *Box) save() {
	b.state.Keys = b.keys
	if err := sandbox.SaveState(b.opt.StateFile, b.state); err != nil {
		b.opt.Log.Error("stripebox: state not saved", "file", b.opt.StateFile, "error", err)
	}
}

// newID makes an id such as "cus_7QF2…". It is random, so that a sandbox
// without a state file never gives out the ids of an earlier run again.
func newID(prefix string) string { return prefix + "_" + rand.Text()[:20] }

// toMap is v as its JSON.
func toMap(v any) map[string]any {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var m map[string]any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if dec.Decode(&m) != nil {
		return nil
	}
	return m
}

// opt is null in JSON when empty.
func opt(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// expandable are the references that may be expanded, by their last part.
var expandable = []string{"customer", "invoice", "default_price", "payment_intent", "latest_charge", "product", "price", "charge", "line_items"}

// expand puts objects in the place of their ids.
func (b *Box) expand(v any, paths []string) (any, *problem) {
	if len(paths) == 0 {
		return v, nil
	}
	m := toMap(v)
	for _, path := range paths {
		parts := strings.Split(path, ".")
		if parts[0] == "data" {
			items, _ := m["data"].([]any)
			for _, it := range items {
				if o, ok := it.(map[string]any); !ok || !b.expandOne(o, parts[1:]) {
					return nil, invalid("expand", "", "This property cannot be expanded ("+path+").")
				}
			}
			continue
		}
		if !b.expandOne(m, parts) {
			return nil, invalid("expand", "", "This property cannot be expanded ("+path+").")
		}
	}
	return m, nil
}

func (b *Box) expandOne(m map[string]any, path []string) bool {
	for _, name := range path {
		v, ok := m[name]
		if !ok {
			return false
		}
		if id, isID := v.(string); isID && slices.Contains(expandable, name) {
			o := b.byID(id)
			if o == nil {
				return true
			}
			m[name] = o
			v = o
		}
		if v == nil {
			return true
		}
		next, isObject := v.(map[string]any)
		if !isObject {
			return false
		}
		m = next
	}
	return true
}

// byID renders any object.
func (b *Box) byID(id string) map[string]any {
	s := &b.state
	switch {
	case s.Customers.Rows[id] != nil:
		return toMap(s.Customers.Rows[id])
	case s.Products.Rows[id] != nil:
		return toMap(s.Products.Rows[id])
	case s.Prices.Rows[id] != nil:
		return toMap(s.Prices.Rows[id])
	case s.Invoices.Rows[id] != nil:
		return b.renderInvoice(s.Invoices.Rows[id])
	case s.Intents.Rows[id] != nil:
		return toMap(s.Intents.Rows[id])
	case s.Charges.Rows[id] != nil:
		return toMap(s.Charges.Rows[id])
	case s.Subs.Rows[id] != nil:
		return toMap(s.Subs.Rows[id])
	}
	return nil
}
