package checkpoint

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// Catalog says what there is to read, in the order in which it is backfilled.
type Catalog struct {
	Connections []Connection `json:"connections"`
}

// Connection is the feeds of one connection.
type Connection struct {
	Name  string `json:"name"`
	Title string `json:"title"` // of its vendor
	// Entities are all that the connection knows, Off those that are switched
	// off.
	Entities []events.Entity `json:"entities"`
	Off      []events.Entity `json:"off,omitempty"`
	Feeds    []Feed          `json:"feeds"`
}

// Feed is one feed of a connection.
type Feed struct {
	Name     string          `json:"name"`
	Objects  []string        `json:"objects"`
	Entities []events.Entity `json:"entities"`
	Backfill bool            `json:"backfill,omitempty"`
	Poll     bool            `json:"poll,omitempty"`
	// Every is the pause between two polls, a day for a nightly one; 0 when it
	// is not polled. Sync says it in words.
	Every time.Duration `json:"every,omitempty"`
	Sync  string        `json:"sync,omitempty"`
}

// NewConnection describes a connection's feeds. Those of entities that others
// refer to come first.
func NewConnection(name string, k connector.Kind, off func(events.Entity) bool) Connection {
	c := Connection{Name: name, Title: k.Title}
	for _, o := range k.Objects {
		if !slices.Contains(c.Entities, o.Entity) {
			c.Entities = append(c.Entities, o.Entity)
			if off(o.Entity) {
				c.Off = append(c.Off, o.Entity)
			}
		}
	}
	slices.Sort(c.Entities)
	slices.Sort(c.Off)
	for _, f := range k.Feeds {
		c.Feeds = append(c.Feeds, Feed{
			Name: f.Name, Objects: f.Objects, Entities: k.Entities(f), Backfill: f.Backfill, Poll: f.Poll,
		})
	}
	slices.SortStableFunc(c.Feeds, func(a, b Feed) int { return cmp.Compare(a.rank(), b.rank()) })
	return c
}

// order is the entities, those first that others refer to. An entity that is
// not listed, as one of custom objects, comes last.
var order = []events.Entity{
	events.EntityCompany, events.EntityContact, events.EntityProduct, events.EntityDeal, events.EntityQuote,
	events.EntityOrder, events.EntitySubscription, events.EntityInvoice, events.EntityPayment, events.EntityRefund,
	events.EntityCreditNote, events.EntityDispute,
}

func (f Feed) rank() int {
	rank := len(order)
	for _, e := range f.Entities {
		if i := slices.Index(order, e); i >= 0 {
			rank = min(rank, i)
		}
	}
	return rank
}

func (c Catalog) equal(o Catalog) bool { return reflect.DeepEqual(c, o) }

// Connection returns a connection by name. The error says what there is.
func (c Catalog) Connection(name string) (Connection, error) {
	names := make([]string, len(c.Connections))
	for i, conn := range c.Connections {
		if conn.Name == name {
			return conn, nil
		}
		names[i] = conn.Name
	}
	if len(names) == 0 {
		return Connection{}, fmt.Errorf("connection %q: Spoke has none yet: start it once with its configuration", name)
	}
	return Connection{}, fmt.Errorf("there is no connection %q%s", name, suggest(name, names))
}

func suggest(name string, known []string) string {
	if near, ok := events.Closest(name, known); ok {
		return ": did you mean " + near + "?"
	}
	return ": one of " + strings.Join(known, ", ")
}

// Plan returns what a backfill of entities reads, in its order: of each feed
// the entities that are wanted. No entities are all that can be backfilled.
// The error says why one can't be.
func (c Connection) Plan(entities []events.Entity) ([]Feed, error) {
	for _, e := range entities {
		if err := c.check(e); err != nil {
			return nil, err
		}
	}
	var plan []Feed
	covered := map[string]bool{}
	for _, f := range c.Feeds {
		if !f.Backfill || !slices.ContainsFunc(f.Objects, func(o string) bool { return !covered[o] }) {
			continue
		}
		f.Entities = slices.DeleteFunc(slices.Clone(f.Entities), func(e events.Entity) bool {
			return slices.Contains(c.Off, e) || len(entities) > 0 && !slices.Contains(entities, e)
		})
		if len(f.Entities) == 0 {
			continue
		}
		plan = append(plan, f)
		for _, o := range f.Objects {
			covered[o] = true
		}
	}
	if len(plan) == 0 {
		return nil, fmt.Errorf("%s: this connector can't be backfilled", c.Name)
	}
	return plan, nil
}

// Backfillable returns the entities that a backfill can read.
func (c Connection) Backfillable() []events.Entity {
	var all []events.Entity
	for _, f := range c.Feeds {
		if f.Backfill {
			all = append(all, f.Entities...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (c Connection) check(e events.Entity) error {
	can := c.Backfillable()
	switch {
	case !slices.Contains(c.Entities, e):
		return fmt.Errorf("%s has no entity %q%s", c.Name, e, suggest(string(e), texts(c.Entities)))
	case !slices.Contains(can, e) && len(can) == 0:
		return fmt.Errorf("%s: this connector can't be backfilled", c.Name)
	case !slices.Contains(can, e):
		return fmt.Errorf("%s: %s can't be backfilled: %s can list %s only", c.Name, e, c.Title, strings.Join(texts(can), ", "))
	case slices.Contains(c.Off, e):
		return fmt.Errorf("%s: %s is off: set connections.%s.sync.%s to realtime, every or nightly first, or what is read would be left out", c.Name, e, c.Name, e)
	}
	return nil
}

func texts(entities []events.Entity) []string {
	all := make([]string, len(entities))
	for i, e := range entities {
		all[i] = string(e)
	}
	return all
}
