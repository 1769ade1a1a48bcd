package quickbooksbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spoke-sync/spoke/services/internal/sandbox"
)

// object is one stored object in the vendor's JSON.
type object map[string]any

// state is the whole company. It is the form of the state file.
type state struct {
	Refresh    string `json:"refresh"`
	OldRefresh string `json:"oldRefresh,omitempty"`
	// RefreshUntil is when the refresh token ends, HardUntil the consent.
	RefreshUntil time.Time            `json:"refreshUntil,omitzero"`
	HardUntil    time.Time            `json:"hardUntil,omitzero"`
	Codes        map[string]consent   `json:"codes,omitempty"`
	Access       map[string]time.Time `json:"access"`
	NextID       int                  `json:"nextId"`
	NextNumber   int                  `json:"nextNumber"`
	// Objects by entity, then by id.
	Objects map[string]map[string]object `json:"objects"`
	// Gone tells when objects were deleted, by entity and id.
	Gone map[string]map[string]time.Time `json:"gone,omitempty"`
	// Requests holds the answer that each request id got.
	Requests map[string]json.RawMessage `json:"requests"`
}

func newState(o Options) state {
	return state{
		Refresh: o.RefreshToken, Access: map[string]time.Time{}, Codes: map[string]consent{}, NextID: 100, NextNumber: 1001,
		HardUntil: o.Now().Add(o.HardLife),
		Objects: map[string]map[string]object{
			"Account": {
				"79": account("79", IncomeAccount, "Income", "SalesOfProductIncome"),
				"4":  account("4", DepositAccount, "Other Current Asset", "UndepositedFunds"),
				"35": account("35", BankAccount, "Bank", "Checking"),
				"81": account("81", AssetAccount, "Other Current Asset", "Inventory"),
				"80": account("80", ExpenseAccount, "Cost of Goods Sold", "SuppliesMaterialsCogs"),
			},
			"TaxCode": taxCodes(o),
		},
		Requests: map[string]json.RawMessage{},
	}
}

// complete adds what a state file of an earlier sandbox lacks.
func (s *state) complete() {
	if s.Codes == nil {
		s.Codes = map[string]consent{}
	}
	for _, e := range entities() {
		if s.Objects[e.name] == nil {
			s.Objects[e.name] = map[string]object{}
		}
	}
}

func taxCodes(o Options) map[string]object {
	codes := map[string]object{}
	for id := range o.TaxRates {
		codes[id] = object{"Id": id, "Name": o.TaxRates[id] + "%", "Active": true}
	}
	if o.Country == "US" {
		codes["TAX"], codes["NON"] = object{"Id": "TAX", "Name": "TAX", "Active": true}, object{"Id": "NON", "Name": "NON", "Active": true}
	}
	return codes
}

func account(id, name, typ, sub string) object {
	return object{
		"Id": id, "SyncToken": "0", "Name": name, "FullyQualifiedName": name, "AccountType": typ,
		"AccountSubType": sub, "Active": true, "domain": "QBO", "sparse": false,
	}
}

// newID returns the next id, which is unique over all entities.
func (s *state) newID() string {
	s.NextID++
	return strconv.Itoa(s.NextID)
}

// decode reads JSON with its numbers digit by digit.
func decode(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return dec.Decode(v)
}

// clone copies an object in depth.
func clone(o object) object {
	raw, err := json.Marshal(o)
	if err != nil {
		return nil
	}
	var c object
	if decode(raw, &c) != nil {
		return nil
	}
	return c
}

func (b *Box) load() error {
	if b.opts.StateFile == "" {
		return nil
	}
	raw, err := os.ReadFile(b.opts.StateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return decode(raw, &b.state)
}

// save writes the state file by a rename, so that a crash leaves the old or
// the new one. The caller holds the lock.
func (b *Box) save() {
	if err := sandbox.SaveState(b.opts.StateFile, b.state); err != nil {
		b.opts.Log.Error("quickbooksbox: state not saved", "file", b.opts.StateFile, "error", err)
	}
}

// dump is what GET /_sandbox/objects shows.
func (b *Box) dump() map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]any{}
	for name, byID := range b.state.Objects {
		objects := map[string]any{}
		for id, o := range byID {
			objects[id] = clone(o)
		}
		all[name] = objects
	}
	return all
}

// list returns copies of all objects of an entity in the order of their ids.
func (b *Box) list(entity string) []map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	byID := b.state.Objects[entity]
	out := make([]map[string]any, 0, len(byID))
	for _, id := range sortedIDs(byID) {
		out = append(out, clone(byID[id]))
	}
	return out
}

// sortedIDs puts ids, which are numbers, into their order.
func sortedIDs(byID map[string]object) []string {
	return slices.SortedFunc(maps.Keys(byID), func(x, y string) int {
		if len(x) != len(y) {
			return len(x) - len(y)
		}
		return bytes.Compare([]byte(x), []byte(y))
	})
}

// List returns all objects of an entity as QuickBooks's JSON.
func (b *Box) List(entity string) []map[string]any { return b.list(entity) }

// Customers returns all customers as QuickBooks's JSON.
func (b *Box) Customers() []map[string]any { return b.list("Customer") }

// Items returns all items as QuickBooks's JSON.
func (b *Box) Items() []map[string]any { return b.list("Item") }

// Invoices returns all invoices as QuickBooks's JSON.
func (b *Box) Invoices() []map[string]any { return b.list("Invoice") }

// Payments returns all payments as QuickBooks's JSON.
func (b *Box) Payments() []map[string]any { return b.list("Payment") }
